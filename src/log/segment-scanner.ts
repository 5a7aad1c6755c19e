/**
 * Walks the frames of a log segment from its first byte to its last, without holding more than one, and goes on behind
 * damage at the next frame that verifies. What recovery must not do, verify reports and repair salvages.
 *
 *     | header | frame | frame | damage … | frame | seal |
 *                                ▲ every fourth byte is asked for a frame header that verifies in this very place
 */
import { readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'
import {
  decodeFrameHeader,
  decodeRecords,
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  FrameKind,
  type LogRecord,
} from './frame-decoder.ts'
import { SEGMENT_HEADER_BYTES } from './log-format.ts'

const WINDOW_BYTES = 65_536

/** What lies at an offset of the segment. Steps of a search for the next frame are `searching`. */
export type SegmentPart =
  | {
      readonly type: 'frame'
      readonly offset: number
      readonly end: number
      readonly records: LogRecord[]
      readonly valueBytes: number
    }
  | {
      readonly type: 'seal'
      readonly offset: number
      readonly end: number
      readonly valueBytes: number
    }
  /** `isZero`: nothing but zero bytes, as of space that was prepared and never written. */
  | {
      readonly type: 'damage'
      readonly offset: number
      readonly end: number
      readonly isZero: boolean
    }
  | { readonly type: 'searching' }

/** The parts of the first `length` bytes of a segment, in order and without gaps. Throws `FORMAT`, and what the file throws. */
export function* scanSegment(
  file: File,
  identity: bigint,
  length: number,
): Generator<SegmentPart, void, void> {
  let offset = SEGMENT_HEADER_BYTES
  while (offset < length) {
    const header = frameHeaderAt(file, identity, offset, length)
    const frame = header && readFrame(file, identity, offset, header)
    if (frame !== undefined) {
      yield frame
      offset = frame.end
      continue
    }
    // A header that verifies says where the next frame is, whatever became of the payload.
    const from = header === undefined ? offset + FRAME_ALIGNMENT : endOf(offset, header)
    const next = yield* nextFrame(file, identity, from, length)
    yield { type: 'damage', offset, end: next, isZero: isZero(file, offset, next) }
    offset = next
  }
}

function endOf(offset: number, header: FrameHeader): number {
  return offset + FRAME_HEADER_BYTES + header.payloadBytes
}

function frameHeaderAt(
  file: File,
  identity: bigint,
  offset: number,
  length: number,
): FrameHeader | undefined {
  if (length - offset < FRAME_HEADER_BYTES) return undefined
  const bytes = new Uint8Array(FRAME_HEADER_BYTES)
  if (readFully(file, bytes, offset) < FRAME_HEADER_BYTES) return undefined
  const header = decodeFrameHeader(bytes, identity, offset)
  return header !== undefined && endOf(offset, header) <= length ? header : undefined
}

function readFrame(
  file: File,
  identity: bigint,
  offset: number,
  header: FrameHeader,
): Extract<SegmentPart, { type: 'frame' | 'seal' }> | undefined {
  const payload = new Uint8Array(header.payloadBytes)
  if (readFully(file, payload, offset + FRAME_HEADER_BYTES) < payload.length) return undefined
  const records = decodeRecords(payload, header, identity, offset)
  if (records === undefined) return undefined
  const end = endOf(offset, header)
  const { valueBytes } = header
  if (header.kind === FrameKind.seal) return { type: 'seal', offset, end, valueBytes }
  return { type: 'frame', offset, end, records, valueBytes }
}

/** Offset of the first frame header from `from` on that verifies; `length` if there is none. */
function* nextFrame(
  file: File,
  identity: bigint,
  from: number,
  length: number,
): Generator<SegmentPart, number, void> {
  const window = new Uint8Array(WINDOW_BYTES)
  let position = from
  while (position + FRAME_HEADER_BYTES <= length) {
    const count = readFully(file, window, position)
    let at = 0
    for (; at + FRAME_HEADER_BYTES <= count; at += FRAME_ALIGNMENT) {
      const bytes = window.subarray(at, at + FRAME_HEADER_BYTES)
      const header = decodeFrameHeader(bytes, identity, position + at)
      if (header !== undefined && endOf(position + at, header) <= length) return position + at
    }
    if (at === 0) break
    position += at
    yield { type: 'searching' }
  }
  return length
}

function isZero(file: File, from: number, to: number): boolean {
  const window = new Uint8Array(WINDOW_BYTES)
  for (let position = from; position < to; ) {
    const count = readFully(
      file,
      window.subarray(0, Math.min(window.length, to - position)),
      position,
    )
    if (count === 0) return true
    if (window.subarray(0, count).some((byte) => byte !== 0)) return false
    position += count
  }
  return true
}
