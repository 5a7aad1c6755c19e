/**
 * Damage to files that were at rest: every byte of every kind of file has a bit flipped, and every file is cut at every
 * length. The store was closed cleanly, so each of these must be found.
 */
import { type ClosedStore, closedStore, expectFound } from '../support/closed-store.ts'
import { type Files, flipped, truncated } from '../support/crashed-store.ts'
import { seededRandom } from '../support/seed.ts'
import type { Dimension, Run } from './dimension.ts'

/** Kinds of file, by what is left of their names without numbers. */
const KINDS = ['.log', '.sst', '.val', 'CLOSED', 'CURRENT', 'MANIFEST']

export const bitFlips: Dimension = {
  name: 'bit-flips',
  ids: 'A4, B1, C1',
  title: 'after a clean close every flipped bit is found, and nothing is read that is wrong',
  unit: 'bytes',
  floor: 130_000,
  seconds: 300,
  run: (run) => eachByte(run, (files, name, at) => flipped(files, name, at, 1 << bitOf(run, at))),
}

export const truncations: Dimension = {
  name: 'truncations',
  ids: 'A2, B2, C1',
  title: 'after a clean close every file that is shorter is found',
  unit: 'lengths',
  floor: 130_000,
  seconds: 130,
  run: (run) => eachByte(run, truncated),
}

/** Every round of a soak takes another bit. */
function bitOf({ seed, round }: Run, offset: number): number {
  return (seed + round + offset) & 7
}

async function eachByte(
  run: Run,
  damage: (files: Files, name: string, offset: number) => Files,
): Promise<void> {
  const store = await closedStore(seededRandom(run.seed))
  assertKinds(store)
  let index = 0
  for (const [name, { length }] of store.files) {
    for (let offset = 0; offset < length && !run.isOver; offset++) {
      await run.check(index + offset, async () => {
        const damaged = damage(store.files, name, offset)
        const options = { readOnly: offset % 2 === 0, alwaysVerify: offset % 16 < 2 }
        await told(`${name} at ${offset}`, expectFound(store, damaged, options))
      })
    }
    index += length
  }
}

function assertKinds({ files }: ClosedStore): void {
  const kinds = new Set([...files.keys()].map((name) => name.replace(/[\d-]+/g, '')))
  const missing = KINDS.filter((kind) => !kinds.has(kind))
  if (missing.length > 0) throw new Error(`the store has no ${missing.join(', ')}`)
}

async function told(what: string, check: Promise<void>): Promise<void> {
  try {
    await check
  } catch (cause) {
    throw new Error(what, { cause })
  }
}
