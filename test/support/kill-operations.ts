/**
 * What the process that is killed writes: operation `n` of run `run` follows from these two numbers and a seed, so that whoever
 * comes after knows what was written without having been told.
 */
import { type Random, seededRandom } from './seed.ts'
import type { Change } from './store-model.ts'

export interface Operation {
  /** One change for a put or a delete, several for a batch. */
  readonly changes: readonly Change[]
  readonly sync: boolean
  /** By the call without a promise. */
  readonly isBlocking: boolean
  /** What comes before the write, if anything. */
  readonly before: 'flush' | 'compact' | undefined
}

/** Most operations that are under way at a time. */
export const IN_FLIGHT_MAX = 16

const KEYS = 150

export function operationOf(seed: number, run: number, number: number): Operation {
  const random = seededRandom(seed + run * 2 ** 21 + number * 2 ** 32)
  const stamp = `${run}/${number} `
  const kind = random.float()
  let changes: Change[]
  if (kind < 0.55) changes = [[randomKey(random), randomValue(random, stamp)]]
  else if (kind < 0.7) changes = [[randomKey(random), undefined]]
  else changes = batchOf(random, stamp)
  const aside = random.float()
  return {
    changes,
    sync: random.chance(0.1),
    isBlocking: random.chance(0.2),
    before: aside < 0.002 ? 'flush' : aside < 0.003 ? 'compact' : undefined,
  }
}

/** Some keys, all with the same stamp, so that half a batch would show. */
function batchOf(random: Random, stamp: string): Change[] {
  const value = randomValue(random, stamp)
  const keys = new Set(Array.from({ length: random.int(2, 8) }, () => randomKey(random)))
  return [...keys].map((key) => [key, random.chance(0.85) ? value : undefined])
}

function randomKey(random: Random): string {
  return `key ${random.int(KEYS)}`
}

function randomValue(random: Random, stamp: string): string {
  const length = random.chance(0.01) ? random.int(65_536, 90_000) : random.int(20, 1200)
  return stamp.repeat(Math.ceil(length / stamp.length)).slice(0, length)
}
