/**
 * The write path: one record encoded once into the open arena, one frame and one `write` for what a turn collected, one
 * promise for all who wait for the same thing.
 *
 *   put ─► append (visible) ─► turn's end: frame, write(2) ─► 'process' acknowledged ─► fdatasync ─► 'disk' acknowledged
 *
 * A failed write takes its frames out of the view; a failed sync ends writing until the store is opened again.
 */
import { ioError, isNoSpace, isOutOfHandles } from '../env/file-io.ts'
import { SedgeError } from '../errors.ts'
import { EntryKind } from '../kernel/memtable.ts'
import { logFileName } from '../version/file-names.ts'
import { Appender } from './appender.ts'
import type { Durability, Encoded, Operation } from './engine-types.ts'
import { SpaceProbe } from './space-probe.ts'
import { asSedgeError, definite, type Store } from './store.ts'
import { Syncer } from './syncer.ts'
import { Waiters } from './waiters.ts'
import type { WriteHost } from './write-host.ts'

/** A frame of this size is written without waiting for the turn's end. */
const FRAME_BYTES = 256 * 1024
/** How much of the log may wait at level `'none'`. */
const LAZY_BYTES = 1024 * 1024
const FENCE_CHECK_MS = 1000

export class Writer {
  readonly #store: Store
  readonly #host: WriteHost
  /** Those who wait for the bytes to be written. */
  readonly #written = new Waiters()
  readonly #appender: Appender
  readonly #syncer: Syncer
  readonly #probe: SpaceProbe
  #isScheduled = false
  #checkedAt = 0

