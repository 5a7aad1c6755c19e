/**
 * Memtables and tables in memory, without files: segments filled from plain entries, tables built by the kernel's own job,
 * and a source that answers the kernel's questions from byte arrays.
 */
import { SedgeError } from '../../src/errors.ts'
import type { Address } from '../../src/kernel/exports.ts'
import type { Kernel, Need } from '../../src/kernel/kernel.ts'
import { Memtable } from '../../src/kernel/memtable.ts'
import { TableHandle } from '../../src/kernel/table-handle.ts'
import {
  Codec,
  type FinishedTable,
  TableJob,
  type TableJobOptions,
} from '../../src/kernel/table-job.ts'
import type { BlockSource, ChunkedValue } from '../../src/kernel/view.ts'
import { CHUNKS, type Entry } from '../reference/entry.ts'
import { join, readNumber } from '../reference/little-endian.ts'
import {
  decodeChunks,
  encodeChunks,
  encodeHeader,
  encodeReference,
  type SegmentHeader,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { tableIdentity } from '../reference/table.ts'
import { HASH_SEED } from './kernel.ts'

export const STORE_ID: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => i)
const FOOTER_BYTES = 32

export interface MemoryTable {
  readonly handle: TableHandle
  readonly file: Uint8Array
  readonly finished: FinishedTable
}

export interface JobOutcome {
  readonly tables: MemoryTable[]
  readonly dropped: number
}

export interface JobSetup {
  readonly memtables?: readonly Memtable[]
  /** Each list is disjoint and in key order. */
  readonly lists?: readonly (readonly MemoryTable[])[]
  readonly options?: Partial<TableJobOptions>
  readonly codec?: number
  readonly bitsPerKey?: number
  /** Entries of a step. */
  readonly step?: number
  readonly compress?: (content: Uint8Array) => Uint8Array
}

/** Fills a memtable with entries in the order given; each frame gets `frame` of them. Values must be inline ones. */
export function fillMemtable(
  kernel: Kernel,
  memtable: Memtable,
  entries: readonly Entry[],
  baseTimestamp: number,
  frame = 16,
): void {
  for (const [i, entry] of entries.entries()) {
    appendEntry(kernel, memtable, entry, baseTimestamp)
    if (i % frame === frame - 1) memtable.sealFrame(undefined, 0)
  }
  memtable.sealFrame(undefined, 0)
}

/** Appends an entry and leaves its frame open. */
export function appendEntry(
  kernel: Kernel,
  memtable: Memtable,
  { key, kind, value, sequence, timestamp }: Entry,
  baseTimestamp: number,
): void {
  const at = kernel.scratch(key.length + value.length + 8)
  kernel.memory.bytes.set(key, at)
  kernel.memory.bytes.set(value, at + key.length)
  const delta = timestamp - baseTimestamp
  memtable.append(kind, at, key.length, at + key.length, value.length, sequence, delta)
}

export class MemoryTables implements BlockSource {
  readonly kernel: Kernel
  readonly tables: Map<Address, MemoryTable> = new Map()
  /** Value files by the memtable that refers to them. */
  readonly #valueFiles = new Map<Address, { file: Uint8Array; identity: bigint }>()
  /** Number of the next memtable or table. */
  nextNumber = 1
  /** Blocks that were asked for so far. */
  reads = 0
  /** Runs of bytes that were asked for so far. */
  readonly runs: { readonly address: Address; readonly offset: number; readonly bytes: number }[] =
    []
  /** Undoes the codec of `JobSetup.compress`. */
  decompress: ((payload: Uint8Array) => Uint8Array) | undefined

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  /** A memtable that holds the entries, in the order of their sequences; those of kind CHUNKS hold the whole value. */
  memtable(entries: readonly Entry[], baseTimestamp = 0): Memtable {
    const ordered = [...entries].sort((left, right) => left.sequence - right.sequence)
    const room = ordered.reduce((sum, { key, value }) => sum + 56 + key.length + value.length, 4096)
    const memtable = new Memtable(this.kernel, room)
    const firstSequence = ordered[0]?.sequence ?? 1
    const number = this.nextNumber++
    const header: SegmentHeader = {
      ...{ storeId: STORE_ID, number, previous: 0, epoch: 1 },
      ...{ firstSequence, baseTimestamp },
    }
    const identity = segmentIdentity(header)
    memtable.bind(number, identity, HASH_SEED, firstSequence, baseTimestamp)
    memtable.load(encodeHeader(header), 0)
    let file: Uint8Array = new Uint8Array(0)
    const stored = ordered.map((entry) => {
      if (entry.kind !== CHUNKS) return entry
      const value = encodeReference(entry.value.length, file.length)
      file = join(file, encodeChunks(entry.value, identity, file.length))
      return { ...entry, value }
    })
    fillMemtable(this.kernel, memtable, stored, baseTimestamp)
    this.#valueFiles.set(memtable.address, { file, identity })
    return memtable
  }

  /** The tables that a flush of these entries makes: all of them survive. */
  build(entries: readonly Entry[], setup: JobSetup = {}, baseTimestamp = 0): MemoryTable[] {
    const memtable = this.memtable(entries, baseTimestamp)
    while (memtable.sortStep());
    const snapshots = [...new Set(entries.map(({ sequence }) => sequence))].sort((a, b) => a - b)
    const options = { snapshots, ...setup.options }
    const { tables } = this.run({ ...setup, memtables: [memtable], options })
    this.#valueFiles.delete(memtable.address)
    memtable.free()
    return tables
  }

