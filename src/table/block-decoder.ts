/**
 * Blocks of a table read without the kernel, on the cold paths: verify and repair. TBL-4 and TBL-5 in
 * `docs/table-format.md`; a second, independent implementation of what `assembly/block-cache.ts` reads.
 *
 *     stored  = payload, codec u8, zero (3), content bytes u32, checksum u64
 *     content = header, prefix, value*, rest of key*, row*
 */
import { SedgeError } from '../errors.ts'
import { compareBytes, concat } from '../util/bytes.ts'
import { addSeed, hash64 } from '../util/checksum.ts'
import { ByteReader, DecodeError } from '../util/coding.ts'
import { decodeReference, REFERENCE_BYTES } from '../util/value-chunks.ts'
import { decodeLz4 } from './lz4-decoder.ts'

/** Part of the file format. Do not change. */
export const BLOCK_TRAILER_BYTES = 16
/** A block holds one entry beyond its closing weight at most, with key and inline value at their largest. */
export const BLOCK_CONTENT_MAX: number = 2 * 1024 * 1024
export const BlockCodec = { none: 0, lz4: 1, zstd: 2 } as const
export const BlockEntryKind = { put: 1, delete: 2, chunks: 3, index: 7 } as const

const KIND_RESERVED_MAX = 6
const KEY_BYTES_MAX = 1024 * 1024
/** A block of more entries is a top index, each of whose values has so many bytes. */
const COUNT_FREE = 1024
const ENTRY_BYTES_LEAST = 12
/** Bytes behind the prefix that the keys of a block may share with those before them. */
const SHARED_MAX = 65_536
/** What the keys of a data block take from its prefix is no more: as much, and what a block may weigh before its last entry. */
const PREFIXES_MAX: number = SHARED_MAX + 4096
/** What a byte of LZ4 can stand for at most, and all of a block. */
const LZ4_FACTOR_MAX = 256
const LZ4_CONTENT_MAX: number = 2 ** 30

/** Decompresses zstd into exactly `size` bytes; throws when it cannot. */
export type Unzstd = (bytes: Uint8Array, size: number) => Uint8Array

/** Key and value may be views of the block's content. */
export interface BlockEntry {
  readonly key: Uint8Array
  readonly kind: number
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  /** For `chunks` a reference: `decodeReference` of `value-chunks.ts`. */
  readonly value: Uint8Array
}

/** Whether a stored block is sealed for this place. */
export function isSealed(stored: Uint8Array, identity: bigint, offset: number): boolean {
  if (stored.length <= BLOCK_TRAILER_BYTES) return false
  const end = stored.length - 8
  const checksum = new ByteReader(stored, end).hash64()
  return hash64(stored.subarray(0, end), addSeed(identity, offset)) === checksum
}

/**
 * The content of a stored block whose seal holds, which may be a view of it. Throws `DecodeError`; `UNSUPPORTED` for
 * zstd where `unzstd` is `undefined`; `FORMAT` for an unknown codec.
 */
export function openBlock(stored: Uint8Array, unzstd: Unzstd | undefined): Uint8Array {
  const payload = stored.subarray(0, stored.length - BLOCK_TRAILER_BYTES)
  const trailer = new ByteReader(stored, payload.length)
  const codec = trailer.u32()
  const size = trailer.u32()
  if (codec === BlockCodec.none) {
    if (size !== payload.length) throw new DecodeError('a block has the wrong size', payload.length)
    return payload
  }
  if (codec === BlockCodec.lz4) {
    const isPossible = size <= Math.min(payload.length * LZ4_FACTOR_MAX, LZ4_CONTENT_MAX)
    const content = isPossible ? decodeLz4(payload, size) : undefined
    if (content === undefined) throw new DecodeError('a block cannot be decompressed', 0)
    return content
  }
  if (codec !== BlockCodec.zstd) throw new SedgeError('FORMAT', 'a block has an unknown codec')
  if (unzstd === undefined) throw new SedgeError('UNSUPPORTED', 'a block is compressed with zstd')
  if (size > BLOCK_CONTENT_MAX) throw new DecodeError('a block claims too large a content', 0)
  return unzstdBlock(payload, size, unzstd)
}

function unzstdBlock(payload: Uint8Array, size: number, unzstd: Unzstd): Uint8Array {
  let content: Uint8Array
  try {
    content = unzstd(payload, size)
  } catch {
    throw new DecodeError('a block cannot be decompressed', 0)
  }
  if (content.length !== size) throw new DecodeError('a block has the wrong size', 0)
  return content
}

