/** Memtables that are one segment, and how they are held against their twin. */
import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { Memtable } from '../../src/kernel/memtable.ts'
import { type ChunkedValue, View } from '../../src/kernel/view.ts'
import { DELETE, type Entry } from '../reference/entry.ts'
import {
  encodeHeader,
  encodeReference,
  type SegmentHeader,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { MemtableModel } from '../reference/memtable.ts'
import { look, NO_TABLES, randomEntries, scanAll, WHOLE } from './entries.ts'
import { HASH_SEED } from './kernel.ts'
import { fillMemtable, STORE_ID } from './memory-tables.ts'
import type { Random } from './seed.ts'

export const BASE_TIMESTAMP = 1_700_000_000_000
export const HEADER: SegmentHeader = {
  ...{ storeId: STORE_ID, number: 7, previous: 6, epoch: 2 },
  ...{ firstSequence: 1000, baseTimestamp: BASE_TIMESTAMP },
}

/** A memtable that is the segment of `header`, with the header in its arena. */
export function newMemtable(
  kernel: Kernel,
  capacity: number,
  header: SegmentHeader = HEADER,
): Memtable {
  const memtable = new Memtable(kernel, capacity)
  const { number, firstSequence, baseTimestamp } = header
  memtable.bind(number, segmentIdentity(header), HASH_SEED, firstSequence, baseTimestamp)
  memtable.load(encodeHeader(header), 0)
  return memtable
}

export function appendAll(kernel: Kernel, memtable: Memtable, entries: readonly Entry[]): void {
  fillMemtable(kernel, memtable, entries, BASE_TIMESTAMP)
}

export function viewOf(kernel: Kernel, memtable: Memtable): View {
  const view = new View(kernel, NO_TABLES)
  view.set([memtable], [])
  return view
}

export function entriesOf(random: Random, keys: readonly Uint8Array[], count: number): Entry[] {
  const timestamp = (): number => BASE_TIMESTAMP + random.int(-(2 ** 31), 2 ** 31)
  return randomEntries(random, { keys, count, firstSequence: HEADER.firstSequence, timestamp })
}

/** What a reader of the twin and the kernel must agree on. */
export function found(entry: Entry | undefined): Entry | undefined {
  return entry === undefined || entry.kind === DELETE ? undefined : entry
}

export function expectModel(kernel: Kernel, memtable: Memtable, records: readonly Entry[]): void {
  const view = viewOf(kernel, memtable)
  const model = new MemtableModel()
  for (const record of records) model.append(record)
  for (const { key, sequence } of records) {
    for (const at of [sequence, sequence - 1, 2 ** 53 - 1]) {
      expect(look(kernel, view, key, at)).to.deep.equal(found(model.find(key, at)))
    }
  }
  expectScan(kernel, model)
}

/** The view's scan gives the newest version of every key of the model. */
export function expectScan(kernel: Kernel, model: MemtableModel): void {
  const newest = model
    .sorted()
    .filter((entry, i, all) => i === 0 || all[i - 1]!.key.join() !== entry.key.join())
    .filter(({ kind }) => kind !== DELETE)
  const reference = (chunked: ChunkedValue): Uint8Array =>
    encodeReference(chunked.length, chunked.offset)
  const { keys, values } = scanAll(kernel, NO_TABLES, WHOLE, reference)
  expect(keys).to.deep.equal(newest.map(({ key }) => key))
  expect(values).to.deep.equal(newest.map(({ value }) => value))
}