  /** Runs a job to its end. */
  run(setup: JobSetup): JobOutcome {
    const job = new TableJob(this.kernel, this, {
      snapshots: [],
      dropTombstones: false,
      tableBytes: 2 ** 40,
      tables: 1,
      ...setup.options,
    })
    try {
      for (const memtable of setup.memtables ?? []) job.addMemtable(memtable)
      for (const list of setup.lists ?? []) job.addTables(list.map(({ handle }) => handle))
      return { tables: this.#drive(job, setup), dropped: job.dropped }
    } finally {
      job.free()
    }
  }

  #drive(job: TableJob, setup: JobSetup): MemoryTable[] {
    const made: MemoryTable[] = []
    let parts: Uint8Array[] = []
    let number = 0
    const begin = (): void => {
      number = this.nextNumber++
      const identity = tableIdentity(STORE_ID, number)
      job.startTable(number, identity, setup.codec ?? 0, setup.bitsPerKey ?? 10)
      parts = []
    }
    const drain = (): void => job.drain((bytes, position) => this.#append(parts, bytes, position))
    begin()
    job.start()
    for (;;) {
      const outcome = job.step(setup.step ?? 1000)
      if (outcome === 'done') return made
      if (outcome === 'output') drain()
      if (outcome === 'compress') job.compress(setup.compress ?? ((content) => content))
      if (outcome === 'value') {
        const value = this.value(job.value())
        drain()
        const offset = job.end
        const chunks = encodeChunks(value, tableIdentity(STORE_ID, number), offset)
        for (let at = 0; at < chunks.length; at += 50_000) {
          job.foreign(chunks.subarray(at, at + 50_000))
        }
        this.#append(parts, chunks, offset)
        job.valueAt(offset)
      }
      if (outcome === 'table') {
        drain()
        const finished = job.finishTable()
        made.push(this.#finish(number, finished, join(finished.header, ...parts)))
        begin()
      }
    }
  }

  #append(parts: Uint8Array[], bytes: Uint8Array, position: number): void {
    const end = parts.reduce((sum, part) => sum + part.length, 72)
    if (position !== end) throw new Error(`${position} does not follow ${end}`)
    parts.push(bytes.slice())
  }

  #finish(number: number, finished: FinishedTable, file: Uint8Array): MemoryTable {
    const { smallest, largest } = finished
    return this.open({ number, smallest, largest }, file, finished)
  }

  /** Makes a file known to the kernel. */
  open(
    table: { number: number; smallest: Uint8Array; largest: Uint8Array },
    file: Uint8Array,
    finished: FinishedTable,
  ): MemoryTable {
    const identity = tableIdentity(STORE_ID, table.number)
    const handle = new TableHandle(this.kernel, { ...table, identity })
    const opened = { handle, file, finished }
    this.tables.set(handle.address, opened)
    return opened
  }

  free(table: MemoryTable): void {
    this.tables.delete(table.handle.address)
    table.handle.free()
  }

  /** The whole value that a reference stands for. */
  value(chunked: ChunkedValue): Uint8Array {
    const { source, offset, length, inMemtable } = chunked
    if (inMemtable) {
      const { file, identity } = this.#valueFiles.get(source)!
      return decodeChunks(file, identity, offset, length)
    }
    const { file, handle } = this.tables.get(source)!
    return decodeChunks(file, tableIdentity(STORE_ID, handle.number), offset, length)
  }

  provideTable(address: Address): void {
    const { handle, file } = this.tables.get(address)!
    const footer = file.length - FOOTER_BYTES
    const [offset, bytes] = [readNumber(file, footer + 20, 8), readNumber(file, footer + 28, 4)]
    const top = { topOffset: offset, topBytes: bytes, limit: footer }
    handle.setTop({ ...top, bitsPerKey: file[57]!, codec: file[40]! })
  }

  provideRun(address: Address, offset: number, target: Uint8Array): void {
    const { file } = this.tables.get(address)!
    this.runs.push({ address, offset, bytes: target.length })
    target.set(file.subarray(offset, offset + target.length))
  }

  provideBlock(need: Need): void {
    const { handle, file } = this.tables.get(need.table)!
    const { offset, bytes, kind } = need
    this.reads++
    const stored = file.subarray(offset, offset + bytes)
    const isForeign = stored.length > 16 && stored.at(-16) === Codec.ZSTD
    const content = isForeign ? this.decompress?.(stored.subarray(0, -16)) : undefined
    const at = this.kernel.staging(bytes + (content?.length ?? 0) + 8)
    this.kernel.memory.bytes.set(stored, at)
    if (content !== undefined) this.kernel.memory.bytes.set(content, at + bytes)
    const decoded = content === undefined ? 0 : at + bytes
    const outcome = handle.install(offset, kind, at, bytes, decoded)
    if (outcome !== 'installed') this.damaged(need.table, offset, outcome === 'unknown-format')
  }

  damaged(table: Address, offset: number, isUnknown: boolean): never {
    if (isUnknown) throw new SedgeError('FORMAT', 'a block of the future')
    const file = `${this.tables.get(table)?.handle.number}.sst`
    throw new SedgeError('CORRUPTION', 'a damaged block', { file, offset })
  }
}
