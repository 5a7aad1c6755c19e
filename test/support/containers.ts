/**
 * A runtime in a namespace of process ids of its own, as in a container: where this machine does not let us make one, the runtime as
 * it is. And one that sees a directory by another mount.
 */
import { spawnSync } from 'node:child_process'
import type { Runtime } from './runtimes.ts'

const UNSHARE = ['--pid', '--fork', '--kill-child', '--mount-proc']

/** `$0` is the directory and `$1` where it is mounted as well; what follows is run. */
const MOUNT = 'mount --bind "$0" "$1" && shift && exec "$@"'

let isPossible: boolean | undefined
let canMount: boolean | undefined

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

/**
 * A runtime for which `mounted`, an empty directory, is another mount of `directory`; undefined where this machine does not let us
 * make one.
 */
export function mountedFor(
  runtime: Runtime,
  directory: string,
  mounted: string,
): Runtime | undefined {
  const args = ['--mount', 'sh', '-c', MOUNT, directory, mounted]
  canMount ??= spawnSync('unshare', [...args, 'true']).status === 0
  if (!canMount) return undefined
  return {
    name: runtime.name,
    command: 'unshare',
    args: [...args, runtime.command, ...runtime.args],
  }
}
