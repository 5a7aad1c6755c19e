/** Merging and reading sorted entries, slow and obvious: the oracle of assembly/merge.ts, tournament.ts and scan.ts. */
import { compareEntries, compareKeys, DELETE, type Entry, sameBytes } from './entry.ts'

/** All entries of all sources in internal order. */
export function merge(sources: readonly (readonly Entry[])[]): Entry[] {
  return sources.flat().sort(compareEntries)
}

/** What a reader at `sequence` sees of entries in internal order: one version of each key, no tombstones. */
export function visible(entries: readonly Entry[], sequence: number): Entry[] {
  const seen = entries.filter((entry) => entry.sequence <= sequence)
  return seen
    .filter((entry, i) => i === 0 || !sameBytes(entry.key, seen[i - 1]!.key))
    .filter((entry) => entry.kind !== DELETE)
}

export interface Bounds {
  /** Where to begin, in the direction of the scan; `undefined` for the end of all. */
  readonly start: Uint8Array | undefined
  readonly startInclusive: boolean
  readonly end: Uint8Array | undefined
  readonly endInclusive: boolean
  readonly reverse: boolean
}

/** The entries of `seen` within the bounds, in the order of the scan. */
export function inBounds(seen: readonly Entry[], bounds: Bounds): Entry[] {
  const { start, startInclusive, end, endInclusive, reverse } = bounds
  const direction = reverse ? -1 : 1
  const ordered = reverse ? [...seen].reverse() : seen
  return ordered.filter(({ key }) => {
    if (start !== undefined) {
      const order = compareKeys(key, start) * direction
      if (order < 0 || (order === 0 && !startInclusive)) return false
    }
    if (end !== undefined) {
      const order = compareKeys(key, end) * direction
      if (order > 0 || (order === 0 && !endInclusive)) return false
    }
    return true
  })
}
