/**
 * Where stores are broken: a copy of everything that is compiled, in which one file at a time is replaced by what its source
 * becomes with an edit. The project's own files are never touched.
 *
 *     src/…, test/… ─► esbuild ─► the copy's module
 *     assembly/…    ─► asc, in a hurry ─► the copy's kernel
 */
import { execFile, fork } from 'node:child_process'
import { copyFileSync, cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import { projectPath, projectRoot, projectText } from '../../support/project.ts'
import { tempDirectory } from '../../support/temp.ts'
import { type Edit, type Outcome, replaced } from './sabotage.ts'

const BUILD = fileURLToPath(new URL('../../../', import.meta.url))
/** A slice takes seconds. One that takes so long on a busy machine hangs. */
const SLICE_MS_MAX = 100_000
const KERNEL = 'assembly/'
const KERNEL_MODULE = 'build/src/kernel/kernel-binary.js'
const COMPILER = 'node_modules/assemblyscript/bin/asc.js'
/** Neither small nor as fast as can be, but soon there. */
const HURRY = ['--target', 'release', '--optimizeLevel', '1']

export class Workshop {
  readonly #root = tempDirectory()

  constructor() {
    const isWanted = (source: string): boolean => !source.endsWith('.map')
    for (const folder of ['src', 'test']) {
      const target = join(this.#root, 'build', folder)
      cpSync(join(BUILD, folder), target, { recursive: true, filter: isWanted })
    }
    cpSync(projectPath('assembly'), join(this.#root, 'assembly'), { recursive: true })
    for (const file of ['package.json', 'asconfig.json']) {
      copyFileSync(projectPath(file), join(this.#root, file))
    }
    symlinkSync(projectPath('node_modules'), join(this.#root, 'node_modules'))
  }

  /** Breaks the copy, runs the slice on it, and mends it. */
  async run(slice: string, seed: number, edits: readonly Edit[]): Promise<Outcome> {
    const sound = new Map<string, string>()
    const replace = (file: string, text: string): void => {
      const path = join(this.#root, file)
      if (!sound.has(path)) sound.set(path, readFileSync(path, 'utf8'))
      writeFileSync(path, text)
    }
    try {
      const sources = [...sourcesOf(edits)]
      const ofKernel = sources.filter(([file]) => file.startsWith(KERNEL))
      for (const [file, source] of ofKernel) replace(file, source)
      if (ofKernel.length > 0) replace(KERNEL_MODULE, await this.#compileKernel())
      for (const [file, source] of sources) {
        const module = `build/${file.replace(/\.ts$/, '.js')}`
        if (!file.startsWith(KERNEL)) replace(module, await moduleOf(source))
      }
      return await this.#runSlice(slice, seed)
    } catch (error) {
      return { kind: 'broken', message: String(error) }
    } finally {
      for (const [path, text] of sound) writeFileSync(path, text)
    }
  }

  /** The module of the kernel that the copy's sources make. */
  async #compileKernel(): Promise<string> {
    const args = [projectPath(COMPILER), '--config', 'asconfig.json', ...HURRY]
    const outFile = join(this.#root, 'kernel.wasm')
    await promisify(execFile)(process.execPath, [...args, '--outFile', outFile], {
      cwd: this.#root,
    })
    return `export const KERNEL_BASE64 = '${readFileSync(outFile, 'base64')}'\n`
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

/** The sources with the edits. */
function sourcesOf(edits: readonly Edit[]): Map<string, string> {
  const sources = new Map<string, string>()
  for (const edit of edits) {
    const source = sources.get(edit.file) ?? projectText(edit.file)
    sources.set(edit.file, replaced(source, edit))
  }
  return sources
}

async function moduleOf(source: string): Promise<string> {
  const tsconfigRaw = { compilerOptions: { verbatimModuleSyntax: true } }
  const { code } = await transform(source, { loader: 'ts', target: 'node20', tsconfigRaw })
  return code.replace(/(from |import\()"(\.[^"]+)\.ts"/g, '$1"$2.js"')
}
