/** Log segments and value files byte by byte from docs/log-format.md: the oracle of assembly/memtable.ts. */
import { type Entry, sameBytes } from './entry.ts'
import { join, littleEndian, readNumber, readSigned, readUnsigned } from './little-endian.ts'
import { xxh64 } from './xxh64.ts'

const MAGIC = [...'SEDGELOG'].map((character) => character.charCodeAt(0))
const HEADER_BYTES = 80
const FRAME_HEADER_BYTES = 32
const RECORD_HEADER_BYTES = 20
const CHUNK_BYTES = 65_536

export interface SegmentHeader {
  readonly storeId: Uint8Array
  readonly number: number
  readonly previous: number
  readonly firstSequence: number
  readonly baseTimestamp: number
  readonly epoch: number
}

/** Segment numbers back, and offset there. */
export interface SyncedPoint {
  readonly distance: number
  readonly offset: number
}

export interface Frame {
  /** In a seal there are none. */
  readonly records: readonly Entry[]
  readonly synced: SyncedPoint | undefined
  readonly valueBytes: number
}

/** A frame with where it was found. */
export interface PlacedFrame extends Frame {
  readonly offset: number
  readonly end: number
  readonly seal: boolean
}

export interface DecodedSegment {
  readonly frames: readonly PlacedFrame[]
  /** Where the valid frames end. */
  readonly end: number
  readonly ending: 'damage' | 'seal' | 'end'
}

export function segmentIdentity(header: SegmentHeader): bigint {
  const { storeId, number, epoch } = header
  return xxh64(join(storeId, littleEndian(number, 8), littleEndian(epoch, 8)), 0n)
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const fields = join(
    MAGIC,
    littleEndian(1, 4),
    littleEndian(0, 4),
    header.storeId,
    littleEndian(header.number, 8),
    littleEndian(header.previous, 8),
    littleEndian(header.firstSequence, 8),
    littleEndian(header.baseTimestamp, 8),
    littleEndian(header.epoch, 8),
  )
  return join(fields, littleEndian(xxh64(fields, 0n), 8))
}

/** The header at the start of a segment. Throws unless it is whole. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw new Error('not a log segment')
  if (readUnsigned(bytes, 72, 8) !== xxh64(bytes.subarray(0, 72), 0n)) throw new Error('damaged')
  return {
    storeId: bytes.slice(16, 32),
    number: readNumber(bytes, 32, 8),
    previous: readNumber(bytes, 40, 8),
    firstSequence: readNumber(bytes, 48, 8),
    baseTimestamp: readSigned(bytes, 56, 8),
    epoch: readNumber(bytes, 64, 8),
  }
}

/** A whole segment; a frame without records is written as a seal. */
export function encodeSegment(header: SegmentHeader, frames: readonly Frame[]): Uint8Array {
  let bytes = encodeHeader(header)
  /** Where each version so far was put, newest last. */
  const versions: { key: Uint8Array; offset: number }[] = []
  for (const frame of frames) {
    let payload = join()
    for (const record of frame.records) {
      const offset = bytes.length + FRAME_HEADER_BYTES + payload.length
      const before = versions.findLast(({ key }) => sameBytes(key, record.key))
      payload = join(payload, encodeRecord(header, record, before ? offset - before.offset : 0))
      versions.push({ key: record.key, offset })
    }
    bytes = join(bytes, encodeFrame(header, bytes.length, frame, payload))
  }
  return bytes
}

function encodeRecord(header: SegmentHeader, record: Entry, distance: number): Uint8Array {
  const { key, kind, value, sequence, timestamp } = record
  const bytes = join(
    littleEndian(kind + key.length * 256, 4),
    littleEndian(value.length, 4),
    littleEndian(sequence - header.firstSequence, 4),
    littleEndian(timestamp - header.baseTimestamp, 4),
    littleEndian(distance, 4),
    key,
    value,
  )
  return join(bytes, new Uint8Array(-bytes.length & 3))
}

function encodeFrame(
  header: SegmentHeader,
  offset: number,
  frame: Frame,
  payload: Uint8Array,
): Uint8Array {
  const seed = BigInt.asUintN(64, segmentIdentity(header) + BigInt(offset))
  const { records, synced, valueBytes } = frame
  const first = records[0] === undefined ? 0 : records[0].sequence - header.firstSequence
  const fields = join(
    littleEndian(xxh64(payload, BigInt.asUintN(64, seed + 1n)), 4),
    littleEndian(payload.length, 4),
    littleEndian((records.length === 0 ? 2 : 1) + records.length * 256, 4),
    littleEndian(first, 4),
    littleEndian(synced?.distance ?? 0xffffffff, 4),
    littleEndian(synced?.offset ?? 0, 4),
    littleEndian(valueBytes, 4),
  )
  return join(littleEndian(xxh64(fields, seed), 4), fields, payload)
}

