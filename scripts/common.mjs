/** What the scripts share: paths from the project's root, and child processes. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** An absolute path, from one relative to the project's root. */
export function inRoot(path) {
  return resolve(ROOT, path)
}

/** True when the module with this URL is the script that Node was started with. */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url)
}

/** The files below a folder whose names end so, relative to the root, in a fixed order; none without the folder. */
export function filesBelow(folder, ending) {
  if (!existsSync(inRoot(folder))) return []
  return readdirSync(inRoot(folder), { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules')
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return filesBelow(path, ending)
      return entry.name.endsWith(ending) ? [path] : []
    })
    .sort()
}

/** Runs a Node script from the root; rejects unless it ends with 0. */
export async function run(script, args, options = {}) {
  const code = await exitCode(process.execPath, [inRoot(script), ...args], options)
  if (code !== 0) throw new Error(`${script} ${args.join(' ')} ended with ${code}`)
}

/**
 * Runs a program from the root, its output with ours, and resolves to its exit code. A program that is ended by a
 * signal, also because `timeout` milliseconds have passed, counts as 1.
 */
export function exitCode(command, args, { env = {}, cwd = '.', timeout } = {}) {
  return new Promise((resolveCode, reject) => {
    const child = spawn(command, args, {
      cwd: inRoot(cwd),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout,
      killSignal: 'SIGKILL',
    })
    child.on('error', reject)
    child.on('exit', (code) => resolveCode(code ?? 1))
  })
}
