/**
 * The bytes of a manifest and of its marker: MAN-2, MAN-3 and MAN-10 in `docs/manifest-format.md`.
 *
 *     manifest = header (64), record*
 *     record   = header checksum u64, payload bytes u32, kind u32, payload checksum u64, payload
 *     marker   = magic, epoch u64, manifest u64, store id (16), checksum u64
 */
import { corruption, SedgeError } from '../errors.ts'
import { concat, encodeUtf8, equalBytes } from '../util/bytes.ts'
import { addSeed, checksumText, hash64 } from '../util/checksum.ts'
import { ByteReader, ByteWriter, DecodeError } from '../util/coding.ts'

/** Part of the file format. Do not change. */
export const STORE_ID_BYTES = 16
export const HEADER_BYTES = 64
export const RECORD_HEADER_BYTES = 24
export const RECORD_ALIGNMENT = 8
export const MARKER_BYTES = 48
export const PAYLOAD_BYTES_MAX: number = 2 ** 30
export const RECORD_KIND = { snapshot: 1, edit: 2 } as const

export const MANIFEST_MAGIC: Uint8Array = encodeUtf8('SEDGEMAN')
const MARKER_MAGIC = encodeUtf8('SEDGECUR')
const FORMAT_VERSION = 1
const KNOWN_FEATURES = 0

export interface ManifestHeader {
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  readonly number: number
  readonly epoch: number
}

export interface RecordHeader {
  readonly kind: number
  readonly payloadBytes: number
  readonly payloadChecksum: bigint
}

export function encodeManifestHeader(header: ManifestHeader): Uint8Array {
  const writer = new ByteWriter(HEADER_BYTES).bytes(MANIFEST_MAGIC)
  writer.u32(FORMAT_VERSION).u32(0).bytes(header.storeId).hash64(header.hashSeed)
  writer.u64(header.number).u64(header.epoch)
  const bytes = writer.finish()
  return concat(bytes, checksumBytes(hash64(bytes)))
}

/** Throws `CORRUPTION`, or `FORMAT` for a sound header of another version or with unknown features [MAN-9]. */
export function decodeManifestHeader(bytes: Uint8Array, file: string): ManifestHeader {
  if (bytes.length < HEADER_BYTES) {
    const sizes = { expected: HEADER_BYTES, actual: bytes.length }
    throw corruption(file, 0, 'the file ends within its header', sizes)
  }
  if (!equalBytes(bytes.subarray(0, 8), MANIFEST_MAGIC)) throw corruption(file, 0, 'wrong magic')
  const reader = new ByteReader(bytes, 8)
  const version = reader.u32()
  const features = reader.u32()
  const storeId = reader.bytes(STORE_ID_BYTES).slice()
  const hashSeed = reader.hash64()
  checkSum(file, bytes.subarray(0, HEADER_BYTES), 'the header')
  if (version !== FORMAT_VERSION) {
    const message = `${file}: format version ${version}, this release reads ${FORMAT_VERSION}`
    throw new SedgeError('FORMAT', message, { file, expected: FORMAT_VERSION, actual: version })
  }
  if ((features & ~KNOWN_FEATURES) !== 0) {
    const message = `${file}: the store uses features (0x${features.toString(16)}) unknown here`
    throw new SedgeError('FORMAT', message, { file, expected: KNOWN_FEATURES, actual: features })
  }
  return { storeId, hashSeed, ...numbers(reader, file) }
}

function numbers(reader: ByteReader, file: string): { number: number; epoch: number } {
  try {
    return { number: reader.u64(), epoch: reader.u64() }
  } catch (error) {
    if (error instanceof DecodeError) throw corruption(file, error.offset, error.message)
    throw error
  }
}

/** What the checksums of a manifest's records are seeded with. */
export function manifestIdentity(header: ManifestHeader): bigint {
  const writer = new ByteWriter(32).bytes(header.storeId).u64(header.number).u64(header.epoch)
  return hash64(writer.finish())
}

