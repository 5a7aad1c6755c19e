/**
 * `clear`: deletes in batches the keys that a scan finds, and leaves alone what has been written since [API-13].
 *
 *   scan at the sequence of the call ─► 1,024 keys or more ─► those without a newer version ─► one batch ─► next turn …
 *
 * Between the look and the batch nobody else can write: both are of one synchronous step.
 */
import type { Operation, ScanCursor } from './engine-types.ts'
import type { Reader } from './reader.ts'
import type { Store } from './store.ts'

const CLEAR_BATCH = 1024

/** What a clearing needs of the engine. `write` appends before it returns. */
export interface ClearingParts {
  readonly store: Store
  readonly reader: Reader
  readonly write: (operations: readonly Operation[]) => Promise<void>
}

/** Deletes what `cursor`, which yields binary keys, finds. Rejects with what a batch rejects with. Closes the cursor. */
export async function clearKeys(parts: ClearingParts, cursor: ScanCursor): Promise<void> {
  const { env } = parts.store
  const clearing = new Clearing(parts, cursor.sequence)
  try {
    let keys: (string | Uint8Array)[] = []
    for (let batch = cursor.next(); batch !== undefined; batch = cursor.next()) {
      keys.push(...batch.keys)
      if (keys.length < CLEAR_BATCH) continue
      await clearing.delete(keys)
      keys = []
      await new Promise<void>((resolve) => env.defer(resolve))
    }
    await clearing.delete(keys)
  } finally {
    cursor.close()
  }
}

class Clearing {
  readonly #parts: ClearingParts
  /** Of the call: what is newer stays. */
  readonly #sequence: number
  /** The store's after our last batch. */
  #ours: number
  #isAlone = true

  constructor(parts: ClearingParts, sequence: number) {
    this.#parts = parts
    this.#sequence = sequence
    this.#ours = sequence
  }

  delete(keys: readonly (string | Uint8Array)[]): Promise<void> {
    const { store, reader, write } = this.#parts
    // While nobody else has written no key can have a newer version, and none needs to be looked up.
    this.#isAlone &&= store.sequence === this.#ours
    const isOld = (key: string | Uint8Array): boolean => !reader.isNewer(key, this.#sequence)
    const old = this.#isAlone ? keys : keys.filter(isOld)
    const written = write(old.map((key) => ({ kind: 'delete', key })))
    this.#ours = store.sequence
    return written
  }
}
