/**
 * Compaction: tables of two neighbouring levels become tables of the lower one. Streams: memory is bounded by the
 * number of inputs, not by their size.
 */
import type { FileSystem } from '../env/file-system.ts'
import { runtimeZstd } from '../env/zstd.ts'
import { SedgeError } from '../errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type TableDescription, TableFiles } from '../table/table-files.ts'
import { tableFileName } from '../version/file-names.ts'
import { borrowKernel, returnKernel } from './job-kernel.ts'
import { codecOf, type Output, TableOutput } from './table-output.ts'

/** Can be cloned to another thread. */
export interface CompactionJob {
  readonly type: 'compact'
  readonly priority: 'middle' | 'low'
  readonly directory: string
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  /** Each list is one sorted source: tables that do not overlap, in key order. */
  readonly inputs: readonly (readonly TableDescription[])[]
  readonly outputLevel: number
  readonly snapshots: readonly number[]
  readonly dropTombstones: boolean
  readonly tableBytes: number
  readonly tableNumbers: readonly number[]
  readonly compression: 'none' | 'lz4' | 'zstd'
  readonly bitsPerKey: number
}

/** Inputs are read in order, so a few open files for each source would do; more only saves re-opening. */
const FILES_MAX = 64

/** Throws `CORRUPTION` for a damaged input; then nothing is left behind and the inputs stay as they are. */
export function* runCompaction(fs: FileSystem, job: CompactionJob): Generator<void, Output, void> {
  const kernel = borrowKernel(job.hashSeed)
  const zstd = runtimeZstd()
  const files = new TableFiles(kernel, fs, {
    directory: job.directory,
    storeId: job.storeId,
    tableName: tableFileName,
    unzstd: zstd?.decompress,
    filesMax: FILES_MAX,
  })
  try {
    return yield* merge(fs, kernel, files, job)
  } finally {
    for (const list of job.inputs) for (const table of list) files.release(table.number)
    files.close()
    returnKernel(kernel)
  }
}

function* merge(
  fs: FileSystem,
  kernel: Kernel,
  files: TableFiles,
  job: CompactionJob,
): Generator<void, Output, void> {
  // First of all: what cannot be opened for want of memory leaves no job behind.
  const inputs = job.inputs.map((list) => list.map((table) => files.open(table)))
  const output = new TableOutput(
    fs,
    kernel,
    files,
    {
      directory: job.directory,
      storeId: job.storeId,
      level: job.outputLevel,
      numbers: job.tableNumbers,
      codec: codecOf(job.compression),
      bitsPerKey: job.bitsPerKey,
      zstd: runtimeZstd(),
      snapshots: job.snapshots,
      dropTombstones: job.dropTombstones,
      tableBytes: job.tableBytes,
      tables: job.tableNumbers.length,
    },
    (value) => {
      if (value.inMemtable) throw new SedgeError('FAILED', 'a compaction met a memtable')
      files.checkValue(value.source, value.offset, value.length)
      return files.chunkSource(value.source)
    },
  )
  for (const tables of inputs) output.job.addTables(tables)
  return yield* output.run()
}