/** A whole record for `offset`; zero bytes round the edit up to a multiple of 8. */
export function encodeRecord(
  kind: number,
  edit: Uint8Array,
  identity: bigint,
  offset: number,
): Uint8Array {
  const payloadBytes = Math.ceil(edit.length / RECORD_ALIGNMENT) * RECORD_ALIGNMENT
  if (payloadBytes > PAYLOAD_BYTES_MAX) {
    throw new SedgeError('LIMIT', `an edit of ${payloadBytes} bytes does not fit the manifest`)
  }
  const record = new Uint8Array(RECORD_HEADER_BYTES + payloadBytes)
  record.set(edit, RECORD_HEADER_BYTES)
  const view = new DataView(record.buffer)
  view.setUint32(8, payloadBytes, true)
  view.setUint32(12, kind, true)
  const payload = record.subarray(RECORD_HEADER_BYTES)
  view.setBigUint64(16, hash64(payload, addSeed(identity, offset + 1)), true)
  view.setBigUint64(0, recordHeaderChecksum(record, identity, offset), true)
  return record
}

function recordHeaderChecksum(header: Uint8Array, identity: bigint, offset: number): bigint {
  return hash64(header.subarray(8, RECORD_HEADER_BYTES), addSeed(identity, offset))
}

/** The record header at the start of `bytes`, `undefined` if it is none for `offset`. */
export function decodeRecordHeader(
  bytes: Uint8Array,
  identity: bigint,
  offset: number,
): RecordHeader | undefined {
  if (bytes.length < RECORD_HEADER_BYTES) return undefined
  const reader = new ByteReader(bytes)
  const checksum = reader.hash64()
  const payloadBytes = reader.u32()
  const kind = reader.u32()
  const known = kind === RECORD_KIND.snapshot || kind === RECORD_KIND.edit
  if (!known || payloadBytes % RECORD_ALIGNMENT !== 0 || payloadBytes > PAYLOAD_BYTES_MAX) {
    return undefined
  }
  if (recordHeaderChecksum(bytes, identity, offset) !== checksum) return undefined
  return { kind, payloadBytes, payloadChecksum: reader.hash64() }
}

/** Whether `payload` is what the record at `offset` says. */
export function isPayload(
  payload: Uint8Array,
  header: RecordHeader,
  identity: bigint,
  offset: number,
): boolean {
  return hash64(payload, addSeed(identity, offset + 1)) === header.payloadChecksum
}

export function encodeMarker(epoch: number, manifest: number, storeId: Uint8Array): Uint8Array {
  const writer = new ByteWriter(MARKER_BYTES).bytes(MARKER_MAGIC).u64(epoch).u64(manifest)
  const bytes = writer.bytes(storeId).finish()
  return concat(bytes, checksumBytes(hash64(bytes)))
}

/** The store id in a marker's content, `undefined` if it is not the content of the marker of these numbers. */
export function decodeMarker(
  bytes: Uint8Array,
  epoch: number,
  manifest: number,
): Uint8Array | undefined {
  if (bytes.length !== MARKER_BYTES) return undefined
  const storeId = bytes.slice(24, 24 + STORE_ID_BYTES)
  return equalBytes(bytes, encodeMarker(epoch, manifest, storeId)) ? storeId : undefined
}

export function checksumBytes(checksum: bigint): Uint8Array {
  return new ByteWriter(8).hash64(checksum).finish()
}

/** Throws `CORRUPTION` unless the last 8 bytes are the checksum of those before, seed 0. */
export function checkSum(file: string, bytes: Uint8Array, what: string): void {
  const end = bytes.length - 8
  const expected = new ByteReader(bytes, end).hash64()
  const actual = hash64(bytes.subarray(0, end))
  if (expected !== actual) {
    const sums = { expected: checksumText(expected), actual: checksumText(actual) }
    throw corruption(file, end, `${what} has the wrong checksum`, sums)
  }
}
