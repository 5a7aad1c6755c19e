/**
 * What can be saved of a log segment: the records of every frame that verifies, in front of damage and behind it, with every
 * large value whose chunks verify (REP-4 in `docs/spec.md`). This is the one place that passes over damage in a log.
 */
import { isOutOfHandles } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { LogKind, type LogRecord } from '../log/frame-decoder.ts'
import { type SegmentHeader, segmentIdentity } from '../log/log-format.ts'
import { scanSegment } from '../log/segment-scanner.ts'
import type { BlockEntry } from '../table/block-decoder.ts'
import { chunkedBytes, decodeReference, verifyChunks } from '../util/value-chunks.ts'
import { logFileName, valueFileName } from '../version/file-names.ts'
import { ForgivingFile } from './forgiving-file.ts'
import type { SalvageLog } from './salvage-log.ts'

export interface SegmentToSalvage {
  readonly file: File
  readonly header: SegmentHeader
  /** The value file; `undefined` when there is none. */
  readonly values: File | undefined
}

/** How a segment ended. */
export interface SalvagedSegment {
  /** Offset behind the last frame that verifies. */
  readonly end: number
  readonly isSealed: boolean
}

/** The entries that can be saved, frame by frame; an empty list for a step that saved none. Throws `FORMAT`. */
export function* salvageSegment(
  segment: SegmentToSalvage,
  log: SalvageLog,
): Generator<readonly BlockEntry[], SalvagedSegment, void> {
  const { file, header, values } = segment
  const name = logFileName(header.number)
  const identity = segmentIdentity(header)
  const size = file.size()
  let end = 0
  let isSealed = false
  for (const part of scanSegment(file, identity, size)) {
    if (part.type === 'searching') {
      yield []
    } else if (part.type === 'damage') {
      // Space that was prepared and never written is no loss.
      if (part.isZero && part.end === size) continue
      const what = `${part.end - part.offset} bytes are lost`
      log.lost(corruption(name, part.offset, what), part.end - part.offset)
    } else {
      end = part.end
      isSealed = part.type === 'seal'
      if (part.type === 'frame') {
        yield* keep(part.records, header, { values, identity, frame: part.offset }, log)
      }
    }
  }
  return { end, isSealed }
}

interface ValuePlace {
  readonly values: File | undefined
  readonly identity: bigint
  /** Offset of the frame. */
  readonly frame: number
}

/** The records of a frame as entries, without those whose large values do not verify. */
function* keep(
  records: readonly LogRecord[],
  header: SegmentHeader,
  place: ValuePlace,
  log: SalvageLog,
): Generator<readonly BlockEntry[], void, void> {
  const kept: BlockEntry[] = []
  for (const record of records) {
    const { key, kind, value, sequenceDelta, timestampDelta } = record
    if (kind === LogKind.chunks && !(yield* hasValue(record, header, place, log))) continue
    const sequence = header.firstSequence + sequenceDelta
    const timestamp = header.baseTimestamp + timestampDelta
    kept.push({ key, kind, value, sequence, timestamp })
  }
  yield kept
}

function* hasValue(
  { value }: LogRecord,
  header: SegmentHeader,
  { values, identity, frame }: ValuePlace,
  log: SalvageLog,
): Generator<readonly BlockEntry[], boolean, void> {
  const name = valueFileName(header.number)
  const { offset, length } = decodeReference(value)
  try {
    if (values === undefined) {
      throw corruption(name, offset, `the file is missing; a frame at ${frame} refers to it`)
    }
    for (const _ of verifyChunks(values, name, offset, identity, length)) yield []
    return true
  } catch (error) {
    if (!(error instanceof SedgeError)) throw error
    log.lost(error, chunkedBytes(length), offset)
    return false
  }
}

/** Opens a file for salvage; `undefined` when there is none that can be opened. */
export function openForSalvage(fs: FileSystem, path: string): File | undefined {
  try {
    return new ForgivingFile(fs.open(path, 'read'))
  } catch (error) {
    if (isOutOfHandles(error)) throw error
    return undefined
  }
}
