/**
 * What a manifest adds up to, and how an edit changes it [MAN-5, MAN-7].
 */
import type { TableMeta } from './table-meta.ts'
import { Version, VersionBuilder, VersionError } from './version.ts'
import type { SyncedLog, VersionEdit } from './version-edit.ts'

/** Immutable. */
export interface StoreState {
  readonly version: Version
  /** This and all above were never handed out. */
  readonly nextFileNumber: number
  /** The highest sequence that tables hold; 0 for none. */
  readonly lastSequence: number
  /** The first log segment that is still needed; 0 before there was one. */
  readonly logNumber: number
  readonly syncedLog: SyncedLog | undefined
}

/** The state alone, of an object that has more. */
export function stateOf(source: StoreState): StoreState {
  const { version, nextFileNumber, lastSequence, logNumber, syncedLog } = source
  return { version, nextFileNumber, lastSequence, logNumber, syncedLog }
}

/** The edit that gives `state` to an empty store. */
export function snapshotOf(state: StoreState): VersionEdit {
  const { version, nextFileNumber, lastSequence, logNumber, syncedLog } = state
  const addTables: TableMeta[] = version.tables()
  const levels = version.levels.length
  return { levels, nextFileNumber, lastSequence, logNumber, syncedLog, addTables }
}

/** The state after one edit. Throws `VersionError`. */
export function applyEdit(state: StoreState, edit: VersionEdit): StoreState {
  const builder = new StateBuilder(state)
  builder.apply(edit)
  return builder.build()
}

/** Call protocol: apply* build. Starts from `base`, or from nothing: then the first edit is a snapshot. */
export class StateBuilder {
  readonly #tables: VersionBuilder
  #nextFileNumber: number
  #lastSequence: number
  #logNumber: number
  #syncedLog: SyncedLog | undefined

  constructor(base?: StoreState) {
    this.#tables = new VersionBuilder(base?.version ?? Version.empty(0))
    this.#nextFileNumber = base?.nextFileNumber ?? 0
    this.#lastSequence = base?.lastSequence ?? 0
    this.#logNumber = base?.logNumber ?? 0
    this.#syncedLog = base?.syncedLog
  }

  /** Throws `VersionError`; the builder is then of no more use. */
  apply(edit: VersionEdit): void {
    this.#nextFileNumber = raised('next file number', this.#nextFileNumber, edit.nextFileNumber)
    this.#lastSequence = raised('last sequence', this.#lastSequence, edit.lastSequence)
    this.#logNumber = raised('log number', this.#logNumber, edit.logNumber)
    this.#syncedLog = edit.syncedLog ?? this.#syncedLog
    this.#tables.apply(edit)
  }

  /** Throws `VersionError` when the result is not sound. */
  build(): StoreState {
    const version = this.#tables.build()
    if (version.levels.length === 0) throw new VersionError('the number of levels is not told')
    if (this.#nextFileNumber === 0) throw new VersionError('the next file number is not told')
    return {
      version,
      nextFileNumber: this.#nextFileNumber,
      lastSequence: this.#lastSequence,
      logNumber: this.#logNumber,
      syncedLog: this.#syncedLog,
    }
  }
}

function raised(what: string, from: number, to: number | undefined): number {
  if (to === undefined) return from
  if (to < from) throw new VersionError(`${what} goes down from ${from} to ${to}`)
  return to
}
