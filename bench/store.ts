/**
 * The store as a whole, under the names of db_bench: keys of 16 digits, values of 100 bytes of which half compress away,
 * everything in its default. Each number is the median of the rounds, in nanoseconds for one operation.
 *
 *   fillseq      puts in the order of keys, awaited in windows of 1,000, into an empty store
 *   fillrandom   the same in no order
 *   fillbatch    batches of 1,000 in no order, into an empty store
 *   overwrite    puts of all keys again, in another order
 *   readrandom   getSync of keys that are there, after everything has been flushed and compacted
 *   readmissing  getSync of keys that are not
 *   readseq      one iterator over everything
 *   readreverse  the same from the end
 *   seekrandom   an iterator from a random key, for ten entries
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open } from '../src/index.ts'
import { type Random, seededRandom } from '../test/support/seed.ts'
import { SEED, sized } from './settings.ts'

const ROUNDS: number = sized(3, 1)
const COUNT: number = sized(500_000, 500)
const SEEKS: number = sized(20_000, 50)
const WINDOW = 1000
const VALUE_BYTES = 100

type Store = Database<string, Uint8Array>

/** What was timed: operations and milliseconds. */
type Timed = readonly [operations: number, ms: number]

interface Inputs {
  /** In order. */
  readonly keys: readonly string[]
  readonly shuffled: readonly string[]
  readonly values: readonly Uint8Array[]
}

export async function benchStore(): Promise<void> {
  const results = new Map<string, number[]>()
  const random = seededRandom(SEED)
  console.log(`\nstore of ${COUNT} entries, median of ${ROUNDS} rounds`)
  for (let round = 0; round < ROUNDS; round++) {
    const inputs = inputsOf(random)
    for (const [name, timed] of await runRound(inputs, random)) {
      results.set(name, [...(results.get(name) ?? []), (timed[1] * 1e6) / timed[0]])
    }
  }
  for (const [name, times] of results) {
    const ns = median(times)
    const rate = Math.round(1e9 / ns).toLocaleString('en')
    console.log(`  ${name.padEnd(14)}${ns.toFixed(0).padStart(10)} ns/op ${rate.padStart(12)} /s`)
  }
}

function inputsOf(random: Random): Inputs {
  const keys = Array.from({ length: COUNT }, (_, n) => String(n).padStart(16, '0'))
  const values = Array.from({ length: WINDOW }, () => {
    const half = random.bytes(VALUE_BYTES / 2)
    return Uint8Array.from([...half, ...half])
  })
  return { keys, shuffled: random.shuffle([...keys]), values }
}

async function runRound(inputs: Inputs, random: Random): Promise<Map<string, Timed>> {
  const times = new Map<string, Timed>()
  const time = async (
    name: string,
    operations: number,
    run: () => void | Promise<void>,
  ): Promise<void> => {
    const start = performance.now()
    await run()
    times.set(name, [operations, performance.now() - start])
  }
  await inStore((db) => time('fillseq', COUNT, () => fill(db, inputs.keys, inputs)))
  await inStore((db) => time('fillbatch', COUNT, () => fillBatch(db, inputs)))
  await inStore(async (db) => {
    await time('fillrandom', COUNT, () => fill(db, inputs.shuffled, inputs))
    const other = random.shuffle([...inputs.keys])
    await time('overwrite', COUNT, () => fill(db, other, inputs))
    await db.compact()
    await time('readrandom', COUNT, () => read(db, inputs.shuffled))
    const missing = inputs.shuffled.map((key) => `${key}.`)
    await time('readmissing', COUNT, () => read(db, missing, false))
    await time('readseq', COUNT, () => scan(db, { reverse: false }))
    await time('readreverse', COUNT, () => scan(db, { reverse: true }))
    await time('seekrandom', SEEKS, () => seek(db, other))
  })
  return times
}

async function inStore(run: (db: Store) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sedgedb-bench-'))
  try {
    const db = await open(directory, { valueEncoding: 'binary' })
    await run(db)
    await db.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function fill(db: Store, keys: readonly string[], { values }: Inputs): Promise<void> {
  let last: Promise<void> = Promise.resolve()
  for (let i = 0; i < keys.length; i++) {
    last = db.put(keys[i]!, values[i % WINDOW]!)
    if (i % WINDOW === WINDOW - 1) await last
  }
  await last
}

async function fillBatch(db: Store, { shuffled, values }: Inputs): Promise<void> {
  for (let from = 0; from < shuffled.length; from += WINDOW) {
    const keys = shuffled.slice(from, from + WINDOW)
    await db.batch(keys.map((key, i) => ({ type: 'put', key, value: values[i]! })))
  }
}

/** Throws unless all keys are there, or none. */
function read(db: Store, keys: readonly string[], isThere = true): void {
  let found = 0
  for (const key of keys) if (db.getSync(key) !== undefined) found++
  if (found !== (isThere ? keys.length : 0)) throw new Error(`found ${found} keys`)
}

function scan(db: Store, range: { reverse: boolean }): void {
  let found = 0
  for (const [key] of db.iteratorSync(range)) if (key.length > 0) found++
  if (found !== COUNT) throw new Error(`found ${found} entries`)
}

function seek(db: Store, keys: readonly string[]): void {
  for (let i = 0; i < SEEKS; i++) {
    const [first] = db.iteratorSync({ gte: keys[i]!, limit: 10 })
    if (first?.[0] !== keys[i]) throw new Error('a seek went elsewhere')
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((left, right) => left - right)[numbers.length >> 1]!
}
