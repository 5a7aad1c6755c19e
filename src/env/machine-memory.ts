/**
 * How much memory this process may count on: the machine's, or less where a container says so [ENV-16].
 */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

const CGROUP_ROOT = '/sys/fs/cgroup'
/** Control groups nest; no real path is deeper. */
const CGROUP_DEPTH_MAX = 64

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
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || group === undefined) continue
    const isVersion2 = controllers === ''
    if (!isVersion2 && !controllers.split(',').includes('memory')) continue
    const root = isVersion2 ? CGROUP_ROOT : `${CGROUP_ROOT}/memory`
    const name = isVersion2 ? 'memory.max' : 'memory.limit_in_bytes'
    for (const folder of groupAndParents(group)) {
      limits.push(parseLimit(readText(`${root}${folder}/${name}`)))
    }
  }
  return limits
}

/** `/a/b` gives `/a/b`, `/a` and the root as an empty text. A container sees its own group as the root. */
function groupAndParents(group: string): string[] {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..')
  const folders: string[] = []
  for (let count = Math.min(parts.length, CGROUP_DEPTH_MAX); count >= 0; count--) {
    folders.push(
      parts
        .slice(0, count)
        .map((part) => `/${part}`)
        .join(''),
    )
  }
  return folders
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
