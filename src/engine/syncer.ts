/**
 * Acknowledging at level `'disk'`: one sync of the log at a time covers everybody whose frames were written before it
 * began. A sync that fails ends writing until the store is opened again [DUR-10].
 */
import { ioError } from '../env/file-io.ts'
import { SedgeError } from '../errors.ts'
import type { Store } from './store.ts'
import { Waiters, type Waiting } from './waiters.ts'

export class Syncer {
  readonly #store: Store
  #syncing: Promise<void> | undefined
  /** Those whose frames are not written yet. */
  readonly waiters: Waiters = new Waiters()
  /** Those whose frames are written and who wait for the next sync: a later write that fails is none of their business. */
  #written: Waiting[] = []

  constructor(store: Store) {
    this.#store = store
  }

  /** Everything pending has been written: syncs for those who wait. One sync at a time; who comes meanwhile waits for the next. */
  start(): void {
    if (!this.waiters.isEmpty) this.#written.push(this.waiters.take())
    this.#run()
  }

  #run(): void {
    if (this.#written.length === 0) return
    this.#syncing ??= this.#loop().finally(() => {
      this.#syncing = undefined
      // Whoever was woken by the last sync may have come back before this.
      this.#run()
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
    while (this.#written.length > 0) {
      const waiting = this.#written
      this.#written = []
      try {
        this.#store.assertWritable()
        await this.#store.chain.syncAsync()
        // The system tells of a failure once: another sync may have heard of it instead of this one.
        this.#store.assertWritable()
        for (const { resolve } of waiting) resolve()
      } catch (error) {
        const reason = this.#failed(error)
        for (const { reject } of waiting) reject(reason)
      }
    }
  }

  /** What they are told who wait for a sync: their frames are written and seen, so the outcome is never known to be bad. */
  #failed(error: unknown): SedgeError {
    const reason = ioError(error, 'cannot sync', 'the log')
    if (this.#store.state !== 'failed') this.#store.fail(reason)
    return new SedgeError(reason.code, `${reason.message}; whether it is on disk is unknown`, {
      cause: error,
      outcome: 'unknown',
    })
  }
}
