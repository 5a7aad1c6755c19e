/**
 * Which files of a damaged store repair has to read, and whose they are. With a manifest that can be read to its end: its
 * tables, and the segments that it still needs. Without: everything there is (REP-2 in `docs/spec.md`). Changes nothing.
 *
 *     marker ─► manifest ─► levels, log number          else: store id from any manifest, marker or segment header
 */
import { errorCode, readFully } from '../env/file-io.ts'
import type { FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from '../log/log-format.ts'
import type { Unzstd } from '../table/block-decoder.ts'
import { type ClosedStatement, readClosed } from '../version/closed-statement.ts'
import {
  logFileName,
  manifestFileName,
  markerFileName,
  parseFileName,
  tableFileName,
} from '../version/file-names.ts'
import {
  decodeManifestHeader,
  decodeMarker,
  HEADER_BYTES,
  MARKER_BYTES,
} from '../version/manifest-format.ts'
import {
  listMarkers,
  listNames,
  type Recovered,
  recoverManifest,
} from '../version/manifest-recovery.ts'
import { checkLostEdits } from './lost-edits.ts'
import type { SalvageLog } from './salvage-log.ts'

export interface Survey {
  /** `undefined` when nothing tells it. */
  readonly storeId: Uint8Array | undefined
  /** Numbers, ascending. */
  readonly tables: readonly number[]
  readonly segments: readonly number[]
  readonly levels: number
  readonly lastSequence: number
  /** The first segment that is still needed; `undefined` without a manifest. */
  readonly logNumber: number | undefined
  readonly closed: ClosedStatement | undefined
}

const LEVELS_DEFAULT = 7

/** Throws `NOT_FOUND` where no store is, `FORMAT` for one of the future, `LOCKED`, `IO`. */
export function surveyStore(
  fs: FileSystem,
  directory: string,
  log: SalvageLog,
  unzstd: Unzstd | undefined,
): Survey {
  const recovered = recover(fs, directory, log)
  if (recovered === undefined) return surveyFiles(fs, directory, log)
  const lost = lossOf(fs, directory, recovered, unzstd)
  if (lost !== undefined) {
    log.problem(lost)
    return surveyFiles(fs, directory, log)
  }
  const { storeId, version, lastSequence, logNumber } = recovered
  const tables = version.tables().map(({ number }) => number)
  return {
    storeId,
    tables: tables.sort((left, right) => left - right),
    segments: numbersOf(fs, directory, 'log').filter((number) => number >= logNumber),
    levels: version.levels.length,
    lastSequence,
    logNumber,
    closed: closedOf(fs, directory, recovered, log),
  }
}

/** The state by the manifest; `undefined`, and a problem, when it is damaged. */
function recover(fs: FileSystem, directory: string, log: SalvageLog): Recovered | undefined {
  try {
    const recovered = recoverManifest(fs, directory)
    if (recovered === undefined) throw new SedgeError('NOT_FOUND', 'there is no store to repair')
    return recovered
  } catch (error) {
    const isDamage =
      error instanceof SedgeError && (error.code === 'CORRUPTION' || error.code === 'IO')
    if (!isDamage) throw error
    log.problem(error)
    return undefined
  }
}

/** What shows that the manifest has lost its end; `undefined` when nothing does. */
function lossOf(
  fs: FileSystem,
  directory: string,
  recovered: Recovered,
  unzstd: Unzstd | undefined,
): SedgeError | undefined {
  const manifest = manifestFileName(recovered.manifestNumber)
  for (const check of [readClosed, checkLostEdits]) {
    try {
      check(fs, directory, recovered, unzstd)
    } catch (error) {
      if (!(error instanceof SedgeError)) throw error
      if (error.code === 'CORRUPTION' && error.file === manifest) return error
    }
  }
  return undefined
}

function surveyFiles(fs: FileSystem, directory: string, log: SalvageLog): Survey {
  const segments = numbersOf(fs, directory, 'log')
  const what =
    'without a manifest deleted entries can come back, if files were left that it did not count'
  log.problem(corruption('MANIFEST', undefined, what))
  return {
    storeId: findStoreId(fs, directory, segments),
    tables: numbersOf(fs, directory, 'table'),
    segments,
    levels: LEVELS_DEFAULT,
    lastSequence: 0,
    logNumber: undefined,
    closed: undefined,
  }
}

/** What the last close stated; `undefined`, and perhaps a problem, when that tells nothing. */
function closedOf(
  fs: FileSystem,
  directory: string,
  recovered: Recovered,
  log: SalvageLog,
): ClosedStatement | undefined {
  try {
    return readClosed(fs, directory, recovered)
  } catch (error) {
    if (!(error instanceof SedgeError)) throw error
    log.problem(error)
    return undefined
  }
}

/** The newest file that tells the store's id decides. Throws `FORMAT`. */
function findStoreId(
  fs: FileSystem,
  directory: string,
  segments: readonly number[],
): Uint8Array | undefined {
  for (const number of numbersOf(fs, directory, 'manifest').reverse()) {
    const name = manifestFileName(number)
    const header = attempt(() =>
      decodeManifestHeader(start(fs, directory, name, HEADER_BYTES), name),
    )
    if (header !== undefined) return header.storeId
  }
  for (const { epoch, number } of listMarkers(fs, directory)) {
    const content = start(fs, directory, markerFileName(epoch, number), MARKER_BYTES + 1)
    const storeId = decodeMarker(content, epoch, number)
    if (storeId !== undefined) return storeId
  }
  for (const number of [...segments].reverse()) {
    const header = segmentHeader(fs, directory, number)
    if (header !== undefined) return header.storeId
  }
  return undefined
}

/** The header of a segment; `undefined` when it does not verify or cannot be read. Throws `FORMAT`. */
export function segmentHeader(
  fs: FileSystem,
  directory: string,
  number: number,
): SegmentHeader | undefined {
  const name = logFileName(number)
  return decodeSegmentHeader(name, start(fs, directory, name, SEGMENT_HEADER_BYTES))
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch (error) {
    if (error instanceof SedgeError && error.code === 'CORRUPTION') return undefined
    throw error
  }
}

/** At most the first `limit` bytes of a file; nothing of a file that cannot be read. */
function start(fs: FileSystem, directory: string, name: string, limit: number): Uint8Array {
  try {
    const file = fs.open(`${directory}/${name}`, 'read')
    try {
      const bytes = new Uint8Array(limit)
      return bytes.subarray(0, readFully(file, bytes, 0))
    } finally {
      file.close()
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error
    return new Uint8Array(0)
  }
}

function numbersOf(
  fs: FileSystem,
  directory: string,
  type: 'log' | 'table' | 'manifest',
): number[] {
  return listNames(fs, directory)
    .map(parseFileName)
    .flatMap((parsed) => (parsed?.type === type ? [parsed.number] : []))
    .sort((left, right) => left - right)
}

/** Segments that must have been there, by what the others and the last close say, and are not. */
export function missingSegments(
  survey: Survey,
  headers: readonly SegmentHeader[],
): readonly number[] {
  const { logNumber, closed, segments } = survey
  if (logNumber === undefined) return []
  const needed = [
    ...headers
      .map(({ previous }) => previous)
      .filter((number) => number >= logNumber && number > 0),
    ...(closed?.segments ?? []).map(({ number }) => number),
  ]
  return [...new Set(needed)].filter((number) => !segments.includes(number))
}

/** The base name of a table or segment that is missing altogether, as a problem. */
export function missing(type: 'table' | 'log', number: number): SedgeError {
  const name = type === 'table' ? tableFileName(number) : logFileName(number)
  return corruption(name, undefined, 'the file is missing')
}
