/** Which entries survive a flush or a compaction, told by who can see them: the oracle of assembly/job.ts. */
import { DELETE, type Entry, sameBytes } from './entry.ts'

/**
 * The survivors of entries in internal order. A reader is a live sequence, or the reader of all that is newest. An entry
 * survives if some reader finds it; a tombstone that even the oldest reader finds says nothing where nothing older can
 * lie below.
 */
export function survivors(
  entries: readonly Entry[],
  snapshots: readonly number[],
  dropTombstones: boolean,
): Entry[] {
  const readers = [...snapshots, Number.POSITIVE_INFINITY]
  const oldest = Math.min(...readers)
  return entries.filter((entry) => {
    const found = readers.filter((reader) => finds(entries, entry, reader))
    if (found.length === 0) return false
    return !(dropTombstones && entry.kind === DELETE && found.includes(oldest))
  })
}

/** True if `entry` is the newest version of its key that the reader sees. */
function finds(entries: readonly Entry[], entry: Entry, reader: number): boolean {
  if (entry.sequence > reader) return false
  return !entries.some(
    ({ key, sequence }) =>
      sequence > entry.sequence && sequence <= reader && sameBytes(key, entry.key),
  )
}
