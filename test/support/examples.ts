/**
 * The examples of a Markdown page: blocks of `ts`, `js` (ES modules) and `cjs` code, each a whole program that imports
 * `sedgedb`. They are compiled, under strict rules, and run in folders of their own, unchanged.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { projectPath, projectText } from './project.ts'
import { childEnvironment } from './runtimes.ts'

export interface Example {
  /** The page and the line where the code begins, `docs/guide.md:12`. */
  readonly place: string
  /** The last heading above it. */
  readonly heading: string
  readonly language: Language
  readonly code: string
}

type Language = 'ts' | 'js' | 'cjs'

const SOURCE_NAMES: Readonly<Record<Language, string>> = {
  ts: 'example.ts',
  js: 'example.js',
  cjs: 'example.cjs',
}

const RUN_MS_MAX = 55_000

/** The examples of a page of the project, in their order. */
export function examplesOf(page: string): Example[] {
  return examplesIn(page, projectText(page))
}

/** The same, of a text. Blocks in other languages are passed over. */
export function examplesIn(page: string, text: string): Example[] {
  const examples: Example[] = []
  let heading = ''
  let block: { language: string; line: number; code: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    if (block === undefined) {
      const fence = /^```(\w*)$/.exec(line)
      if (fence !== null) block = { language: fence[1]!, line: index + 2, code: [] }
      else if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
    } else if (line === '```') {
      const { language, code } = block
      if (isLanguage(language)) {
        const place = `${page}:${block.line}`
        examples.push({ place, heading, language, code: `${code.join('\n')}\n` })
      }
      block = undefined
    } else {
      block.code.push(line)
    }
  }
  return examples
}

function isLanguage(language: string): language is Language {
  return Object.hasOwn(SOURCE_NAMES, language)
}

/** Examples in a folder, ready to run. */
export class ExampleFolder {
  readonly #folder: string

  /** `folder` must be empty. */
  constructor(folder: string) {
    this.#folder = folder
    writeJson(join(folder, 'package.json'), { private: true, type: 'module' })
    // What stands for the installed package is the build that this module is a part of.
    const installed = join(folder, 'node_modules/sedgedb')
    const index = fileURLToPath(new URL('../../src/index', import.meta.url))
    mkdirSync(installed, { recursive: true })
    const entry = { types: './index.d.ts', default: './index.js' }
    writeJson(join(installed, 'package.json'), { type: 'module', exports: { '.': entry } })
    writeFileSync(join(installed, 'index.js'), `export * from '${pathToFileURL(index)}.js'\n`)
    writeFileSync(join(installed, 'index.d.ts'), `export * from '${index}.js'\n`)
  }

  /** Writes and compiles the examples. Returns the compiler's complaints, with names of files. */
  compile(examples: readonly Example[]): string {
    for (const [number, { code, language }] of examples.entries()) {
      mkdirSync(this.#folderOf(number))
      writeFileSync(join(this.#folderOf(number), SOURCE_NAMES[language]), code)
    }
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      module: 'nodenext',
      strict: true,
      noUncheckedIndexedAccess: true,
      noUnusedLocals: true,
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [projectPath('node_modules/@types')],
    }
    writeJson(join(this.#folder, 'tsconfig.json'), { compilerOptions, include: ['*/example.ts'] })
    return outputOf([projectPath('node_modules/typescript/bin/tsc'), '-p', this.#folder], '.')
  }

  /** Runs the example of this number. Returns nothing, or what it wrote before it failed. */
  run(number: number, { language }: Example): string {
    const script = language === 'cjs' ? SOURCE_NAMES.cjs : SOURCE_NAMES.js
    return outputOf([script], this.#folderOf(number))
  }

  #folderOf(number: number): string {
    return join(this.#folder, `example-${number}`)
  }
}

/** Runs Node. What it wrote, when it fails; nothing, when all is well. */
function outputOf(args: readonly string[], cwd: string): string {
  try {
    const env = childEnvironment()
    execFileSync(process.execPath, args, { cwd, env, stdio: 'pipe', timeout: RUN_MS_MAX })
    return ''
  } catch (error) {
    const { message, stdout, stderr } = error as Error & Record<'stdout' | 'stderr', unknown>
    return `${message}\n${stdout ?? ''}\n${stderr ?? ''}`
  }
}

function writeJson(file: string, content: unknown): void {
  writeFileSync(file, JSON.stringify(content))
}
