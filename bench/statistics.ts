/** Measurements of several rounds, brought together. */
import type { Cost } from './meter.ts'
import type { Measurement } from './runner.ts'

/**
 * What is told of an operation: the time until it was acknowledged, or until all that it caused was done, or the
 * processor time of all threads. The last is of use on a machine that others use too.
 */
export type Metric = 'time' | 'settled' | 'cpu'

const METRICS: readonly Metric[] = ['time', 'settled', 'cpu']

/** Throws a `RangeError` for another name. */
export function metricOf(name: string): Metric {
  const metric = METRICS.find((one) => one === name)
  if (metric === undefined) throw new RangeError(`--metric ${name}: ${METRICS.join(', ')}`)
  return metric
}

/** What the rounds of one workload on one engine have given. */
export interface Summary {
  readonly workload: string
  readonly engine: string
  readonly rounds: number
  /** Nanoseconds for one operation: median, least and most of the rounds. */
  readonly ns: number
  readonly nsLeast: number
  readonly nsMost: number
  readonly last: Measurement
}

/** Why there is no number. */
export interface Gap {
  readonly workload: string
  readonly engine: string
  readonly missing: string
}

export function summarize(
  measurements: readonly Measurement[],
  metric: Metric = 'time',
): (Summary | Gap)[] {
  const groups = new Map<string, Measurement[]>()
  for (const one of measurements) {
    const name = `${one.workload} ${one.engine}`
    groups.set(name, [...(groups.get(name) ?? []), one])
  }
  return [...groups.values()].map((group) => summaryOf(group, metric))
}

function summaryOf(group: readonly Measurement[], metric: Metric): Summary | Gap {
  const { workload, engine } = group[0]!
  const good = group.filter(({ cost }) => cost !== undefined)
  if (good.length === 0) return { workload, engine, missing: group[0]!.missing ?? 'no result' }
  const ns = good.map(({ cost, operations }) => (msOf(cost!, metric) * 1e6) / operations)
  return {
    workload,
    engine,
    rounds: good.length,
    ns: median(ns),
    nsLeast: Math.min(...ns),
    nsMost: Math.max(...ns),
    last: good.at(-1)!,
  }
}

function msOf(cost: Cost, metric: Metric): number {
  if (metric === 'cpu') return cost.cpuSeconds * 1000
  return metric === 'time' ? cost.ms : cost.settledMs
}

/** The middle one, or the mean of the two in the middle. There must be one. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
