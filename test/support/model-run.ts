/**
 * Runs of random operations against the model: which options, what happens at a failure.
 *
 *     await runModel({ seed, steps: 10_000, options: OPTION_SETS[0], place: 'memory' })
 *
 * A failure names seed, options and step in one line, and shows the fewest operations that still fail.
 */
import { rmSync } from 'node:fs'
import { MemoryFileSystem, type OpenOptions, open, type StoreEvent } from '../../src/index.ts'
import type { AnyDatabase } from './operation-reads.ts'
import { OperationRunner, type RunnerTarget } from './operation-runner.ts'
import { type Operation, type OperationOptions, operations } from './random-operations.ts'
import { reduceOperations } from './reduce-operations.ts'
import { seededRandom } from './seed.ts'
import { tempDirectory } from './temp.ts'

export type StoreOptions = Pick<
  OpenOptions,
  | 'compression'
  | 'bloomBitsPerKey'
  | 'maxLevels'
  | 'durability'
  | 'memtableSize'
  | 'cacheSize'
  | 'recovery'
  | 'workers'
>

export interface ModelRun {
  readonly seed: number
  readonly steps: number
  readonly options: StoreOptions
  /** `'disk'`: a temporary directory. */
  readonly place: 'memory' | 'disk'
  readonly operations?: OperationOptions
  /** Milliseconds that a reduction may take. */
  readonly reduceMs?: number
  /** Puts something else in the place of the store: to see that the model sees it. */
  readonly wrap?: (db: AnyDatabase) => AnyDatabase
}

const KIB = 1024

/** The smallest memtable there is: it is flushed all the time. */
const MEMTABLE_SIZE = 64 * KIB
const CACHE_SIZE = 1024 * KIB

/** Stores that differ in what writes, flushes and compactions do. */
export const OPTION_SETS: readonly StoreOptions[] = [
  { compression: 'lz4', bloomBitsPerKey: 10, maxLevels: 7, durability: 'process' },
  { compression: 'none', bloomBitsPerKey: 0, maxLevels: 2, durability: 'none' },
  { compression: 'none', bloomBitsPerKey: 10, maxLevels: 3, durability: 'process' },
  { compression: 'lz4', bloomBitsPerKey: 1, maxLevels: 2, durability: 'disk' },
]

const BLOOM_BITS = [10, 0, 1, 20] as const
const LEVELS = [7, 2, 3, 12] as const
const LEVELS_OF_DURABILITY = ['process', 'none', 'disk'] as const
const SIZES = [64 * KIB, 256 * KIB, KIB * KIB] as const
const MODES = ['tail', 'strict', 'pointInTime'] as const

/** Thirty of them, all different: neighbours differ in most things. */
export function manyOptionSets(): StoreOptions[] {
  return Array.from({ length: 30 }, (_, i) => ({
    compression: i % 2 === 0 ? 'lz4' : 'none',
    bloomBitsPerKey: BLOOM_BITS[i % 4]!,
    maxLevels: LEVELS[Math.floor(i / 2) % 4]!,
    durability: LEVELS_OF_DURABILITY[i % 3]!,
    memtableSize: SIZES[Math.floor(i / 3) % 3]!,
    cacheSize: i % 5 === 0 ? 8 * CACHE_SIZE : CACHE_SIZE,
    recovery: MODES[Math.floor(i / 5) % 3]!,
  }))
}

/** How long a reduction may take when nothing else is said. */
const REDUCE_MS = 20_000

/** Runs operations that follow from the seed and returns how many. Throws at the first difference. */
export async function runModel(run: ModelRun): Promise<number> {
  const next = operations(seededRandom(run.seed), run.operations)
  const list: Operation[] = []
  const make = (): Operation => {
    const operation = next()
    list.push(operation)
    return operation
  }
  const failure = await runOnce(run, run.steps, make)
  if (failure === undefined) return list.length
  const { seed, options, place } = run
  const where = `seed=${seed} place=${place} options=${JSON.stringify(options)}`
  const message = `${where} step=${list.length} of ${run.steps}: ${String(failure)}`
  const reduced = await reduceOperations(list, run.reduceMs ?? REDUCE_MS, async (fewer) => {
    let at = 0
    return (await runOnce(run, fewer.length, () => fewer[at++]!)) !== undefined
  })
  const shown = reduced.slice(0, 40).map((one) => `\n  ${JSON.stringify(one).slice(0, 300)}`)
  throw new Error(`${message}\n  fails with ${reduced.length} operations:${shown.join('')}`, {
    cause: failure,
  })
}

/** What went wrong, undefined when nothing did. */
async function runOnce(run: ModelRun, steps: number, next: () => Operation): Promise<unknown> {
  const { target, remove } = makeTarget(run)
  const runner = new OperationRunner(target)
  try {
    await runner.start()
    for (let step = 0; step < steps; step++) await runner.run(next())
    await runner.finish()
    return undefined
  } catch (error) {
    // What closing says after a failure adds nothing.
    await runner.abandon().catch(() => {})
    return error
  } finally {
    remove()
  }
}

function makeTarget({ options, place, wrap = asIs }: ModelRun): {
  target: RunnerTarget
  remove(): void
} {
  const errors: unknown[] = []
  const onEvent = (event: StoreEvent): void => {
    if (event.type === 'error') errors.push(event.error)
  }
  const common = {
    ...{ memtableSize: MEMTABLE_SIZE, cacheSize: CACHE_SIZE, ...options, onEvent },
    ...({ keyEncoding: 'binary', valueEncoding: 'binary' } as const),
  }
  const check = (names: readonly string[]): void => {
    if (errors.length > 0) throw errors[0]
    const left = names.find((name) => name.endsWith('.tmp') || name.startsWith('LOCK'))
    if (left !== undefined) throw new Error(`${left} was left behind`)
  }
  if (place === 'disk') {
    const path = tempDirectory()
    return {
      target: { open: async () => wrap(await open(path, common)), time: undefined },
      remove: () => rmSync(path, { recursive: true, force: true }),
    }
  }
  const fs = new MemoryFileSystem()
  const time = { now: 1_700_000_000_000 }
  const injected = { fs, clock: () => time.now, workers: 0 } as const
  return {
    target: {
      open: async () => wrap(await open('/store', { ...common, ...injected })),
      time,
      closed: () => check(fs.list('/store')),
    },
    remove: () => {},
  }
}

function asIs(db: AnyDatabase): AnyDatabase {
  return db
}