/** The frames of a segment up to the first that is not valid. `header` is what the reader expects it to be. */
export function decodeSegment(bytes: Uint8Array, header: SegmentHeader): DecodedSegment {
  const frames: PlacedFrame[] = []
  let end = HEADER_BYTES
  while (end < bytes.length) {
    const frame = decodeFrame(bytes, end, header)
    const isPrepared = bytes.subarray(frame?.end ?? end).every((byte) => byte === 0)
    if (frame === undefined) return { frames, end, ending: isPrepared ? 'end' : 'damage' }
    frames.push(frame)
    end = frame.end
    if (frame.seal) return { frames, end, ending: isPrepared ? 'seal' : 'damage' }
  }
  return { frames, end, ending: 'end' }
}

function decodeFrame(
  bytes: Uint8Array,
  offset: number,
  header: SegmentHeader,
): PlacedFrame | undefined {
  if (offset + FRAME_HEADER_BYTES > bytes.length) return undefined
  const seed = BigInt.asUintN(64, segmentIdentity(header) + BigInt(offset))
  const start = offset + FRAME_HEADER_BYTES
  if (low32(xxh64(bytes.subarray(offset + 4, start), seed)) !== readNumber(bytes, offset, 4)) {
    return undefined
  }
  const end = start + readNumber(bytes, offset + 8, 4)
  if (end > bytes.length) return undefined
  const payload = bytes.subarray(start, end)
  const sum = low32(xxh64(payload, BigInt.asUintN(64, seed + 1n)))
  if (sum !== readNumber(bytes, offset + 4, 4)) return undefined
  const distance = readNumber(bytes, offset + 20, 4)
  const kind = bytes[offset + 12]
  if (kind !== 1 && kind !== 2) return undefined
  const records = decodeRecords(payload, header)
  return {
    offset,
    end,
    seal: kind === 2,
    records,
    synced:
      distance === 0xffffffff ? undefined : { distance, offset: readNumber(bytes, offset + 24, 4) },
    valueBytes: readNumber(bytes, offset + 28, 4),
  }
}

function decodeRecords(payload: Uint8Array, header: SegmentHeader): Entry[] {
  const records: Entry[] = []
  for (let at = 0; at < payload.length; ) {
    const keyBytes = readNumber(payload, at + 1, 3)
    const valueBytes = readNumber(payload, at + 4, 4)
    const key = at + RECORD_HEADER_BYTES
    records.push({
      kind: payload[at]!,
      sequence: header.firstSequence + readNumber(payload, at + 8, 4),
      timestamp: header.baseTimestamp + readSigned(payload, at + 12, 4),
      key: payload.slice(key, key + keyBytes),
      value: payload.slice(key + keyBytes, key + keyBytes + valueBytes),
    })
    at = Math.ceil((key + keyBytes + valueBytes) / 4) * 4
  }
  return records
}

function low32(hash: bigint): number {
  return Number(hash % 2n ** 32n)
}

/** The chunks of a value that lies at `offset` of a file with this identity [LOG-6]. */
export function encodeChunks(value: Uint8Array, identity: bigint, offset: number): Uint8Array {
  const parts: (Uint8Array | number[])[] = []
  for (let start = 0, at = offset; start < value.length; start += CHUNK_BYTES) {
    const chunk = value.subarray(start, start + CHUNK_BYTES)
    const seed = BigInt.asUintN(64, identity + BigInt(at))
    parts.push(chunk, littleEndian(xxh64(chunk, seed), 8))
    at += chunk.length + 8
  }
  return join(...parts)
}

/** The value of `length` bytes whose chunks lie at `offset`. Throws when a checksum is wrong. */
export function decodeChunks(
  file: Uint8Array,
  identity: bigint,
  offset: number,
  length: number,
): Uint8Array {
  const parts: Uint8Array[] = []
  let at = offset
  for (let left = length; left > 0; left -= CHUNK_BYTES) {
    const bytes = Math.min(left, CHUNK_BYTES)
    const chunk = file.subarray(at, at + bytes)
    const seed = BigInt.asUintN(64, identity + BigInt(at))
    if (readUnsigned(file, at + bytes, 8) !== xxh64(chunk, seed)) throw new Error('damaged chunk')
    parts.push(chunk)
    at += bytes + 8
  }
  return join(...parts)
}

/** What a record of kind CHUNKS holds. */
export function encodeReference(length: number, offset: number): Uint8Array {
  return join(littleEndian(length, 8), littleEndian(offset, 8))
}

export function decodeReference(value: Uint8Array): { length: number; offset: number } {
  return { length: readNumber(value, 0, 8), offset: readNumber(value, 8, 8) }
}
