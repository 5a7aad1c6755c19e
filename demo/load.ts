/**
 * The first part: writes every city and its position, in batches, while tables are written and merged behind.
 */
import type { Store } from './cities.ts'
import { bytes, count, duration, plural, rate } from './format.ts'
import type { Report } from './report.ts'
import type { World } from './world.ts'

const CITIES_PER_BATCH = 500

export async function load(db: Store, world: World, report: Report): Promise<void> {
  const { cities, keys } = world
  report.say(
    'Every city becomes two entries: the city under its country, region and name, and its ' +
      'place on the map. ' +
      `${plural(CITIES_PER_BATCH, 'city', 'cities')} go into a batch, and each batch is atomic.`,
  )

  const before = db.stats()
  const start = performance.now()
  const progress = report.terminal.progress('loading', cities.length)
  let payload = 0
  for (let first = 0; first < cities.length; first += CITIES_PER_BATCH) {
    const batch = db.batch()
    const end = Math.min(cities.length, first + CITIES_PER_BATCH)
    for (let number = first; number < end; number++) {
      const key = keys[number]!
      const city = cities[number]!
      const position = world.position(number)
      batch.put(key, city).put(position.key, position.value)
    }
    await batch.write()
    progress.update(end)
  }
  progress.finish()
  const ms = performance.now() - start

  for (const [number, city] of cities.entries()) {
    const position = world.position(number)
    world.put(keys[number]!, city)
    world.put(position.key, position.value)
  }
  for (const [key, text] of world.model) payload += Buffer.byteLength(key) + Buffer.byteLength(text)

  const entries = world.model.size
  report.say(
    `${count(entries)} entries with ${bytes(payload)} of keys and values were acknowledged ` +
      `in ${duration(ms)}: ` +
      `${rate(entries, ms)}.`,
  )
  const after = db.stats()
  const puts = after.puts - before.puts
  report.check(
    `The store has counted ${plural(entries, 'put')}, each with a sequence number of its own.`,
    puts === entries && after.sequence - before.sequence === entries,
    `${puts} puts, ${after.sequence - before.sequence} sequences`,
  )
  await waitForBackground(db, after.flushes, report)
}

/** What is in memory goes to tables, so that the parts to come read from files. */
async function waitForBackground(db: Store, flushed: number, report: Report): Promise<void> {
  const start = performance.now()
  await db.flush()
  const ms = performance.now() - start
  const { flushes, compactions, memtableEntries, stall, stalledMs, lastError } = db.stats()
  report.check(
    `Meanwhile a worker wrote ${plural(flushed, 'table')} of level 0; ` +
      `flush() wrote what was left in ${duration(ms)}, ${flushes} in all, with ` +
      `${plural(compactions, 'compaction')} so far. Nothing is left in memory.`,
    memtableEntries === 0 && flushes > 0,
    `${memtableEntries} entries in memory after ${flushes} flushes`,
  )
  report.check(
    stalledMs === 0
      ? 'Background work reported no error, and no write had to wait for it.'
      : `Background work reported no error; writes waited for it ${duration(stalledMs)} in all.`,
    lastError === undefined && stall === 'none',
    `${lastError?.code ?? 'no error'}, stall: ${stall}`,
  )
}
