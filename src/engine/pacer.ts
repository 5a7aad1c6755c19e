/**
 * Gives way to the event loop in long work on the calling thread: verify, repair, import. Slices last a few milliseconds.
 */
import type { Environment } from '../env/environment.ts'

const SLICE_MS = 5

export class Pacer {
  readonly #env: Environment
  #sliceStart: number

  constructor(env: Environment) {
    this.#env = env
    this.#sliceStart = env.monotonic()
  }

  /** Resolves at once, or in a later turn when the present slice is used up. To be awaited between steps. */
  async breathe(): Promise<void> {
    if (this.#env.monotonic() - this.#sliceStart < SLICE_MS) return
    await new Promise<void>((resolve) => this.#env.defer(resolve))
    this.#sliceStart = this.#env.monotonic()
  }

  /** Runs steps to their end, breathing between them, and returns what they return. */
  async run<T>(steps: Generator<unknown, T, void>): Promise<T> {
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
      await this.breathe()
    }
  }
}
