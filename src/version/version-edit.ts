/**
 * Edits: the unit in which the set of tables changes. Bytes: MAN-5 in `docs/manifest-format.md`.
 *
 *     edit = (tag varint, content)*     tags never go down; 6 and 7 may be repeated
 */
import { corruption, SedgeError } from '../errors.ts'
import { compareBytes } from '../util/bytes.ts'
import { ByteReader, ByteWriter, DecodeError } from '../util/coding.ts'
import type { TableMeta } from './table-meta.ts'

/** Part of the file format. Do not change. */
const TAG = {
  levels: 1,
  nextFileNumber: 2,
  lastSequence: 3,
  logNumber: 4,
  syncedLog: 5,
  removeTable: 6,
  addTable: 7,
} as const

export const LEVELS_MIN = 2
export const LEVELS_MAX = 16
const KEY_BYTES_MAX = 1_048_576

/** A log segment is known to be on disk up to `length` bytes. */
export interface SyncedLog {
  readonly number: number
  readonly length: number
}

export interface TablePlace {
  readonly level: number
  readonly number: number
}

/** A change of the state. What is absent stays as it was. */
export interface VersionEdit {
  readonly levels?: number | undefined
  /** This and all above were never handed out. */
  readonly nextFileNumber?: number | undefined
  /** The highest sequence that tables hold. */
  readonly lastSequence?: number | undefined
  /** The first log segment that is still needed. */
  readonly logNumber?: number | undefined
  readonly syncedLog?: SyncedLog | undefined
  readonly removeTables?: readonly TablePlace[] | undefined
  /** A table that moves is removed from one level and added to the other in one edit. */
  readonly addTables?: readonly TableMeta[] | undefined
}

export function encodeVersionEdit(edit: VersionEdit): Uint8Array {
  const writer = new ByteWriter()
  if (edit.levels !== undefined) writer.varint(TAG.levels).varint(edit.levels)
  if (edit.nextFileNumber !== undefined) {
    writer.varint(TAG.nextFileNumber).varint(edit.nextFileNumber)
  }
  if (edit.lastSequence !== undefined) writer.varint(TAG.lastSequence).varint(edit.lastSequence)
  if (edit.logNumber !== undefined) writer.varint(TAG.logNumber).varint(edit.logNumber)
  if (edit.syncedLog !== undefined) {
    writer.varint(TAG.syncedLog).varint(edit.syncedLog.number).varint(edit.syncedLog.length)
  }
  for (const { level, number } of edit.removeTables ?? []) {
    writer.varint(TAG.removeTable).varint(level).varint(number)
  }
  for (const table of edit.addTables ?? []) encodeTable(writer.varint(TAG.addTable), table)
  return writer.finish()
}

function encodeTable(writer: ByteWriter, table: TableMeta): void {
  writer.varint(table.level).varint(table.number).varint(table.size).hash64(table.checksum)
  writer.varint(table.entries).varint(table.tombstones).varint(table.shadowed)
  writer.prefixed(table.smallest).prefixed(table.largest)
  writer.varint(table.minSequence).varint(table.maxSequence)
  writer.varint(table.valueBytes).varint(table.rawBytes)
}

/**
 * Reads an edit and the zero bytes (fewer than 8) behind it. `file` and `offset` say where `bytes` come from, for
 * errors: `FORMAT` for an unknown tag, `CORRUPTION` for anything else that makes no sense [MAN-6].
 */
export function decodeVersionEdit(bytes: Uint8Array, file: string, offset: number): VersionEdit {
  const decoder = new EditDecoder(bytes)
  try {
    return decoder.decode()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const at = offset + error.offset
    if (error instanceof UnknownTag) {
      const message = `${file} at offset ${at}: ${error.message}`
      throw new SedgeError('FORMAT', message, { file, offset: at, actual: error.tag })
    }
    throw corruption(file, at, `${decoder.field}: ${error.message}`)
  }
}

class UnknownTag extends DecodeError {
  readonly tag: number

  constructor(tag: number, offset: number) {
    super(`unknown field ${tag} of an edit`, offset)
    this.tag = tag
  }
}

