/** Segments and tables as files, written by the twins, and the jobs that make tables of them. */
import type { CompactionJob } from '../../src/compaction/compaction-job.ts'
import type { FlushJob } from '../../src/compaction/flush-job.ts'
import { readFile } from '../../src/env/file-io.ts'
import type { FileSystem } from '../../src/env/file-system.ts'
import type { TableDescription } from '../../src/table/table-files.ts'
import { logFileName, tableFileName, valueFileName } from '../../src/version/file-names.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { CHUNKS, compareEntries, type Entry } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import {
  decodeChunks,
  decodeReference,
  encodeChunks,
  encodeReference,
  encodeSegment,
  type SegmentHeader,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { decodeTable, encodeTable, tableIdentity } from '../reference/table.ts'
import { HASH_SEED } from './kernel.ts'
import { STORE_ID } from './memory-tables.ts'
import { BASE_TIMESTAMP } from './memtables.ts'

const BITS_PER_KEY = 10
const OF_STORE = { storeId: STORE_ID, hashSeed: HASH_SEED, bitsPerKey: BITS_PER_KEY }

export function writeFile(fs: FileSystem, path: string, bytes: Uint8Array): void {
  const file = fs.open(path, 'create')
  for (let at = 0; at < bytes.length; ) at += file.write(bytes.subarray(at), at)
  file.close()
}

/** Writes entries, in the order of their sequences, as a sealed segment; those of kind CHUNKS hold the whole value. */
export function writeSegment(
  fs: FileSystem,
  directory: string,
  number: number,
  entries: readonly Entry[],
): FlushJob {
  const header: SegmentHeader = {
    ...{ storeId: STORE_ID, number, previous: number - 1, epoch: 1 },
    ...{ firstSequence: entries[0]?.sequence ?? 1, baseTimestamp: BASE_TIMESTAMP },
  }
  const identity = segmentIdentity(header)
  let values: Uint8Array = new Uint8Array(0)
  const records = entries.map((entry) => {
    if (entry.kind !== CHUNKS) return entry
    const value = encodeReference(entry.value.length, values.length)
    values = join(values, encodeChunks(entry.value, identity, values.length))
    return { ...entry, value }
  })
  const last = { synced: undefined, valueBytes: values.length }
  const log = encodeSegment(header, [
    { records, ...last },
    { records: [], ...last },
  ])
  writeFile(fs, `${directory}/${logFileName(number)}`, log)
  if (values.length > 0) writeFile(fs, `${directory}/${valueFileName(number)}`, values)
  return {
    ...{ type: 'flush', priority: 'high', directory, segment: number, length: log.length },
    ...{ ...OF_STORE, snapshots: [], tableNumber: number + 100 },
  }
}

/** Writes entries as a table; those of kind CHUNKS hold the whole value. */
export function writeTable(
  fs: FileSystem,
  directory: string,
  number: number,
  entries: readonly Entry[],
): TableDescription {
  const sorted = [...entries].sort(compareEntries)
  const file = encodeTable(sorted, { ...OF_STORE, number }, ({ value }) => value)
  writeFile(fs, `${directory}/${tableFileName(number)}`, file)
  const [smallest, largest] = [sorted[0]!.key, sorted.at(-1)!.key]
  return { number, size: file.length, smallest, largest }
}

/** A compaction into level 1, numbered from 200, that keeps all in one table unless told otherwise. */
export function compactionOf(
  directory: string,
  inputs: CompactionJob['inputs'],
  options: Partial<CompactionJob> = {},
): CompactionJob {
  return {
    ...{ type: 'compact', priority: 'low', directory, inputs, outputLevel: 1 },
    ...{ ...OF_STORE, snapshots: [], dropTombstones: false, compression: 'none' },
    ...{ tableBytes: 2 ** 40, tableNumbers: [200, 201, 202, 203] },
    ...options,
  }
}

/** The entries of a table's file, all of it verified; values in chunks are whole. */
export function entriesOfTable(
  fs: FileSystem,
  directory: string,
  table: Pick<TableMeta, 'number'>,
  hashSeed: bigint = HASH_SEED,
): Entry[] {
  const { number } = table
  const file = readFile(fs, `${directory}/${tableFileName(number)}`)
  const identity = tableIdentity(STORE_ID, number)
  return decodeTable(file, { ...OF_STORE, number, hashSeed }).entries.map((entry) => {
    if (entry.kind !== CHUNKS) return entry
    const { length, offset } = decodeReference(entry.value)
    return { ...entry, value: decodeChunks(file, identity, offset, length) }
  })
}
