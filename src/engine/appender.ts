/**
 * From operations to records in the open arena: measured, charged, written once, where they belong.
 *
 *   key, value ─► behind the arena's last record (or, where they may not fit, the scratch) ─► record
 *
 * A segment that is full is rotated first. What can fail comes before the first record of a batch.
 */
import { ioError, isOutOfHandles } from '../env/file-io.ts'
import { SedgeError } from '../errors.ts'
import { EntryKind } from '../kernel/memtable.ts'
import { bytesMax } from '../kernel/text.ts'
import type { Encoded, Operation } from './engine-types.ts'
import { KEY_BYTES_MAX, keyLimit, LARGE_VALUE_BYTES } from './limits.ts'
import {
  assertAttached,
  boundBatch,
  ENTRY_CHARGE,
  encodeReference,
  isLarge,
  largestScratch,
  type Measured,
  measureAll,
  measureLarge,
  REFERENCE_BYTES,
  SCRATCH_SPARE,
} from './measure.ts'
import type { Store } from './store.ts'

/** A segment whose value file has grown to this is sealed. */
const VALUE_FILE_BYTES = 64 * 1024 * 1024

/** What appending asks of the writer. */
export interface AppendHost {
  /** Seals the open segment and opens one that takes `charge`. */
  rotate(charge: number, timestamp: number): void
  /** Whether what was appended in this turn is written at its end. */
  isCollecting(): boolean
  /** A write to a value file failed: returns what the caller is told. */
  failed(error: unknown): SedgeError
}

export class Appender {
  readonly #store: Store
  readonly #host: AppendHost
  #charged = 0
  #time: number | undefined

  constructor(store: Store, host: AppendHost) {
    this.#store = store
    this.#host = host
  }

  /** What was charged for records since `written` was called last: at least their bytes. */
  get charged(): number {
    return this.#charged
  }

  /** What was appended is in the log, or is about to be: what comes next has another time. */
  written(): void {
    this.#charged = 0
    this.#time = undefined
  }

  /** Appends an entry. Throws `LIMIT`, `TypeError`, or what keeps it from being written; then nothing was. */
  append(kind: number, key: Encoded, value: Encoded): void {
    const store = this.#store
    store.assertWritable()
    if (key.length > KEY_BYTES_MAX || key.length === 0) throw keyLimit()
    if (value.length * 3 >= LARGE_VALUE_BYTES && isLarge(value)) {
      this.#appendMeasured([measureLarge(key, value)], this.#timestamp())
      return
    }
    if (value.length === 0) assertAttached(value)
    const timestamp = this.#timestamp()
    const { kernel } = store
    let at = this.#roomFor(key, value)
    const keyBytes = kernel.write(at, key)
    if (keyBytes > KEY_BYTES_MAX) throw keyLimit()
    const valueBytes = kernel.write(at + keyBytes, value)
    const charge = ENTRY_CHARGE + keyBytes + valueBytes
    if (!store.chain.fits(charge, timestamp)) {
      this.#host.rotate(charge, timestamp)
      // The seal of the arena that was full lies where they were written.
      at = this.#roomFor(key, value)
      kernel.write(at, key)
      kernel.write(at + keyBytes, value)
    }
    this.#record(kind, at, keyBytes, valueBytes, charge, timestamp)
  }

  /** Where a key and its value can be written: where their record will be, else in the scratch. */
  #roomFor(key: Encoded, value: Encoded): number {
    const { chain, kernel } = this.#store
    const bytes = bytesMax(key) + bytesMax(value)
    const room = chain.open?.memtable.room(bytes) ?? 0
    return room === 0 ? kernel.scratch(bytes + SCRATCH_SPARE) : room
  }

  /** Appends the key that lies at `at`, and its value behind it. */
  #record(
    kind: number,
    at: number,
    keyBytes: number,
    valueBytes: number,
    charge: number,
    timestamp: number,
  ): void {
    const { chain } = this.#store
    const segment = chain.open
    if (segment === undefined) throw new SedgeError('FAILED', 'no segment is open')
    const sequence = this.#store.sequence + 1
    const delta = chain.timestampDelta(timestamp)
    segment.memtable.append(kind, at, keyBytes, at + keyBytes, valueBytes, sequence, delta)
    this.#store.sequence = sequence
    segment.charge += charge
    this.#charged += charge
    segment.lastSequence = sequence
    if (kind === EntryKind.DELETE) this.#store.deletes++
    else this.#store.puts++
  }

  /** Appends all operations, or throws `LIMIT` or what else keeps them from being written before the first. */
  appendBatch(operations: readonly Operation[]): void {
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
  }

  /** All or nothing, as `#appendMeasured`, where nothing is large and everything fits. */
  #appendBounded(operations: readonly Operation[], scratch: number, timestamp: number): void {
    const { chain, kernel } = this.#store
    chain.open?.memtable.reserve(operations.length)
    kernel.scratch(scratch)
    for (const operation of operations) {
      const value = operation.kind === 'put' ? operation.value : ''
      const at = this.#roomFor(operation.key, value)
      const keyBytes = kernel.write(at, operation.key)
      const valueBytes = kernel.write(at + keyBytes, value)
      const kind = operation.kind === 'put' ? EntryKind.PUT : EntryKind.DELETE
      const charge = ENTRY_CHARGE + keyBytes + valueBytes
      this.#record(kind, at, keyBytes, valueBytes, charge, timestamp)
    }
  }

  /** All or nothing: what can fail comes before the first record. */
  #appendMeasured(measured: readonly Measured[], timestamp: number): void {
    const { chain, kernel } = this.#store
    let charge = 0
    for (const one of measured) charge += one.charge
    const isFull = (chain.open?.valueBytes ?? 0) >= VALUE_FILE_BYTES
    const hasLarge = measured.some(({ large }) => large !== undefined)
    if (!chain.fits(charge, timestamp) || (isFull && hasLarge)) {
      this.#host.rotate(charge, timestamp)
    }
    chain.open?.memtable.reserve(measured.length)
    kernel.scratch(largestScratch(measured))
    const offsets = this.#writeLarge(measured)
    let next = 0
    for (const one of measured) {
      const keyBytes = kernel.scratchKey(one.key)
      if (one.large === undefined) {
        const valueBytes = kernel.scratchValue(one.value ?? '', keyBytes)
        this.#record(one.kind, kernel.scratch(0), keyBytes, valueBytes, one.charge, timestamp)
      } else {
        const reference = encodeReference(one.large.length, offsets[next++] ?? 0)
        kernel.scratchValue(reference, keyBytes)
        const at = kernel.scratch(0)
        this.#record(EntryKind.CHUNKS, at, keyBytes, REFERENCE_BYTES, one.charge, timestamp)
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
      throw isUntouched ? ioError(error, 'cannot write', 'a value') : this.#host.failed(error)
    }
    return offsets
  }

  /** Records that a turn collects for one write have one time [API-12]: to ask the clock costs as much as to hash a key. */
  #timestamp(): number {
    if (this.#time === undefined || !this.#host.isCollecting()) {
      const time = Math.trunc(this.#store.env.clock())
      this.#time = Number.isSafeInteger(time) ? time : 0
    }
    return this.#time
  }
}
