/** Runs cases that do the same thing in different ways through benchmark.js, and prints how they compare with the first. */
import Benchmark from 'benchmark'
import { SMOKE } from './settings.ts'

const TIMES: Benchmark.Options = SMOKE
  ? { minSamples: 1, initCount: 1, minTime: 0.000_001, maxTime: 0.000_001 }
  : { minSamples: 20, maxTime: 1 }

/** Where results go, so that no compiler finds a computation useless. */
export const sink: { value: unknown } = { value: undefined }

/**
 * Each case returns what it has computed. `items` is how many things one call of a case does: the speed is told in
 * those. Throws what a case throws.
 */
export function compare(
  title: string,
  items: number,
  cases: Readonly<Record<string, () => unknown>>,
): void {
  console.log(`\n${title}`)
  let first: number | undefined
  for (const [name, run] of Object.entries(cases)) {
    const bench = new Benchmark(name, () => void (sink.value = run()), TIMES)
    bench.run()
    const { error: failure } = bench as { error?: unknown }
    if (failure !== undefined) throw failure
    const speed = bench.hz * items
    first ??= speed
    const ratio = `${(speed / first).toPrecision(2)} ×`
    const rate = Math.round(speed).toLocaleString('en').padStart(14)
    const error = `±${bench.stats.rme.toFixed(1)}%`
    console.log(`  ${name.padEnd(28)}${rate} /s ${error.padStart(7)} ${ratio.padStart(9)}`)
  }
}
