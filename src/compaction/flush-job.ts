/**
 * Flush: a sealed log segment becomes a table of level 0. It reads the segment from its file, as recovery does, so that
 * every flush proves that the log can be read back.
 */
import { closeQuietly, ioError } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Memtable } from '../kernel/memtable.ts'
import { Codec } from '../kernel/table-job.ts'
import type { BlockSource } from '../kernel/view.ts'
import { type ReadSegment, readSegmentInSteps } from '../log/segment-reader.ts'
import { logFileName, valueFileName } from '../version/file-names.ts'
import { borrowKernel, returnKernel } from './job-kernel.ts'
import { type Output, TableOutput } from './table-output.ts'

/** Can be cloned to another thread. */
export interface FlushJob {
  readonly type: 'flush'
  readonly priority: 'high'
  readonly directory: string
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  readonly segment: number
  /** Bytes of the segment that count. */
  readonly length: number
  readonly snapshots: readonly number[]
  readonly tableNumber: number
  readonly bitsPerKey: number
}

/** A memtable has no blocks to ask for. */
const NO_BLOCKS: BlockSource = {
  provideBlock: () => {
    throw new SedgeError('FAILED', 'a flush asked for a block')
  },
  provideRun: () => {
    throw new SedgeError('FAILED', 'a flush asked for blocks')
  },
  provideTable: () => {
    throw new SedgeError('FAILED', 'a flush asked for a table')
  },
  damaged: () => {
    throw new SedgeError('FAILED', 'a flush met a table')
  },
}

/** Throws `CORRUPTION` when the segment does not read back whole; nothing is left behind then. */
export function* runFlush(fs: FileSystem, job: FlushJob): Generator<void, Output, void> {
  const kernel = borrowKernel(job.hashSeed)
  try {
    const segment = yield* readWhole(fs, kernel, job)
    try {
      yield
      while (segment.memtable.sortStepForJob()) yield
      return yield* writeTable(fs, kernel, job, segment.memtable, segment.identity)
    } finally {
      if (!kernel.trapped) segment.memtable.free()
    }
  } finally {
    returnKernel(kernel)
  }
}

function* readWhole(
  fs: FileSystem,
  kernel: Kernel,
  job: FlushJob,
): Generator<void, ReadSegment, void> {
  const name = logFileName(job.segment)
  const { storeId, hashSeed, length } = job
  const path = `${job.directory}/${name}`
  const source = { path, name, storeId, hashSeed, number: job.segment, length, indexed: false }
  let segment: ReadSegment | undefined
  try {
    segment = yield* readSegmentInSteps(kernel, fs, source)
  } catch (error) {
    throw ioError(error, 'cannot read', name)
  }
  if (segment === undefined) throw corruption(name, 0, 'the header does not verify')
  const { replay } = segment
  if (replay.end === length && segment.length === length && !replay.unknownFormat) return segment
  segment.memtable.free()
  throw corruption(name, replay.end, 'the segment does not read back', {
    expected: length,
    actual: segment.length,
  })
}

/**
 * Flushes a memtable of `kernel`, which runs no other job. Used when the segment's file does not read back but the arena
 * that it was written from is still there. Damage of large values, which are in a file only, fails it, or is told to
 * `onDamage` and passed on as damage [ERR-7].
 */
export function* flushMemtable(
  fs: FileSystem,
  kernel: Kernel,
  job: FlushJob,
  memtable: Memtable,
  identity: bigint,
  onDamage?: (error: SedgeError) => void,
): Generator<void, Output, void> {
  // Its owner sorts it as well, between the steps of the job: nothing may be left for that to move.
  while (memtable.sortStep()) yield
  return yield* writeTable(fs, kernel, job, memtable, identity, onDamage)
}

/** Makes the table of a memtable that is sorted, and that nobody sorts on meanwhile. */
function* writeTable(
  fs: FileSystem,
  kernel: Kernel,
  job: FlushJob,
  memtable: Memtable,
  identity: bigint,
  onDamage?: (error: SedgeError) => void,
): Generator<void, Output, void> {
  // Whoever finds the table and no segment shall know that the edit has been made [MAN-22].
  syncNames(fs, job.directory)
  const name = valueFileName(job.segment)
  let values: File | undefined
  const output = new TableOutput(
    fs,
    kernel,
    NO_BLOCKS,
    {
      directory: job.directory,
      storeId: job.storeId,
      level: 0,
      numbers: [job.tableNumber],
      codec: Codec.NONE,
      bitsPerKey: job.bitsPerKey,
      zstd: undefined,
      snapshots: job.snapshots,
      dropTombstones: false,
      tableBytes: Number.MAX_SAFE_INTEGER,
      tables: 1,
    },
    () => ({
      name,
      identity,
      onDamage,
      read: (to, at) => {
        try {
          values ??= fs.open(`${job.directory}/${name}`, 'read')
          return values.read(to, at)
        } catch (error) {
          throw ioError(error, 'cannot read', name)
        }
      },
    }),
  )
  try {
    output.job.addMemtable(memtable)
    return yield* output.run()
  } finally {
    output.job.free()
    closeQuietly(values)
  }
}

function syncNames(fs: FileSystem, directory: string): void {
  try {
    fs.syncDirectory(directory)
  } catch (error) {
    throw ioError(error, 'cannot sync', directory)
  }
}
