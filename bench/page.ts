/**
 * The results as one page of HTML that needs nothing else: plots by uPlot, which is bundled into it, and all numbers as
 * tables.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { costRows } from './costs.ts'
import { latencyRows } from './latencies.ts'
import { describeRun, gapLines, type Results } from './results.ts'
import { type Gap, type Summary, summarize } from './statistics.ts'
import { bestRival, ratioTitle, resultRows, type TableOptions, textsOf } from './table.ts'
import { workloadOf } from './workloads/all.ts'

const LATENCY_PLOTS = ['put', 'putsync', 'fillrandom', 'readrandom', 'ycsb-a', 'seekrandom']

const STYLE = `
:root { color-scheme: light; font: 15px/1.5 system-ui, sans-serif; color: #212529 }
body { margin: 2rem auto; max-width: 1240px; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: 3px 10px; border-bottom: 1px solid #dee2e6 }
th, td { text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
.wide { overflow-x: auto } .text th, .text td { text-align: left; white-space: normal }
.ahead { color: #2b8a3e } .behind { color: #c92a2a }
.row { display: flex; flex-wrap: wrap; gap: 1.5rem } code { background: #f1f3f5; padding: 2px 5px }
`

/** `compareDirectory` is where the packages of the plots are installed. */
export async function writeHtml(
  file: string,
  results: Results,
  options: TableOptions,
  compareDirectory: string,
): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [join(compareDirectory, 'page/plots.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: 'es2022',
    legalComments: 'inline',
  })
  const style = join(compareDirectory, 'node_modules/uplot/dist/uPlot.min.css')
  const script = outputFiles[0]!.text.replaceAll('</script', '<\\/script')
  const styles = readFileSync(style, 'utf8') + STYLE
  writeFileSync(file, renderHtml(results, options, { script, styles }))
}

export function renderHtml(
  results: Results,
  options: TableOptions,
  { script, styles }: { script: string; styles: string },
): string {
  const { run, measurements } = results
  const workloads = run.workloads.map(workloadOf)
  const engines = run.engineNames
  const summaries = summarize(measurements)
  const rows = resultRows(workloads, engines, summaries, options)
  const data = plotData(results, summaries, options)
  const json = JSON.stringify(data).replaceAll('<', '\\u003c')
  const abouts = workloads.map(({ name, about }) => [name, about])
  const settings = run.engines.map(({ name, version, settings }) => [name, version, settings])
  const latencyHead = ['workload', 'of', 'engine', 'p50', 'p99', 'p99.9', 'longest']
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>SedgeDB, benchmarks</title>
<meta name="viewport" content="width=device-width"><style>${styles}</style></head><body>
<h1>SedgeDB and its rivals</h1>
${describeRun(run).map(paragraph).join('\n')}
<h2>How the best rival compares</h2>
<p>Time of the best rival over ours, for each workload; above 1 × we are ahead.</p>
<div id="ratios"></div>
<h2>Time of one operation</h2>
<p>Medians of the rounds; lines reach from the fastest round to the slowest.</p>
<div id="times"></div>
${table(['workload', ...engines, ratioTitle(options)], rows.map(textsOf), 'wide')}
<h2>Costs</h2>
${table(['cost', ...engines], costRows(measurements, engines), 'wide')}
<h2>How long single operations take</h2>
<div class="row">${data.latencies.map((_, i) => `<div id="latencies-${i}"></div>`).join('')}</div>
<details><summary>All of them</summary>
${table(latencyHead, latencyRows(workloads, summaries), 'wide')}
</details>
<h2>Workloads</h2>
${table(['workload', 'what is done'], abouts, 'text')}
<h2>Engines</h2>
${table(['engine', 'version', 'settings'], settings, 'text')}
${gapLines(measurements).map(paragraph).join('\n')}
<script type="application/json" id="data">${json}</script>
<script>${script}</script>
</body></html>
`
}

function plotData(
  { run }: Results,
  summaries: readonly (Summary | Gap)[],
  { ours, bounds }: TableOptions,
): {
  ours: string
  engines: readonly string[]
  workloads: readonly string[]
  ns: (number | null)[][]
  least: (number | null)[][]
  most: (number | null)[][]
  ratios: (number | null)[]
  latencies: { title: string; engines: string[]; ns: number[][] }[]
} {
  const found = summaries.filter((one): one is Summary => 'ns' in one)
  const at = (workload: string, engine: string): Summary | undefined =>
    found.find((one) => one.workload === workload && one.engine === engine)
  const grid = (of: (one: Summary) => number): (number | null)[][] =>
    run.engineNames.map((engine) =>
      run.workloads.map((workload) => {
        const one = at(workload, engine)
        return one === undefined ? null : of(one)
      }),
    )
  const ratios = run.workloads.map((workload) => {
    const rival = bestRival(
      found.filter((one) => one.workload === workload),
      [ours, ...bounds],
    )
    const own = at(workload, ours)
    return rival === undefined || own === undefined ? null : rival.ns / own.ns
  })
  const latencies = LATENCY_PLOTS.flatMap((workload) => {
    const timed = run.engineNames.flatMap((engine) => {
      const times = at(workload, engine)?.last.percentiles
      return times === undefined ? [] : [{ engine, times }]
    })
    if (timed.length === 0) return []
    const title = `${workload}: ${workloadOf(workload).latencyOf}`
    const ns = timed.map(({ times }) => [times.p50, times.p99, times.p999, times.max])
    return [{ title, engines: timed.map(({ engine }) => engine), ns }]
  })
  const spread = { least: grid((one) => one.nsLeast), most: grid((one) => one.nsMost) }
  const axes = { ours, engines: run.engineNames, workloads: run.workloads }
  return { ...axes, ns: grid((one) => one.ns), ...spread, ratios, latencies }
}

function paragraph(text: string): string {
  return `<p>${escaped(text).replace(/`([^`]*)`/g, '<code>$1</code>')}</p>`
}

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  style: string,
): string {
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  const body = rows.map((row) => line(row, 'td')).join('\n')
  return `<div class="${style}"><table>${line(head, 'th')}\n${body}</table></div>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
