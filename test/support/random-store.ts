/**
 * Random stores in memory: entries spread over memtables, tables of level 0 and lists of disjoint tables, newest
 * first, behind one view; and the twin that knows what a reader of it must find.
 */
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Memtable } from '../../src/kernel/memtable.ts'
import { View } from '../../src/kernel/view.ts'
import { CHUNKS, DELETE, type Entry } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { MemtableModel } from '../reference/memtable.ts'
import { visible } from '../reference/merge.ts'
import { bytesOf, type EntryShape, randomEntries, randomKeys } from './entries.ts'
import { type MemoryTable, MemoryTables } from './memory-tables.ts'
import type { Random } from './seed.ts'

/** What entries a store is made of. */
export const STORE_SHAPES: Readonly<Record<string, (random: Random) => EntryShape>> = {
  'many small keys': (random) => ({ keys: randomKeys(random, 300), count: 600 }),
  'few keys with many versions': (random) => ({ keys: randomKeys(random, 6), count: 400 }),
  'versions of a key over many blocks': (random) => ({
    keys: randomKeys(random, 5),
    count: 90,
    value: () => random.bytes(random.int(1000, 5000)),
  }),
  'versions of a key over many index partitions': (random) => ({
    keys: longKeys(random, 4),
    count: 160,
    value: () => random.bytes(random.int(1500, 2500)),
  }),
  'long keys with long common prefixes': (random) => ({
    keys: longKeys(random, 60),
    count: 120,
    value: () => random.bytes(random.int(0, 2500)),
  }),
  'large values': (random) => ({
    keys: randomKeys(random, 30),
    count: 40,
    value: () => random.bytes(random.pick([0, 4095, 9000, 65_535, 65_536, 140_000])),
  }),
}

/** Keys of about 2 KB, of which only 7 or 8 fit an index partition, and which part late. */
function longKeys(random: Random, count: number): Uint8Array[] {
  const stem = random.bytes(2100)
  const keys = new Map<string, Uint8Array>()
  while (keys.size < count) {
    const key = join(stem.subarray(0, random.int(1800, 2100)), random.bytes(random.int(0, 3)))
    keys.set(key.join(), key)
  }
  return [...keys.values()]
}

export interface RandomStore {
  readonly tables: MemoryTables
  readonly view: View
  readonly entries: readonly Entry[]
  readonly keys: readonly Uint8Array[]
  readonly memtables: Memtable[]
  /** As the view has them: level 0 newest first. */
  readonly levels: MemoryTable[][]
  /** What a reader finds; values whole. */
  find(key: Uint8Array, sequence: number): Entry | undefined
  /** What a scan sees, in ascending order; values whole. */
  visible(sequence: number): Entry[]
}

export function randomStore(kernel: Kernel, random: Random, shape: EntryShape): RandomStore {
  const entries = randomEntries(random, shape).map((entry) =>
    entry.value.length < 65_536 ? entry : { ...entry, kind: CHUNKS },
  )
  const tables = new MemoryTables(kernel)
  const memtables: Memtable[] = []
  const levels: MemoryTable[][] = [[]]
  const setup = { codec: random.int(2), bitsPerKey: random.pick([10, 10, 0, 2]) }
  const pieces = cut(random, entries, random.int(1, 7))
  // The oldest piece lies deepest.
  for (const piece of pieces) {
    const place = random.pick(levels.length === 1 && memtables.length === 0 ? [0, 1, 2] : [0, 1])
    if (memtables.length > 0 || place === 0) {
      memtables.unshift(tables.memtable(piece))
    } else if (levels[0]!.length > 0 || place === 1) {
      levels[0]!.unshift(...tables.build(piece, setup))
    } else {
      const options = { tableBytes: random.pick([1, 9000, 40_000]), tables: 9 }
      levels.splice(1, 0, tables.build(piece, { ...setup, options }))
    }
  }
  const view = new View(kernel, tables)
  view.set(
    memtables,
    levels.map((level) => level.map(({ handle }) => handle)),
  )
  const model = new MemtableModel()
  for (const entry of entries) model.append(entry)
  return {
    ...{ tables, view, entries, keys: shape.keys, memtables, levels },
    find: (key, sequence) => {
      const entry = model.find(key, sequence)
      return entry === undefined || entry.kind === DELETE ? undefined : entry
    },
    visible: (sequence) => visible(model.sorted(), sequence),
  }
}

function cut<T>(random: Random, items: readonly T[], count: number): T[][] {
  const ends = Array.from({ length: count - 1 }, () => random.int(items.length))
  const sorted = [0, ...ends.sort((left, right) => left - right), items.length]
  return sorted.slice(1).map((end, i) => items.slice(sorted[i], end))
}

/** Gives everything back. */
export function freeStore(store: RandomStore): void {
  store.view.set([], [])
  for (const memtable of store.memtables) memtable.free()
  for (const table of store.levels.flat()) store.tables.free(table)
}

/** Keys that stand just beside `key`, before, behind and around it. */
export function neighbours(key: Uint8Array): Uint8Array[] {
  const last = key.at(-1)!
  const stem = key.subarray(0, -1)
  const around = [
    join(key, [0]),
    join(key, [255, 255]),
    join(stem, [(last + 1) & 255]),
    join(stem, [(last + 255) & 255, 255]),
    stem,
  ]
  return [...around.filter(({ length }) => length > 0), bytesOf('\0'), new Uint8Array(9).fill(255)]
}
