/** Writes the results of a run into docs/benchmarks.md, between two marks, and leaves the rest as it is. */
import { readFileSync, writeFileSync } from 'node:fs'
import { costRows } from './costs.ts'
import { describeRun, gapLines, type Results } from './results.ts'
import { summarize } from './statistics.ts'
import { ratioTitle, resultRows, type TableOptions, textsOf } from './table.ts'
import { workloadOf } from './workloads/all.ts'

const BEGIN = '<!-- results: written by `npm run bench:compare -- --docs` -->'
const END = '<!-- end of results -->'

/** Throws if the page has not got the marks. */
export function writePage(file: string, results: Results, options: TableOptions): void {
  const page = readFileSync(file, 'utf8')
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error('the page has no place for results')
  const head = page.slice(0, from + BEGIN.length)
  writeFileSync(file, `${head}\n\n${renderMarkdown(results, options)}\n\n${page.slice(to)}`)
}

export function renderMarkdown({ run, measurements }: Results, options: TableOptions): string {
  const workloads = run.workloads.map(workloadOf)
  const engines = run.engineNames
  const rows = resultRows(workloads, engines, summarize(measurements), options)
  const settings = run.engines.map(({ name, version, settings }) => [name, version, settings])
  return [
    ...describeRun(run),
    table(['workload', ...engines, ratioTitle(options)], rows.map(textsOf)),
    table(['cost', ...engines], costRows(measurements, engines)),
    table(['engine', 'version', 'settings'], settings),
    ...gapLines(measurements),
  ].join('\n\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