/**
 * All entries of a content, validated as TBL-10 says. In an index block keys may repeat. Throws `DecodeError`, and `FORMAT`
 * for kinds that this release does not know.
 */
export function decodeEntries(content: Uint8Array, isIndex = false): BlockEntry[] {
  const reader = new ByteReader(content)
  const header = decodeHeader(reader, content.length)
  if (!isIndex && header.prefixBytes * (header.count - 1) > PREFIXES_MAX) {
    throw new DecodeError('too many keys for such a prefix', 0)
  }
  const prefix = reader.bytes(header.prefixBytes)
  const rows = decodeRows(header, content, reader.offset)
  const sum = (of: (row: Row) => number): number => rows.reduce((bytes, row) => bytes + of(row), 0)
  const valuesBytes = sum((row) => row.valueBytes)
  const keysBytes = sum((row) => row.suffixBytes - row.shared)
  if (sum((row) => row.shared) > SHARED_MAX) throw new DecodeError('keys share too much', 0)
  if (valuesBytes + keysBytes !== reader.remaining - rowsBytes(header)) {
    throw new DecodeError('keys and values do not fill the block', reader.offset)
  }
  const values = new ByteReader(content, reader.offset)
  const keys = new ByteReader(content, reader.offset + valuesBytes)
  const entries: BlockEntry[] = []
  for (const row of rows) {
    const before = entries.at(-1)
    checkRow(row, prefix.length, before?.key.length ?? prefix.length, isIndex)
    const entry = decodeEntry(row, prefix, before?.key, keys, values)
    if (before !== undefined && !isInOrder(before, entry, isIndex)) {
      throw new DecodeError('entries are out of order', keys.offset)
    }
    entries.push(entry)
  }
  return entries
}

interface Header {
  readonly count: number
  readonly prefixBytes: number
  /** Bits of the fields of a row: kind, shared, suffix, value, sequence, timestamp. */
  readonly widths: readonly number[]
  readonly kindBase: number
  readonly suffixBase: number
  readonly valueBase: number
  readonly sequenceBase: number
  readonly timestampBase: number
  readonly span: number
}

function decodeHeader(reader: ByteReader, bytes: number): Header {
  const count = reader.varint()
  const prefixBytes = reader.varint()
  const packed = reader.u32()
  const header: Header = {
    count,
    prefixBytes,
    widths: [
      (packed >>> 3) & 3,
      (packed >>> 5) & 31,
      (packed >>> 10) & 31,
      (packed >>> 15) & 31,
      (packed >>> 20) & 63,
      packed >>> 26,
    ],
    kindBase: packed & 7,
    suffixBase: reader.varint(),
    valueBase: reader.varint(),
    sequenceBase: reader.varint(),
    timestampBase: reader.zigzag(),
    span: reader.varint(),
  }
  if (count === 0) throw new DecodeError('a block without entries', 0)
  if (count > COUNT_FREE && count * ENTRY_BYTES_LEAST > bytes) {
    throw new DecodeError('too many entries', 0)
  }
  if (prefixBytes > KEY_BYTES_MAX) throw new DecodeError('too long a prefix', 0)
  const { suffixBase, valueBase, widths, span } = header
  const [sequenceBits, timestampBits] = [widths[4]!, widths[5]!]
  const spanBits = span === 0 ? 0 : sequenceBits + span.toString(2).length
  const fits =
    widths[1]! <= 17 &&
    widths[2]! <= 21 &&
    sequenceBits <= 53 &&
    timestampBits <= 54 &&
    spanBits <= 63 &&
    suffixBase <= KEY_BYTES_MAX &&
    valueBase < 2 ** 31
  if (!fits) throw new DecodeError('numbers that are too large', 0)
  return header
}

interface Row {
  readonly kind: number
  readonly shared: number
  readonly suffixBytes: number
  readonly valueBytes: number
  readonly sequence: number
  readonly timestamp: number
}

/** Bytes of all rows. */
function rowsBytes({ count, widths }: Header): number {
  return Math.ceil((count * widths.reduce((bits, width) => bits + width, 0)) / 8)
}

