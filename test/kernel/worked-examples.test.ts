import { expect } from 'chai'
import { Memtable } from '../../src/kernel/memtable.ts'
import { DELETE, PUT } from '../reference/entry.ts'
import { encodeSegment, type SegmentHeader, segmentIdentity } from '../reference/log-segment.ts'
import { encodeTable } from '../reference/table.ts'
import { bytesOf } from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import { workedExample } from '../support/worked-example.ts'

describe('kernel: worked examples', () => {
  it('of a log segment: the page, the twin and the kernel agree [LOG-1, LOG-2, LOG-4, LOG-5, LOG-8]', () => {
    const page = workedExample('log-format.md')
    const header: SegmentHeader = {
      ...{ storeId: STORE_ID, number: 7, previous: 6, epoch: 2 },
      ...{ firstSequence: 1000, baseTimestamp: 1_700_000_000_000 },
    }
    const records = [
      { key: bytesOf('a'), kind: PUT, sequence: 1000, timestamp: 1_700_000_000_000 },
      { key: bytesOf('b'), kind: DELETE, sequence: 1001, timestamp: 1_700_000_000_001 },
    ].map((record) => ({ ...record, value: bytesOf(record.kind === PUT ? '1' : '') }))
    const frame = { records, synced: undefined, valueBytes: 0 }
    expect(encodeSegment(header, [frame, { ...frame, records: [] }])).to.deep.equal(page)
    const kernel = createKernel()
    const memtable = new Memtable(kernel, 4096)
    memtable.bind(7, segmentIdentity(header), HASH_SEED, 1000, 1_700_000_000_000)
    memtable.load(page.subarray(0, 80), 0)
    const at = kernel.scratch(8)
    kernel.memory.bytes.set(bytesOf('a1b'), at)
    memtable.append(PUT, at, 1, at + 1, 1, 1000, 0)
    memtable.append(DELETE, at + 2, 1, at + 3, 0, 1001, 1)
    memtable.sealFrame(undefined, 0)
    memtable.sealSegment(undefined, 0)
    expect(memtable.bytes(0, memtable.tail)).to.deep.equal(page)
  })

  it('of a table: the page, the twin and the kernel agree [TBL-1, TBL-2, TBL-5, TBL-6, TBL-7, TBL-8]', () => {
    const page = workedExample('table-format.md')
    const entries = [
      { key: bytesOf('apple'), kind: PUT, sequence: 3, value: bytesOf('red') },
      { key: bytesOf('banana'), kind: DELETE, sequence: 2, value: new Uint8Array(0) },
      { key: bytesOf('cherry'), kind: PUT, sequence: 1, value: new Uint8Array(0) },
    ].map((entry) => ({ ...entry, timestamp: 1_700_000_000_000 + entry.sequence }))
    const options = { storeId: STORE_ID, number: 9, hashSeed: 42n, bitsPerKey: 10 }
    expect(encodeTable(entries, options)).to.deep.equal(page)
    const seeded = createKernel(1 << 20, 42n)
    const job = new MemoryTables(seeded)
    job.nextNumber = 8
    const [table] = job.build(entries, {}, 1_700_000_000_000) as [MemoryTable]
    expect(table.file).to.deep.equal(page)
  })
})
