/**
 * Where the project's files are. The tests run from compiled copies, in `build/` or elsewhere, so a path
 * relative to the module would not do.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of `package.json` and the sources: looked for above this module, then above the working directory. */
export function projectRoot(): string {
  const starts = [dirname(fileURLToPath(import.meta.url)), process.cwd()]
  for (const start of starts) {
    for (let folder = start; ; folder = dirname(folder)) {
      if (existsSync(join(folder, 'asconfig.json'))) return folder
      if (dirname(folder) === folder) break
    }
  }
  throw new Error(`no folder with asconfig.json above ${starts.join(' or ')}`)
}

/** An absolute path to a file of the project, by its path from the root. */
export function projectPath(...parts: string[]): string {
  return resolve(projectRoot(), ...parts)
}

/** The text of a file of the project. */
export function projectText(...parts: string[]): string {
  return readFileSync(projectPath(...parts), 'utf8')
}
