/** Other processes that take locks: `lock-child.ts`, started and listened to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { childEnvironment, type Runtime } from './runtimes.ts'

const CHILD = fileURLToPath(new URL('./lock-child.js', import.meta.url))

export interface LockProcess {
  readonly process: ChildProcess
  /** The next line that it prints. Rejects when it ends instead. */
  line(): Promise<string>
  /** Resolves, with the exit code, once it has ended. */
  readonly ended: Promise<number | null>
}

const started = new Set<ChildProcess>()

/** Starts `lock-child.ts` in one of its modes. `args` go between the runtime and the script. */
export function startLockProcess(
  runtime: Runtime,
  mode: 'hold' | 'once' | 'holder' | 'race',
  directory: string,
  args: readonly string[] = runtime.args,
): LockProcess {
  const child = spawn(runtime.command, [...args, CHILD, mode, directory], {
    env: childEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  started.add(child)
  let complaints = ''
  child.stderr.on('data', (chunk) => {
    complaints += chunk
  })
  const lines: string[] = []
  const waiting: { resolve(line: string): void; reject(error: Error): void }[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const next = waiting.shift()
    if (next === undefined) lines.push(line)
    else next.resolve(line)
  })
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      started.delete(child)
      const error = new Error(`${runtime.name} ended with ${code}: ${complaints}`)
      for (const { reject } of waiting.splice(0)) reject(error)
      resolve(code)
    })
  })
  const line = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const first = lines.shift()
      if (first !== undefined) resolve(first)
      else if (started.has(child)) waiting.push({ resolve, reject })
      else reject(new Error(`${runtime.name} has ended: ${complaints}`))
    })
  return { process: child, line, ended }
}

/** Kills what is left. For an `afterEach` hook. */
export function killLockProcesses(): void {
  for (const child of started) child.kill('SIGKILL')
}
