/**
 * Whether the large values that a segment's frames refer to are in its value file. After a power cut a frame can be on disk
 * while its values are not; the log then ends before that frame (LOG-6 of docs/log-format.md).
 *
 *   frame   | …8 | payload bytes u32 | kind and count u32 | …12 | value bytes u32 | records |
 *   record  | kind 8, key bytes 24 | value bytes u32 | …12 | key | value: length u64, offset u64 | pad |
 */
import { SedgeError } from '../errors.ts'
import { CHUNK_BYTES, type ChunkSource, chunkedBytes, readChunks } from '../util/value-chunks.ts'
import { SEGMENT_HEADER_BYTES } from './log-format.ts'

const FRAME_HEADER_BYTES = 32
const RECORD_HEADER_BYTES = 20
const KIND_CHUNKS = 3

export interface ValueFile extends ChunkSource {
  /** Bytes. */
  readonly size: number
}

/** A large value that a record refers to. */
export interface ValueReference {
  /** Offset of the frame that the record lies in. */
  readonly frame: number
  readonly length: number
  readonly offset: number
}

/** The first frame with a value that is not there; `undefined` when all are. `log` holds valid frames only. */
export function findBadValue(
  log: Uint8Array,
  values: ValueFile,
  name: string,
  identity: bigint,
): { frame: number; what: string } | undefined {
  const target = new Uint8Array(CHUNK_BYTES)
  for (const reference of valueReferences(log)) {
    const { frame, length, offset } = reference
    if (offset + chunkedBytes(length) > values.size) {
      return { frame, what: `a value is missing in ${name}` }
    }
    const what = badChunk(values, name, identity, offset, length, target)
    if (what !== undefined) return { frame, what }
  }
  return undefined
}

function badChunk(
  values: ValueFile,
  name: string,
  identity: bigint,
  offset: number,
  length: number,
  target: Uint8Array,
): string | undefined {
  let at = offset
  for (let start = 0; start < length; start += CHUNK_BYTES) {
    const bytes = Math.min(CHUNK_BYTES, length - start)
    try {
      readChunks(values, name, at, identity, bytes, target, 0)
    } catch (error) {
      if (error instanceof SedgeError && error.code === 'CORRUPTION') return error.message
      throw error
    }
    at += chunkedBytes(bytes)
  }
  return undefined
}

/** Every large value that the frames of `log`, all of them valid, refer to, in order. */
export function* valueReferences(log: Uint8Array): Generator<ValueReference, void, void> {
  const view = new DataView(log.buffer, log.byteOffset, log.length)
  let frame = SEGMENT_HEADER_BYTES
  while (frame + FRAME_HEADER_BYTES <= log.length) {
    const end = frame + FRAME_HEADER_BYTES + view.getUint32(frame + 8, true)
    let record = frame + FRAME_HEADER_BYTES
    while (record < end) {
      const head = view.getUint32(record, true)
      const keyBytes = head >>> 8
      const valueBytes = view.getUint32(record + 4, true)
      if ((head & 0xff) === KIND_CHUNKS) {
        const value = record + RECORD_HEADER_BYTES + keyBytes
        const length = Number(view.getBigUint64(value, true))
        const offset = Number(view.getBigUint64(value + 8, true))
        yield { frame, length, offset }
      }
      record += (RECORD_HEADER_BYTES + keyBytes + valueBytes + 3) & ~3
    }
    frame = end
  }
}
