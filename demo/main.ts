/**
 * A demonstration of SedgeDB with real data: `npm start`.
 *
 *     npm start                        in a temporary folder, which is removed at the end
 *     npm start -- --keep              the folder stays
 *     npm start -- <folder>            in this folder, which must be new or empty, and stays
 *     npm start -- --cities 10000      with fewer cities
 *
 * Every number is measured, every claim is checked. Ends with 0 if all checks held, 1 if one failed, 2 for wrong use.
 * `SEDGE_SEED` repeats the random choices of an earlier run, though not its timing.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { open } from '../src/index.ts'
import { change } from './changes.ts'
import { readCities, type Store } from './cities.ts'
import { surviveKills } from './crash.ts'
import { count, duration } from './format.ts'
import { load } from './load.ts'
import { readPoints } from './points.ts'
import { closeAndReopen, flipBits } from './reopen.ts'
import { Report } from './report.ts'
import { scanRanges } from './scans.ts'
import { readThePast } from './snapshots.ts'
import { Terminal } from './terminal.ts'
import { keepUp, printCounters } from './upkeep.ts'
import { seededRandom, World } from './world.ts'

/** Smaller than the default, so that a short demonstration fills several levels. */
const MEMTABLE_BYTES = 16 * 1024 * 1024

interface Settings {
  /** Where the stores are. */
  readonly folder: string
  readonly isKept: boolean
  readonly cities: number
  readonly seed: number
}

async function demonstrate(settings: Settings, terminal: Terminal): Promise<boolean> {
  const { folder, cities: limit, seed } = settings
  const start = performance.now()
  const random = seededRandom(seed)
  const report = new Report(terminal)
  const world = new World(readCities(limit), random)
  introduce(world, settings, terminal)

  const path = join(folder, 'cities')
  const options = { valueEncoding: 'json', memtableSize: MEMTABLE_BYTES } as const
  const db: Store = await open(path, options)
  await report.section('Loading', () => load(db, world, report))
  await report.section('Reading keys', () => readPoints(db, world, report))
  await report.section('Reading ranges', () => scanRanges(db, world, report))
  await report.section('Snapshots', () => readThePast(db, world, report))
  await report.section('Overwriting and deleting', () => change(db, world, report))
  await report.section('Verifying and compacting', () => keepUp(db, world, report))
  printCounters(db.stats(), report)
  await report.section('Closing and opening again', () => closeAndReopen(db, path, world, report))
  const crashed = join(folder, 'crashed')
  await report.section('kill -9', () => surviveKills(crashed, random, report))
  await report.section('Flipped bits', () => flipBits(crashed, random, report))

  terminal.heading(10, 'Result')
  const passed = report.conclude()
  terminal.line(`${report.verdict()} It took ${duration(performance.now() - start)}.`)
  terminal.line(terminal.style('dim', 'City data: GeoNames, https://www.geonames.org, CC BY 4.0.'))
  if (settings.isKept) terminal.line(`The stores are in ${folder}.`)
  terminal.line()
  return passed
}

function introduce(world: World, { folder, seed }: Settings, terminal: Terminal): void {
  const dim = (text: string): void => terminal.line(terminal.style('dim', text))
  const cities = count(world.cities.length)
  const cores = `${availableParallelism()} cores`
  terminal.line()
  terminal.line(
    `${terminal.style('bold', 'SedgeDB')} · an embedded, ordered key-value store, ${cities} cities`,
  )
  dim(`${runtime()}, ${process.platform} ${process.arch}, ${cores} · seed ${seed} · ${folder}`)
  dim('City data: GeoNames, https://www.geonames.org, CC BY 4.0.')
}

/** What runs this: the others pass themselves off as Node, too. */
function runtime(): string {
  const { bun, deno, node } = process.versions
  if (bun !== undefined) return `Bun ${bun}`
  return deno === undefined ? `Node ${node}` : `Deno ${deno}`
}

/** Reads the command line and prepares the folder. Throws `TypeError` or `RangeError` for wrong use. */
function settingsFrom(args: readonly string[]): Settings {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { keep: { type: 'boolean' }, cities: { type: 'string' } },
  })
  const cities = Number(values.cities ?? Number.POSITIVE_INFINITY)
  if (!(cities >= 1000)) throw new RangeError('--cities must be a number of at least 1000')
  if (positionals.length > 1) throw new RangeError('there can be only one folder')
  const [given] = positionals
  const seed = Number(process.env['SEDGE_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
  const folder = given === undefined ? mkdtempSync(join(tmpdir(), 'sedgedb-demo-')) : resolve(given)
  mkdirSync(folder, { recursive: true })
  if (readdirSync(folder).length > 0) throw new RangeError('the folder must be new or empty')
  return { folder, isKept: given !== undefined || values.keep === true, cities, seed }
}

async function main(): Promise<number> {
  let settings: Settings
  try {
    settings = settingsFrom(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    return 2
  }
  const { folder, isKept } = settings
  if (!isKept) {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const terminal = new Terminal(process.stdout, process.env)
  try {
    return (await demonstrate(settings, terminal)) ? 0 : 1
  } catch (error) {
    terminal.line()
    const what = error instanceof Error ? error.stack : error
    process.stderr.write(`${what}\nThe demonstration failed. Seed: ${settings.seed}\n`)
    return 1
  }
}

const code = await main()
// A run that failed may have left a store or a process open. One that did not ends by itself, because nothing is.
if (code !== 0) process.exit(code)
