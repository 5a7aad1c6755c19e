/**
 * Repeatable randomness for tests: a small fast counting generator (sfc32) and the seed to start it from.
 *
 *     const random = seededRandom(testSeed())
 *     const key = random.bytes(random.int(1, 64))
 *
 * A failing test of a process that asked for the seed prints it; `SEDGE_SEED=<seed>` runs the same again.
 */

export interface Random {
  /** A whole number below `limit`, or, with two arguments, from the first up to below the second. */
  int(limit: number): number
  int(from: number, below: number): number
  /** A number in [0, 1). */
  float(): number
  /** True with probability `probability`. */
  chance(probability: number): boolean
  /** One of the items; there must be one. */
  pick<T>(items: readonly T[]): T
  bytes(length: number): Uint8Array
  /** Puts the items in a random order, in place. */
  shuffle<T>(items: T[]): T[]
}

/** A generator whose whole output follows from `seed`. */
export function seededRandom(seed: number): Random {
  const next = sfc32(seed)
  const float = (): number => next() / 2 ** 32
  const int = (first: number, second?: number): number => {
    const [from, below] = second === undefined ? [0, first] : [first, second]
    if (!(below > from)) throw new RangeError(`int: nothing from ${from} to below ${below}`)
    return from + Math.floor(float() * (below - from))
  }
  return {
    int,
    float,
    chance: (probability) => float() < probability,
    pick: (items) => items[int(items.length)]!,
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    shuffle: (items) => {
      for (let index = items.length - 1; index > 0; index--) {
        const other = int(index + 1)
        ;[items[index], items[other]] = [items[other]!, items[index]!]
      }
      return items
    },
  }
}

/** The next unsigned 32-bit number at each call. */
function sfc32(seed: number): () => number {
  let a = seed >>> 0
  let b = Math.floor(seed / 2 ** 32) >>> 0
  let c = 0x9e3779b9
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = (b ^ (b >>> 9)) >>> 0
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0
    return sum
  }
  // Seeds that differ in one bit are far apart after a dozen steps.
  for (let step = 0; step < 12; step++) next()
  return next
}

let asked: number | undefined

/** The seed of this process: `SEDGE_SEED`, or one from the clock. */
export function testSeed(): number {
  if (asked === undefined) {
    const given = process.env['SEDGE_SEED']
    asked = given === undefined || given === '' ? Date.now() % 2 ** 31 : Number(given)
    if (!Number.isSafeInteger(asked)) throw new RangeError('SEDGE_SEED is not a whole number')
  }
  return asked
}

if (typeof globalThis.afterEach === 'function') {
  afterEach(function () {
    if (asked !== undefined && this.currentTest?.state === 'failed') {
      process.stderr.write(`    repeat with SEDGE_SEED=${asked}\n`)
    }
  })
}
