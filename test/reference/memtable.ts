/** A memtable as lists of versions by key, slow and obvious: the oracle of assembly/memtable.ts. */
import { Buffer } from 'node:buffer'
import { compareEntries, type Entry } from './entry.ts'

export class MemtableModel {
  /** The versions of each key, in the order of appending. */
  readonly #versions = new Map<string, Entry[]>()

  append(entry: Entry): void {
    const text = textOf(entry.key)
    this.#versions.set(text, [...(this.#versions.get(text) ?? []), entry])
  }

  /** Forgets every entry with a sequence of at least `sequence`. */
  drop(sequence: number): void {
    for (const [text, versions] of this.#versions) {
      const kept = versions.filter((entry) => entry.sequence < sequence)
      this.#versions.set(text, kept)
    }
  }

  /** The newest version of the key that `sequence` sees, tombstone or not. */
  find(key: Uint8Array, sequence: number): Entry | undefined {
    return this.#versions.get(textOf(key))?.findLast((entry) => entry.sequence <= sequence)
  }

  /** In internal order. */
  sorted(): Entry[] {
    return [...this.#versions.values()].flat().sort(compareEntries)
  }

  get count(): number {
    return this.sorted().length
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1')
}
