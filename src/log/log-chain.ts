/**
 * The live log: segments, oldest first, whose memtables have not become tables yet. The last one may be open for
 * appending.
 *
 *   [ sealed ] [ sealed ] [ open ]      every segment before an open one is sealed: recovery relies on it
 *
 * Knows nothing of promises, flushes or the manifest.
 */
import { writeFully } from '../env/file-io.ts'
import type { FileSystem } from '../env/file-system.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Memtable, SyncedPoint } from '../kernel/memtable.ts'
import { SegmentWriter } from './segment-writer.ts'

/** A segment that recovery has read. It is never written again. */
export interface RecoveredSegment {
  readonly number: number
  readonly identity: bigint
  readonly memtable: Memtable
  /** Bytes of the log and value file that count. */
  readonly length: number
  readonly valueBytes: number
  readonly lastSequence: number
}

/** A segment with its memtable. */
export interface LiveSegment {
  readonly number: number
  readonly identity: bigint
  readonly memtable: Memtable
  /** Undefined for a recovered segment. */
  readonly writer: SegmentWriter | undefined
  /** Sum of 56 + key + inline value. */
  charge: number
  lastSequence: number
  /** Bytes of the log file that hold valid frames. */
  readonly length: number
  readonly valueBytes: number
}

class WrittenSegment implements LiveSegment {
  readonly writer: SegmentWriter
  charge = 0
  lastSequence = 0

  constructor(writer: SegmentWriter) {
    this.writer = writer
  }

  get number(): number {
    return this.writer.number
  }

  get identity(): bigint {
    return this.writer.identity
  }

  get memtable(): Memtable {
    return this.writer.memtable
  }

  get length(): number {
    return this.writer.written
  }

  get valueBytes(): number {
    return this.writer.valueBytes
  }
}

export interface ChainOptions {
  readonly directory: string
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  readonly epoch: number
  readonly logName: (number: number) => string
  readonly valueName: (number: number) => string
}

const PROBE_BYTES = 65_536
/** Largest difference between a record's time and its segment's, in milliseconds. */
const TIMESTAMP_SPAN = 2 ** 31 - 1
/** How much of its room a segment must have used before the clock can end it, when the clock has begun it too. */
const JUMP_SHARE = 1 / 4

export class LogChain {
  readonly #kernel: Kernel
  readonly #fs: FileSystem
  readonly #options: ChainOptions
  readonly #segments: LiveSegment[] = []
  #open: LiveSegment | undefined
  #previous = 0
  #baseTimestamp: number | undefined
  #capacity = 0
  /** The open segment was begun because the clock had left the span of the one before it. */
  #hasJumped = false
  /** A segment whose last write failed and that could not be sealed yet. */
  #unsealed: SegmentWriter | undefined
  bytesWritten = 0

  constructor(kernel: Kernel, fs: FileSystem, options: ChainOptions) {
    this.#kernel = kernel
    this.#fs = fs
    this.#options = options
  }

  /** Oldest first. */
  get segments(): readonly LiveSegment[] {
    return this.#segments
  }

  get open(): LiveSegment | undefined {
    return this.#open
  }

  /** Bytes that were appended and are not in the file. */
  get pendingBytes(): number {
    return this.#open?.writer?.pendingBytes ?? 0
  }

