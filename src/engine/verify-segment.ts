/**
 * `verify` of one log segment: every frame up to the length that counts, and every chunk of the large values that they refer
 * to (VER-2 in `docs/spec.md`).
 */
import { errorCode, readFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { LogKind, type LogRecord } from '../log/frame-decoder.ts'
import {
  checkSegmentPlace,
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentIdentity,
} from '../log/log-format.ts'
import { scanSegment } from '../log/segment-scanner.ts'
import { decodeReference, verifyChunks } from '../util/value-chunks.ts'
import { logFileName, valueFileName } from '../version/file-names.ts'

export interface SegmentToVerify {
  readonly fs: FileSystem
  readonly directory: string
  readonly storeId: Uint8Array
  readonly file: File
  readonly number: number
  /** Bytes that count. */
  readonly length: number
}

/** Returns what was read. Throws what is no matter of the segment: what the file system throws, `FORMAT`. */
export function* verifySegment(
  segment: SegmentToVerify,
  onProblem: (problem: SedgeError) => void,
): Generator<void, { entries: number; bytes: number }, void> {
  const { file, number, storeId, length } = segment
  const name = logFileName(number)
  const size = file.size()
  if (size < length) {
    const sizes = { expected: length, actual: size }
    onProblem(corruption(name, size, 'the file is too short', sizes))
  }
  const bytes = Math.min(size, length)
  const start = new Uint8Array(Math.min(SEGMENT_HEADER_BYTES, bytes))
  const header = decodeSegmentHeader(name, start.subarray(0, readFully(file, start, 0)))
  if (header === undefined) {
    onProblem(corruption(name, 0, 'the header does not verify'))
    return { entries: 0, bytes }
  }
  try {
    checkSegmentPlace(name, header, storeId, number)
  } catch (error) {
    onProblem(error as SedgeError)
    return { entries: 0, bytes }
  }
  const values = new ValueCheck(segment, segmentIdentity(header), onProblem)
  try {
    const entries = yield* frames(segment, name, bytes, values, onProblem)
    return { entries, bytes: bytes + values.bytes }
  } finally {
    values.close()
  }
}

function* frames(
  segment: SegmentToVerify,
  name: string,
  length: number,
  values: ValueCheck,
  onProblem: (problem: SedgeError) => void,
): Generator<void, number, void> {
  let entries = 0
  let lastDelta = -1
  let sealedAt: number | undefined
  for (const part of scanSegment(segment.file, values.identity, length)) {
    yield
    if (part.type === 'searching') continue
    if (part.type === 'damage') {
      onProblem(corruption(name, part.offset, 'a frame does not verify'))
      continue
    }
    if (sealedAt !== undefined) onProblem(corruption(name, part.offset, 'a frame behind the seal'))
    if (part.type === 'seal') {
      sealedAt = part.offset
      continue
    }
    if (part.records[0]!.sequenceDelta <= lastDelta) {
      onProblem(corruption(name, part.offset, 'sequences do not ascend'))
    }
    lastDelta = part.records.at(-1)!.sequenceDelta
    entries += part.records.length
    for (const record of part.records) yield* values.check(record, part.offset)
  }
  return entries
}

/** The value file of a segment, opened when it is first needed. */
class ValueCheck {
  readonly identity: bigint
  readonly #segment: SegmentToVerify
  readonly #onProblem: (problem: SedgeError) => void
  readonly #name: string
  #file: File | undefined
  /** Bytes of values read. */
  bytes = 0

  constructor(
    segment: SegmentToVerify,
    identity: bigint,
    onProblem: (problem: SedgeError) => void,
  ) {
    this.#segment = segment
    this.identity = identity
    this.#onProblem = onProblem
    this.#name = valueFileName(segment.number)
  }

  *check(record: LogRecord, frame: number): Generator<void, void, void> {
    if (record.kind !== LogKind.chunks) return
    const { length, offset } = decodeReference(record.value)
    try {
      const file = this.#open(frame)
      yield* verifyChunks(file, this.#name, offset, this.identity, length)
      this.bytes += length
    } catch (error) {
      if (!(error instanceof SedgeError) || error.code !== 'CORRUPTION') throw error
      this.#onProblem(error)
    }
  }

  close(): void {
    this.#file?.close()
  }

  #open(frame: number): File {
    if (this.#file !== undefined) return this.#file
    const { fs, directory } = this.#segment
    try {
      this.#file = fs.open(`${directory}/${this.#name}`, 'read')
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause
      const what = `the file is missing, and a frame at ${frame} refers to it`
      throw corruption(this.#name, undefined, what, { cause })
    }
    return this.#file
  }
}
