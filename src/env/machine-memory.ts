/**
 * How much memory this process may count on: the machine's, or less where a container says so [ENV-16].
 */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

const CGROUP_ROOT = '/sys/fs/cgroup'

let known: { readonly bytes: number | undefined } | undefined

/** Bytes; `undefined` where nothing about it may be known. Looks once a process: it is a tenth of an open. */
export function machineMemory(): number | undefined {
  known ??= {
    bytes: smallestLimit([
      attempt(totalmem),
      attempt(() => process.constrainedMemory?.()),
      ...containerLimits((path) => attempt(() => readFileSync(path, 'utf8'))),
    ]),
  }
  return known.bytes
}

/** The smallest that is a number of bytes. Zero and numbers past 2^53 are how systems write "no limit". */
export function smallestLimit(limits: readonly (number | undefined)[]): number | undefined {
  const real = limits.filter(
    (limit) => limit !== undefined && limit > 0 && limit < Number.MAX_SAFE_INTEGER,
  )
  return real.length === 0 ? undefined : Math.min(...(real as number[]))
}

/**
 * The limits of this process's control group and those above it, in versions 1 and 2.
 * `readText` gives the text of a file or `undefined`.
 */
export function containerLimits(
  readText: (path: string) => string | undefined,
): (number | undefined)[] {
  const limits: (number | undefined)[] = []
  for (const line of (readText('/proc/self/cgroup') ?? '').split('\n')) {
    // A number, the controllers of version 1, and the group's path. Plain code: it runs once, and most of that is compiling it.
    const from = line.indexOf(':') + 1
    const to = line.indexOf(':', from)
    const controllers = line.slice(from, to)
    const isVersion2 = controllers === ''
    if (to < 0 || line[to + 1] !== '/') continue
    if (!isVersion2 && !controllers.split(',').includes('memory')) continue
    const root = isVersion2 ? CGROUP_ROOT : `${CGROUP_ROOT}/memory`
    const name = isVersion2 ? 'memory.max' : 'memory.limit_in_bytes'
    // A container sees its own group as the root, and those outside as `/..`.
    let group = line.slice(to + 1)
    while (group === '/..' || group.startsWith('/../')) group = group.slice(3)
    for (let isRoot = false; !isRoot; group = group.slice(0, group.lastIndexOf('/'))) {
      isRoot = group === '' || group === '/'
      limits.push(parseLimit(readText(`${root}${isRoot ? '' : group}/${name}`)))
    }
  }
  return limits
}

/** Version 2 writes `max` for no limit. */
function parseLimit(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined
}

function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}
