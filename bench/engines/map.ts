/**
 * A `Map`: what memory alone could do, with nothing kept and no order but that of insertion. It scans by sorting its
 * keys at the first scan, as a program that has only a `Map` would.
 */
import type { Description, Engine, Scan, Visit } from '../engine.ts'

export const description: Description = {
  name: 'map',
  version: process.version.slice(1),
  isVolatile: true,
  levels: ['process'],
  settings: 'a JavaScript Map; values by reference, nothing on disk',
}

export function openEngine(): Promise<Engine> {
  const map = new Map<string, Buffer>()
  let sorted: string[] | undefined
  const set = (key: string, value: Buffer): void => {
    if (sorted !== undefined && !map.has(key)) sorted.splice(lowerBound(sorted, key), 0, key)
    map.set(key, value)
  }
  const scan = ({ reverse, from, limit = map.size }: Scan, visit: Visit): void => {
    const keys = (sorted ??= [...map.keys()].sort())
    const step = reverse ? -1 : 1
    let at = from !== undefined ? lowerBound(keys, from) : reverse ? keys.length - 1 : 0
    if (reverse && from !== undefined && keys[at] !== from) at--
    for (let left = limit; left > 0 && at >= 0 && at < keys.length; left--, at += step) {
      visit(keys[at]!, map.get(keys[at]!)!)
    }
  }
  return Promise.resolve({
    put: async (key, value) => set(key, value),
    putSync: set,
    delete: async (key) => {
      if (map.delete(key)) sorted = undefined
    },
    batch: (keys, values) => {
      for (let i = 0; i < keys.length; i++) set(keys[i]!, values[i]!)
    },
    get: async (key) => map.get(key),
    getSync: (key) => map.get(key),
    getString: (key) => map.get(key)?.toString(),
    sumReused: (key) => {
      const value = map.get(key)
      return value === undefined ? undefined : value[0]! + value[value.length - 1]!
    },
    scan,
    scanAwait: async (range, visit) => scan(range, visit),
    close: () => map.clear(),
  })
}

/** The place of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
