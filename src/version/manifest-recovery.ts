/**
 * Reading which tables a directory's store has, without changing anything: MAN-8 to MAN-12 in
 * `docs/manifest-format.md`.
 *
 *     list -> newest valid marker -> its manifest -> header, snapshot, edits -> state
 */
import { ioError, openPresent, readFully, statusOf } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { encodeUtf8, equalBytes } from '../util/bytes.ts'
import { manifestFileName, markerFileName, parseFileName } from './file-names.ts'
import {
  decodeManifestHeader,
  decodeMarker,
  decodeRecordHeader,
  HEADER_BYTES,
  isPayload,
  MANIFEST_MAGIC,
  MARKER_BYTES,
  type ManifestHeader,
  manifestIdentity,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RECORD_KIND,
} from './manifest-format.ts'
import { StateBuilder, type StoreState } from './manifest-state.ts'
import { VersionError } from './version.ts'
import { decodeVersionEdit } from './version-edit.ts'

const SCAN_BYTES = 65_536
/** More than creation writes: a header, and a snapshot of no tables. */
const UNFINISHED_BYTES_MAX = 128
/** The marker of a store of another kind, and how its content begins: it names a manifest. */
const FOREIGN_MARKER = 'CURRENT'
const FOREIGN_MARKER_START = encodeUtf8('MANIFEST')
/** How often recovery begins anew when markers change under it. */
const ATTEMPTS_MAX = 16

/** The state of a store as its files say, and what `Manifest.takeOver` needs to know of them. */
export interface Recovered extends StoreState {
  /** 16 bytes. */
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  /** Of the current marker. */
  readonly epoch: number
  readonly manifestNumber: number
  /** Bytes of the manifest up to the end of its last record. */
  readonly length: number
  /** Bytes of the manifest up to the end of its snapshot. */
  readonly snapshotLength: number
  /** Bytes behind the last record, dropped because a crash may have torn them. */
  readonly tornTailBytes: number
  /** Of the opener that wrote the manifest; its records are sealed with it. */
  readonly manifestEpoch: number
  /** Every marker in the directory, valid or not. */
  readonly markers: readonly Marker[]
  /** Base names of all that was in the directory. */
  readonly names: readonly string[]
}

export interface Marker {
  readonly epoch: number
  /** Of the manifest. */
  readonly number: number
}

interface LoadedManifest {
  readonly header: ManifestHeader
  readonly state: StoreState
  readonly records: number
  readonly length: number
  readonly snapshotLength: number
  readonly tornTailBytes: number
}

/**
 * The store in `directory`, or `undefined` when there is none: nothing there, or what an interrupted creation leaves.
 * Throws `CORRUPTION`, `FORMAT`, `IO`, or `LOCKED` when somebody keeps changing the store.
 */
export function recoverManifest(fs: FileSystem, directory: string): Recovered | undefined {
  if (statusOf(fs, directory) === undefined) return undefined
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const names = listNames(fs, directory)
    const markers = markersOf(names)
    try {
      return recoverBy(fs, directory, markers, names)
    } catch (error) {
      // Files that a writer has just replaced are no sign of damage.
      if (isSameList(markers, listMarkers(fs, directory))) throw error
    }
  }
  throw changedMeanwhile()
}

function recoverBy(
  fs: FileSystem,
  directory: string,
  markers: readonly Marker[],
  names: readonly string[],
): Recovered | undefined {
  const found = newestValidMarker(fs, directory, markers)
  if (found === undefined) {
    checkHoldsNoStore(fs, directory, markers)
    return undefined
  }
  const { epoch, number } = markers[found.index]!
  for (const marker of markers.slice(0, found.index)) {
    if (marker.number !== number) checkIsUnfinished(fs, directory, marker)
  }
  const { header, state, ...lengths } = loadManifest(fs, directory, number)
  const file = manifestFileName(number)
  if (!equalBytes(header.storeId, found.storeId)) {
    throw corruption(file, 16, `the store id is not that of ${markerFileName(epoch, number)}`)
  }
  if (header.epoch > epoch) {
    const epochs = { expected: epoch, actual: header.epoch }
    throw corruption(file, 48, 'the epoch is above that of its marker', epochs)
  }
  const { storeId, hashSeed } = header
  const { length, snapshotLength, tornTailBytes } = lengths
  return {
    ...state,
    storeId,
    hashSeed,
    epoch,
    manifestNumber: number,
    manifestEpoch: header.epoch,
    length,
    snapshotLength,
    tornTailBytes,
    markers,
    names,
  }
}

export function changedMeanwhile(cause?: unknown): SedgeError {
  const message = 'another process is opening or changing the store at this moment'
  return new SedgeError('LOCKED', message, { cause })
}

