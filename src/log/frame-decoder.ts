/**
 * Frames of a log segment read one by one, without the kernel, on the cold paths: verify and repair. LOG-2 to LOG-5 in
 * `docs/log-format.md`; a second, independent implementation of what `assembly/memtable.ts` replays.
 *
 *   frame   | header checksum u32 | payload checksum u32 | payload bytes u32 | kind u8, records u24 | first delta u32 |
 *           | synced distance u32 | synced offset u32 | value bytes u32 | record … |
 *   record  | kind u8, key bytes u24 | value bytes u32 | sequence delta u32 | timestamp delta i32 | back u32 | key | value | pad |
 */
import { SedgeError } from '../errors.ts'
import { addSeed, hash64 } from '../util/checksum.ts'
import { isReference, REFERENCE_BYTES } from '../util/value-chunks.ts'

/** Part of the file format. Do not change. */
export const FRAME_HEADER_BYTES = 32
export const FRAME_ALIGNMENT = 4
export const FrameKind = { records: 1, seal: 2 } as const
const RECORD_HEADER_BYTES = 20

export const LogKind = { put: 1, delete: 2, chunks: 3 } as const

const KIND_RESERVED_MAX = 6
const KEY_BYTES_MAX = 1024 * 1024
const INLINE_BYTES_MAX = 65_535

export interface FrameHeader {
  readonly kind: number
  readonly payloadBytes: number
  readonly payloadChecksum: number
  readonly records: number
  readonly firstDelta: number
  /** Length of the value file that this frame and those before it refer to. */
  readonly valueBytes: number
}

/** Key and value are views of the payload. */
export interface LogRecord {
  readonly key: Uint8Array
  readonly kind: number
  readonly sequenceDelta: number
  readonly timestampDelta: number
  /** For kind 3 a reference. */
  readonly value: Uint8Array
}

/** The header of a frame at `offset`, if `bytes` (32) are one. */
export function decodeFrameHeader(
  bytes: Uint8Array,
  identity: bigint,
  offset: number,
): FrameHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES)
  const payloadBytes = view.getUint32(8, true)
  const kindAndCount = view.getUint32(12, true)
  const kind = kindAndCount & 0xff
  // Cheap questions first: a search for frames asks at every fourth byte.
  if (kind === 0 || kind > KIND_RESERVED_MAX) return undefined
  if (payloadBytes % FRAME_ALIGNMENT !== 0) return undefined
  const sum = hash64(bytes.subarray(4, FRAME_HEADER_BYTES), addSeed(identity, offset))
  if (low32(sum) !== view.getUint32(0, true)) return undefined
  return {
    kind,
    payloadBytes,
    payloadChecksum: view.getUint32(4, true),
    records: kindAndCount >>> 8,
    firstDelta: view.getUint32(16, true),
    valueBytes: view.getUint32(28, true),
  }
}

/**
 * The records of a frame at `offset`, none for a seal; `undefined` unless the payload is valid [LOG-3]. Throws `FORMAT` for
 * a valid frame that is, or holds, something of the future.
 */
export function decodeRecords(
  payload: Uint8Array,
  header: FrameHeader,
  identity: bigint,
  offset: number,
): LogRecord[] | undefined {
  if (low32(hash64(payload, addSeed(identity, offset + 1))) !== header.payloadChecksum) {
    return undefined
  }
  if (header.kind === FrameKind.seal) {
    return payload.length === 0 && header.records === 0 ? [] : undefined
  }
  if (header.kind !== FrameKind.records) throw ofTheFuture()
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const records: LogRecord[] = []
  let last = -1
  for (let at = 0; at < payload.length; ) {
    const record = decodeRecord(payload, view, at)
    if (record === undefined || record.sequenceDelta <= last) return undefined
    last = record.sequenceDelta
    records.push(record)
    at += (RECORD_HEADER_BYTES + record.key.length + record.value.length + 3) & ~3
  }
  if (records.length !== header.records || records.length === 0) return undefined
  if (records[0]!.sequenceDelta !== header.firstDelta) return undefined
  if (records.some(({ kind }) => kind > LogKind.chunks)) throw ofTheFuture()
  return records
}

function ofTheFuture(): SedgeError {
  return new SedgeError('FORMAT', 'the log holds what this release does not know')
}

function decodeRecord(payload: Uint8Array, view: DataView, at: number): LogRecord | undefined {
  const room = payload.length - at - RECORD_HEADER_BYTES
  if (room < 0) return undefined
  const kind = view.getUint32(at, true) & 0xff
  const keyBytes = view.getUint32(at, true) >>> 8
  const valueBytes = view.getUint32(at + 4, true)
  if (kind === 0 || kind > KIND_RESERVED_MAX) return undefined
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) return undefined
  if (valueBytes > INLINE_BYTES_MAX) return undefined
  if (keyBytes > room || valueBytes > room - keyBytes) return undefined
  if (kind === LogKind.delete && valueBytes !== 0) return undefined
  if (kind === LogKind.chunks && valueBytes !== REFERENCE_BYTES) return undefined
  const key = at + RECORD_HEADER_BYTES
  const value = payload.subarray(key + keyBytes, key + keyBytes + valueBytes)
  if (kind === LogKind.chunks && !isReference(value)) return undefined
  return {
    kind,
    sequenceDelta: view.getUint32(at + 8, true),
    timestampDelta: view.getInt32(at + 12, true),
    key: payload.subarray(key, key + keyBytes),
    value,
  }
}

function low32(hash: bigint): number {
  return Number(hash & 0xffffffffn)
}
