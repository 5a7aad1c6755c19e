/**
 * Ranges: a country by its prefix, the end of one in reverse, a box of the map, and everything.
 */
import {
  type Box,
  boxRanges,
  type City,
  countryName,
  countryPrefix,
  isInBox,
  type Position,
  type Store,
} from './cities.ts'
import { count, duration, plural, rate } from './format.ts'
import type { Report } from './report.ts'
import { compare, differences, isSame, type World } from './world.ts'

const COUNTRY = 'CH'
const REVERSED = 'JP'
const LAST = 5
const ALPS: Box = { south: 45, north: 48, west: 6, east: 14 }

export async function scanRanges(db: Store, world: World, report: Report): Promise<void> {
  report.say(
    'Keys are in the order of their bytes, so a prefix is a country and a range is a piece ' +
      'of the map. ' +
      'The answers are compared with those of a loop over the source.',
  )
  const sorted = [...world.keys].sort(byBytes)
  await scanCountry(db, report, sorted)
  scanReverse(db, report, sorted)
  await scanBox(db, world, report)
  await scanAll(db, world, report)
}

async function scanCountry(db: Store, report: Report, sorted: readonly string[]): Promise<void> {
  const prefix = countryPrefix(COUNTRY)
  const start = performance.now()
  const found = await db.keys({ prefix }).all()
  const ms = performance.now() - start
  const expected = sorted.filter((key) => key.startsWith(prefix))
  report.check(
    `The prefix of ${countryName(COUNTRY)} gives its ` +
      `${plural(found.length, 'city', 'cities')}, in order, in ${duration(ms)}.`,
    sameList(found, expected),
    `${found.length} keys instead of ${expected.length}, or another order`,
  )
}

function scanReverse(db: Store, report: Report, sorted: readonly string[]): void {
  const prefix = countryPrefix(REVERSED)
  const found = [...db.iteratorSync({ prefix, reverse: true, limit: LAST })]
  const expected = sorted.filter((key) => key.startsWith(prefix)).slice(-LAST)
  const names = found.map(([, city]) => (city as City).name)
  report.check(
    `In reverse, ${countryName(REVERSED)} begins at its end: ${names.join(', ')}.`,
    sameList(found.map(([key]) => key).reverse(), expected),
    `${found.length} entries`,
  )
}

/** A strip of the map is one range; a box is a handful of strips. */
async function scanBox(db: Store, world: World, report: Report): Promise<void> {
  const ranges = boxRanges(ALPS)
  const start = performance.now()
  const snapshot = db.snapshot()
  const keys: string[] = []
  for (const range of ranges) {
    for await (const position of db.values({ ...range, snapshot })) {
      keys.push((position as Position).city)
    }
  }
  const found = (await db.getMany(keys, { snapshot })) as City[]
  snapshot.close()
  const ms = performance.now() - start
  const expected = [...world.cities.keys()].filter((index) => isInBox(world.cities[index]!, ALPS))
  const { south, north, west, east } = ALPS
  report.check(
    `Between ${south}° and ${north}° north and ${west}° and ${east}° east, around the Alps, ` +
      'there are ' +
      `${count(found.length)} cities: ${ranges.length} range reads and one getMany, in ` +
      `${duration(ms)}.`,
    sameList([...keys].sort(byBytes), expected.map((index) => world.keys[index]!).sort(byBytes)) &&
      found.every((city) => isInBox(city, ALPS)),
    `${found.length} instead of ${expected.length}`,
  )
}

async function scanAll(db: Store, world: World, report: Report): Promise<void> {
  const start = performance.now()
  let entries = 0
  for (const _ of db.valuesSync({ valueEncoding: 'binary' })) entries++
  const ms = performance.now() - start
  report.check(
    `A loop over everything visits ${count(entries)} entries in ${duration(ms)}: ` +
      `${rate(entries, ms)}.`,
    entries === world.model.size,
    `${entries} instead of ${world.model.size}`,
  )
  const found = await compare(db, world.model)
  report.check(
    'Read once more with keys: every entry is in its place, none is missing, and there is ' +
      'none that was not written.',
    isSame(found),
    differences(found),
  )
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function sameList(found: readonly string[], expected: readonly string[]): boolean {
  return found.length === expected.length && found.every((key, index) => key === expected[index])
}
