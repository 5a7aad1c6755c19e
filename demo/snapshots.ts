/**
 * Snapshots: the past stays readable while the present is overwritten, deleted and put back.
 */
import { type City, countryName, countryPrefix, type Store } from './cities.ts'
import { count, plural } from './format.ts'
import type { Report } from './report.ts'
import type { World } from './world.ts'

const OVERWRITES = 2_000
const COUNTRY = 'IT'

export async function readThePast(db: Store, world: World, report: Report): Promise<void> {
  report.say('A snapshot costs a number. What it sees stays, whatever is written meanwhile.')
  const snapshot = db.snapshot()
  await overwriteOne(db, world, report)
  await deleteUnderLoop(db, world, report)
  snapshot.close()
  const code = await rejectionCode(() => db.get(world.keys[0]!, { snapshot }))
  report.check(
    'A snapshot that was closed says CLOSED instead of guessing.',
    code === 'CLOSED',
    `${code ?? 'an answer'}`,
  )
  report.check(
    'No snapshot and no iterator is left open.',
    db.stats().liveSnapshots === 0,
    `${db.stats().liveSnapshots} live`,
  )
}

/** Reads the old and the new value of one city between the writes that replace it. */
async function overwriteOne(db: Store, world: World, report: Report): Promise<void> {
  const index = world.draw(1)[0]!
  const key = world.keys[index]!
  const city = world.cities[index]!
  using snapshot = db.snapshot()
  const old = JSON.stringify(city)
  const wrong = { old: 0, new: 0 }
  for (let version = 1; version <= OVERWRITES; version++) {
    const changed = { ...city, version }
    const written = db.put(key, changed)
    const [then, now] = await Promise.all([db.get(key, { snapshot }), db.get(key)])
    if (JSON.stringify(then) !== old) wrong.old++
    if (JSON.stringify(now) !== JSON.stringify(changed)) wrong.new++
    await written
    world.put(key, changed)
  }
  report.check(
    `${city.name} (${countryName(city.country)}) was overwritten ${count(OVERWRITES)} times. ` +
      'After each time the snapshot showed the first value, and a plain read the newest.',
    wrong.old + wrong.new === 0,
    `${wrong.old} wrong old values, ${wrong.new} wrong new ones`,
  )
}

/** Deletes a country from inside a loop over it, then puts it back from the snapshot in one batch. */
async function deleteUnderLoop(db: Store, world: World, report: Report): Promise<void> {
  const prefix = countryPrefix(COUNTRY)
  const name = countryName(COUNTRY)
  const expected = world.countPrefix(prefix)
  using snapshot = db.snapshot()
  let visited = 0
  for await (const key of db.keys({ prefix })) {
    visited++
    db.deleteSync(key)
  }
  const left = await db.keys({ prefix }).all()
  report.check(
    `A loop over ${name} deleted each of its ${plural(expected, 'city', 'cities')} as it ` +
      'came by: ' +
      'it saw them all, and afterwards none was left.',
    visited === expected && left.length === 0,
    `${visited} seen, ${left.length} left`,
  )

  const batch = db.batch()
  for await (const [key, value] of db.iterator({ prefix, snapshot })) batch.put(key, value)
  const saved = batch.length
  await batch.write()
  let restored = 0
  for await (const [key, city] of db.iterator({ prefix })) {
    if (JSON.stringify(city as City) === world.model.get(key)) restored++
  }
  report.check(
    `The snapshot still had all of ${name}; one atomic batch of ${plural(saved, 'put')} ` +
      'brought it back.',
    saved === expected && restored === expected,
    `${saved} in the snapshot, ${restored} restored`,
  )
}

/** The code of the error that a call fails with, if it does. */
export async function rejectionCode(call: () => unknown): Promise<string | undefined> {
  try {
    await call()
    return undefined
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