/** Whether two lists, both highest rank first, name the same markers. */
export function isSameList(left: readonly Marker[], right: readonly Marker[]): boolean {
  return left.length === right.length && left.every((marker, at) => isSame(marker, right[at]!))
}

export function isSame(left: Marker, right: Marker): boolean {
  return left.epoch === right.epoch && left.number === right.number
}

/** The markers of a directory, highest rank first. Throws `IO`. */
export function listMarkers(fs: FileSystem, directory: string): Marker[] {
  return markersOf(listNames(fs, directory))
}

/** Those of the base names that are markers, highest rank first. */
export function markersOf(names: readonly string[]): Marker[] {
  const markers: Marker[] = []
  for (const name of names) {
    const parsed = parseFileName(name)
    if (parsed?.type === 'marker') markers.push({ epoch: parsed.epoch, number: parsed.number })
  }
  return markers.sort((left, right) => right.epoch - left.epoch || right.number - left.number)
}

/** Base names. Throws `IO`. */
export function listNames(fs: FileSystem, directory: string): string[] {
  try {
    return fs.list(directory)
  } catch (error) {
    throw ioError(error, 'cannot list', directory)
  }
}

/** The first of `markers`, highest rank first, that is valid. Throws `IO`, and `CORRUPTION` for one that is missing. */
export function newestValidMarker(
  fs: FileSystem,
  directory: string,
  markers: readonly Marker[],
): { index: number; storeId: Uint8Array } | undefined {
  for (const [index, marker] of markers.entries()) {
    const name = markerFileName(marker.epoch, marker.number)
    const content = readStart(fs, directory, name, MARKER_BYTES + 1)
    const storeId = decodeMarker(content, marker.epoch, marker.number)
    if (storeId !== undefined) return { index, storeId }
  }
  return undefined
}

/** Throws unless the manifest of an invalid marker has never been in use [MAN-11]. */
function checkIsUnfinished(fs: FileSystem, directory: string, marker: Marker): void {
  const { records, tornTailBytes } = loadManifest(fs, directory, marker.number)
  if (records === 1 && tornTailBytes === 0) return
  const name = markerFileName(marker.epoch, marker.number)
  throw corruption(name, 0, 'the marker is damaged, and its manifest has been in use')
}

/** Throws if a directory without a valid marker holds more than an interrupted creation leaves [MAN-12]. */
function checkHoldsNoStore(fs: FileSystem, directory: string, markers: readonly Marker[]): void {
  const newest = markers[0]
  const missing = newest ? markerFileName(newest.epoch, newest.number) : 'CURRENT'
  for (const name of listNames(fs, directory)) {
    if (isForeign(fs, directory, name)) throw corruption(name, 0, 'this is no file of a store')
    const parsed = parseFileName(name)
    if (parsed === undefined) continue
    const { type } = parsed
    const isContent = type === 'table' || type === 'log' || type === 'values' || type === 'closed'
    if (isContent || (type === 'manifest' && hasContent(fs, directory, parsed.number))) {
      throw corruption(missing, undefined, `there is no valid marker, but there is ${name}`)
    }
  }
}

/**
 * Whether a file can only be another program's: the marker of LevelDB and its kin, or a manifest that does not begin as ours do and
 * is longer than one whose creation was interrupted, which may hold noise.
 */
function isForeign(fs: FileSystem, directory: string, name: string): boolean {
  const isManifest = parseFileName(name)?.type === 'manifest'
  if (!isManifest && name !== FOREIGN_MARKER) return false
  const status = statusOf(fs, `${directory}/${name}`)
  if (status?.kind !== 'file' || (isManifest && status.size <= UNFINISHED_BYTES_MAX)) return false
  const magic = isManifest ? MANIFEST_MAGIC : FOREIGN_MARKER_START
  const begins = equalBytes(readStart(fs, directory, name, magic.length), magic)
  return isManifest ? !begins : begins
}

function hasContent(fs: FileSystem, directory: string, number: number): boolean {
  try {
    const { records, state } = loadManifest(fs, directory, number)
    return records > 1 || state.version.tables().length > 0
  } catch (error) {
    if (error instanceof SedgeError && error.code === 'CORRUPTION') return false
    throw error
  }
}

function loadManifest(fs: FileSystem, directory: string, number: number): LoadedManifest {
  const name = manifestFileName(number)
  return reading(fs, directory, name, (file) => {
    const size = file.size()
    const window = new Uint8Array(Math.min(size, SCAN_BYTES))
    const start = window.subarray(0, readFully(file, window, 0))
    const header = decodeManifestHeader(start.subarray(0, HEADER_BYTES), name)
    if (header.number !== number) {
      const numbers = { expected: number, actual: header.number }
      throw corruption(name, 40, 'the manifest has another number than its name', numbers)
    }
    const identity = manifestIdentity(header)
    const replayed = replay({ file, size, start }, name, identity)
    const { length } = replayed
    checkNothingFollows(file, name, size, identity, length)
    return { header, ...replayed, tornTailBytes: size - length }
  })
}

