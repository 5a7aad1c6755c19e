/**
 * Finds out by itself when a full disk has space again [DUR-9]: it first ends what a failed write has left unfinished, and
 * then writes a file and removes it.
 */
import { SedgeError } from '../errors.ts'
import { temporaryFileName } from '../version/file-names.ts'
import type { Store } from './store.ts'

const PROBE_MS = 1000

export class SpaceProbe {
  readonly #store: Store
  readonly #onSpace: () => void
  #isWaiting = false

  constructor(store: Store, onSpace: () => void) {
    this.#store = store
    this.#onSpace = onSpace
  }

  /** Tries again and again until there is space or the state is another one. */
  start(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#store.env.delay(PROBE_MS, () => {
      this.#isWaiting = false
      if (this.#store.state !== 'full') return
      try {
        this.#probe()
        this.#onSpace()
      } catch {
        this.start()
      }
    })
  }

  #probe(): void {
    const { chain, manifest } = this.#store
    if (manifest === undefined) throw new SedgeError('UNSUPPORTED', 'the store is read-only')
    chain.finishFailed()
    chain.probe(temporaryFileName(manifest.allocateNumber()))
  }
}
