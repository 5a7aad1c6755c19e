/**
 * Acknowledging at level `'disk'`: one sync of the log at a time covers everybody whose frames were written before it
 * began. A sync that fails ends writing until the store is opened again [DUR-10].
 */
import { ioError } from '../env/file-io.ts'
import { SedgeError } from '../errors.ts'
import type { Store } from './store.ts'
import { Waiters } from './waiters.ts'

export class Syncer {
  readonly #store: Store
  readonly #write: () => void
  #syncing: Promise<void> | undefined
  /** Those who wait for the next sync. */
  readonly waiters: Waiters = new Waiters()

  /** `write` brings what is pending into the file, or throws. */
  constructor(store: Store, write: () => void) {
    this.#store = store
    this.#write = write
  }

  /** One sync at a time; what comes meanwhile waits for the next. */
  start(): void {
    if (this.waiters.isEmpty) return
    this.#syncing ??= this.#loop().finally(() => {
      this.#syncing = undefined
      this.start()
    })
  }

  /** Resolves when no sync is in flight and nobody waits for one. */
  async settle(): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing
  }

  /** Syncs what has been written. Blocks. */
  now(): void {
    try {
      this.#store.chain.sync()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  async #loop(): Promise<void> {
    while (!this.waiters.isEmpty) {
      const waiting = this.waiters.take()
      try {
        this.#store.assertWritable()
        this.#write()
        await this.#store.chain.syncAsync()
        waiting.resolve()
      } catch (error) {
        waiting.reject(this.#failed(error))
      }
    }
  }

  #failed(error: unknown): SedgeError {
    if (error instanceof SedgeError && error.code !== 'IO') return error
    const reason = ioError(error, 'cannot sync', 'the log')
    this.#store.fail(reason)
    return new SedgeError(reason.code, `${reason.message}; whether it is on disk is unknown`, {
      cause: error,
      outcome: 'unknown',
    })
  }
}
