/** What the engines took besides time: a few numbers for each, from the workloads that show them best. */
import type { Measurement } from './runner.ts'
import { median } from './statistics.ts'

const MIB = 1 << 20

interface CostRow {
  readonly title: string
  readonly workload: string
  /** `undefined` where it is not known. */
  of(measurement: Measurement): number | undefined
  readonly digits: number
}

const COSTS: readonly CostRow[] = [
  {
    title: 'fillrandom, until settled ÷ until acknowledged',
    workload: 'fillrandom',
    of: ({ cost }) => cost && cost.settledMs / cost.ms,
    digits: 2,
  },
  {
    title: 'fillrandom, processor seconds of all threads',
    workload: 'fillrandom',
    of: ({ cost }) => cost?.cpuSeconds,
    digits: 2,
  },
  {
    title: 'fillrandom, bytes written ÷ bytes given',
    workload: 'fillrandom',
    of: ({ cost, givenBytes }) => ratio(cost?.bytesWritten, givenBytes),
    digits: 2,
  },
  {
    title: 'fillrandom, event loop late by, p99.9, ms',
    workload: 'fillrandom',
    of: ({ cost }) => cost?.delayP999Ms,
    digits: 1,
  },
  {
    title: 'fillrandom, peak memory above an empty process, MiB',
    workload: 'fillrandom',
    of: ({ peakBytes }) => ratio(peakBytes, MIB),
    digits: 0,
  },
  {
    title: 'edge, peak memory above an empty process, MiB',
    workload: 'edge',
    of: ({ peakBytes }) => ratio(peakBytes, MIB),
    digits: 0,
  },
  {
    title: 'edge, of that at the end not of files, MiB',
    workload: 'edge',
    of: ({ anonymousBytes }) => ratio(anonymousBytes, MIB),
    digits: 0,
  },
  {
    title: 'compact, directory ÷ bytes of entries',
    workload: 'compact',
    of: ({ directoryBytes, givenBytes }) => ratio(directoryBytes, givenBytes),
    digits: 2,
  },
  {
    title: 'loaded, compacted and closed, directory ÷ bytes of entries',
    workload: 'load',
    of: ({ directoryBytes, givenBytes }) => ratio(directoryBytes, givenBytes),
    digits: 2,
  },
]

/** A row of text for each cost that any engine has: its title, and a number for each engine. */
export function costRows(
  measurements: readonly Measurement[],
  engines: readonly string[],
): string[][] {
  const rows = COSTS.map(({ title, workload, of, digits }) => {
    const cells = engines.map((engine) => {
      const known = measurements
        .filter((one) => one.workload === workload && one.engine === engine && one.cost)
        .map(of)
        .filter((number) => number !== undefined)
      return known.length === 0 ? '–' : median(known).toFixed(digits)
    })
    return [title, ...cells]
  })
  return rows.filter(([, ...cells]) => cells.some((cell) => cell !== '–'))
}

function ratio(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined ? undefined : part / whole
}
