/** What all benchmarks go by: how much they do, and the seed of everything random. */

/** `SEDGE_BENCH_SMOKE=1`: everything once, on tiny inputs, to see that it still runs. The times mean nothing then. */
export const SMOKE: boolean = process.env['SEDGE_BENCH_SMOKE'] === '1'

/** The same inputs at every run, unless `SEDGE_SEED` is given. */
export const SEED: number = Number(process.env['SEDGE_SEED'] ?? 1)

/** One size for measuring, another for the smoke. */
export function sized(full: number, smoke: number): number {
  return SMOKE ? smoke : full
}
