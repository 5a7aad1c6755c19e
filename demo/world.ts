/**
 * What the store must contain: a model in plain memory that every step of the demonstration keeps up to date, and
 * that the store is held against. Values are JSON texts.
 */
import type { City, Position, Store } from './cities.ts'
import { cityKey, positionKey } from './cities.ts'

/** What a comparison of the store with the model has found. */
export interface Comparison {
  readonly entries: number
  readonly missing: number
  readonly different: number
  /** Entries that nobody wrote. */
  readonly invented: number
  readonly outOfOrder: number
}

export class World {
  readonly cities: readonly City[]
  /** The key of each city. */
  readonly keys: readonly string[]
  /** Everything that the store must hold. */
  readonly model: Map<string, string> = new Map()
  readonly #random: () => number

  constructor(cities: readonly City[], random: () => number) {
    this.cities = cities
    this.keys = cities.map(cityKey)
    this.#random = random
  }

  position(number: number): { key: string; value: Position } {
    const city = this.cities[number]!
    const value = { lat: city.lat, lng: city.lng, city: this.keys[number]! }
    return { key: positionKey(city, number), value }
  }

  /** The numbers of `size` cities, drawn at random, with repetition. */
  draw(size: number): number[] {
    return Array.from({ length: size }, () => Math.floor(this.#random() * this.cities.length))
  }

  /** The numbers of the cities of a country. */
  numbersOf(country: string): number[] {
    return [...this.cities.keys()].filter((number) => this.cities[number]!.country === country)
  }

  /** Notes what was written. */
  put(key: string, value: unknown): void {
    this.model.set(key, JSON.stringify(value))
  }

  /** How many keys of the model begin so. */
  countPrefix(prefix: string): number {
    let found = 0
    for (const key of this.model.keys()) if (key.startsWith(prefix)) found++
    return found
  }
}

/** Reads every entry of a store and holds it against the model. */
export async function compare(db: Store, model: ReadonlyMap<string, string>): Promise<Comparison> {
  const found = { entries: 0, missing: 0, different: 0, invented: 0, outOfOrder: 0 }
  let last: Buffer | undefined
  let known = 0
  for await (const [key, value] of db.iterator({ keyEncoding: 'buffer', valueEncoding: 'utf8' })) {
    found.entries++
    if (last !== undefined && Buffer.compare(last, key) >= 0) found.outOfOrder++
    last = key
    const expected = model.get(key.toString())
    if (expected === undefined) found.invented++
    else known++
    if (expected !== undefined && expected !== value) found.different++
  }
  return { ...found, missing: model.size - known }
}

/** True when store and model are the same, entry by entry, and the store is in order. */
export function isSame(found: Comparison): boolean {
  return found.missing + found.different + found.invented + found.outOfOrder === 0
}

/** What is wrong, in words. */
export function differences(found: Comparison): string {
  const { entries, missing, different, invented, outOfOrder } = found
  return (
    `${entries} entries, ${missing} missing, ${different} different, ` +
    `${invented} invented, ${outOfOrder} out of order`
  )
}

/** Random numbers in [0, 1) that follow from a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