/** The rows at the end of a content, which lie at `from` or behind. */
function decodeRows(header: Header, content: Uint8Array, from: number): Row[] {
  const start = content.length - rowsBytes(header)
  if (start < from) throw new DecodeError('rows that are cut off', from)
  const bits = new BitReader(content, start)
  const { widths, sequenceBase, timestampBase, span } = header
  const rows: Row[] = []
  for (let i = 0; i < header.count; i++) {
    const [kind, shared, suffix, value, delta] = widths.slice(0, 5).map((width) => bits.next(width))
    const come = (BigInt(delta!) * BigInt(span)) >> BigInt(widths[4]!)
    const left = bits.nextBigInt(widths[5]!)
    rows.push({
      kind: header.kindBase + kind!,
      shared: shared!,
      suffixBytes: header.suffixBase + suffix!,
      valueBytes: header.valueBase + value!,
      sequence: sequenceBase + delta!,
      timestamp: Number(BigInt(timestampBase) + come + left),
    })
  }
  if (!bits.isPadded) throw new DecodeError('bits behind the last row', content.length - 1)
  return rows
}

/** Throws unless a row says what it may; `keyBytesBefore` is the length of the key before. */
function checkRow(row: Row, prefixBytes: number, keyBytesBefore: number, isIndex: boolean): void {
  const { kind, shared, suffixBytes, valueBytes, sequence, timestamp } = row
  const fail = (what: string): never => {
    throw new DecodeError(what, 0)
  }
  if (shared > Math.min(suffixBytes, keyBytesBefore - prefixBytes)) {
    fail('a key that shares what is not there')
  }
  if (isIndex) {
    const isHandle = kind === BlockEntryKind.index && timestamp > 0 && timestamp < 2 ** 32
    if (!isHandle) fail('this is no index block')
  } else {
    if (kind === 0 || kind > KIND_RESERVED_MAX) fail('no kind of entry')
    if (kind > BlockEntryKind.chunks) {
      throw new SedgeError('FORMAT', 'an entry of a kind that this release does not know')
    }
  }
  const keyBytes = prefixBytes + suffixBytes
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) fail('no key')
  if (!Number.isSafeInteger(sequence)) fail('a sequence above 2^53')
  if (!Number.isSafeInteger(timestamp)) fail('a time beyond 2^53')
  const fits =
    (kind !== BlockEntryKind.delete || valueBytes === 0) &&
    (kind !== BlockEntryKind.chunks || valueBytes === REFERENCE_BYTES)
  if (!fits) fail('a value that does not fit its kind')
}

function decodeEntry(
  row: Row,
  prefix: Uint8Array,
  before: Uint8Array | undefined,
  keys: ByteReader,
  values: ByteReader,
): BlockEntry {
  const { kind, shared, suffixBytes, valueBytes, sequence, timestamp } = row
  const rest = keys.bytes(suffixBytes - shared)
  const beginning = shared === 0 ? prefix : before!.subarray(0, prefix.length + shared)
  const key = beginning.length === 0 ? rest : concat(beginning, rest)
  const value = values.bytes(valueBytes)
  if (kind === BlockEntryKind.chunks) decodeReference(value)
  return { key, kind, sequence, timestamp, value }
}

/** Internal order: keys ascend, sequences of one key descend; in an index keys may repeat. */
export function isInOrder(before: BlockEntry, entry: BlockEntry, mayRepeat = false): boolean {
  const order = compareBytes(before.key, entry.key)
  if (order !== 0) return order < 0
  return mayRepeat || before.sequence > entry.sequence
}

/** Reads fields of any width, low bits first. */
class BitReader {
  readonly #bytes: Uint8Array
  #bit: number

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes
    this.#bit = offset * 8
  }

  /** Whether the rest of the byte is zero. */
  get isPadded(): boolean {
    const rest = this.#bit % 8
    return rest === 0 || this.#bytes[Math.floor(this.#bit / 8)]! >> rest === 0
  }

  /** Exact up to 53 bits. Requires that they are there. */
  next(width: number): number {
    let value = 0
    for (let done = 0; done < width; ) {
      const from = this.#bit % 8
      const count = Math.min(8 - from, width - done)
      const byte = this.#bytes[Math.floor(this.#bit / 8)]! >> from
      value += (byte & (2 ** count - 1)) * 2 ** done
      done += count
      this.#bit += count
    }
    return value
  }

  nextBigInt(width: number): bigint {
    const low = this.next(Math.min(width, 32))
    return BigInt(low) + (BigInt(this.next(Math.max(width - 32, 0))) << 32n)
  }
}