/** Reads one edit; `field` is what it was reading when it threw. */
class EditDecoder {
  field = 'tag'
  readonly #reader: ByteReader
  readonly #removed: TablePlace[] = []
  readonly #added: TableMeta[] = []

  constructor(bytes: Uint8Array) {
    this.#reader = new ByteReader(bytes)
  }

  decode(): VersionEdit {
    const edit: { -readonly [Name in keyof VersionEdit]: VersionEdit[Name] } = {}
    const reader = this.#reader
    for (let last = 0; reader.remaining > 0; ) {
      this.field = 'tag'
      const start = reader.offset
      const tag = reader.varint()
      if (tag === 0) {
        this.#padding(start)
        break
      }
      if (tag < last || (tag === last && tag < TAG.removeTable)) {
        throw new DecodeError('fields out of order', start)
      }
      last = tag
      if (tag === TAG.levels) edit.levels = this.#whole('levels', LEVELS_MIN, LEVELS_MAX)
      else if (tag === TAG.nextFileNumber) edit.nextFileNumber = this.#whole('next file number', 1)
      else if (tag === TAG.lastSequence) edit.lastSequence = this.#whole('last sequence')
      else if (tag === TAG.logNumber) edit.logNumber = this.#whole('log number')
      else if (tag === TAG.syncedLog) edit.syncedLog = this.#syncedLog()
      else if (tag === TAG.removeTable) this.#removed.push(this.#place())
      else if (tag === TAG.addTable) this.#added.push(this.#table())
      else throw new UnknownTag(tag, start)
    }
    if (this.#removed.length > 0) edit.removeTables = this.#removed
    if (this.#added.length > 0) edit.addTables = this.#added
    return edit
  }

  #padding(start: number): void {
    this.field = 'padding'
    const rest = this.#reader.bytes(this.#reader.remaining)
    if (rest.length >= 7 || rest.some((byte) => byte !== 0)) {
      throw new DecodeError('more than zero bytes up to a multiple of 8', start)
    }
  }

  #whole(field: string, least = 0, most: number = Number.MAX_SAFE_INTEGER): number {
    this.field = field
    const start = this.#reader.offset
    const value = this.#reader.varint()
    if (value < least || value > most) {
      throw new DecodeError(`${value} is not from ${least} to ${most}`, start)
    }
    return value
  }

  #key(field: string): Uint8Array {
    this.field = field
    const start = this.#reader.offset
    const key = this.#reader.prefixed()
    if (key.length === 0 || key.length > KEY_BYTES_MAX) {
      throw new DecodeError(`a key of ${key.length} bytes`, start)
    }
    // A copy: the record's bytes are not to live as long as the version does.
    return key.slice()
  }

  #syncedLog(): SyncedLog {
    return { number: this.#whole('synced log number', 1), length: this.#whole('synced log length') }
  }

  #place(): TablePlace {
    return {
      level: this.#whole('level of a removed table', 0, LEVELS_MAX - 1),
      number: this.#whole('number of a removed table', 1),
    }
  }

  #table(): TableMeta {
    const level = this.#whole('level', 0, LEVELS_MAX - 1)
    const number = this.#whole('number', 1)
    const size = this.#whole('size')
    this.field = 'checksum'
    const checksum = this.#reader.hash64()
    const entries = this.#whole('entries', 1)
    const tombstones = this.#whole('tombstones', 0, entries)
    const shadowed = this.#whole('shadowed', 0, entries)
    const smallest = this.#key('smallest key')
    const start = this.#reader.offset
    const largest = this.#key('largest key')
    if (compareBytes(smallest, largest) > 0) throw new DecodeError('below the smallest key', start)
    const minSequence = this.#whole('smallest sequence')
    const maxSequence = this.#whole('largest sequence', minSequence)
    const valueBytes = this.#whole('value bytes')
    const rawBytes = this.#whole('raw bytes')
    return {
      ...{ number, level, size, checksum, entries, tombstones, shadowed, smallest, largest },
      ...{ minSequence, maxSequence, valueBytes, rawBytes },
    }
  }
}
