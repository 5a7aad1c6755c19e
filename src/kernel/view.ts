/**
 * The view: the memtables and tables that a store consists of right now, point lookups and scans through it. A block
 * that is missing is asked for from the `BlockSource`, synchronously, and the call goes on.
 */
import { type Address, COPY_BYTES_MAX, Find, Result, Status } from './exports.ts'
import { type Kernel, type Need, outOfMemory } from './kernel.ts'
import type { Memtable } from './memtable.ts'
import type { TableHandle } from './table-handle.ts'

/** Reads what the kernel asks for. Throws `CORRUPTION`, `IO`. */
export interface BlockSource {
  /** Reads, verifies and installs a block. */
  provideBlock(need: Need): void
  /** Reads bytes of a table, which the kernel verifies itself. */
  provideRun(table: Address, offset: number, target: Uint8Array): void
  /** Reads and verifies a table's header and footer, and sets its top. */
  provideTable(table: Address): void
  /** A block is damaged, or is what only a later release knows: throws `CORRUPTION` or `FORMAT`. */
  damaged(table: Address, offset: number, isUnknown: boolean): never
}

/** Answers a status that is not an outcome; afterwards the call is made again. */
export function provide(kernel: Kernel, source: BlockSource, status: number): void {
  const need = kernel.need()
  if (status === Status.NEED_BLOCK) source.provideBlock(need)
  else if (status === Status.NEED_TABLE) source.provideTable(need.table)
  else if (status === Status.CORRUPT) source.damaged(need.table, need.offset, false)
  else if (status === Status.UNKNOWN_FORMAT) source.damaged(need.table, need.offset, true)
  else if (status === Status.NEED_RUN) {
    const at = kernel.memory.results[Result.ADDRESS] as number
    source.provideRun(need.table, need.offset, kernel.memory.view(at, need.bytes))
    kernel.exports.jobRun()
  } else if (status === Status.NO_MEMORY) throw outOfMemory()
  else kernel.must(status)
}

/** Where the chunks of a large value are. */
export interface ChunkedValue {
  /** Bytes of the value. */
  readonly length: number
  /** Offset of its first chunk in the value file or table. */
  readonly offset: number
  /** Address of the memtable or table. */
  readonly source: Address
  readonly inMemtable: boolean
}

export class View {
  readonly #kernel: Kernel
  readonly #source: BlockSource

  constructor(kernel: Kernel, source: BlockSource) {
    this.#kernel = kernel
    this.#source = source
  }

  /** Memtables newest first; level 0 newest first, others in key order. Throws `LIMIT` and stays as it was without memory. */
  set(memtables: readonly Memtable[], levels: readonly (readonly TableHandle[])[]): void {
    const { exports } = this.#kernel
    const tableCount = levels.reduce((sum, tables) => sum + tables.length, 0)
    this.#kernel.must(exports.viewBegin(memtables.length, tableCount))
    for (const memtable of memtables) exports.viewMemtable(memtable.address)
    levels.forEach((tables, level) => {
      for (const table of tables) exports.viewTable(table.address, level)
    })
    exports.viewEnd()
  }

  /**
   * Finds the newest version of the key, `keyBytes` bytes at the start of the scratch, that `sequence` sees. True: the
   * `found…` getters describe it until the next call of the kernel. With `Find.COPY` among the `ways`
   * `foundCopy` may be asked for; `Find.NEWEST` says that `sequence` sees everything.
   */
  find(keyBytes: number, sequence: number, ways = 0): boolean {
    const { exports } = this.#kernel
    const key = this.#kernel.scratch(0)
    let status = exports.viewFind(key, keyBytes, sequence, ways)
    while (status > Status.NOT_FOUND) {
      provide(this.#kernel, this.#source, status)
      status = exports.viewFind(key, keyBytes, sequence, ways | Find.AGAIN)
    }
    return status === Status.OK
  }

  get foundAt(): number {
    return this.#kernel.memory.results[Result.ADDRESS] as number
  }

  get foundBytes(): number {
    return this.#kernel.memory.results[Result.BYTES] as number
  }

  /** A view of the found value, until the next call of the kernel. Requires `Find.COPY`. */
  get foundCopy(): Uint8Array {
    const { memory } = this.#kernel
    const bytes = this.foundBytes
    return bytes <= COPY_BYTES_MAX ? memory.small(bytes) : memory.view(this.foundAt, bytes)
  }

  get foundKind(): number {
    return this.#kernel.memory.results[Result.KIND] as number
  }

  get foundSequence(): number {
    return this.#kernel.memory.results[Result.SEQUENCE] as number
  }

  /** Milliseconds since the epoch. */
  get foundTimestamp(): number {
    return this.#kernel.memory.results[Result.TIMESTAMP] as number
  }

  /** Where the chunks of the found value are. Requires kind CHUNKS. */
  foundChunks(): ChunkedValue {
    const r = this.#kernel.memory.results
    const at = r[Result.ADDRESS] as number
    return {
      ...readReference(this.#kernel.memory.bytes, at),
      source: r[Result.TABLE] as Address,
      inMemtable: r[Result.EXTRA_1] === 1,
    }
  }
}

/** Length and offset of a value in chunks. */
export function readReference(
  bytes: { readUIntLE(offset: number, byteLength: number): number },
  at: number,
): { length: number; offset: number } {
  return { length: bytes.readUIntLE(at, 6), offset: bytes.readUIntLE(at + 8, 6) }
}
