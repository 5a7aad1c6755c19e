/**
 * Blocks of a table read without the kernel, on the cold paths: verify and repair. TBL-4 and TBL-5 in
 * `docs/table-format.md`; a second, independent implementation of what `assembly/block-cache.ts` reads.
 *
 *     stored  = payload, codec u8, zero (3), content bytes u32, checksum u64
 *     content = entries u32, prefix bytes u32, base sequence u64, base timestamp i64, prefix, entry*
 */
import { SedgeError } from '../errors.ts'
import { compareBytes, concat } from '../util/bytes.ts'
import { addSeed, hash64 } from '../util/checksum.ts'
import { ByteReader, DecodeError } from '../util/coding.ts'
import { decodeReference, REFERENCE_BYTES } from '../util/value-chunks.ts'
import { decodeLz4 } from './lz4-decoder.ts'

/** Part of the file format. Do not change. */
export const BLOCK_TRAILER_BYTES = 16
export const BLOCK_HEADER_BYTES = 24
/** A block holds one entry beyond its closing weight at most, with key and inline value at their largest. */
export const BLOCK_CONTENT_MAX: number = 2 * 1024 * 1024
export const BlockCodec = { none: 0, lz4: 1, zstd: 2 } as const
export const BlockEntryKind = { put: 1, delete: 2, chunks: 3 } as const

const KIND_RESERVED_MAX = 6
const KEY_BYTES_MAX = 1024 * 1024
/** Kind and four numbers. */
const ENTRY_BYTES_MIN = 5
/** What a byte of LZ4 can stand for at most. */
const LZ4_FACTOR_MAX = 256

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
    const isPossible = size <= payload.length * LZ4_FACTOR_MAX
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
  const count = reader.u32()
  const prefixBytes = reader.u32()
  const baseSequence = reader.u64()
  const baseTimestamp = reader.i64()
  if (count === 0) throw new DecodeError('a block without entries', 0)
  if (count * ENTRY_BYTES_MIN > content.length) throw new DecodeError('too many entries', 0)
  if (prefixBytes > KEY_BYTES_MAX) throw new DecodeError('too long a prefix', 4)
  const prefix = reader.bytes(prefixBytes)
  const entries: BlockEntry[] = []
  for (let i = 0; i < count; i++) {
    const entry = decodeEntry(reader, prefix, baseSequence, baseTimestamp)
    const before = entries.at(-1)
    if (before !== undefined && !isInOrder(before, entry, isIndex)) {
      throw new DecodeError('entries are out of order', reader.offset)
    }
    entries.push(entry)
  }
  if (reader.remaining > 0) throw new DecodeError('bytes behind the last entry', reader.offset)
  return entries
}

function decodeEntry(
  reader: ByteReader,
  prefix: Uint8Array,
  baseSequence: number,
  baseTimestamp: number,
): BlockEntry {
  const start = reader.offset
  const kind = reader.u8()
  if (kind === 0 || kind > KIND_RESERVED_MAX) throw new DecodeError('no kind of entry', start)
  if (kind > BlockEntryKind.chunks) {
    throw new SedgeError('FORMAT', 'an entry of a kind that this release does not know')
  }
  const suffixBytes = reader.varint()
  const valueBytes = reader.varint()
  const sequence = baseSequence + reader.varint()
  const timestamp = baseTimestamp + reader.varint()
  const keyBytes = prefix.length + suffixBytes
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) throw new DecodeError('no key', start)
  if (!Number.isSafeInteger(sequence)) throw new DecodeError('a sequence above 2^53', start)
  if (!Number.isSafeInteger(timestamp)) throw new DecodeError('a time beyond 2^53', start)
  const fits =
    (kind !== BlockEntryKind.delete || valueBytes === 0) &&
    (kind !== BlockEntryKind.chunks || valueBytes === REFERENCE_BYTES)
  if (!fits) throw new DecodeError('a value that does not fit its kind', start)
  const suffix = reader.bytes(suffixBytes)
  const key = prefix.length === 0 ? suffix : concat(prefix, suffix)
  const value = reader.bytes(valueBytes)
  if (kind === BlockEntryKind.chunks) decodeReference(value)
  return { key, kind, sequence, timestamp, value }
}

/** Internal order: keys ascend, sequences of one key descend. */
export function isInOrder(before: BlockEntry, entry: BlockEntry, mayRepeat = false): boolean {
  const order = compareBytes(before.key, entry.key)
  if (order !== 0) return order < 0
  return before.sequence > entry.sequence || (mayRepeat && before.sequence === entry.sequence)
}
