/**
 * Snapshots [SNAP-1]: a pinned sequence that reads can be made at.
 *
 * A `Snapshot` is a handle; the `PinHandle` behind it does the work. The store keeps the handle's inside and
 * not the handle, so that a forgotten snapshot can be collected and then lets go of its sequence.
 */
import { SedgeError } from '../errors.ts'
import { closeWhenCollected, type Revocable } from './abandoned.ts'
import type { SequencePin } from './engine-types.ts'

/** What the store looked like at one moment. Call protocol: reads with `{ snapshot }`, then close. */
export class Snapshot implements Disposable {
  /** The last sequence that it sees. */
  readonly sequence: number
  readonly #pin: PinHandle

  constructor(pin: PinHandle) {
    this.sequence = pin.sequence
    this.#pin = pin
    closeWhenCollected(this, pin)
  }

  /** Lets go of the old versions that it kept. Idempotent; iterators that began on it go on. */
  close(): void {
    this.#pin.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /**
   * The sequence to read at. Throws `TypeError` for what is not a snapshot of `owner`, `CLOSED` for one
   * that was closed.
   */
  static sequenceOf(snapshot: unknown, owner: object): number {
    if (typeof snapshot !== 'object' || snapshot === null || !(#pin in snapshot)) {
      throw new TypeError('snapshot must be a Snapshot')
    }
    return snapshot.#pin.sequenceFor(owner)
  }
}

/** The inside of a snapshot. */
export class PinHandle implements Revocable {
  readonly #pin: SequencePin
  readonly #owner: object
  readonly #live: Set<Revocable>
  #closed = false

  /** Adds itself to `live` until it is closed. */
  constructor(pin: SequencePin, owner: object, live: Set<Revocable>) {
    this.#pin = pin
    this.#owner = owner
    this.#live = live
    live.add(this)
  }

  get sequence(): number {
    return this.#pin.sequence
  }

  sequenceFor(owner: object): number {
    if (owner !== this.#owner) throw new TypeError('snapshot must be a Snapshot of this store')
    if (this.#closed) throw new SedgeError('CLOSED', 'the snapshot is closed')
    return this.#pin.sequence
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#live.delete(this)
    this.#pin.release()
  }

  revoke(): void {
    this.close()
  }
}
