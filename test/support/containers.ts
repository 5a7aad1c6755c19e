/**
 * A runtime in a namespace of process ids of its own, as in a container: where this machine does not let us make one, the runtime as
 * it is.
 */
import { spawnSync } from 'node:child_process'
import type { Runtime } from './runtimes.ts'

const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount-proc']

let isPossible: boolean | undefined

/** Whether `containerOf` makes a difference. */
export function hasContainers(): boolean {
  isPossible ??= spawnSync('unshare', [...UNSHARE, 'true']).status === 0
  return isPossible
}

export function containerOf(runtime: Runtime): Runtime {
  if (!hasContainers()) return runtime
  const { name, command, args } = runtime
  return { name, command: 'unshare', args: [...UNSHARE, command, ...args] }
}
