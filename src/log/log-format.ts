/**
 * The header of a log segment, on the cold path (docs/log-format.md, LOG-1 and LOG-2). Frames and records are the
 * kernel's business.
 *
 *   | SEDGELOG | version u32 | features u32 | store id ×16 | number u64 | previous u64 | first sequence u64 | base time i64 | epoch u64 | checksum u64 |
 */
import { corruption, SedgeError } from '../errors.ts'
import { equalBytes } from '../util/bytes.ts'
import { checksumText, hash64 } from '../util/checksum.ts'

/** Part of the file format. Do not change. */
export const SEGMENT_MAGIC = 'SEDGELOG'
export const SEGMENT_VERSION = 1
export const SEGMENT_HEADER_BYTES = 80
const CHECKSUM_AT = 72

export interface SegmentHeader {
  /** 16 bytes. */
  readonly storeId: Uint8Array
  readonly number: number
  /** Number of the segment before it, 0 for the first. */
  readonly previous: number
  readonly firstSequence: number
  /** Milliseconds since the epoch. */
  readonly baseTimestamp: number
  readonly epoch: number
}

/** What seeds the checksums of a segment's frames and value chunks. */
export function segmentIdentity(
  header: Pick<SegmentHeader, 'storeId' | 'number' | 'epoch'>,
): bigint {
  const bytes = new Uint8Array(32)
  bytes.set(header.storeId)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(16, BigInt(header.number), true)
  view.setBigUint64(24, BigInt(header.epoch), true)
  return hash64(bytes)
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  for (let i = 0; i < 8; i++) bytes[i] = SEGMENT_MAGIC.charCodeAt(i)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, SEGMENT_VERSION, true)
  bytes.set(header.storeId, 16)
  view.setBigUint64(32, BigInt(header.number), true)
  view.setBigUint64(40, BigInt(header.previous), true)
  view.setBigUint64(48, BigInt(header.firstSequence), true)
  view.setBigInt64(56, BigInt(header.baseTimestamp), true)
  view.setBigUint64(64, BigInt(header.epoch), true)
  view.setBigUint64(CHECKSUM_AT, hash64(bytes.subarray(0, CHECKSUM_AT)), true)
  return bytes
}

/**
 * Decodes a segment's header. `undefined` when it does not verify, which a crash may legally leave behind; throws `FORMAT` for
 * a version or feature of the future.
 */
export function decodeSegmentHeader(file: string, bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_BYTES)
  const magic = String.fromCharCode(...bytes.subarray(0, 8))
  if (magic !== SEGMENT_MAGIC) return undefined
  if (hash64(bytes.subarray(0, CHECKSUM_AT)) !== view.getBigUint64(CHECKSUM_AT, true)) {
    return undefined
  }
  const version = view.getUint32(8, true)
  const features = view.getUint32(12, true)
  if (version !== SEGMENT_VERSION || features !== 0) {
    throw new SedgeError('FORMAT', `${file}: log version ${version} is not known here`, {
      file,
      offset: 8,
      expected: SEGMENT_VERSION,
      actual: version,
    })
  }
  return {
    storeId: bytes.slice(16, 32),
    number: Number(view.getBigUint64(32, true)),
    previous: Number(view.getBigUint64(40, true)),
    firstSequence: Number(view.getBigUint64(48, true)),
    baseTimestamp: Number(view.getBigInt64(56, true)),
    epoch: Number(view.getBigUint64(64, true)),
  }
}

/** Throws `CORRUPTION` when a header that verifies is not the one that belongs here. */
export function checkSegmentPlace(
  file: string,
  header: SegmentHeader,
  storeId: Uint8Array,
  number: number,
): void {
  if (header.number !== number) {
    throw corruption(file, 32, 'this is another segment', {
      expected: number,
      actual: header.number,
    })
  }
  if (!equalBytes(header.storeId, storeId)) {
    throw corruption(file, 16, 'this segment belongs to another store', {
      expected: checksumText(hash64(storeId)),
      actual: checksumText(hash64(header.storeId)),
    })
  }
}
