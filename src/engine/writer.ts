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
import type { Durability, Encoded, Operation } from './engine-types.ts'
import { KEY_BYTES_MAX, keyLimit, LARGE_VALUE_BYTES } from './limits.ts'
import {
  boundBatch,
  ENTRY_CHARGE,
  encodeReference,
  isLarge,
  largestScratch,
  type Measured,
  measureAll,
  measureLarge,
  REFERENCE_BYTES,
} from './measure.ts'
import { SpaceProbe } from './space-probe.ts'
import { asSedgeError, definite, type Store } from './store.ts'
import { Syncer } from './syncer.ts'
import { Waiters } from './waiters.ts'
import type { WriteHost } from './write-host.ts'

/** A frame of this size is written without waiting for the turn's end. */
const FRAME_BYTES = 256 * 1024
/** How much of the log may wait at level `'none'`. */
const LAZY_BYTES = 1024 * 1024
/** A segment whose value file has grown to this is sealed. */
const VALUE_FILE_BYTES = 64 * 1024 * 1024
const FENCE_CHECK_MS = 1000

export class Writer {
  readonly #store: Store
  readonly #host: WriteHost
  /** Those who wait for the bytes to be written. */
  readonly #written = new Waiters()
  readonly #syncer: Syncer
  readonly #probe: SpaceProbe
  #isScheduled = false
  #checkedAt = 0

  constructor(store: Store, host: WriteHost) {
    this.#store = store
    this.#host = host
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
      return Promise.reject(asSedgeError(error))
    }
  }

  delete(key: Encoded, level: Durability | undefined): Promise<void> {
    try {
      this.#append(EntryKind.DELETE, key, '')
      return this.#acknowledge(level ?? this.#store.options.durability)
    } catch (error) {
      return Promise.reject(asSedgeError(error))
    }
  }

  batch(operations: readonly Operation[], level: Durability | undefined): Promise<void> {
    try {
      this.#appendBatch(operations)
      return this.#acknowledge(level ?? this.#store.options.durability)
    } catch (error) {
      return Promise.reject(asSedgeError(error))
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
    const store = this.#store
    store.assertWritable()
    if (key.length > KEY_BYTES_MAX || key.length === 0) throw keyLimit()
    if (value.length * 3 >= LARGE_VALUE_BYTES && isLarge(value)) {
      this.#appendMeasured([measureLarge(key, value)], this.#timestamp())
      return
    }
    const timestamp = this.#timestamp()
    const { kernel } = store
    const keyBytes = kernel.scratchKey(key, value.length * 3)
    if (keyBytes > KEY_BYTES_MAX) throw keyLimit()
    const valueBytes = kernel.scratchValue(value, keyBytes)
    const charge = ENTRY_CHARGE + keyBytes + valueBytes
    if (!store.chain.fits(charge, timestamp)) this.#rotate(charge, timestamp)
    this.#record(kind, keyBytes, valueBytes, charge, timestamp)
    this.#limitPending()
  }

  /** Appends what lies in the scratch. */
  #record(
    kind: number,
    keyBytes: number,
    valueBytes: number,
    charge: number,
    timestamp: number,
  ): void {
    const { chain, kernel } = this.#store
    const segment = chain.open
    if (segment === undefined) throw new SedgeError('FAILED', 'no segment is open')
    const at = kernel.scratch(0)
    const sequence = this.#store.sequence + 1
    const delta = chain.timestampDelta(timestamp)
    segment.memtable.append(kind, at, keyBytes, at + keyBytes, valueBytes, sequence, delta)
    this.#store.sequence = sequence
    segment.charge += charge
    segment.lastSequence = sequence
    if (kind === EntryKind.DELETE) this.#store.deletes++
    else this.#store.puts++
  }

  #appendBatch(operations: readonly Operation[]): void {
    const { chain } = this.#store
    this.#store.assertWritable()
    const bound = boundBatch(operations)
    if (bound === undefined) this.#appendMeasured(measureAll(operations), this.#timestamp())
    else if (operations.length > 0) {
      const timestamp = this.#timestamp()
      const isRoomy = chain.fits(bound.charge, timestamp)
      if (isRoomy) this.#appendBounded(operations, bound.scratch, timestamp)
      else this.#appendMeasured(measureAll(operations), timestamp)
    }
    this.#limitPending()
  }

  /** All or nothing, as `#appendMeasured`, where nothing is large and everything fits. */
  #appendBounded(operations: readonly Operation[], scratch: number, timestamp: number): void {
    const { chain, kernel } = this.#store
    chain.open?.memtable.reserve(operations.length)
    kernel.scratch(scratch)
    for (const operation of operations) {
      const keyBytes = kernel.scratchKey(operation.key)
      const value = operation.kind === 'put' ? operation.value : ''
      const valueBytes = kernel.scratchValue(value, keyBytes)
      const kind = operation.kind === 'put' ? EntryKind.PUT : EntryKind.DELETE
      const charge = ENTRY_CHARGE + keyBytes + valueBytes
      this.#record(kind, keyBytes, valueBytes, charge, timestamp)
    }
  }

  /** All or nothing: what can fail comes before the first record. */
  #appendMeasured(measured: readonly Measured[], timestamp: number): void {
    const { chain, kernel } = this.#store
    let charge = 0
    for (const one of measured) charge += one.charge
    const isFull = (chain.open?.valueBytes ?? 0) >= VALUE_FILE_BYTES
    const hasLarge = measured.some(({ large }) => large !== undefined)
    if (!chain.fits(charge, timestamp) || (isFull && hasLarge)) this.#rotate(charge, timestamp)
    chain.open?.memtable.reserve(measured.length)
    kernel.scratch(largestScratch(measured))
    const offsets = this.#writeLarge(measured)
    let next = 0
    for (const one of measured) {
      const keyBytes = kernel.scratchKey(one.key)
      if (one.large === undefined) {
        const valueBytes = kernel.scratchValue(one.value ?? '', keyBytes)
        this.#record(one.kind, keyBytes, valueBytes, one.charge, timestamp)
      } else {
        const reference = encodeReference(one.large.length, offsets[next++] ?? 0)
        kernel.scratchValue(reference, keyBytes)
        this.#record(EntryKind.CHUNKS, keyBytes, REFERENCE_BYTES, one.charge, timestamp)
      }
    }
  }

  /** Writes the large values to the value file and returns where they are. */
  #writeLarge(measured: readonly Measured[]): number[] {
    const writer = this.#store.chain.open?.writer
    const offsets: number[] = []
    if (writer === undefined) return offsets
    const tail = writer.valueBytes
    try {
      for (const { large } of measured) {
        if (large !== undefined) offsets.push(writer.appendChunks(large))
      }
    } catch (error) {
      writer.cutValues(tail)
      // Nothing is in a file that could not be opened.
      const isUntouched = writer.values === undefined && isOutOfHandles(error)
      throw isUntouched ? ioError(error, 'cannot write', 'a value') : this.#writeFailed(error)
    }
    return offsets
  }

  #timestamp(): number {
    const time = Math.trunc(this.#store.env.clock())
    return Number.isSafeInteger(time) ? time : 0
  }

  /** Writes early what has grown large, so that no single write holds the thread for long. */
  #limitPending(): void {
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
