/**
 * The files of RustEdgeDB v1, for importing. Integers are little-endian; there are no checksums, so that only lengths, limits and
 * counts can be checked. Nothing is allocated by a length that was not.
 *
 *   log     record*
 *   record  key bytes u32, value bytes u32, timestamp u64, sequence u64, key, value       0 value bytes: deleted
 *   table   header (72), bloom filter, record*, index, footer (32)
 *   header  RUSTEDGE, version u32 = 1, entries u32, index u64, filter u64, data u64, codec u8, reserved (31)
 */
import { readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from './limits.ts'

const RECORD_HEADER_BYTES = 24
const TABLE_HEADER_BYTES = 72
const TABLE_MAGIC = 'RUSTEDGE'
const TABLE_VERSION = 1
const WINDOW_BYTES = 65_536

export interface ForeignRecord {
  readonly key: Uint8Array
  /** `undefined`: the key is deleted. */
  readonly value: Uint8Array | undefined
}

/** The head of the next record of a log. */
export interface ForeignHead {
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** Reads records one after the other. Call protocol: (peek | next)*; both throw `CORRUPTION` at what is no record, again and again. */
export class RecordReader {
  readonly #file: File
  readonly #name: string
  readonly #end: number
  readonly #window = new Uint8Array(WINDOW_BYTES)
  #windowStart = 0
  #windowEnd = 0
  #position: number
  #lastSequence: bigint | undefined
  /** Whether sequences have to follow each other, as in a log. */
  readonly #isLog: boolean

  constructor(
    source: { readonly file: File; readonly name: string; readonly isLog: boolean },
    start: number,
    end: number,
  ) {
    this.#file = source.file
    this.#name = source.name
    this.#isLog = source.isLog
    this.#position = start
    this.#end = end
  }

  /** Offset of the next record. */
  get position(): number {
    return this.#position
  }

  /** What can be told of the next record without reading it; `undefined` at the end. */
  peek(): ForeignHead | undefined {
    const head = this.#head()
    return head && { timestamp: head.timestamp }
  }

  /** The next record, bytes of its own; `undefined` at the end. */
  next(): ForeignRecord | undefined {
    const head = this.#head()
    if (head === undefined) return undefined
    const { keyBytes, valueBytes, sequence } = head
    const key = this.#read(this.#position + RECORD_HEADER_BYTES, keyBytes)
    const valueAt = this.#position + RECORD_HEADER_BYTES + keyBytes
    const value = valueBytes === 0 ? undefined : this.#read(valueAt, valueBytes)
    this.#lastSequence = sequence
    this.#position = valueAt + valueBytes
    return { key, value }
  }

  #head():
    | { keyBytes: number; valueBytes: number; timestamp: number; sequence: bigint }
    | undefined {
    const room = this.#end - this.#position
    if (room === 0) return undefined
    if (room < RECORD_HEADER_BYTES) throw this.#damage('the file ends within a record')
    const bytes = this.#read(this.#position, RECORD_HEADER_BYTES)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const keyBytes = view.getUint32(0, true)
    const valueBytes = view.getUint32(4, true)
    const timestamp = Number(view.getBigUint64(8, true))
    const sequence = view.getBigUint64(16, true)
    if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) throw this.#damage('a key breaks the limits')
    if (valueBytes > VALUE_BYTES_MAX) throw this.#damage('a value breaks the limits')
    if (keyBytes + valueBytes > room - RECORD_HEADER_BYTES) {
      throw this.#damage('the file ends within a record')
    }
    const expected = this.#lastSequence === undefined ? sequence : this.#lastSequence + 1n
    if (this.#isLog && sequence !== expected) throw this.#damage('a sequence is out of order')
    return { keyBytes, valueBytes, timestamp, sequence }
  }

  #damage(what: string): SedgeError {
    return corruption(this.#name, this.#position, what)
  }

  /** Requires: the bytes lie in the file. */
  #read(from: number, length: number): Uint8Array {
    if (length > WINDOW_BYTES) return this.#readNow(new Uint8Array(length), from)
    if (from < this.#windowStart || from + length > this.#windowEnd) {
      this.#windowStart = from
      const room = Math.min(WINDOW_BYTES, this.#end - from)
      this.#readNow(this.#window.subarray(0, room), from)
      this.#windowEnd = from + room
    }
    return this.#window.slice(from - this.#windowStart, from - this.#windowStart + length)
  }

  #readNow(target: Uint8Array, from: number): Uint8Array {
    if (readFully(this.#file, target, from) === target.length) return target
    throw corruption(this.#name, from, 'the file is shorter than it was')
  }
}

/** The records of a log. */
export function readForeignLog(file: File, name: string): RecordReader {
  return new RecordReader({ file, name, isLog: true }, 0, file.size())
}

export interface ForeignTable {
  readonly records: RecordReader
  /** How many records the header promises. */
  readonly entries: number
  /** Where the records end, by the header. */
  readonly end: number
}

/** The records of a table. Throws `CORRUPTION` for what is no such table, `UNSUPPORTED` for another version and for compression. */
export function readForeignTable(file: File, name: string): ForeignTable {
  const header = new Uint8Array(TABLE_HEADER_BYTES)
  const size = file.size()
  const isWhole = readFully(file, header, 0) === header.length
  if (!isWhole || String.fromCharCode(...header.subarray(0, 8)) !== TABLE_MAGIC) {
    throw corruption(name, 0, 'this is not a table of RustEdgeDB')
  }
  const view = new DataView(header.buffer)
  const version = view.getUint32(8, true)
  const codec = header[40]!
  if (version !== TABLE_VERSION || codec !== 0) {
    const what = `${name} has version ${version} and compression ${codec}, not 1 and 0`
    throw new SedgeError('UNSUPPORTED', what, { file: name })
  }
  const end = Number(view.getBigUint64(16, true))
  const start = Number(view.getBigUint64(32, true))
  if (start < TABLE_HEADER_BYTES || start > end || end > size) {
    throw corruption(name, 16, 'the header points outside the file')
  }
  const records = new RecordReader({ file, name, isLog: false }, start, end)
  return { records, entries: view.getUint32(12, true), end }
}
