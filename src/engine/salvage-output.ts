/**
 * What repair saved, on its way into tables: entries of damaged files become small tables in a temporary folder, and these, with the
 * sound tables of the source, are merged into the tables of the new store. Memory is bounded by a batch and by one block of each input.
 *
 *     entries ─► batch, sorted ─► memtable ─► temporary table ─┐
 *     sound tables of the source ──────────────────────────────┴─► merge, newest sequence wins ─► tables
 */
import { codecOf, type Output, TableOutput, type ValueSource } from '../compaction/table-output.ts'
import type { Environment } from '../env/environment.ts'
import { runtimeZstd } from '../env/zstd.ts'
import { SedgeError } from '../errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import {
  ENTRY_CHARGE,
  FRAME_HEADER_BYTES,
  Memtable,
  SEGMENT_HEADER_BYTES,
} from '../kernel/memtable.ts'
import type { BlockSource } from '../kernel/view.ts'
import type { BlockEntry } from '../table/block-decoder.ts'
import { type TableDescription, TableFiles } from '../table/table-files.ts'
import { compareBytes } from '../util/bytes.ts'
import { tableFileName } from '../version/file-names.ts'
import type { TableMeta } from '../version/table-meta.ts'
import type { Pacer } from './pacer.ts'

/** Of keys, values and their overhead; a batch becomes one table, or a few. */
const BATCH_BYTES_MAX = 8 * 1024 * 1024
const BATCH_ENTRY_BYTES = 128
/** Records hold their distance from the first in 32 bits, the timestamp's signed (LOG-4). */
const SEQUENCE_SPAN_MAX = 0xffffffff
const TIMESTAMP_SPAN_MAX = 0x7fffffff
const OUTPUT_TABLE_BYTES = 32 * 1024 * 1024
const OUTPUT_BITS_PER_KEY = 10
const OPEN_FILES_MAX = 64

export interface SalvageParts {
  readonly env: Environment
  readonly kernel: Kernel
  readonly hashSeed: bigint
  readonly pacer: Pacer
}

/** A folder of tables of one store id. */
export interface TableFolder {
  readonly directory: string
  readonly storeId: Uint8Array
  readonly tables: readonly TableDescription[]
}

/** Makes temporary tables of entries in any order. Call protocol: add* finish. */
export class SalvagedEntries {
  readonly #parts: SalvageParts
  readonly #directory: string
  readonly #storeId: Uint8Array
  readonly #tables: TableMeta[] = []
  #batch: BlockEntry[] = []
  #batchBytes = 0
  #source: ValueSource | undefined
  /** The highest sequence seen. */
  lastSequence = 0

  constructor(parts: SalvageParts, directory: string, storeId: Uint8Array) {
    this.#parts = parts
    this.#directory = directory
    this.#storeId = storeId
  }

