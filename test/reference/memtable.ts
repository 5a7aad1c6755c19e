/** A memtable as a sorted array, slow and obvious: the oracle of assembly/memtable.ts. */
import { compareEntries, type Entry, sameBytes } from './entry.ts'

export class MemtableModel {
  #entries: Entry[] = []

  append(entry: Entry): void {
    this.#entries.push(entry)
  }

  /** Forgets every entry with a sequence of at least `sequence`. */
  drop(sequence: number): void {
    this.#entries = this.#entries.filter((entry) => entry.sequence < sequence)
  }

  /** The newest version of the key that `sequence` sees, tombstone or not. */
  find(key: Uint8Array, sequence: number): Entry | undefined {
    return this.#entries
      .filter((entry) => entry.sequence <= sequence && sameBytes(entry.key, key))
      .reduce<Entry | undefined>(
        (newest, entry) =>
          newest === undefined || entry.sequence > newest.sequence ? entry : newest,
        undefined,
      )
  }

  /** In internal order. */
  sorted(): Entry[] {
    return [...this.#entries].sort(compareEntries)
  }

  get count(): number {
    return this.#entries.length
  }
}
