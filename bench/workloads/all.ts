/** All workloads, in the order in which they are run and reported. */
import type { Workload } from '../workload.ts'
import { LIFECYCLE } from './lifecycle.ts'
import { MIXES } from './mixes.ts'
import { READS } from './reads.ts'
import { SCANS } from './scans.ts'
import { WRITES } from './writes.ts'

export const WORKLOADS: readonly Workload[] = [
  ...WRITES,
  ...READS,
  ...SCANS,
  ...MIXES,
  ...LIFECYCLE,
]

/** Throws a `RangeError` for a name that no workload has. */
export function workloadOf(name: string): Workload {
  const workload = WORKLOADS.find((one) => one.name === name)
  if (workload === undefined) {
    const names = WORKLOADS.map((one) => one.name).join(' ')
    throw new RangeError(`there is no workload '${name}': ${names}`)
  }
  return workload
}
