/**
 * One promise for all who wait for the same thing, made when the first of them comes.
 *
 * Call protocol: promise* (reject | take), over and over.
 */

/** Those who wait for one thing. */
export interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Waiters {
  #promise: Promise<void> | undefined
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}

  get isEmpty(): boolean {
    return this.#promise === undefined
  }

  /** The promise of those who wait now. */
  get promise(): Promise<void> {
    this.#promise ??= new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    return this.#promise
  }

  reject(error: unknown): void {
    this.take().reject(error)
  }

  /** Hands those who wait now to the caller; whoever comes later waits for something else. */
  take(): Waiting {
    const taken =
      this.#promise === undefined
        ? { resolve: () => {}, reject: () => {} }
        : { resolve: this.#resolve, reject: this.#reject }
    this.#promise = undefined
    return taken
  }
}
