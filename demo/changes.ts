/**
 * Overwrites and deletions, in batches and by range, and what an acknowledgement costs at each level of durability.
 */
import { countryName, countryPrefix, positionKey, type Store } from './cities.ts'
import { count, duration, plural, rate } from './format.ts'
import { type Report, TIMING_COLUMNS, timingRow } from './report.ts'
import { compare, differences, isSame, type World } from './world.ts'

const OVERWRITTEN = 'BR'
const DELETED = 'FR'
const PROCESS_WRITES = 5_000
const DISK_WRITES = 100

export async function change(db: Store, world: World, report: Report): Promise<void> {
  report.say('Newer entries replace older ones, and a deletion is an entry too.')
  await overwriteCountry(db, world, report)
  await deleteCountry(db, world, report)
  await clearIndex(db, world, report)
  await acknowledge(db, report)
  const found = await compare(db, world.model)
  report.check(
    'After all that the store is what it should be, entry by entry: ' +
      `${plural(found.entries, 'entry', 'entries')}.`,
    isSame(found),
    differences(found),
  )
}

async function overwriteCountry(db: Store, world: World, report: Report): Promise<void> {
  const numbers = world.numbersOf(OVERWRITTEN)
  const operations = numbers.map((number) => {
    const value = { ...world.cities[number]!, visited: true }
    world.put(world.keys[number]!, value)
    return { type: 'put', key: world.keys[number]!, value } as const
  })
  const start = performance.now()
  await db.batch(operations)
  const ms = performance.now() - start
  let visited = 0
  for await (const [key, text] of db.iterator({
    prefix: countryPrefix(OVERWRITTEN),
    valueEncoding: 'utf8',
  })) {
    if (text === world.model.get(key) && text.includes('"visited":true')) visited++
  }
  report.check(
    `Every city of ${countryName(OVERWRITTEN)} was overwritten by one batch of ` +
      `${plural(numbers.length, 'put')} in ${duration(ms)}.`,
    visited === numbers.length,
    `${visited} changed instead of ${numbers.length}`,
  )
}

async function deleteCountry(db: Store, world: World, report: Report): Promise<void> {
  const numbers = world.numbersOf(DELETED)
  const batch = db.batch()
  for (const number of numbers) {
    for (const key of [world.keys[number]!, positionKey(world.cities[number]!, number)]) {
      batch.delete(key)
      world.model.delete(key)
    }
  }
  const start = performance.now()
  const { length } = batch
  await batch.write()
  const ms = performance.now() - start
  const left = await db.keys({ prefix: countryPrefix(DELETED) }).all()
  report.check(
    `${countryName(DELETED)} and its places on the map went in one batch of ` +
      `${plural(length, 'deletion')} in ${duration(ms)}.`,
    left.length === 0 && numbers.length > 0,
    `${left.length} left`,
  )
}

async function clearIndex(db: Store, world: World, report: Report): Promise<void> {
  const before = db.stats().deletes
  const expected = world.countPrefix('pos/')
  const start = performance.now()
  await db.clear({ prefix: 'pos/' })
  const ms = performance.now() - start
  const cleared = db.stats().deletes - before
  for (const key of [...world.model.keys()]) if (key.startsWith('pos/')) world.model.delete(key)
  const left = await db.keys({ prefix: 'pos/' }).all()
  report.check(
    "clear({ prefix: 'pos/' }) dropped the whole second index, " +
      `${plural(cleared, 'entry', 'entries')}, in ${duration(ms)}: ` +
      `${rate(cleared, ms)}.`,
    cleared === expected && left.length === 0,
    `${cleared} deleted instead of ${expected}, ${left.length} left`,
  )
}

/** The price of a promise: what it takes until one write, awaited alone, is acknowledged. */
async function acknowledge(db: Store, report: Report): Promise<void> {
  const write = async (calls: number, sync: boolean): Promise<Float64Array> => {
    const times = new Float64Array(calls)
    for (let index = 0; index < calls; index++) {
      const start = performance.now()
      await db.put(`letter/${index}`, `sent ${index}`, { sync })
      times[index] = performance.now() - start
    }
    return times
  }
  const process = timingRow({
    what: 'put, outlives kill -9',
    times: await write(PROCESS_WRITES, false),
  })
  const disk = timingRow({
    what: 'put, outlives a power cut',
    times: await write(DISK_WRITES, true),
  })
  const letters = await db.keys({ prefix: 'letter/' }).all()
  await db.clear({ prefix: 'letter/' })
  report.check(
    `${plural(letters.length, 'letter')} written one by one were there, and are gone again.`,
    letters.length === PROCESS_WRITES && !(await db.has('letter/0')),
    count(letters.length),
  )
  report.terminal.table(TIMING_COLUMNS, [process, disk])
}
