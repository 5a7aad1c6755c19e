/** Counts of durations in buckets that are at most a 32nd wide, so that memory is fixed and recording is cheap. */

const STEPS = 32
const OCTAVES = 40

export interface Percentiles {
  readonly count: number
  /** Nanoseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export class Histogram {
  readonly #counts: Uint32Array = new Uint32Array(OCTAVES * STEPS)
  #count = 0
  #max = 0

  /** Counts a duration in milliseconds. */
  record(ms: number): void {
    const ns = ms * 1e6
    this.#count++
    if (ns > this.#max) this.#max = ns
    this.#counts[bucketOf(ns)]!++
  }

  clear(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#max = 0
  }

  /** `undefined` when nothing was recorded. */
  percentiles(): Percentiles | undefined {
    if (this.#count === 0) return undefined
    const at = (part: number): number => Math.min(this.#max, this.#quantile(part))
    return { count: this.#count, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: this.#max }
  }

  /** The upper end of the bucket in which this part of the durations ends. */
  #quantile(part: number): number {
    let left = Math.ceil(this.#count * part)
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count
      if (left <= 0) return upperEnd(bucket)
    }
    return this.#max
  }
}

function bucketOf(ns: number): number {
  if (ns < STEPS) return ns | 0
  const octave = Math.floor(Math.log2(ns))
  const step = Math.floor((ns / 2 ** octave - 1) * STEPS)
  return Math.min(OCTAVES * STEPS - 1, (octave - 4) * STEPS + step)
}

function upperEnd(bucket: number): number {
  if (bucket < STEPS) return bucket + 1
  const octave = Math.floor(bucket / STEPS) + 4
  return 2 ** octave * (1 + ((bucket % STEPS) + 1) / STEPS)
}
