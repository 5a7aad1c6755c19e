/** What the driver tells a process to do, and what that answers: one line of JSON each way. */
import type { Description } from './engine.ts'
import type { Percentiles } from './histogram.ts'
import type { Cost } from './meter.ts'
import type { Shape } from './shapes.ts'
import type { Budget } from './workload.ts'

/**
 * `empty` prepares and does nothing, to know what that takes; `load` fills the directory, and measures there if nothing
 * would be left after the process; `measure` is told by its workloads what to begin with; `kill` fills the log and dies.
 */
export type Job = 'empty' | 'load' | 'measure' | 'kill'

export interface Task extends Budget {
  readonly job: Job
  /** The URL of the file of the engine; none for `empty`. */
  readonly engine: string | undefined
  /** Empty, or with a store if the workloads begin with one. */
  readonly directory: string
  readonly workloads: readonly string[]
  readonly shape: Shape
  readonly entries: number
  readonly seed: number
  /** How long operations are done before the clock runs, at least. */
  readonly warmMs: number
}

/** What one workload has given. */
export interface Outcome {
  readonly workload: string
  /** Why there is no result: the engine lacks what it takes, or what went wrong. */
  readonly missing?: string
  readonly operations: number
  readonly cost?: Cost
  readonly percentiles?: Percentiles | undefined
  /** Nanoseconds for one operation in the process's first ones, before anything was warm. */
  readonly coldNs?: number
  /** Bytes of keys and values that were handed over. */
  readonly givenBytes?: number
  /** Space in the directory after the store was closed, where it was. */
  readonly directoryBytes?: number
}

export interface Answer {
  readonly description: Description | undefined
  readonly outcomes: readonly Outcome[]
  readonly peakBytes: number | undefined
  readonly anonymousBytes: number | undefined
}
