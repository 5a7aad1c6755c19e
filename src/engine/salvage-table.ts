/**
 * What can be saved of one damaged table: every data block that verifies, found by the index where that still leads, by search
 * elsewhere, with every large value whose chunks verify (REP-3 in `docs/spec.md`).
 *
 *     header, footer (either will do) ─► index, as far as it verifies ─► blocks ─► search in the gaps between them
 */
import { readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { type BlockEntry, BlockEntryKind, type Unzstd } from '../table/block-decoder.ts'
import { BlockSearch } from '../table/block-search.ts'
import {
  decodeFooter,
  decodeHeader,
  TABLE_FOOTER_BYTES,
  TABLE_HEADER_BYTES,
  tableIdentity,
} from '../table/table-format.ts'
import { type BlockHandle, type IndexedBlock, TableReader } from '../table/table-reader.ts'
import { chunkedBytes, decodeReference, verifyChunks } from '../util/value-chunks.ts'
import type { SalvageLog } from './salvage-log.ts'

export interface TableToSalvage {
  readonly file: File
  /** Base name. */
  readonly name: string
  readonly number: number
  readonly identity: bigint
  readonly unzstd: Unzstd | undefined
}

/** A stretch of a file. */
interface Stretch {
  readonly from: number
  readonly to: number
}

/**
 * What seals the blocks of a table: from the store's id, or from the table's own header where that is not known. `undefined`, and a
 * problem, when neither can be. Throws `FORMAT` for a table of the future.
 */
export function identifyTable(
  table: { readonly file: File; readonly name: string; readonly number: number },
  storeId: Uint8Array | undefined,
  log: SalvageLog,
): bigint | undefined {
  const { file, name, number } = table
  const expected = storeId === undefined ? undefined : tableIdentity(storeId, number)
  const bytes = new Uint8Array(TABLE_HEADER_BYTES)
  const isWhole = readFully(file, bytes, 0) === bytes.length
  const header = isWhole ? decodeHeader(name, bytes) : undefined
  if (header === undefined) {
    const what = expected === undefined ? 'nothing tells whose table this is' : 'it is damaged'
    log.problem(corruption(name, 0, `the header does not verify; ${what}`))
    return expected
  }
  const isOwn = header.number === number && header.identity === (expected ?? header.identity)
  if (isOwn) return header.identity
  const numbers = { expected: number, actual: header.number }
  log.problem(corruption(name, 41, 'this is another table', numbers))
  return undefined
}

/**
 * The entries that can be saved, block by block; an empty list for a step that saved none. Only losses are told: what else is
 * wrong `checkTable` says.
 */
export function* salvageTable(
  table: TableToSalvage,
  log: SalvageLog,
): Generator<readonly BlockEntry[], void, void> {
  yield* new TableSalvage(table, log).run()
}

class TableSalvage {
  readonly #table: TableToSalvage
  readonly #log: SalvageLog
  readonly #size: number
  readonly #reader: TableReader
  readonly #search: BlockSearch

  constructor(table: TableToSalvage, log: SalvageLog) {
    this.#table = table
    this.#log = log
    this.#size = table.file.size()
    this.#reader = new TableReader({ ...table, size: this.#size })
    this.#search = new BlockSearch(table)
  }

  *run(): Generator<readonly BlockEntry[], void, void> {
    const { end, top } = this.#ends()
    let position = TABLE_HEADER_BYTES
    for (const block of this.#indexed(top)) {
      if (block.offset < position || block.offset + block.bytes > end) continue
      const entries = this.#attempt(() => this.#reader.entries(block))
      // What does not verify is searched together with the gap around it.
      if (entries === undefined) continue
      yield* this.#gap({ from: position, to: block.offset }, entries)
      yield* this.#keep(entries)
      position = block.offset + block.bytes
    }
    yield* this.#gap({ from: position, to: end }, [])
  }

  /** Where the data section ends, and where the top index is, as far as header and footer tell. */
  #ends(): { end: number; top: BlockHandle | undefined } {
    const { file, name, identity } = this.#table
    const bytes = new Uint8Array(TABLE_HEADER_BYTES)
    const isWhole = readFully(file, bytes, 0) === bytes.length
    const header = isWhole ? decodeHeader(name, bytes) : undefined
    const last = new Uint8Array(TABLE_FOOTER_BYTES)
    const at = Math.max(0, this.#size - last.length)
    const isThere = readFully(file, last, at) === last.length
    const footer = isThere ? decodeFooter(last, identity) : undefined
    const stated = header?.filterOffset ?? (footer && TABLE_HEADER_BYTES + footer.dataBytes)
    if (stated === undefined) return { end: this.#size, top: undefined }
    if (stated > this.#size) {
      const sizes = { expected: stated, actual: this.#size }
      this.#log.lost(
        corruption(name, this.#size, 'the file is cut off', sizes),
        stated - this.#size,
      )
    }
    const top = footer && { offset: footer.topOffset, bytes: footer.topBytes }
    return { end: Math.min(stated, this.#size), top }
  }

  /** The data blocks that verified parts of the index name, in the order of the file. */
  #indexed(top: BlockHandle | undefined): IndexedBlock[] {
    if (top === undefined) return []
    const partitions = this.#attempt(() => this.#reader.partitions(top)) ?? []
    const blocks = partitions.flatMap((one) => this.#attempt(() => this.#reader.blocks(one)) ?? [])
    return blocks.sort((left, right) => left.offset - right.offset)
  }

  /** Searches what lies between two blocks, but for the values of the second, and tells what is lost of it. */
  *#gap(
    gap: Stretch,
    entries: readonly BlockEntry[],
  ): Generator<readonly BlockEntry[], void, void> {
    const known = valuesOf(entries)
    const covered = [...known]
    for (const { from, to } of without(gap, known)) {
      for (const found of this.#search.find(from, to)) {
        if (found === undefined) {
          yield []
          continue
        }
        covered.push({ from: found.offset, to: found.offset + found.bytes })
        covered.push(...valuesOf(found.entries))
        yield* this.#keep(found.entries)
      }
    }
    for (const { from, to } of without(gap, covered)) {
      this.#log.lost(corruption(this.#table.name, from, `${to - from} bytes are lost`), to - from)
    }
  }

  /** Hands entries out, without those whose large values do not verify. */
  *#keep(entries: readonly BlockEntry[]): Generator<readonly BlockEntry[], void, void> {
    const kept: BlockEntry[] = []
    for (const entry of entries) {
      if (entry.kind !== BlockEntryKind.chunks || (yield* this.#hasValue(entry))) kept.push(entry)
    }
    yield kept
  }

  *#hasValue({ value }: BlockEntry): Generator<readonly BlockEntry[], boolean, void> {
    const { file, name, identity } = this.#table
    const { offset, length } = decodeReference(value)
    try {
      for (const _ of verifyChunks(file, name, offset, identity, length)) yield []
      return true
    } catch (error) {
      if (!(error instanceof SedgeError)) throw error
      this.#log.lost(error, chunkedBytes(length), offset)
      return false
    }
  }

  /** What `action` returns, `undefined` when it met damage. */
  #attempt<T>(action: () => T): T | undefined {
    try {
      return action()
    } catch (error) {
      const isDamage =
        error instanceof SedgeError && (error.code === 'CORRUPTION' || error.code === 'FORMAT')
      if (isDamage) return undefined
      throw error
    }
  }
}

/** Where the large values of entries lie. */
function valuesOf(entries: readonly BlockEntry[]): Stretch[] {
  return entries
    .filter(({ kind }) => kind === BlockEntryKind.chunks)
    .map(({ value }) => {
      const { offset, length } = decodeReference(value)
      return { from: offset, to: offset + chunkedBytes(length) }
    })
}

/** What is left of `whole` when `parts` are taken away, in order. */
function without(whole: Stretch, parts: readonly Stretch[]): Stretch[] {
  const left: Stretch[] = []
  let position = whole.from
  for (const { from, to } of [...parts].sort((a, b) => a.from - b.from)) {
    if (from > position) left.push({ from: position, to: Math.min(from, whole.to) })
    position = Math.max(position, to)
    if (position >= whole.to) break
  }
  if (position < whole.to) left.push({ from: position, to: whole.to })
  return left.filter((one) => one.to > one.from)
}
