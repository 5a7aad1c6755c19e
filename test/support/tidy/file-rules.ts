/** Rules about single files: their length, marks that must not stay, what may be tracked, and the test beside each source. */
import { codeOnly, matches, type SourceFile, withoutComments } from './source-text.ts'

export const FILE_LINES_MAX = 400
export const LINE_COLUMNS_MAX = 100
export const KERNEL_FUNCTION_LINES_MAX = 80
export const FILE_BYTES_MAX: number = 512 * 1024

export function fileLengthProblems(files: readonly SourceFile[]): string[] {
  return files
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > FILE_LINES_MAX)
    .map(({ path, lines }) => `${path}:1: ${lines} lines; the cap is ${FILE_LINES_MAX}`)
}

/** Comments may be somewhat longer, and the title of a test is one string that a formatter cannot break. */
export function lineLengthProblems(files: readonly SourceFile[]): string[] {
  const title = /^\s*(?:(?:it|describe|eachRuntime)\(|'.*\[[A-Z]+-\d+.*\]',$)/
  return files.flatMap(({ path, text }) =>
    withoutComments(text)
      .split('\n')
      .map((line, index) => ({ columns: line.trimEnd().length, isTitle: title.test(line), index }))
      .filter(({ columns, isTitle }) => columns > LINE_COLUMNS_MAX && !isTitle)
      .map(({ columns, index }) => `${path}:${index + 1}: ${columns} columns of code`),
  )
}

/** Biome measures functions in TypeScript; AssemblyScript, which it cannot parse, is measured here. */
export function kernelFunctionProblems(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    [...file.text.matchAll(/^(?:export )?function (\w+)[\s\S]*?^}/gm)]
      .map((match) => ({ match, lines: match[0].split('\n').length }))
      .filter(({ lines }) => lines > KERNEL_FUNCTION_LINES_MAX)
      .map(({ match, lines }) => `${file.path}: function ${match[1]} has ${lines} lines`),
  )
}

/** Spelt so that this file does not contain them. */
const MARKS = ['TO-DO', 'FIX-ME', 'HA-CK', 'X-XX'].map((mark) => mark.replace('-', ''))

export function leftoverProblems(files: readonly SourceFile[]): string[] {
  const pattern = new RegExp(`\\b(?:${MARKS.join('|')})\\b`)
  return files.flatMap((file) => matches(file, file.text, pattern, 'a mark of unfinished work'))
}

export function focusProblems(files: readonly SourceFile[]): string[] {
  const pattern =
    /\b(?:describe|context|it|specify|test)\s*\.\s*(?:only|skip)\b|\bx(?:it|describe)\s*\(/
  return files.flatMap((file) =>
    matches(file, codeOnly(file.text), pattern, 'a test singled out or switched off'),
  )
}

export function defaultExportProblems(files: readonly SourceFile[]): string[] {
  const pattern = /\bexport\s+default\b|\bas\s+default\b/
  return files.flatMap((file) => matches(file, codeOnly(file.text), pattern, 'a default export'))
}

const MACHINE_FOLDERS = ['work', 'tmp', 'farm', 'root', 'home', 'Users']

/** Absolute paths of somebody's machine. */
export function machinePathProblems(files: readonly SourceFile[]): string[] {
  const pattern = new RegExp(
    `(?<![\\w.*/)}~-])/(?:${MACHINE_FOLDERS.join('|')})(?:/|\\b(?=['"\`\\s]))`,
  )
  return files.flatMap((file) => matches(file, file.text, pattern, 'a path of one machine'))
}

/** Where files that are not text may stand: stores written by releases, kept to be opened by later ones. */
const BINARY_PLACES = ['test/golden/']

const GENERATED: readonly RegExp[] = [
  /^(?:build|dist|coverage|node_modules)\//,
  /\.(?:wasm|tgz|log)$/,
  /^src\/(?:kernel\/kernel-binary|env\/worker-source)\.ts$/,
]

/** Generated files, binary files and big files that somebody added to the repository. */
export function trackedProblems(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => !BINARY_PLACES.some((place) => path.startsWith(place)))
    .flatMap(({ path, text }) => [
      ...(GENERATED.some((pattern) => pattern.test(path)) ? [`${path}: is generated`] : []),
      ...(text.includes('\0') ? [`${path}: is binary`] : []),
      ...(text.length > FILE_BYTES_MAX ? [`${path}: is over ${FILE_BYTES_MAX} bytes`] : []),
    ])
}

/** Sources without a test file of their own, each with the reason. Files of types alone need none. */
export const UNMIRRORED: Readonly<Record<string, string>> = {
  'src/index.ts': 'only re-exports; test/package.test.ts uses it from outside',
}

/** Every `src/<path>.ts` with code in it has `test/<path>.test.ts`. */
export function mirrorProblems(
  sources: readonly SourceFile[],
  testPaths: readonly string[],
  unmirrored: Readonly<Record<string, string>> = UNMIRRORED,
): string[] {
  return sources
    .filter(({ path, text }) => !(path in unmirrored) && hasRuntimeCode(text))
    .map(({ path }) => ({ path, test: path.replace(/^src\/(.*)\.ts$/, 'test/$1.test.ts') }))
    .filter(({ test }) => !testPaths.includes(test))
    .map(({ path, test }) => `${path}: there is no ${test}`)
}

/** False for a file that leaves nothing when its types are erased. */
function hasRuntimeCode(text: string): boolean {
  return /^(?:export +)?(?:(?:async +)?function|class|abstract|const|let|[{*])/m.test(
    codeOnly(text),
  )
}
