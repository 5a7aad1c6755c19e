/**
 * The driver of whole stores: SedgeDB alone, or side by side with the rivals of bench/compare.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type EngineFile, type Measurement, runAll } from './runner.ts'
import type { Settings } from './settings.ts'
import { type Metric, summarize } from './statistics.ts'
import { renderTable } from './table.ts'
import type { Workload } from './workload.ts'

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
  /** A file to which each measurement is added as a line of JSON. */
  readonly jsonFile: string | undefined
  readonly metric: Metric
}

export async function benchStores(options: DriverOptions, settings: Settings): Promise<void> {
  const engines = selectEngines(options)
  const measurements: Measurement[] = []
  const isTerminal = process.stdout.isTTY === true
  const descriptions = await runAll(engines, options.workloads, settings, {
    progress: (text) => process.stderr.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`),
    measured: (measurement) => {
      measurements.push(measurement)
      if (options.jsonFile !== undefined) {
        appendFileSync(options.jsonFile, `${JSON.stringify(measurement)}\n`)
      }
    },
  })
  if (isTerminal) process.stderr.write('\r\u001b[K')
  const names = engines.map(({ name }) => name)
  const table = { ours: OURS, bounds: [BOUND], isColoured: isTerminal }
  console.log(renderTable(options.workloads, names, summarize(measurements, options.metric), table))
  for (const one of descriptions) {
    if (one !== undefined) console.log(`${one.name} ${one.version}: ${one.settings}`)
  }
}

function selectEngines({ engines: asked, isCompared }: DriverOptions): EngineFile[] {
  const own = OWN_ENGINES.map((name) => ({
    name,
    url: new URL(`./engines/${name}.js`, import.meta.url).href,
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
    }))
}
