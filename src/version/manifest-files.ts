/**
 * The steps by which a manifest becomes the current one: MAN-13 and MAN-14 in `docs/manifest-format.md`. Errors of the
 * file system come out as they are; `manifest.ts` turns them into `SedgeError`s.
 *
 *     open: claimEpoch, writeManifest, install        rotation: writeManifest, install
 *     open after a clean close: claimEpoch, openManifest        its first change: syncMarker, removeReplaced
 *     close without a change: takeBack
 */
import { errorCode, ioError, isOutOfHandles, statusOf, writeFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { SedgeError } from '../errors.ts'
import { assert } from '../util/assert.ts'
import { readClosed } from './closed-statement.ts'
import { manifestFileName, markerFileName, parseFileName } from './file-names.ts'
import {
  encodeManifestHeader,
  encodeMarker,
  encodeRecord,
  HEADER_BYTES,
  type ManifestHeader,
  manifestIdentity,
  RECORD_KIND,
} from './manifest-format.ts'
import {
  changedMeanwhile,
  isSame,
  isSameList,
  listMarkers,
  listNames,
  type Marker,
  markersOf,
  newestValidMarker,
  type Recovered,
} from './manifest-recovery.ts'
import { type StoreState, snapshotOf } from './manifest-state.ts'
import { encodeVersionEdit } from './version-edit.ts'

/** File numbers reserved at a time [MAN-18]. */
export const RESERVE_NUMBERS = 64

export interface OpenManifest {
  readonly file: File
  readonly header: ManifestHeader
  /** Bytes. */
  readonly length: number
  readonly snapshotLength: number
}

/** The next epoch, and the base names that were in the directory once it was taken. */
export interface ClaimedEpoch {
  readonly epoch: number
  readonly names: readonly string[]
}

/**
 * Takes the next epoch on the manifest that `recovered` was read from. Throws `LOCKED` when the epoch was taken or the store
 * has changed meanwhile, `IO`, `FULL`.
 */
export function claimEpoch(fs: FileSystem, directory: string, recovered: Recovered): ClaimedEpoch {
  const epoch = (recovered.markers[0]?.epoch ?? 0) + 1
  const marker = { epoch, number: recovered.manifestNumber }
  try {
    // It need not survive a crash: only those who are running now must see it.
    const file = createMarker(fs, directory, marker, recovered.storeId)
    file.close()
    if (isAsLong(fs, directory, recovered)) {
      const names = listNames(fs, directory)
      if (isSameList(markersOf(names), [marker, ...recovered.markers])) return { epoch, names }
    }
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw changedMeanwhile(error)
    throw ioError(error, 'cannot claim', directory)
  }
  withdraw(fs, directory, marker)
  throw changedMeanwhile()
}

/** Whether the manifest has the length that it was recovered with. */
function isAsLong(fs: FileSystem, directory: string, recovered: Recovered): boolean {
  const size = statusOf(fs, `${directory}/${manifestFileName(recovered.manifestNumber)}`)?.size
  return size === recovered.length + recovered.tornTailBytes
}

/** Writes a manifest that holds a snapshot only, and syncs it. */
export function writeManifest(
  fs: FileSystem,
  directory: string,
  header: ManifestHeader,
  state: StoreState,
): OpenManifest {
  const edit = encodeVersionEdit(snapshotOf(state))
  const identity = manifestIdentity(header)
  const record = encodeRecord(RECORD_KIND.snapshot, edit, identity, HEADER_BYTES)
  const path = `${directory}/${manifestFileName(header.number)}`
  const file = fs.open(path, 'create')
  try {
    writeFully(file, encodeManifestHeader(header), 0)
    writeFully(file, record, HEADER_BYTES)
    file.sync()
  } catch (error) {
    file.close()
    removeQuietly(fs, path)
    throw error
  }
  const length = HEADER_BYTES + record.length
  return { file, header, length, snapshotLength: length }
}

/** Opens the manifest that was recovered, to go on in it. Throws `IO`. */
export function openManifest(
  fs: FileSystem,
  directory: string,
  recovered: Recovered,
): OpenManifest {
  const { storeId, hashSeed, manifestNumber: number, manifestEpoch: epoch } = recovered
  const { length, snapshotLength } = recovered
  const name = manifestFileName(number)
  try {
    const file = fs.open(`${directory}/${name}`, 'readwrite')
    return { file, header: { storeId, hashSeed, number, epoch }, length, snapshotLength }
  } catch (error) {
    throw ioError(error, 'cannot open', name)
  }
}

/** Puts a marker that was created before on disk. With too many files open it may be called again: then it throws `IO`. */
export function syncMarker(fs: FileSystem, directory: string, marker: Marker): void {
  const name = markerFileName(marker.epoch, marker.number)
  try {
    const file = fs.open(`${directory}/${name}`, 'readwrite')
    try {
      file.sync()
    } finally {
      file.close()
    }
    fs.syncDirectory(directory)
  } catch (error) {
    throw isOutOfHandles(error) ? ioError(error, 'cannot sync', name) : error
  }
}

/**
 * Takes back a marker that was never synced, because nothing has changed: the statement of the last close holds on. False where it
 * does not, or the marker cannot be removed. Throws `IO` when that cannot be made durable. `length` is the manifest's.
 */
export function takeBack(
  fs: FileSystem,
  directory: string,
  marker: Marker,
  length: number,
): boolean {
  if (!isClosedWithout(fs, directory, marker, length)) return false
  const name = markerFileName(marker.epoch, marker.number)
  try {
    fs.remove(`${directory}/${name}`)
  } catch {
    return false
  }
  try {
    fs.syncDirectory(directory)
  } catch (error) {
    throw ioError(error, 'cannot remove', name)
  }
  return true
}

/** Whether the next opening would find a clean close if `marker` were not there: what it relies on may be gone or damaged meanwhile. */
function isClosedWithout(
  fs: FileSystem,
  directory: string,
  marker: Marker,
  length: number,
): boolean {
  const markers = listMarkers(fs, directory).filter((one) => !isSame(one, marker))
  try {
    const found = newestValidMarker(fs, directory, markers)
    if (found === undefined) return false
    const { storeId } = found
    const { epoch, number: manifestNumber } = markers[found.index]!
    const recovered = { storeId, epoch, manifestNumber, length, tornTailBytes: 0 }
    return readClosed(fs, directory, recovered) !== undefined
  } catch {
    return false
  }
}

/**
 * Removes the markers and manifests that the current ones have replaced, unless there is a higher epoch. What cannot be removed,
 * or comes back after a power cut, stays for the next time: it counts for nothing.
 */
export function removeReplaced(fs: FileSystem, directory: string, current: Marker): void {
  const markers: string[] = []
  const manifests: string[] = []
  for (const name of listNames(fs, directory)) {
    const parsed = parseFileName(name)
    if (parsed?.type === 'manifest' && parsed.number !== current.number) manifests.push(name)
    if (parsed?.type !== 'marker') continue
    if (parsed.epoch > current.epoch) return
    if (!isSame(parsed, current)) markers.push(name)
  }
  // The markers first: none may be left without its manifest.
  for (const name of [...markers, ...manifests]) removeQuietly(fs, `${directory}/${name}`)
}

/**
 * Makes a written manifest the current one. `isExpected` tells the markers that may be there besides. Throws `LOCKED` when
 * somebody else has made one meanwhile.
 */
export function install(
  fs: FileSystem,
  directory: string,
  header: ManifestHeader,
  isExpected: (marker: Marker) => boolean,
): void {
  fs.syncDirectory(directory)
  const file = createMarker(fs, directory, header, header.storeId)
  try {
    const others = listMarkers(fs, directory).filter((marker) => !isSame(marker, header))
    if (!others.every(isExpected)) throw changedMeanwhile()
    file.sync()
  } catch (error) {
    file.close()
    withdraw(fs, directory, header)
    throw error
  }
  file.close()
  fs.syncDirectory(directory)
}

/** Creates a marker and writes it, but does not sync it. Throws `EEXIST` when somebody was faster. */
function createMarker(
  fs: FileSystem,
  directory: string,
  marker: Marker,
  storeId: Uint8Array,
): File {
  const { epoch, number } = marker
  const path = `${directory}/${markerFileName(epoch, number)}`
  const file = fs.open(path, 'create')
  try {
    writeFully(file, encodeMarker(epoch, number, storeId), 0)
  } catch (error) {
    file.close()
    removeQuietly(fs, path)
    throw error
  }
  return file
}

/** Takes back a marker of ours that must not count. */
function withdraw(fs: FileSystem, directory: string, marker: Marker): void {
  removeQuietly(fs, `${directory}/${markerFileName(marker.epoch, marker.number)}`)
}

/** For use while a failure is being reported already: that one matters. */
function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.remove(path)
  } catch {
    // What stays behind is passed over by recovery and removed at the next open.
  }
}

/** What an opener is told that is not the last one. */
export function fenced(outcome?: 'unknown'): SedgeError {
  return new SedgeError('LOCKED', 'another process has taken the store over', { outcome })
}

/** A failure that leaves open whether what was to be written is there. */
export function unknownOutcome(error: unknown, name: string): SedgeError {
  const { code, message, file } = ioError(error, 'cannot write', name)
  return new SedgeError(code, message, { cause: error, file, outcome: 'unknown' })
}

/** The numbers, from `least` up, that files of these names carry, and the first that none does. */
export function freeNumber(
  names: readonly string[],
  least: number,
): { taken: ReadonlySet<number>; number: number } {
  const taken = new Set<number>()
  for (const name of names) {
    const parsed = parseFileName(name)
    if (parsed !== undefined && 'number' in parsed && parsed.number >= least) {
      taken.add(parsed.number)
    }
  }
  return { taken, number: nextFree(taken, least) }
}

/** The least number from `from` up that is not taken. */
export function nextFree(taken: ReadonlySet<number>, from: number): number {
  let number = from
  while (taken.has(number)) number++
  assert(Number.isSafeInteger(number + RESERVE_NUMBERS), 'file numbers are used up')
  return number
}
