/** How long single operations took: percentiles for each workload and engine, of the last round. */

import type { Gap, Summary } from './statistics.ts'
import { duration } from './table.ts'
import type { Workload } from './workload.ts'

/** Rows of text: workload, what is counted, engine, p50, p99, p99.9, the longest. */
export function latencyRows(
  workloads: readonly Workload[],
  results: readonly (Summary | Gap)[],
): string[][] {
  return workloads.flatMap(({ name, latencyOf }) =>
    results.flatMap((one) => {
      const times = one.workload === name && 'last' in one ? one.last.percentiles : undefined
      if (times === undefined) return []
      const texts = [times.p50, times.p99, times.p999, times.max].map(duration)
      return [[name, latencyOf, one.engine, ...texts]]
    }),
  )
}
