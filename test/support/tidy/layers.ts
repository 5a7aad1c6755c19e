/**
 * The layer rule: a file may import files of its own folder and of rows below it. The rows are the table in
 * `docs/architecture.md`; there is no second list of them.
 */
import { posix } from 'node:path'
import { importsOf, type SourceFile } from './source-text.ts'

/** From a folder of `src` (or a file right in it) to its row. */
export type Layers = ReadonlyMap<string, number>

/** Reads the table under "Layers": rows of `| number | `name`, `name` | … |`. */
export function parseLayers(markdown: string): Layers {
  const layers = new Map<string, number>()
  for (const [, row, names] of markdown.matchAll(/^\| (\d+) \| ((?:`[^`]+`(?:, )?)+) \|/gm)) {
    for (const [, name] of names!.matchAll(/`([^`]+?)\/?`/g)) layers.set(name!, Number(row))
  }
  return layers
}

/** Imports that do not look down, files without a row, and packages outside their one place. */
export function layerProblems(
  files: readonly SourceFile[],
  layers: Layers,
  packages: Readonly<Record<string, string>>,
): string[] {
  return files.flatMap((file) => {
    const problems: string[] = []
    const from = layerOf(file.path)
    const fromRow = layers.get(from)
    if (fromRow === undefined)
      problems.push(`${file.path}:1: ${from} has no row in the layer table`)
    for (const { specifier, line } of importsOf(file.text)) {
      if (specifier.startsWith('node:')) continue
      const report = (message: string) => problems.push(`${file.path}:${line}: ${message}`)
      if (!specifier.startsWith('.')) {
        if (packages[specifier] !== file.path) report(`imports the package ${specifier}`)
        continue
      }
      const target = posix.join(posix.dirname(file.path), specifier)
      const to = layerOf(target)
      const toRow = layers.get(to)
      if (to === from) continue
      if (toRow === undefined || fromRow === undefined || toRow >= fromRow) {
        report(`${from} (row ${fromRow}) imports ${to} (row ${toRow}): imports look down only`)
      }
    }
    return problems
  })
}

/** `src/log/writer.ts` -> `log`, `src/errors.ts` -> `errors.ts`, `assembly/x.ts` -> `assembly`. */
function layerOf(path: string): string {
  const [top, second] = path.split('/')
  return top === 'src' ? (second ?? top) : (top ?? path)
}
