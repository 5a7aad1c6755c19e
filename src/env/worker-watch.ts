/**
 * Tells a worker that is at work from one that hangs [ENV-26].
 *
 * Looks are counted, not milliseconds: between two looks the machine may have slept or this thread been busy, and nobody can say how
 * much of the time the worker had.
 *
 * Call protocol: (start look*)*.
 */

/** Milliseconds between two looks, at least. */
export const LOOK_MS = 5000
/** So many looks in a row without a sign of life, and the worker is taken for dead. */
export const LOOKS_MAX = 12

export class WorkerWatch {
  #signs = 0
  #quiet = 0
  #lookedAt = 0

  /** Begins anew: the worker has been given something to do. `signs` changes as long as it is at work. */
  start(signs: number, now: number): void {
    this.#signs = signs
    this.#quiet = 0
    this.#lookedAt = now
  }

  /** True once the worker has been quiet for too long. Looks that come too early do not count. */
  look(signs: number, now: number): boolean {
    if (now - this.#lookedAt < LOOK_MS) return false
    this.#quiet = signs === this.#signs ? this.#quiet + 1 : 0
    this.#signs = signs
    this.#lookedAt = now
    return this.#quiet >= LOOKS_MAX
  }
}
