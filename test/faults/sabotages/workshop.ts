/**
 * Where stores are broken: a copy of everything that is compiled, in which one file at a time is replaced by what its source
 * becomes with an edit. The project's own files are never touched.
 *
 *     src/…, test/… ─► esbuild ─► the copy's module
 */
import { fork } from 'node:child_process'
import { copyFileSync, cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { projectPath, projectRoot, projectText } from '../../support/project.ts'
import { tempDirectory } from '../../support/temp.ts'
import { type Edit, type Outcome, replaced } from './sabotage.ts'

const BUILD = fileURLToPath(new URL('../../../', import.meta.url))
/** A slice takes seconds. One that takes so long on a busy machine hangs. */
const SLICE_MS_MAX = 100_000

export class Workshop {
  readonly #root = tempDirectory()

  constructor() {
    const isWanted = (source: string): boolean => !source.endsWith('.map')
    for (const folder of ['src', 'test']) {
      const target = join(this.#root, 'build', folder)
      cpSync(join(BUILD, folder), target, { recursive: true, filter: isWanted })
    }
    copyFileSync(projectPath('package.json'), join(this.#root, 'package.json'))
    symlinkSync(projectPath('node_modules'), join(this.#root, 'node_modules'))
  }

  /** Breaks the copy, runs the slice on it, and mends it. */
  async run(slice: string, seed: number, edits: readonly Edit[]): Promise<Outcome> {
    const sound = new Map<string, string>()
    try {
      for (const [file, text] of await modulesOf(edits)) {
        const path = join(this.#root, file)
        sound.set(path, readFileSync(path, 'utf8'))
        writeFileSync(path, text)
      }
      return await this.#runSlice(slice, seed)
    } catch (error) {
      return { kind: 'broken', message: String(error) }
    } finally {
      for (const [path, text] of sound) writeFileSync(path, text)
    }
  }

  #runSlice(slice: string, seed: number): Promise<Outcome> {
    const script = join(this.#root, 'build/test/faults/sabotages/slice-child.js')
    const child = fork(script, [slice, String(seed)], {
      cwd: projectRoot(),
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let outcome: Outcome | undefined
    let told = ''
    child.stderr?.on('data', (data) => (told = `${told}${data}`.slice(-2000)))
    child.on('message', (message: Outcome) => (outcome ??= message))
    const limit = setTimeout(() => {
      outcome ??= { kind: 'complained', message: 'the slice does not end' }
      child.kill('SIGKILL')
    }, SLICE_MS_MAX)
    return new Promise((resolve) => {
      child.on('close', (code, signal) => {
        clearTimeout(limit)
        const message = `the slice ended with ${signal ?? code}: ${told}`
        resolve(outcome ?? { kind: 'broken', message })
      })
    })
  }
}

/** What takes the place of which file of the copy. */
async function modulesOf(edits: readonly Edit[]): Promise<Map<string, string>> {
  const sources = new Map<string, string>()
  for (const edit of edits) {
    const source = sources.get(edit.file) ?? projectText(edit.file)
    sources.set(edit.file, replaced(source, edit))
  }
  const modules = new Map<string, string>()
  for (const [file, source] of sources) {
    modules.set(`build/${file.replace(/\.ts$/, '.js')}`, await moduleOf(source))
  }
  return modules
}

async function moduleOf(source: string): Promise<string> {
  const tsconfigRaw = { compilerOptions: { verbatimModuleSyntax: true } }
  const { code } = await transform(source, { loader: 'ts', target: 'node20', tsconfigRaw })
  return code.replace(/(from |import\()"(\.[^"]+)\.ts"/g, '$1"$2.js"')
}
