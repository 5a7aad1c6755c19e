/** Memtable, blocks and scans through the kernel's door, their twins in TypeScript, and a `Map`. */
import type { Kernel } from '../src/kernel/kernel.ts'
import { type FillRequest, fill } from '../src/kernel/scan.ts'
import { View } from '../src/kernel/view.ts'
import { compareKeys, type Entry, PUT } from '../test/reference/entry.ts'
import { MemtableModel } from '../test/reference/memtable.ts'
import { visible } from '../test/reference/merge.ts'
import { bytesOf, look, NO_TABLES, WHOLE } from '../test/support/entries.ts'
import { createKernel } from '../test/support/kernel.ts'
import { MemoryTables } from '../test/support/memory-tables.ts'
import { BASE_TIMESTAMP, HEADER, newMemtable } from '../test/support/memtables.ts'
import type { Random } from '../test/support/seed.ts'
import { sized } from './settings.ts'
import { compare } from './suite.ts'

const VALUE_BYTES = 100
const NEWEST = 2 ** 53 - 1

export function benchStructures(random: Random): void {
  const entries = entriesOf(random, sized(100_000, 200))
  benchAppend(entries)
  benchFind(entries, random)
  benchBlock(entries, random)
  benchScan(entries)
}

/** Distinct keys of 16 digits in no order. */
function entriesOf(random: Random, count: number): Entry[] {
  const numbers = random.shuffle(Array.from({ length: count }, (_, n) => n))
  return numbers.map((n, i) => ({
    key: bytesOf(String(n).padStart(16, '0')),
    kind: PUT,
    sequence: HEADER.firstSequence + i,
    timestamp: BASE_TIMESTAMP,
    value: random.bytes(VALUE_BYTES),
  }))
}

function bytesFor(entries: readonly Entry[]): number {
  return 4096 + entries.length * (56 + 16 + VALUE_BYTES)
}

function append(kernel: Kernel, entries: readonly Entry[]): ReturnType<typeof newMemtable> {
  const memtable = newMemtable(kernel, bytesFor(entries))
  for (const { kind, key, value, sequence } of entries) {
    const keyBytes = kernel.scratchKey(key, VALUE_BYTES)
    const valueBytes = kernel.scratchValue(value, keyBytes)
    const at = kernel.scratch(0)
    memtable.append(kind, at, keyBytes, at + keyBytes, valueBytes, sequence, 0)
  }
  memtable.sealFrame(undefined, 0)
  return memtable
}

function textOf({ key }: Entry): string {
  return String.fromCharCode(...key)
}

function benchAppend(entries: readonly Entry[]): void {
  const some = entries.slice(0, sized(10_000, 100))
  const texts = some.map(textOf)
  const kernel = createKernel()
  compare(`memtable, appending ${some.length} entries`, some.length, {
    kernel: () => append(kernel, some).free(),
    'Map.set of strings': () => {
      const map = new Map<string, Uint8Array>()
      for (const [i, text] of texts.entries()) map.set(text, some[i]!.value)
      return map
    },
    twin: () => {
      const model = new MemtableModel()
      for (const entry of some) model.append(entry)
      return model
    },
  })
}

function benchFind(entries: readonly Entry[], random: Random): void {
  const kernel = createKernel()
  const view = new View(kernel, NO_TABLES)
  view.set([append(kernel, entries)], [])
  const map = new Map(entries.map((entry) => [textOf(entry), entry.value]))
  const model = new MemtableModel()
  for (const entry of entries) model.append(entry)
  const asked = random.shuffle([...entries]).slice(0, sized(10_000, 100))
  const texts = asked.map(textOf)
  let next = 0
  const turn = (): number => (next = (next + 1) % asked.length)
  compare(`memtable, finding one of ${entries.length} entries`, 1, {
    kernel: () => view.find(kernel.scratchKey(texts[turn()]!), NEWEST),
    'kernel, value copied out': () => {
      view.find(kernel.scratchKey(texts[turn()]!), NEWEST)
      return kernel.take(view.foundAt, view.foundBytes, 'buffer')
    },
    'Map.get of strings': () => map.get(texts[turn()]!),
    twin: () => model.find(asked[turn()]!.key, NEWEST),
  })
}

/** The keys of a block in the cache. */
function benchBlock(entries: readonly Entry[], random: Random): void {
  const kernel = createKernel()
  const tables = new MemoryTables(kernel)
  const sorted = [...entries].sort((left, right) => compareKeys(left.key, right.key)).slice(0, 32)
  const [table] = tables.build(sorted)
  const view = new View(kernel, tables)
  view.set([], [[table!.handle]])
  const asked = random.shuffle([...sorted])
  look(kernel, view, asked[0]!.key, NEWEST)
  let next = 0
  const turn = (): Uint8Array => asked[(next = (next + 1) % asked.length)]!.key
  compare(`table in the cache, finding one of ${sorted.length} entries in a block`, 1, {
    kernel: () => view.find(kernel.scratchKey(turn()), NEWEST),
    'binary search in an array': () => search(sorted, turn()),
  })
}

function search(sorted: readonly Entry[], key: Uint8Array): Entry | undefined {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(sorted[middle]!.key, key) < 0) low = middle + 1
    else high = middle
  }
  return sorted[low]
}

function benchScan(entries: readonly Entry[]): void {
  const kernel = createKernel(64 << 20)
  const tables = new MemoryTables(kernel)
  const half = Math.floor(entries.length / 2)
  const built = tables.build(entries.slice(0, half))
  const memtable = append(kernel, entries.slice(half))
  while (memtable.sortStep());
  new View(kernel, tables).set([memtable], [built.map(({ handle }) => handle)])
  const sorted = [...entries].sort((left, right) => compareKeys(left.key, right.key))
  compare(
    `scan of ${entries.length} entries, half in a memtable, half in a table`,
    entries.length,
    {
      kernel: () => scan(kernel, tables),
      'twin, sorted before': () => visible(sorted, NEWEST),
    },
  )
}

function scan(kernel: Kernel, tables: MemoryTables): number {
  let count = 0
  let request: FillRequest = WHOLE
  for (;;) {
    const batch = fill(kernel, tables, request)
    count += batch.count
    if (batch.resume === undefined) return count
    request = { ...request, start: batch.resume, startInclusive: false }
  }
}
