/**
 * What the kernel does in the background, beside its twins: sorting a memtable, taking in a segment again, and building
 * tables from memtables and from tables. A plain copy of the same bytes says how far off the speed of memory they are.
 */
import type { Kernel } from '../src/kernel/kernel.ts'
import { Codec } from '../src/kernel/table-job.ts'
import { compareEntries, type Entry, PUT } from '../test/reference/entry.ts'
import { decodeSegment } from '../test/reference/log-segment.ts'
import { merge } from '../test/reference/merge.ts'
import { encodeTable } from '../test/reference/table.ts'
import { bytesOf } from '../test/support/entries.ts'
import { createKernel, HASH_SEED } from '../test/support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../test/support/memory-tables.ts'
import { appendAll, BASE_TIMESTAMP, HEADER, newMemtable } from '../test/support/memtables.ts'
import type { Random } from '../test/support/seed.ts'
import { sized } from './settings.ts'
import { compare } from './suite.ts'

const CACHE_BYTES = 64 << 20
const BITS_PER_KEY = 10

export function benchJobs(random: Random): void {
  const entries = entriesOf(random, sized(10_000, 100))
  benchSort(entries)
  benchReplay(entries)
  benchFlush(entries)
  benchMerge(entries)
}

/** In no order; values of which half compresses away. */
function entriesOf(random: Random, count: number): Entry[] {
  const numbers = random.shuffle(Array.from({ length: count }, (_, n) => n))
  return numbers.map((n, i) => {
    const half = random.bytes(50)
    return {
      key: bytesOf(String(n).padStart(16, '0')),
      kind: PUT,
      sequence: HEADER.firstSequence + i,
      timestamp: BASE_TIMESTAMP,
      value: Uint8Array.from([...half, ...half]),
    }
  })
}

function filled(kernel: Kernel, entries: readonly Entry[]): ReturnType<typeof newMemtable> {
  const memtable = newMemtable(kernel, 4096 + entries.length * 172)
  appendAll(kernel, memtable, entries)
  return memtable
}

function benchSort(entries: readonly Entry[]): void {
  const kernel = createKernel()
  compare(`memtable, ${entries.length} entries appended and sorted`, entries.length, {
    kernel: () => {
      const memtable = filled(kernel, entries)
      while (memtable.sortStep());
      memtable.free()
    },
    'kernel, appended only': () => filled(kernel, entries).free(),
    'twin, sorted only': () => [...entries].sort(compareEntries),
  })
}

function benchReplay(entries: readonly Entry[]): void {
  const kernel = createKernel()
  const memtable = filled(kernel, entries)
  const segment = memtable.bytes(0, memtable.tail).slice()
  memtable.free()
  compare(`segment of ${entries.length} entries, replayed`, entries.length, {
    'kernel, for reads': () => replay(kernel, segment, true),
    'kernel, for a flush': () => replay(kernel, segment, false),
    'a plain copy': () => segment.slice(),
    twin: () => decodeSegment(segment, HEADER),
  })
}

function replay(kernel: Kernel, segment: Uint8Array, isIndexed: boolean): number {
  const memtable = newMemtable(kernel, segment.length + 4096)
  memtable.load(segment, 0)
  const { count } = memtable.replay(segment.length, isIndexed)
  memtable.free()
  return count
}

function benchFlush(entries: readonly Entry[]): void {
  const tables = new MemoryTables(createKernel(CACHE_BYTES))
  const memtable = filled(tables.kernel, entries)
  while (memtable.sortStep());
  const sorted = [...entries].sort(compareEntries)
  const flush = (codec: number): number =>
    freed(tables, tables.run({ memtables: [memtable], codec, bitsPerKey: BITS_PER_KEY }).tables)
  compare(`table built of ${entries.length} sorted entries of a memtable`, entries.length, {
    'kernel, raw': () => flush(Codec.NONE),
    'kernel, LZ4': () => flush(Codec.LZ4),
    'twin, raw': () =>
      encodeTable(sorted, {
        ...{ storeId: STORE_ID, number: 1, hashSeed: HASH_SEED, bitsPerKey: BITS_PER_KEY },
      }),
  })
}

function benchMerge(entries: readonly Entry[]): void {
  const tables = new MemoryTables(createKernel(CACHE_BYTES))
  const parts = [0, 1, 2, 3].map((part) => entries.filter((_, i) => i % 4 === part))
  const lists = parts.map((part) => tables.build(part, { codec: Codec.LZ4 }))
  const files = lists.flat().map(({ file }) => file)
  const sources = parts.map((part) => [...part].sort(compareEntries))
  const run = (codec: number): number => freed(tables, tables.run({ lists, codec }).tables)
  compare(`4 tables of ${entries.length} entries in all, merged into one`, entries.length, {
    'kernel, LZ4 to LZ4': () => run(Codec.LZ4),
    'kernel, LZ4 to raw': () => run(Codec.NONE),
    'a plain copy of the files': () => files.map((file) => file.slice()),
    'twin, merged only': () => merge(sources),
  })
}

/** The bytes of the tables, which are no longer there then. */
function freed(tables: MemoryTables, made: readonly MemoryTable[]): number {
  let bytes = 0
  for (const table of made) {
    bytes += table.file.length
    tables.free(table)
  }
  return bytes
}
