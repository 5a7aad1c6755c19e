/**
 * The segment that is being written: a memtable whose arena is written to a file as it grows, and a value file for
 * large values when there are any.
 *
 *   arena   | … frames in the file | sealed or open frames not written yet |
 *             0          written ──┘                                 tail ──┘
 *
 * Call protocol: new (append | appendChunks | write | sync)* seal? close. After `fail` nothing may be appended.
 */
import { closeQuietly, readFully, systemError, writeFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import type { Kernel } from '../kernel/kernel.ts'
import {
  FRAME_HEADER_BYTES,
  Memtable,
  SEGMENT_HEADER_BYTES,
  type SyncedPoint,
} from '../kernel/memtable.ts'
import { chunkedBytes, writeChunks } from '../util/value-chunks.ts'
import { encodeSegmentHeader, type SegmentHeader, segmentIdentity } from './log-format.ts'
import { PreparedSpace } from './prepared-space.ts'

export interface SegmentPaths {
  readonly directory: string
  readonly log: string
  readonly values: string
}

/** Values are written again in pieces of this size. */
const REWRITE_BYTES = 1024 * 1024

export class SegmentWriter {
  readonly number: number
  readonly header: SegmentHeader
  readonly identity: bigint
  readonly memtable: Memtable
  readonly paths: SegmentPaths
  readonly #fs: FileSystem
  readonly #log: File
  readonly #space: PreparedSpace
  #values: File | undefined
  #valueTail = 0
  #valueWritten = 0
  #written = 0
  #synced = 0
  #valueSynced = 0
  #directorySynced = false
  #sealed = false
  #closed = false
  #syncing = 0
  #failure: Error | undefined

  /** Creates the files. `charge` is the sum of 56 + key + inline value that the segment must hold. */
  constructor(
    kernel: Kernel,
    fs: FileSystem,
    paths: SegmentPaths,
    header: SegmentHeader,
    hashSeed: bigint,
    charge: number,
  ) {
    this.#fs = fs
    this.paths = paths
    this.number = header.number
    this.header = header
    this.identity = segmentIdentity(header)
    const capacity = SEGMENT_HEADER_BYTES + charge + FRAME_HEADER_BYTES
    this.memtable = new Memtable(kernel, (capacity + 15) & ~15)
    this.memtable.bind(
      header.number,
      this.identity,
      hashSeed,
      header.firstSequence,
      header.baseTimestamp,
    )
    this.memtable.load(encodeSegmentHeader(header), 0)
    try {
      this.#log = fs.open(`${paths.directory}/${paths.log}`, 'create')
    } catch (error) {
      this.memtable.free()
      throw error
    }
    this.#space = new PreparedSpace(this.#log, capacity)
  }

  /** Offset up to which the log file holds the arena. */
  get written(): number {
    return this.#written
  }

  /** Offset up to which the log file is known to be on disk. */
  get synced(): number {
    return this.#synced
  }

  get sealed(): boolean {
    return this.#sealed
  }

  /** Bytes of the value file. */
  get valueBytes(): number {
    return this.#valueTail
  }

  /** True when everything that was appended is in the file. */
  get isWritten(): boolean {
    return this.#written === this.memtable.tail
  }

  get isSynced(): boolean {
    return this.#synced === this.#written && this.#valueSynced === this.#valueWritten
  }

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    return this.memtable.tail - this.#written
  }

  /** Writes a large value to the value file; returns the offset that its record refers to. */
  appendChunks(value: Uint8Array): number {
    if (this.#values === undefined) {
      this.#values = this.#fs.open(`${this.paths.directory}/${this.paths.values}`, 'create')
      this.#directorySynced = false
    }
    const offset = this.#valueTail
    writeChunks(this.#values, offset, this.identity, value)
    this.#valueTail += chunkedBytes(value.length)
    return offset
  }

  /** Takes values appended since `tail` back; no record refers to them. */
  cutValues(tail: number): void {
    this.#valueTail = tail
  }

  get values(): File | undefined {
    return this.#values
  }

  /** Closes the open frame and writes everything that is not in the file yet. Throws what the file system throws. */
  write(synced: SyncedPoint | undefined): number {
    const tail = this.memtable.sealFrame(synced, this.#valueTail)
    return this.#writeTo(tail)
  }

  /** Ends the segment in good order. */
  seal(synced: SyncedPoint | undefined): number {
    // A seal that is in the file must not be followed by a failure: another would be written behind it.
    this.#space.cut(this.#written)
    this.memtable.sealFrame(synced, this.#valueTail)
    const tail = this.memtable.sealSegment(synced, this.#valueTail)
    const bytes = this.#writeTo(tail)
    this.#sealed = true
    return bytes
  }

  #writeTo(tail: number): number {
    const from = this.#written
    if (tail === from || (from === 0 && tail === SEGMENT_HEADER_BYTES)) return 0
    writeFully(this.#log, this.memtable.bytes(from, tail), from)
    this.#written = tail
    this.#valueWritten = this.#valueTail
    return tail - from
  }

  /**
   * After a failed write: takes what is not in the file out of the view and cuts the files back to the last good frame and
   * its values, so that their lengths are what a closing statement says. The segment must not be written any more.
   */
  fail(): void {
    this.#space.stop()
    this.memtable.drop(Math.max(this.#written, SEGMENT_HEADER_BYTES))
    this.#valueTail = this.#valueWritten
    this.#log.truncate(this.#written)
    this.#values?.truncate(this.#valueWritten)
  }

  /** Seals a segment that `fail` has cut back, once the file system lets it. Throws what the file system throws. */
  sealFailed(synced: SyncedPoint | undefined): number {
    this.#log.truncate(this.#written)
    const before = this.memtable.tail
    const tail = this.memtable.sealSegment(synced, this.#valueTail)
    try {
      const bytes = this.#writeTo(tail)
      this.#sealed = true
      return bytes
    } catch (error) {
      this.memtable.drop(before)
      throw error
    }
  }

  /** Makes what has been written durable, file names included. Blocks. */
  sync(): void {
    const { written, values } = this.#begin()
    try {
      if (this.#syncing > 0) this.#writeAgain(written, values)
      if (this.#valueSynced < values) this.#values?.sync()
      if (this.#synced < written) this.#log.sync()
      this.#end(written, values)
    } catch (error) {
      throw this.#broken(error)
    }
  }

  /** The same without blocking. A segment that is closed meanwhile has become a table, which is durable. */
  async syncAsync(): Promise<void> {
    if (this.#closed) return
    const { written, values } = this.#begin()
    this.#syncing++
    try {
      if (this.#valueSynced < values) await this.#values?.syncAsync()
      if (this.#synced < written) await this.#log.syncAsync()
      this.#end(written, values)
    } catch (error) {
      throw this.#broken(error)
    } finally {
      this.#syncing--
      if (this.#closed && this.#syncing === 0) this.#closeFiles()
    }
  }

  /**
   * The system tells of a failure once, and takes what it lost for written from then on. A sync in flight may hear of it
   * instead of the one that is about to begin, which would then succeed without the bytes.
   */
  #writeAgain(written: number, values: number): void {
    writeFully(this.#log, this.memtable.bytes(this.#synced, written), this.#synced)
    const piece = new Uint8Array(Math.min(REWRITE_BYTES, values - this.#valueSynced))
    for (let at = this.#valueSynced; at < values; at += piece.length) {
      const rest = piece.subarray(0, Math.min(piece.length, values - at))
      if (this.#values === undefined || readFully(this.#values, rest, at) < rest.length) {
        throw systemError('EIO', 'the value file is too short')
      }
      writeFully(this.#values, rest, at)
    }
  }

  /** After a sync has failed the system may take what it lost for written: no later sync means anything. */
  #broken(cause: unknown): Error {
    this.#failure ??= cause instanceof Error ? cause : new Error('a sync failed', { cause })
    return this.#failure
  }

  #begin(): { written: number; values: number } {
    if (this.#failure !== undefined) throw this.#failure
    this.#space.prepare(this.#written, this.#synced)
    return { written: this.#written, values: this.#valueWritten }
  }

  #end(written: number, values: number): void {
    if (!this.#directorySynced) {
      this.#fs.syncDirectory(this.paths.directory)
      this.#directorySynced = true
    }
    this.#synced = Math.max(this.#synced, written)
    this.#valueSynced = Math.max(this.#valueSynced, values)
  }

  /** Closes the files, once no sync is in flight. Idempotent. Does not free the memtable. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#syncing === 0) this.#closeFiles()
  }

  #closeFiles(): void {
    closeQuietly(this.#log)
    closeQuietly(this.#values)
  }
}
