/** What a workload is, and what it gets to work with. */
import type { Engine, Level } from './engine.ts'
import { Histogram } from './histogram.ts'
import { Keys, type Shape, Values } from './shapes.ts'

/** What the store holds when a workload begins: nothing, or all entries, settled and compacted. */
export type Start = 'empty' | 'loaded'

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
  /** How many operations, given the entries of a loaded store. */
  operations(entries: number): number
  /** False if the engine lacks what this needs. */
  fits(engine: Engine): boolean
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
  /** One number below `entries` for each operation, in no order; every one once if `operations` is `entries`. */
  readonly order: Uint32Array
  readonly histogram: Histogram
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

/** The numbers below `entries` in no order. */
export function shuffled(entries: number, seed: number): Uint32Array {
  const next = generator(seed)
  const order = new Uint32Array(entries)
  for (let i = 0; i < entries; i++) order[i] = i
  for (let i = entries - 1; i > 0; i--) {
    const other = next() % (i + 1)
    const kept = order[i]!
    order[i] = order[other]!
    order[other] = kept
  }
  return order
}

/** `count` numbers below `entries`, some of them more than once. */
export function drawn(count: number, entries: number, seed: number): Uint32Array {
  const next = generator(seed)
  return Uint32Array.from({ length: count }, () => next() % entries)
}

export function makeBench(
  engine: Engine,
  shape: Shape,
  numbers: { entries: number; operations: number; start: Start; seed: number },
): Bench {
  const { entries, operations, start, seed } = numbers
  const order = start === 'empty' ? shuffled(operations, seed) : drawn(operations, entries, seed)
  const histogram = new Histogram()
  const keys = new Keys(shape)
  return { engine, keys, values: new Values(shape, seed), entries, operations, order, histogram }
}

/** Throws unless what was read is what was written. */
export function expectSame(what: string, seen: number, expected: number): void {
  if (seen !== expected) throw new Error(`${what}: ${seen} instead of ${expected}`)
}
