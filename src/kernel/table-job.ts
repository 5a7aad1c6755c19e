/**
 * The kernel's half of a flush or compaction: merges sorted inputs, decides what survives, and builds tables.
 *
 * Call protocol: new (addMemtable | addTables)* startTable start (step answer)* free. Each step says what it wants next.
 */
import { assert } from '../util/assert.ts'
import { type Address, Result, Status } from './exports.ts'
import { halves, type Kernel, outOfMemory } from './kernel.ts'
import type { Memtable } from './memtable.ts'
import type { TableHandle } from './table-handle.ts'
import { type BlockSource, type ChunkedValue, provide } from './view.ts'

export const Codec = { NONE: 0, LZ4: 1, ZSTD: 2 } as const

export const TABLE_HEADER_BYTES = 72

export interface TableJobOptions {
  /** Live sequences, ascending. */
  readonly snapshots: readonly number[]
  /** True when nothing older lies below any input. */
  readonly dropTombstones: boolean
  /** File bytes after which the next key begins a new table. */
  readonly tableBytes: number
  /** Most tables; the last one takes the rest. */
  readonly tables: number
}

export interface FinishedTable {
  readonly header: Uint8Array
  readonly size: number
  readonly entries: number
  readonly tombstones: number
  readonly minSequence: number
  readonly maxSequence: number
  /** Bytes of keys and inline values. */
  readonly rawBytes: number
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
  readonly checksum: bigint
  /** Entries that are here only because a live sequence sees them, in all tables of the job so far. */
  readonly shadowed: number
}

/** What a step asks for. */
export type StepOutcome = 'more' | 'output' | 'value' | 'compress' | 'table' | 'done'

export class TableJob {
  readonly #kernel: Kernel
  readonly #source: BlockSource
  /** How many of the pending tables each list has. */
  readonly #lists: number[] = []
  readonly #pending: Address[] = []

  constructor(kernel: Kernel, source: BlockSource, options: TableJobOptions) {
    this.#kernel = kernel
    this.#source = source
    const { snapshots } = options
    const at = kernel.staging(snapshots.length * 8 + 8)
    const memory = kernel.memory.bytes
    for (const [i, sequence] of snapshots.entries()) memory.writeDoubleLE(sequence, at + i * 8)
    const { dropTombstones, tableBytes, tables } = options
    const drop = dropTombstones ? 1 : 0
    const status = kernel.exports.jobBegin(at, snapshots.length, drop, tableBytes, tables)
    if (status !== Status.OK) this.free()
    kernel.must(status)
  }

  /** Every record of a memtable. Requires that it has been sorted to the end. */
  addMemtable(memtable: Memtable): void {
    assert(memtable.unsorted === 0, 'a job over a memtable that is not sorted')
    this.#kernel.must(this.#kernel.exports.jobAddMemtable(memtable.address))
  }

  /** Disjoint tables in key order, as one source. */
  addTables(tables: readonly TableHandle[]): void {
    this.#lists.push(tables.length)
    this.#pending.push(...tables.map((table) => table.address))
  }

  /** Begins to merge. The lists of tables lie in the staging of the job from here on. */
  start(): void {
    const at = this.#kernel.exports.jobLists(this.#pending.length * 4 + 4) >>> 0
    if (at === 0) throw outOfMemory()
    const memory = this.#kernel.memory.bytes
    for (const [i, table] of this.#pending.entries()) memory.writeUInt32LE(table, at + i * 4)
    let offset = at
    for (const count of this.#lists) {
      this.#kernel.must(this.#kernel.exports.jobAddTables(offset, count))
      offset += count * 4
    }
  }

  /** Begins the table that the next steps build. */
  startTable(number: number, identity: bigint, codec: number, bitsPerKey: number): void {
    const [low, high] = halves(identity)
    this.#kernel.exports.jobTable(number, low, high, codec, bitsPerKey)
  }

  /** Merges at most `entries` entries. Missing blocks are read on the way. */
  step(entries: number): StepOutcome {
    for (;;) {
      const status = this.#kernel.exports.jobStep(entries)
      if (status === Status.MORE) return 'more'
      if (status === Status.OUTPUT) return 'output'
      if (status === Status.VALUE) return 'value'
      if (status === Status.COMPRESS) return 'compress'
      if (status === Status.TABLE_DONE) return 'table'
      if (status === Status.DONE) return 'done'
      provide(this.#kernel, this.#source, status)
    }
  }

  /** Hands what has been put out, and its place in the file, to `write`, then forgets it. */
  drain(write: (bytes: Uint8Array, position: number) => void): void {
    this.#kernel.exports.jobOutput()
    const r = this.#kernel.memory.results
    const length = r[Result.BYTES] as number
    if (length === 0) return
    write(this.#kernel.memory.view(r[Result.ADDRESS] as number, length), r[Result.OFFSET] as number)
    this.#kernel.exports.jobDrained()
  }

  /** Offset in the file behind everything put out so far. */
  get end(): number {
    return this.#kernel.exports.jobEndOffset()
  }

  /** The value that a `value` outcome wants copied. To be asked first: any other call makes it forgotten. */
  value(): ChunkedValue {
    const r = this.#kernel.memory.results
    const where = r[Result.TABLE] as number
    return {
      length: r[Result.BYTES] as number,
      offset: r[Result.OFFSET] as number,
      source: ((where & ~1) >>> 0) as Address,
      inMemtable: (where & 1) === 1,
    }
  }

  /** Bytes that the caller wrote behind the drained output: part of a value's chunks. */
  foreign(bytes: Uint8Array): void {
    const at = this.#kernel.staging(bytes.length)
    this.#kernel.memory.bytes.set(bytes, at)
    this.#kernel.exports.jobForeign(at, bytes.length)
  }

  /** The chunks of the value now begin at `offset` of the table. */
  valueAt(offset: number): void {
    this.#kernel.exports.jobValueAt(offset)
  }

  /** Compresses the waiting block with `compress`; what is empty or saves too little is not used [TBL-4]. */
  compress(compress: (content: Uint8Array) => Uint8Array): void {
    this.#kernel.exports.jobContent()
    const r = this.#kernel.memory.results
    const content = this.#kernel.memory.view(r[Result.ADDRESS] as number, r[Result.BYTES] as number)
    const packed = compress(content)
    const at = this.#kernel.staging(packed.length)
    this.#kernel.memory.bytes.set(packed, at)
    this.#kernel.must(this.#kernel.exports.jobCompressed(at, packed.length))
  }

  /** Ends a table whose output is drained. */
  finishTable(): FinishedTable {
    const at = this.#kernel.staging(TABLE_HEADER_BYTES)
    this.#kernel.exports.jobHeader(at)
    const { memory } = this.#kernel
    const r = Array.from(memory.results) as [number, ...number[]]
    const word = (i: number): number => r[i] as number
    return {
      header: memory.copy(at, TABLE_HEADER_BYTES),
      size: word(0),
      entries: word(1),
      tombstones: word(2),
      minSequence: word(3),
      maxSequence: word(4),
      rawBytes: word(5),
      smallest: memory.copy(word(6), word(7)),
      largest: memory.copy(word(8), word(9)),
      checksum: BigInt(word(10)) | (BigInt(word(11)) << 32n),
      shadowed: word(12),
    }
  }

  /** Entries that did not survive so far. */
  get dropped(): number {
    return this.#kernel.exports.jobDropped()
  }

  free(): void {
    if (!this.#kernel.trapped) this.#kernel.exports.jobEnd()
  }
}
