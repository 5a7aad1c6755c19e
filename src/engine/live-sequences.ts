/**
 * The sequences that snapshots and iterators read at, counted. Every flush and compaction gets the list and keeps
 * what they can see.
 */
import type { SequencePin } from './engine-types.ts'

export class LiveSequences {
  readonly #counts = new Map<number, number>()

  /** Keeps what `sequence` sees until the pin is released. */
  pin(sequence: number): SequencePin {
    this.#counts.set(sequence, (this.#counts.get(sequence) ?? 0) + 1)
    let held = true
    return {
      sequence,
      release: () => {
        if (held) this.#release(sequence)
        held = false
      },
    }
  }

  #release(sequence: number): void {
    const count = this.#counts.get(sequence) ?? 0
    if (count > 1) this.#counts.set(sequence, count - 1)
    else this.#counts.delete(sequence)
  }

  /** Pins held. */
  get size(): number {
    let total = 0
    for (const count of this.#counts.values()) total += count
    return total
  }

  /** Each live sequence once, ascending. */
  list(): number[] {
    return [...this.#counts.keys()].sort((a, b) => a - b)
  }
}