  /** Takes entries over, whose large values lie in `source`, open until the next `flush`. */
  async add(entries: readonly BlockEntry[], source: ValueSource | undefined): Promise<void> {
    this.#source = source
    for (const entry of entries) {
      this.#batch.push(entry)
      this.#batchBytes += entry.key.length + entry.value.length + BATCH_ENTRY_BYTES
      this.lastSequence = Math.max(this.lastSequence, entry.sequence)
      if (this.#batchBytes > BATCH_BYTES_MAX) await this.flush()
    }
  }

  /** Writes what has been added; to be called before another source comes. */
  async flush(): Promise<void> {
    const batch = this.#batch.sort((left, right) => left.sequence - right.sequence)
    this.#batch = []
    this.#batchBytes = 0
    let group: BlockEntry[] = []
    for (const entry of batch) {
      if (group.length > 0 && !fitsIn(group[0]!, entry)) {
        await this.#write(group)
        group = []
      }
      group.push(entry)
    }
    if (group.length > 0) await this.#write(group)
  }

  async finish(): Promise<TableFolder> {
    await this.flush()
    const [directory, storeId] = [this.#directory, this.#storeId]
    return { directory, storeId, tables: this.#tables }
  }

  async #write(group: readonly BlockEntry[]): Promise<void> {
    const { kernel, pacer } = this.#parts
    const memtable = this.#memtable(group)
    try {
      while (memtable.sortStepForJob()) await pacer.breathe()
      const output = this.#output(memtable)
      this.#tables.push(...(await pacer.run(output.run())).tables)
    } finally {
      if (!kernel.trapped) memtable.free()
    }
  }

  #memtable(group: readonly BlockEntry[]): Memtable {
    const { kernel, hashSeed } = this.#parts
    let capacity = SEGMENT_HEADER_BYTES + 2 * FRAME_HEADER_BYTES
    for (const { key, value } of group) capacity += ENTRY_CHARGE + key.length + value.length
    const memtable = new Memtable(kernel, capacity)
    try {
      const first = group[0]!
      memtable.bind(1, 0n, hashSeed, first.sequence, first.timestamp)
      for (const { key, value, kind, sequence, timestamp } of group) {
        const at = kernel.scratch(key.length + value.length)
        kernel.memory.bytes.set(key, at)
        kernel.memory.bytes.set(value, at + key.length)
        const [valueAt, delta] = [at + key.length, timestamp - first.timestamp]
        memtable.append(kind, at, key.length, valueAt, value.length, sequence, delta)
      }
      memtable.sealFrame(undefined, 0)
      return memtable
    } catch (error) {
      if (!kernel.trapped) memtable.free()
      throw error
    }
  }

  #output(memtable: Memtable): TableOutput {
    const { env, kernel } = this.#parts
    const output = new TableOutput(
      env.fs,
      kernel,
      NO_BLOCKS,
      {
        ...{ directory: this.#directory, storeId: this.#storeId, level: 0 },
        ...{ numbers: [this.#tables.length + 1], codec: codecOf('none'), bitsPerKey: 0 },
        ...{ zstd: undefined, snapshots: [], dropTombstones: false },
        ...{ tableBytes: Number.MAX_SAFE_INTEGER, tables: 1 },
      },
      () => {
        if (this.#source === undefined) throw new SedgeError('FAILED', 'a value without a file')
        return this.#source
      },
    )
    output.job.addMemtable(memtable)
    return output
  }
}

function fitsIn(first: BlockEntry, entry: BlockEntry): boolean {
  return (
    entry.sequence - first.sequence <= SEQUENCE_SPAN_MAX &&
    Math.abs(entry.timestamp - first.timestamp) <= TIMESTAMP_SPAN_MAX
  )
}

/** A memtable has no blocks to ask for. */
const NO_BLOCKS: BlockSource = {
  provideBlock: unexpected,
  provideRun: unexpected,
  provideTable: unexpected,
  damaged: unexpected,
}

function unexpected(): never {
  throw new SedgeError('FAILED', 'a memtable asked for a table')
}

/** Where the tables of a merge go. */
export interface MergeTarget {
  readonly directory: string
  readonly storeId: Uint8Array
  readonly level: number
}

/** Merges everything into tables that do not overlap, in which each key has one entry and no tombstone is left. */
export async function mergeTables(
  parts: SalvageParts,
  folders: readonly TableFolder[],
  target: MergeTarget,
): Promise<Output> {
  const { env, kernel, pacer } = parts
  const opened = folders.map((folder) => ({ ...folder, files: openFolder(parts, folder) }))
  const sources = new Sources()
  let bytes = 0
  for (const { tables } of folders) for (const { size } of tables) bytes += size
  const count = Math.ceil((2 * bytes) / OUTPUT_TABLE_BYTES) + 1
  const output = new TableOutput(
    env.fs,
    kernel,
    sources,
    {
      ...target,
      numbers: Array.from({ length: count }, (_, index) => index + 1),
      ...{ codec: codecOf('lz4'), bitsPerKey: OUTPUT_BITS_PER_KEY, zstd: undefined },
      ...{ snapshots: [], dropTombstones: true },
      ...{ tableBytes: OUTPUT_TABLE_BYTES, tables: count },
    },
    ({ source, offset, length }) => {
      const files = sources.filesOf(source)
      files.checkValue(source, offset, length)
      return files.chunkSource(source)
    },
  )
  try {
    for (const { tables, files } of opened) {
      for (const list of disjointLists(tables)) {
        output.job.addTables(list.map((table) => sources.open(files, table)))
      }
    }
    return await pacer.run(output.run())
  } finally {
    for (const { files } of opened) files.close()
  }
}

function openFolder({ env, kernel }: SalvageParts, folder: TableFolder): TableFiles {
  return new TableFiles(kernel, env.fs, {
    directory: folder.directory,
    storeId: folder.storeId,
    tableName: tableFileName,
    unzstd: runtimeZstd()?.decompress,
    filesMax: OPEN_FILES_MAX,
  })
}

type TableAddress = Parameters<TableFiles['provideTable']>[0]

/** The tables of several folders as one source. */
class Sources implements BlockSource {
  readonly #files = new Map<TableAddress, TableFiles>()

  open(files: TableFiles, table: TableDescription): ReturnType<TableFiles['open']> {
    const handle = files.open(table)
    this.#files.set(handle.address, files)
    return handle
  }

  filesOf(address: TableAddress): TableFiles {
    const files = this.#files.get(address)
    if (files === undefined) throw new SedgeError('FAILED', 'the kernel asked for an unknown table')
    return files
  }

  provideBlock(need: Parameters<TableFiles['provideBlock']>[0]): void {
    this.filesOf(need.table).provideBlock(need)
  }

  provideRun(table: TableAddress, offset: number, target: Uint8Array): void {
    this.filesOf(table).provideRun(table, offset, target)
  }

  provideTable(table: TableAddress): void {
    this.filesOf(table).provideTable(table)
  }

  damaged(table: TableAddress, offset: number, isUnknown: boolean): never {
    return this.filesOf(table).damaged(table, offset, isUnknown)
  }
}

/** Tables as few lists as possible, each in key order and without overlaps. */
export function disjointLists(tables: readonly TableDescription[]): TableDescription[][] {
  const lists: TableDescription[][] = []
  const sorted = [...tables].sort((left, right) => compareBytes(left.smallest, right.smallest))
  for (const table of sorted) {
    const list = lists.find((one) => compareBytes(one.at(-1)!.largest, table.smallest) < 0)
    if (list === undefined) lists.push([table])
    else list.push(table)
  }
  return lists
}
