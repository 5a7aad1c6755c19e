/** What a workload is, and what it gets to work with. */
import type { Engine, Level } from './engine.ts'
import { Histogram } from './histogram.ts'
import { Keys, type Shape, Values } from './shapes.ts'

/**
 * What there is when a workload begins: an open store with nothing in it, or with all entries, settled and compacted;
 * or a directory with such a store that was closed, or with one whose process was killed while its log was full.
 */
export type Start = 'empty' | 'loaded' | 'closed' | 'killed'

/** What each engine may use, in bytes. */
export interface Budget {
  /** For what it has read from its files. */
  readonly cacheBytes: number
  /** For writes that are not yet in tables. */
  readonly writeBufferBytes: number
}

export interface Workload {
  readonly name: string
  /** One line for the report. */
  readonly about: string
  readonly start: Start
  /** True if the store is another one afterwards, so that it must be a copy. */
  readonly writes: boolean
  readonly level: Level
  /** What one duration of the histogram is. */
  readonly latencyOf: string
  /** True if it cannot do less than all its operations. */
  readonly isWhole?: boolean
  /** Bytes of values, instead of those of the shape. */
  readonly valueBytes?: number
  /** The budget when it is not that of all: from the bytes of keys and values in a loaded store. */
  budget?(dataBytes: number): Partial<Budget>
  /** How many operations, given the entries of a loaded store. */
  operations(entries: number): number
  /** False if the engine lacks what this needs. */
  fits(engine: Engine): boolean
  /** What has to be done before the clock runs. */
  prepare?(bench: Bench): unknown
  /** Does the operations and checks what they give. */
  run(bench: Bench): unknown
  /** Does some operations and records how long each took, where `run` has not. */
  latencies?(bench: Bench): unknown
}

/** What a run of a workload works with. */
export interface Bench {
  readonly engine: Engine
  readonly keys: Keys
  readonly values: Values
  /** Entries of the loaded store. */
  readonly entries: number
  readonly operations: number
  /**
   * An entry for each operation: with an empty store every number below `operations` once, else numbers below
   * `entries`, some of them more than once. In no order.
   */
  readonly order: Uint32Array
  readonly seed: number
  readonly histogram: Histogram
}

export interface BenchNumbers {
  readonly entries: number
  readonly operations: number
  readonly isEmpty: boolean
  readonly seed: number
}

export function makeBench(engine: Engine, shape: Shape, numbers: BenchNumbers): Bench {
  const { entries, operations, isEmpty, seed } = numbers
  const order = isEmpty ? shuffled(operations, seed) : drawn(operations, entries, seed)
  const values = new Values(shape, seed)
  const histogram = new Histogram()
  return { engine, keys: new Keys(shape), values, entries, operations, order, seed, histogram }
}

/** A generator of whole numbers below 2^32, the same for the same seed. */
export function generator(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1
  return () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    return (state >>>= 0)
  }
}

/** The numbers below `count` in no order. */
export function shuffled(count: number, seed: number): Uint32Array {
  const next = generator(seed)
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  for (let i = count - 1; i > 0; i--) {
    const other = next() % (i + 1)
    const kept = order[i]!
    order[i] = order[other]!
    order[other] = kept
  }
  return order
}

/** `count` numbers below `limit`, some of them more than once. */
export function drawn(count: number, limit: number, seed: number): Uint32Array {
  const next = generator(seed)
  return Uint32Array.from({ length: count }, () => next() % limit)
}

/** Throws unless what was read is what was written. */
export function expectSame(what: string, seen: number, expected: number): void {
  if (seen !== expected) throw new Error(`${what}: ${seen} instead of ${expected}`)
}
