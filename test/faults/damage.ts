/**
 * Damage to files that were at rest: every byte of every kind of file has a bit flipped, and every file is cut at every
 * length. Of a store that was closed cleanly each of these must be found. Of one whose process died the log may be taken for
 * torn right before the damage, but only where nothing behind it proves that the place was on disk.
 *
 *     case = byte, those of the closed store first
 */
import { type ClosedStore, closedStore, expectFound } from '../support/closed-store.ts'
import { type Files, flipped, truncated } from '../support/crashed-store.ts'
import { abandonedStore, type Damage, expectTorn } from '../support/open-store-damage.ts'
import { seededRandom } from '../support/seed.ts'
import type { Dimension, Run } from './dimension.ts'

/** Kinds of file, by what is left of their names without numbers. */
const KINDS = ['.log', '.sst', '.val', 'CLOSED', 'CURRENT', 'MANIFEST']

export const bitFlips: Dimension = {
  name: 'bit-flips',
  ids: 'A4, A7, B1, C1, R13, R14',
  title: 'a flipped bit is found, wherever it is, or lies where a crash may have torn the log',
  unit: 'bytes',
  floor: 150_000,
  seconds: 270,
  async run(run) {
    const flip = (files: Files, name: string, at: number): Files =>
      flipped(files, name, at, 1 << bitOf(run, at))
    await eachByte(run, 'flip', flip)
  },
}

export const truncations: Dimension = {
  name: 'truncations',
  ids: 'A1, A2, B2, C1, R9',
  title: 'a file that is shorter is found, or is a log that a crash may have left so',
  unit: 'lengths',
  floor: 150_000,
  seconds: 125,
  run: (run) => eachByte(run, 'cut', truncated),
}

/** Every round of a soak takes another bit. */
function bitOf({ seed, round }: Run, offset: number): number {
  return (seed + round + offset) & 7
}

type Change = (files: Files, name: string, offset: number) => Files

async function eachByte(run: Run, damage: Damage, change: Change): Promise<void> {
  const closed = await closedStore(seededRandom(run.seed))
  assertKinds(closed)
  const next = await eachPlace(run, 0, closed.files, async (name, offset) => {
    const files = change(closed.files, name, offset)
    const options = { readOnly: offset % 2 === 0, alwaysVerify: offset % 16 < 2 }
    await expectFound(closed, files, options)
  })
  const abandoned = await abandonedStore()
  await eachPlace(run, next, abandoned.files, async (name, offset) => {
    await expectTorn(abandoned, change(abandoned.files, name, offset), name, offset, damage)
  })
}

/** Runs `test` for every byte of every file; returns the number of the case behind the last. */
async function eachPlace(
  run: Run,
  first: number,
  files: Files,
  test: (name: string, offset: number) => Promise<void>,
): Promise<number> {
  let index = first
  for (const [name, { length }] of files) {
    for (let offset = 0; offset < length && !run.isOver; offset++) {
      await run.check(index + offset, () => told(`${name} at ${offset}`, test(name, offset)))
    }
    index += length
  }
  return index
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
