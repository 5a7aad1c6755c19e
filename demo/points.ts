/**
 * Reads of single keys: there or not, one by one and together. Everything read is held against the source.
 */
import type { Store } from './cities.ts'
import { count, percent } from './format.ts'
import { type Report, TIMING_COLUMNS, type Timing, timingRow } from './report.ts'
import type { World } from './world.ts'

const SYNC_READS = 30_000
const ASYNC_READS = 10_000
const KEYS_PER_GROUP = 100
const TARGET_BYTES = 4096

export async function readPoints(db: Store, world: World, report: Report): Promise<void> {
  report.say(
    'Cities drawn at random are read in five ways, and names that no city has. Every value ' +
      'is compared with the record ' +
      'in the source, not with what the store said earlier.',
  )
  const rows = [
    readSync(db, world, report),
    await readAsync(db, world, report),
    readMany(db, world, report),
    readInto(db, world, report),
    readAbsent(db, world, report),
  ]
  report.terminal.table(TIMING_COLUMNS, rows)
}

function readSync(db: Store, world: World, report: Report): string[] {
  const numbers = world.draw(SYNC_READS)
  const found: unknown[] = []
  const timing = time('getSync, JSON decoded', numbers, (number) => {
    found.push(db.getSync(world.keys[number]!))
  })
  checkCities(report, world, numbers, found, 'getSync')
  return timingRow(timing)
}

async function readAsync(db: Store, world: World, report: Report): Promise<string[]> {
  const numbers = world.draw(ASYNC_READS)
  const found: unknown[] = []
  const times = new Float64Array(numbers.length)
  for (const [index, number] of numbers.entries()) {
    const start = performance.now()
    found.push(await db.get(world.keys[number]!))
    times[index] = performance.now() - start
  }
  checkCities(report, world, numbers, found, 'await get')
  return timingRow({ what: 'await get, JSON decoded', times })
}

function readMany(db: Store, world: World, report: Report): string[] {
  const numbers = world.draw(SYNC_READS)
  const groups: number[][] = []
  for (let first = 0; first < numbers.length; first += KEYS_PER_GROUP) {
    groups.push(numbers.slice(first, first + KEYS_PER_GROUP))
  }
  const found: unknown[] = []
  const timing = time(`getManySync, ${KEYS_PER_GROUP} keys a call`, groups, (group) => {
    found.push(...db.getManySync(group.map((number) => world.keys[number]!)))
  })
  checkCities(report, world, numbers, found, 'getManySync')
  return timingRow(timing, KEYS_PER_GROUP)
}

/** No string, no object: the bytes, into memory that is there already. */
function readInto(db: Store, world: World, report: Report): string[] {
  const numbers = world.draw(SYNC_READS)
  const target = Buffer.alloc(TARGET_BYTES)
  const wrong: number[] = []
  const timing = time('getInto, bytes only', numbers, (number) => {
    const length = db.getInto(world.keys[number]!, target)
    if (length === undefined) wrong.push(number)
  })
  for (const number of numbers) {
    const key = world.keys[number]!
    const length = db.getInto(key, target) ?? 0
    if (target.toString('utf8', 0, length) !== world.model.get(key)) wrong.push(number)
  }
  report.check(
    `getInto: ${count(numbers.length)} values were copied into one buffer, byte for byte ` +
      'those of the source.',
    wrong.length === 0,
    `${wrong.length} wrong`,
  )
  return timingRow(timing)
}

function readAbsent(db: Store, world: World, report: Report): string[] {
  const keys = world.draw(SYNC_READS).map((number) => `${world.keys[number]!}?`)
  const before = db.stats()
  let found = 0
  const timing = time('getSync, key not there', keys, (key) => {
    if (db.getSync(key) !== undefined) found++
  })
  const after = db.stats()
  const checks = after.filterChecks - before.filterChecks
  const negatives = after.filterNegatives - before.filterNegatives
  report.check(
    `${count(keys.length)} keys that were never written were all undefined. The filters ` +
      `were asked ${count(checks)} times ` +
      `and said "not here" ${percent(negatives / checks)} of the time, without a look at a block.`,
    found === 0 && negatives > checks * 0.9,
    `${found} found, ${negatives} of ${checks} checks negative`,
  )
  return timingRow(timing)
}

function time<T>(what: string, items: readonly T[], call: (item: T) => void): Timing {
  const times = new Float64Array(items.length)
  for (const [index, item] of items.entries()) {
    const start = performance.now()
    call(item)
    times[index] = performance.now() - start
  }
  return { what, times }
}

function checkCities(
  report: Report,
  world: World,
  numbers: readonly number[],
  found: readonly unknown[],
  call: string,
): void {
  const wrong = numbers.filter((number, index) => {
    return JSON.stringify(found[index]) !== JSON.stringify(world.cities[number])
  })
  report.check(
    `${call}: ${count(numbers.length)} cities are what the source says, name, place and region.`,
    wrong.length === 0 && found.length === numbers.length,
    `${wrong.length} wrong of ${found.length}`,
  )
}