  constructor(store: Store, host: WriteHost) {
    this.#store = store
    this.#host = host
    this.#appender = new Appender(store, {
      rotate: (charge, timestamp) => this.#rotate(charge, timestamp),
      isCollecting: () => this.#isScheduled,
      failed: (error) => this.#writeFailed(error),
    })
    this.#syncer = new Syncer(store)
    this.#probe = new SpaceProbe(store, () => this.#spaceReturned())
  }

  // -------------------------------------------------------------------------------------------------
  // Entry points

  put(key: Encoded, value: Encoded, level: Durability | undefined): Promise<void> {
    try {
      this.#append(EntryKind.PUT, key, value)
      return this.#acknowledge(level ?? this.#store.options.durability)
    } catch (error) {
      return Promise.reject(refusal(error))
    }
  }

  delete(key: Encoded, level: Durability | undefined): Promise<void> {
    try {
      this.#append(EntryKind.DELETE, key, '')
      return this.#acknowledge(level ?? this.#store.options.durability)
    } catch (error) {
      return Promise.reject(refusal(error))
    }
  }

  batch(operations: readonly Operation[], level: Durability | undefined): Promise<void> {
    try {
      this.#appendBatch(operations)
      return this.#acknowledge(level ?? this.#store.options.durability)
    } catch (error) {
      return Promise.reject(refusal(error))
    }
  }

  putSync(key: Encoded, value: Encoded, level: Durability | undefined): void {
    this.#append(EntryKind.PUT, key, value)
    this.#acknowledgeSync(level ?? this.#store.options.durability)
  }

  deleteSync(key: Encoded, level: Durability | undefined): void {
    this.#append(EntryKind.DELETE, key, '')
    this.#acknowledgeSync(level ?? this.#store.options.durability)
  }

  batchSync(operations: readonly Operation[], level: Durability | undefined): void {
    this.#appendBatch(operations)
    this.#acknowledgeSync(level ?? this.#store.options.durability)
  }

  /** Resolves when everything written so far is on disk. */
  sync(): Promise<void> {
    try {
      this.#store.assertWritable()
      const { promise } = this.#syncer.waiters
      this.#drainForThoseWhoWait()
      return promise
    } catch (error) {
      return Promise.reject(asSedgeError(error))
    }
  }

  // -------------------------------------------------------------------------------------------------
  // Appending

  #append(kind: number, key: Encoded, value: Encoded): void {
    this.#appender.append(kind, key, value)
    this.#limitPending()
  }

  #appendBatch(operations: readonly Operation[]): void {
    this.#appender.appendBatch(operations)
    this.#limitPending()
  }

  /** Writes early what has grown large, so that no single write holds the thread for long. */
  #limitPending(): void {
    // An upper bound, which is at hand.
    if (this.#appender.charged < FRAME_BYTES) return
    const { chain } = this.#store
    const pending = chain.pendingBytes
    if (pending < FRAME_BYTES) return
    if (this.#written.isEmpty && this.#syncer.waiters.isEmpty && pending < LAZY_BYTES) return
    this.drain()
  }

  // -------------------------------------------------------------------------------------------------
  // Segments

  /** Seals the open segment and opens one that takes `charge`. */
  #rotate(charge: number, timestamp: number): void {
    const store = this.#store
    const capacity = Math.max(store.arenaBytes, charge)
    try {
      this.seal()
      this.#host.makeRoom(capacity)
      // Whoever was waited for may have been told of a failure.
      store.assertWritable()
      this.#begin(capacity, timestamp)
    } catch (error) {
      throw definite(asSedgeError(error))
    }
  }

  #begin(capacity: number, timestamp: number): void {
    const store = this.#store
    const { manifest } = store
    if (manifest === undefined) throw new SedgeError('UNSUPPORTED', 'the store is read-only')
    this.#checkLock()
    try {
      store.chain.begin(manifest.allocateNumber(), store.sequence + 1, timestamp, capacity)
      store.refreshView()
    } catch (error) {
      if (isOutOfHandles(error)) throw ioError(error, 'cannot write', 'the log')
      throw this.#writeFailed(error)
    }
  }

  /** Seals the open segment, if there is one with anything in it. */
  seal(): void {
    const { chain } = this.#store
    if (chain.open === undefined) return
    this.drain()
    if (chain.open === undefined) return
    try {
      chain.seal()
    } catch (error) {
      throw this.#writeFailed(error)
    }
    this.#host.sealed()
  }

  /** Ends the segment that a failed write has left without a seal: after a clean close others follow it in the log. */
  finishFailed(): void {
    try {
      this.#store.chain.finishFailed()
    } catch (error) {
      throw this.#writeFailed(error)
    }
  }

  // -------------------------------------------------------------------------------------------------
  // Acknowledging

  #acknowledge(level: Durability): Promise<void> {
    if (level === 'none') return Promise.resolve()
    this.#schedule()
    return level === 'disk' ? this.#syncer.waiters.promise : this.#written.promise
  }

  #acknowledgeSync(level: Durability): void {
    if (level === 'none') return
    this.drain()
    if (level === 'disk') this.#syncer.now()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#drainForThoseWhoWait()
    })
  }

  /** Whoever waits is told of a failure by a rejected promise. */
  #drainForThoseWhoWait(): void {
    try {
      this.drain()
    } catch {
      // Told.
    }
  }

  /** Writes what is pending; acknowledges it, or throws and rejects. */
  drain(): void {
    const { chain } = this.#store
    try {
      this.#appender.written()
      if (chain.pendingBytes > 0) this.#checkLock()
      if (chain.write() > 0 && this.#store.state === 'full') this.#spaceReturned()
    } catch (error) {
      throw this.#writeFailed(error)
    }
    if (!this.#written.isEmpty) this.#host.admit(this.#written.take())
    this.#syncer.start()
  }

  /** Resolves when no sync is in flight. */
  settle(): Promise<void> {
    return this.#syncer.settle()
  }

  // -------------------------------------------------------------------------------------------------
  // Failing

  /** A write failed: its frames leave the view. Returns what the writers concerned are told. */
  #writeFailed(error: unknown): SedgeError {
    const store = this.#store
    const open = store.chain.open
    const file = open === undefined ? 'the log' : logFileName(open.number)
    const reason = definite(ioError(error, 'cannot write', file))
    const isFull = isNoSpace(error) || reason.code === 'FULL'
    let told = reason
    store.hasLostSequences = true
    try {
      store.chain.fail()
      if (open !== undefined) this.#host.sealed()
    } catch (second) {
      told = store.fail(ioError(second, 'cannot cut back', file))
    }
    if (isFull && store.state !== 'failed') {
      store.setState('full')
      store.reportError(reason)
      this.#probe.start()
    } else if (reason.code !== 'CLOSED' && reason.code !== 'LIMIT') {
      store.fail(reason)
    }
    this.#written.reject(told)
    this.#syncer.waiters.reject(told)
    return told
  }

  #spaceReturned(): void {
    const store = this.#store
    store.setState('open')
    store.lastError = undefined
    this.#host.sealed()
  }

  /** A lock that somebody took away ends writing: the other holder does not read our log. */
  #checkLock(): void {
    const now = this.#store.env.monotonic()
    if (now - this.#checkedAt < FENCE_CHECK_MS) return
    this.#checkedAt = now
    if (this.#host.isLockHeld()) return
    throw this.#store.failWithoutLock()
  }
}

/** Wrong use is told as it is [ERR-2]. */
function refusal(error: unknown): Error {
  return error instanceof TypeError ? error : asSedgeError(error)
}
