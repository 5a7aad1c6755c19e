/**
 * The manifest of a store that is open for writing: docs/manifest-format.md, MAN-13 to MAN-18 and MAN-23.
 *
 * Call protocol: (create | recover takeOver) (append | allocateNumber | isFenced)* writeClosed? close.
 * All calls are synchronous, and durable when they return, but for an epoch taken after a clean close [MAN-23].
 */
import { errorCode, ioError, isNoSpace, statusOf, writeFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { SedgeError } from '../errors.ts'
import { type ClosedSegment, removeClosed, writeClosed } from './closed-statement.ts'
import { manifestFileName } from './file-names.ts'
import {
  claimEpoch,
  fenced,
  freeNumber,
  install,
  nextFree,
  type OpenManifest,
  openManifest,
  RESERVE_NUMBERS,
  removeReplaced,
  syncMarker,
  takeBack,
  unknownOutcome,
  writeManifest,
} from './manifest-files.ts'
import {
  encodeRecord,
  type ManifestHeader,
  manifestIdentity,
  RECORD_KIND,
} from './manifest-format.ts'
import {
  changedMeanwhile,
  isSame,
  listMarkers,
  listNames,
  type Marker,
  type Recovered,
  recoverManifest,
} from './manifest-recovery.ts'
import { applyEdit, type StoreState, stateOf } from './manifest-state.ts'
import { Version } from './version.ts'
import { encodeVersionEdit, type SyncedLog, type VersionEdit } from './version-edit.ts'

const ROTATE_BYTES_MIN = 65_536
const ROTATE_FACTOR = 4

export type ManifestEdit = Omit<VersionEdit, 'nextFileNumber'>

export interface CreateOptions {
  /** 16 bytes. */
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  /** Number of levels, 2 to 16. */
  readonly maxLevels: number
  /** The least epoch to take; 1 when absent. */
  readonly epoch?: number | undefined
}

export interface TakeOverOptions {
  /** Number of levels, 2 to 16; never fewer than have tables. The store's own when absent. */
  readonly maxLevels?: number | undefined
  /** Whether the closing statement holds for what was recovered: then the manifest goes on. Default false. */
  readonly isClosed?: boolean | undefined
}

export class Manifest {
  readonly #fs: FileSystem
  readonly #directory: string
  /** Numbers of files that were there at open, among those not yet handed out. */
  readonly #taken: ReadonlySet<number>
  #file: File
  #header: ManifestHeader
  #identity: bigint
  #length: number
  #snapshotLength: number
  #state: StoreState
  #nextNumber: number
  readonly #epoch: number
  /** Whether the marker of our epoch is known to be on disk. */
  #isSettled: boolean
  #failure: SedgeError | undefined
  #isClosed = false

  private constructor(
    fs: FileSystem,
    directory: string,
    taken: ReadonlySet<number>,
    state: StoreState,
    open: OpenManifest,
    claimed?: { epoch: number; nextNumber: number },
  ) {
    this.#fs = fs
    this.#directory = directory
    this.#taken = taken
    this.#file = open.file
    this.#header = open.header
    this.#identity = manifestIdentity(open.header)
    this.#length = open.length
    this.#snapshotLength = open.snapshotLength
    this.#state = state
    this.#nextNumber = claimed?.nextNumber ?? open.header.number + 1
    this.#epoch = claimed?.epoch ?? open.header.epoch
    this.#isSettled = claimed === undefined
  }

  /**
   * Makes an empty store. `directory` exists. Throws `EXISTS` when it holds a store, `CORRUPTION` when it holds a
   * damaged one, `LOCKED` when another process is making one at this moment, `IO`, `FULL`.
   */
  static create(fs: FileSystem, directory: string, options: CreateOptions): Manifest {
    const left = statusOf(fs, directory) === undefined ? [] : listMarkers(fs, directory)
    if (recoverManifest(fs, directory) !== undefined) {
      throw new SedgeError('EXISTS', 'the directory holds a store already')
    }
    const { storeId, hashSeed, maxLevels } = options
    const epoch = Math.max(options.epoch ?? 1, (left[0]?.epoch ?? 0) + 1)
    const { taken, number } = freeNumber(listNames(fs, directory), 1)
    const state: StoreState = {
      version: Version.empty(maxLevels),
      nextFileNumber: number + 1 + RESERVE_NUMBERS,
      lastSequence: 0,
      logNumber: 0,
      syncedLog: undefined,
    }
    const header = { storeId: storeId.slice(), hashSeed, number, epoch }
    const isExpected = (marker: Marker): boolean => left.some((one) => isSame(one, marker))
    return Manifest.#becomeCurrent(fs, directory, taken, state, header, isExpected)
  }

  /** Reads the state without changing anything. See `recoverManifest`. */
  static recover(fs: FileSystem, directory: string): Recovered | undefined {
    return recoverManifest(fs, directory)
  }

  /**
   * Takes the store over in the next epoch, which fences whoever had it open. Throws `LOCKED` when somebody else does the
   * same or has changed the store since `recovered` was read, `IO`, `FULL`.
   */
  static takeOver(
    fs: FileSystem,
    directory: string,
    recovered: Recovered,
    options: TakeOverOptions = {},
  ): Manifest {
    const { epoch, names } = claimEpoch(fs, directory, recovered)
    const { taken, number } = freeNumber(names, recovered.nextFileNumber)
    const { version, storeId, hashSeed } = recovered
    const levels = Math.max(options.maxLevels ?? version.levels.length, version.deepestLevel() + 1)
    if (options.isClosed === true && levels === version.levels.length) {
      const open = openManifest(fs, directory, recovered)
      const claimed = { epoch, nextNumber: number }
      return new Manifest(fs, directory, taken, stateOf(recovered), open, claimed)
    }
    const edit = { levels, nextFileNumber: number + 1 + RESERVE_NUMBERS }
    const state = applyEdit(recovered, edit)
    const header = { storeId, hashSeed, number, epoch }
    const isExpected = (marker: Marker): boolean => marker.epoch <= epoch
    return Manifest.#becomeCurrent(fs, directory, taken, state, header, isExpected)
  }

  static #becomeCurrent(
    fs: FileSystem,
    directory: string,
    taken: ReadonlySet<number>,
    state: StoreState,
    header: ManifestHeader,
    isExpected: (marker: Marker) => boolean,
  ): Manifest {
    const name = manifestFileName(header.number)
    let open: OpenManifest | undefined
    try {
      open = writeManifest(fs, directory, header, state)
      install(fs, directory, header, isExpected)
      const manifest = new Manifest(fs, directory, taken, state, open)
      manifest.#removeReplaced()
      return manifest
    } catch (error) {
      open?.file.close()
      if (errorCode(error) === 'EEXIST') throw changedMeanwhile(error)
      throw ioError(error, 'cannot write', name)
    }
  }

  get version(): Version {
    return this.#state.version
  }

  get storeId(): Uint8Array {
    return this.#header.storeId
  }

  get hashSeed(): bigint {
    return this.#header.hashSeed
  }

  get epoch(): number {
    return this.#epoch
  }

  get #marker(): Marker {
    return { epoch: this.#epoch, number: this.number }
  }

  /** Of the manifest's file. */
  get number(): number {
    return this.#header.number
  }

  /** Bytes of the manifest's file. */
  get length(): number {
    return this.#length
  }

  /** The highest sequence that tables hold. */
  get lastSequence(): number {
    return this.#state.lastSequence
  }

  /** The first log segment that is still needed; 0 before there was one. */
  get logNumber(): number {
    return this.#state.logNumber
  }

  get syncedLog(): SyncedLog | undefined {
    return this.#state.syncedLog
  }

  /**
   * Makes one change, durably, and only then shows it in `version`. Throws `LOCKED` once fenced (with outcome `'unknown'` if that
   * happened just then); `FULL` without space, or `IO` with too many files open, when nothing has changed; both with outcome `'unknown'` when it may or may not have happened, and `FAILED` ever after.
   */
  append(edit: ManifestEdit): void {
    this.#checkUsable()
    if (this.isFenced()) throw this.#fail(fenced())
    if (this.#length > Math.max(ROTATE_BYTES_MIN, ROTATE_FACTOR * this.#snapshotLength)) {
      this.#rotate()
    }
    const isLow = this.#state.nextFileNumber - this.#nextNumber < RESERVE_NUMBERS / 2
    const nextFileNumber = isLow ? this.#nextNumber + RESERVE_NUMBERS : undefined
    const whole: VersionEdit = { ...edit, nextFileNumber }
    const state = applyEdit(this.#state, whole)
    this.#settle()
    this.#write(encodeVersionEdit(whole))
    this.#checkStillOurs()
    this.#state = state
  }

  /** A file number that no file has had. Throws as `append` does when a new reservation is due. */
  allocateNumber(): number {
    for (;;) {
      this.#checkUsable()
      if (this.#nextNumber >= this.#state.nextFileNumber) this.append({})
      const number = this.#nextNumber++
      if (!this.#taken.has(number)) return number
    }
  }

  /** True once somebody else has taken the store over. Throws `IO`. */
  isFenced(): boolean {
    return (listMarkers(this.#fs, this.#directory)[0]?.epoch ?? 0) > this.epoch
  }

  /** States the lengths of all files that a clean close leaves. The last call before `close`. Throws as `append` does. */
  writeClosed(segments: readonly ClosedSegment[]): void {
    this.#checkUsable()
    if (this.isFenced()) throw this.#fail(fenced())
    if (!this.#isSettled && takeBack(this.#fs, this.#directory, this.#marker, this.#length)) return
    this.#settle()
    writeClosed(this.#fs, this.#directory, {
      storeId: this.storeId,
      epoch: this.epoch,
      manifestNumber: this.number,
      manifestLength: this.#length,
      segments,
    })
  }

  /** Gives the file up. Idempotent. All appended edits are on disk already. Throws `IO`. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      this.#file.close()
    } catch (error) {
      throw ioError(error, 'cannot close', manifestFileName(this.number))
    }
  }

  #checkUsable(): void {
    if (this.#isClosed) throw new SedgeError('CLOSED', 'the manifest is closed')
    if (this.#failure !== undefined) {
      const message = `${manifestFileName(this.number)} has failed: ${this.#failure.message}`
      throw new SedgeError('FAILED', message, { cause: this.#failure })
    }
  }

  #fail(error: SedgeError): SedgeError {
    this.#failure = error
    return error
  }

  /** Puts the epoch on disk, and only then removes what the last opener left to be told by [MAN-23]. */
  #settle(): void {
    if (this.#isSettled) return
    try {
      syncMarker(this.#fs, this.#directory, this.#marker)
    } catch (error) {
      if (error instanceof SedgeError) throw error
      throw this.#fail(ioError(error, 'cannot sync', 'the marker'))
    }
    this.#isSettled = true
    this.#removeReplaced()
  }

  #removeReplaced(): void {
    removeReplaced(this.#fs, this.#directory, this.#marker)
    removeClosed(this.#fs, this.#directory)
  }

  #write(edit: Uint8Array): void {
    const record = encodeRecord(RECORD_KIND.edit, edit, this.#identity, this.#length)
    const name = manifestFileName(this.number)
    try {
      writeFully(this.#file, record, this.#length)
    } catch (error) {
      if (isNoSpace(error) && this.#cutBack()) throw ioError(error, 'cannot write', name)
      throw this.#fail(unknownOutcome(error, name))
    }
    try {
      this.#file.sync()
    } catch (error) {
      throw this.#fail(unknownOutcome(error, name))
    }
    this.#length += record.length
  }

  /** Whoever claimed the store before the edit was written may not have read it. Throws with outcome `'unknown'`. */
  #checkStillOurs(): void {
    let isFenced: boolean
    try {
      isFenced = this.isFenced()
    } catch (error) {
      throw this.#fail(unknownOutcome(error, manifestFileName(this.number)))
    }
    if (isFenced) throw this.#fail(fenced('unknown'))
  }

  /** Removes what a failed write has left behind the last record. False when that is not certain. */
  #cutBack(): boolean {
    try {
      this.#file.truncate(this.#length)
      this.#file.sync()
      return true
    } catch {
      return false
    }
  }

  /** Goes on in a new manifest, in the same epoch [MAN-17]. */
  #rotate(): void {
    const number = nextFree(this.#taken, this.#nextNumber)
    const nextFileNumber = Math.max(this.#state.nextFileNumber, number + 1)
    const state = { ...this.#state, nextFileNumber }
    const header = { ...this.#header, number, epoch: this.#epoch }
    this.#nextNumber = number + 1
    let open: OpenManifest
    try {
      open = writeManifest(this.#fs, this.#directory, header, state)
    } catch {
      // Nothing refers to the new file and the old one is whole, so this is only a rotation put off.
      return
    }
    try {
      install(this.#fs, this.#directory, header, (marker) => marker.epoch <= this.epoch)
    } catch (error) {
      open.file.close()
      throw this.#fail(ioError(error, 'cannot replace', manifestFileName(this.number)))
    }
    const old = this.#file
    this.#use(open, state)
    try {
      old.close()
      this.#removeReplaced()
    } catch (error) {
      throw this.#fail(ioError(error, 'cannot remove what came before', manifestFileName(number)))
    }
  }

  #use(open: OpenManifest, state: StoreState): void {
    this.#file = open.file
    this.#header = open.header
    this.#identity = manifestIdentity(open.header)
    this.#length = open.length
    this.#snapshotLength = open.snapshotLength
    this.#state = state
    this.#isSettled = true
  }
}
