/** What all benchmarks go by: how much they do, and the seed of everything random. */
import type { Shape } from './shapes.ts'
import type { Budget } from './workload.ts'

/** `SEDGE_BENCH_SMOKE=1`: everything once, on tiny inputs, to see that it still runs. The times mean nothing then. */
export const SMOKE: boolean = process.env['SEDGE_BENCH_SMOKE'] === '1'

/** The same inputs at every run, unless `SEDGE_SEED` is given. */
export const SEED: number = Number(process.env['SEDGE_SEED'] ?? 1)

/** One size for measuring, another for the smoke. */
export function sized(full: number, smoke: number): number {
  return SMOKE ? smoke : full
}

/** What the driver of whole stores goes by. */
export interface Settings extends Budget {
  /** Entries of a loaded store. */
  readonly entries: number
  readonly rounds: number
  readonly shape: Shape
  /** Where stores are made and removed again. */
  readonly directory: string
  readonly seed: number
  /** How long each process does its operations before the clock runs, at least. */
  readonly warmMs: number
  /** A process that takes longer is stopped, and has no result. */
  readonly processMsMax: number
}