/** A file of which the beginning has been read: all of it, as a rule. */
interface BegunFile {
  readonly file: File
  readonly size: number
  readonly start: Uint8Array
}

/** At most `count` bytes from `position`, fewer at the end of the file. */
function bytesAt({ file, start }: BegunFile, position: number, count: number): Uint8Array {
  if (position + count <= start.length) return start.subarray(position, position + count)
  const bytes = new Uint8Array(count)
  return bytes.subarray(0, readFully(file, bytes, position))
}

/** Applies all records from the first on, up to the end or to the first that is not valid. */
function replay(
  begun: BegunFile,
  name: string,
  identity: bigint,
): Omit<LoadedManifest, 'header' | 'tornTailBytes'> {
  const builder = new StateBuilder()
  let records = 0
  let snapshotLength = 0
  let offset = HEADER_BYTES
  /** Where the record that is being applied is. */
  let applied: number | undefined
  try {
    for (;;) {
      const record = readRecord(begun, identity, offset)
      if (record === undefined) break
      const expected = records === 0 ? RECORD_KIND.snapshot : RECORD_KIND.edit
      if (record.kind !== expected) {
        const kinds = { expected, actual: record.kind }
        throw corruption(name, offset, 'a record is of the wrong kind', kinds)
      }
      applied = offset
      builder.apply(decodeVersionEdit(record.payload, name, offset + RECORD_HEADER_BYTES))
      offset += RECORD_HEADER_BYTES + record.payload.length
      records++
      if (records === 1) snapshotLength = offset
    }
    if (records === 0) throw corruption(name, offset, 'the snapshot is damaged')
    applied = undefined
    return { state: builder.build(), records, length: offset, snapshotLength }
  } catch (error) {
    if (error instanceof VersionError) throw corruption(name, applied, error.message)
    throw error
  }
}

function readRecord(
  begun: BegunFile,
  identity: bigint,
  offset: number,
): { kind: number; payload: Uint8Array } | undefined {
  const start = bytesAt(begun, offset, RECORD_HEADER_BYTES)
  const header = decodeRecordHeader(start, identity, offset)
  const position = offset + RECORD_HEADER_BYTES
  if (header === undefined || header.payloadBytes > begun.size - position) return undefined
  const payload = bytesAt(begun, position, header.payloadBytes)
  if (payload.length < header.payloadBytes) return undefined
  return isPayload(payload, header, identity, offset) ? { kind: header.kind, payload } : undefined
}

/**
 * Throws `CORRUPTION` if a record header lies behind the last valid record: what is between was on disk
 * before it was written, so no crash has torn it [MAN-8].
 */
function checkNothingFollows(
  file: File,
  name: string,
  size: number,
  identity: bigint,
  length: number,
): void {
  let position = length + RECORD_ALIGNMENT
  // Nothing does, as a rule.
  if (position + RECORD_HEADER_BYTES > size) return
  const window = new Uint8Array(SCAN_BYTES)
  while (position + RECORD_HEADER_BYTES <= size) {
    const count = readFully(file, window, position)
    let at = 0
    for (; at + RECORD_HEADER_BYTES <= count; at += RECORD_ALIGNMENT) {
      const header = window.subarray(at, at + RECORD_HEADER_BYTES)
      if (decodeRecordHeader(header, identity, position + at) !== undefined) {
        const what = `a record is damaged, and another follows at offset ${position + at}`
        throw corruption(name, length, what)
      }
    }
    if (at === 0) break
    position += at
  }
}

/** At most the first `limit` bytes of a file. */
function readStart(fs: FileSystem, directory: string, name: string, limit: number): Uint8Array {
  return reading(fs, directory, name, (file) => {
    const start = new Uint8Array(limit)
    return start.subarray(0, readFully(file, start, 0))
  })
}

/** Opens a file that must be there for the time of `action`. */
function reading<T>(fs: FileSystem, directory: string, name: string, action: (file: File) => T): T {
  try {
    const file = openPresent(fs, `${directory}/${name}`)
    if (file === 'missing') throw corruption(name, undefined, 'the file is missing')
    if (file === 'irregular') throw corruption(name, undefined, 'this is not a regular file')
    try {
      return action(file)
    } finally {
      file.close()
    }
  } catch (error) {
    throw ioError(error, 'cannot read', name)
  }
}