  /** Takes a segment over that recovery has read and synced. */
  adopt(recovered: RecoveredSegment): void {
    const { number, identity, memtable, length, valueBytes, lastSequence } = recovered
    this.#segments.push({
      number,
      identity,
      memtable,
      length,
      valueBytes,
      lastSequence,
      writer: undefined,
      charge: length,
    })
    this.#previous = number
  }

  /** True when the open segment should take `charge` more at `timestamp`. */
  fits(charge: number, timestamp: number): boolean {
    const open = this.#open
    if (open === undefined || open.charge + charge > this.#capacity) return false
    if (!this.#isBeyondSpan(timestamp)) return true
    // A clock that jumps at every write must not make a file of every write [LOG-12].
    return this.#hasJumped && open.charge < this.#capacity * JUMP_SHARE
  }

  #isBeyondSpan(timestamp: number): boolean {
    const base = this.#baseTimestamp
    return base !== undefined && Math.abs(timestamp - base) > TIMESTAMP_SPAN
  }

  /** Opens a new segment that holds `capacity` of charge. Requires that none is open. Throws what the file system throws. */
  begin(number: number, firstSequence: number, baseTimestamp: number, capacity: number): void {
    this.finishFailed()
    const { directory, storeId, hashSeed, epoch, logName, valueName } = this.#options
    const paths = { directory, log: logName(number), values: valueName(number) }
    const header = {
      storeId,
      number,
      previous: this.#previous,
      firstSequence,
      baseTimestamp,
      epoch,
    }
    const writer = new SegmentWriter(this.#kernel, this.#fs, paths, header, hashSeed, capacity)
    this.#open = new WrittenSegment(writer)
    this.#segments.push(this.#open)
    this.#previous = number
    this.#hasJumped = this.#isBeyondSpan(baseTimestamp)
    this.#baseTimestamp = baseTimestamp
    this.#capacity = capacity
  }

  /** Difference of a timestamp to the open segment's, or the nearest that a record can hold. */
  timestampDelta(timestamp: number): number {
    const delta = timestamp - (this.#baseTimestamp ?? 0)
    return Math.max(-TIMESTAMP_SPAN, Math.min(TIMESTAMP_SPAN, delta))
  }

  /** Writes what is pending as one frame; returns its bytes. Throws what the file system throws; then call `fail`. */
  write(): number {
    const writer = this.#open?.writer
    if (writer === undefined || writer.isWritten) return 0
    const bytes = writer.write(this.syncedPoint(writer.number))
    this.bytesWritten += bytes
    return bytes
  }

  /** Seals the open segment; afterwards none is open. Throws what the file system throws; then call `fail`. */
  seal(): void {
    const writer = this.#open?.writer
    if (writer === undefined) return
    this.bytesWritten += writer.seal(this.syncedPoint(writer.number))
    this.#open = undefined
  }

  /**
   * After a failed write: the pending frames leave the view, the segment is cut back to its last good frame and is
   * closed to appending. Throws what the file system throws.
   */
  fail(): void {
    const segment = this.#open
    if (segment?.writer === undefined) return
    this.#open = undefined
    this.#unsealed = segment.writer
    segment.writer.fail()
  }

  /** Seals a segment that failed before. Nothing may follow it until that has worked. Throws what the file system throws. */
  finishFailed(): void {
    const writer = this.#unsealed
    if (writer === undefined) return
    this.bytesWritten += writer.sealFailed(this.syncedPoint(writer.number))
    this.#unsealed = undefined
  }

  /** Finds out whether there is space: writes a file named `name` and removes it. Throws what the file system throws. */
  probe(name: string): void {
    const path = `${this.#options.directory}/${name}`
    const file = this.#fs.open(path, 'create')
    try {
      writeFully(file, new Uint8Array(PROBE_BYTES), 0)
    } finally {
      file.close()
      this.#fs.remove(path)
    }
  }

  /** What is known to be on disk: that segment up to that offset, and all before it. Told from segment `from`. */
  syncedPoint(from: number): SyncedPoint | undefined {
    let point: SyncedPoint | undefined
    for (const { number, writer, length } of this.#segments) {
      const synced = writer === undefined ? length : writer.synced
      if (synced > 0) point = { distance: from - number, offset: synced }
      if (writer !== undefined && !(writer.sealed && writer.isSynced)) break
    }
    return point
  }

  /** Makes all that has been written durable, oldest first. Blocks. */
  sync(): void {
    for (const { writer } of this.#segments) if (writer?.isSynced === false) writer.sync()
  }

  async syncAsync(): Promise<void> {
    for (const { writer } of [...this.#segments]) {
      if (writer?.isSynced === false) await writer.syncAsync()
    }
  }

  /** Takes a segment that has become a table out of the chain. Its memtable stays until `dispose`. */
  forget(segment: LiveSegment): void {
    const index = this.#segments.indexOf(segment)
    if (index >= 0) this.#segments.splice(index, 1)
    if (segment.writer !== undefined && this.#unsealed === segment.writer) {
      this.#unsealed = undefined
    }
  }

  /** Closes the files of a forgotten segment and frees its memtable, which must not be in the view any more. */
  dispose(segment: LiveSegment): void {
    segment.writer?.close()
    if (!this.#kernel.trapped) segment.memtable.free()
  }

  /** Closes every file. */
  close(): void {
    for (const { writer } of this.#segments) writer?.close()
  }
}
