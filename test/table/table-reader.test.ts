import { expect } from 'chai'
import { TableReader } from '../../src/table/table-reader.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { decodeTable, encodeTable, tableIdentity } from '../reference/table.ts'
import { fileOf } from '../support/file-of-bytes.ts'

const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i)
const OPTIONS = { storeId: STORE_ID, number: 9, hashSeed: 42n, bitsPerKey: 10 }
const NAME = '000009.sst'

const ENTRIES: Entry[] = Array.from({ length: 900 }, (_, i) => ({
  key: new TextEncoder().encode(`${'x'.repeat(60)} ${String(i).padStart(4, '0')}`),
  kind: PUT,
  sequence: 1000 - i,
  timestamp: i,
  value: new Uint8Array(1000).fill(i),
}))

function readerOf(bytes: Uint8Array): TableReader {
  const identity = tableIdentity(STORE_ID, OPTIONS.number)
  const file = fileOf(bytes)
  const { number } = OPTIONS
  return new TableReader({
    file,
    name: NAME,
    size: bytes.length,
    number,
    identity,
    unzstd: undefined,
  })
}

describe('table/table-reader', () => {
  let bytes: Uint8Array
  before(async () => {
    await loadChecksums()
    bytes = encodeTable(ENTRIES, OPTIONS)
  })

  it('follows the index to every block that its twin has written [TBL-1, TBL-7]', () => {
    const reader = readerOf(bytes)
    const layout = reader.layout()
    const partitions = reader.partitions({ offset: layout.topOffset, bytes: layout.topBytes })
    expect(partitions.length).to.be.greaterThan(1)
    const blocks = partitions.flatMap((partition) => reader.blocks(partition))
    const entries = blocks.flatMap((block) => reader.entries(block))
    expect(entries.map(({ sequence }) => sequence)).to.deep.equal(ENTRIES.map((e) => e.sequence))
    expect(layout).to.include({ entries: 900, bitsPerKey: 10, dataOffset: 72 })
    const placed = decodeTable(bytes, OPTIONS).blocks.filter(({ kind }) => kind === 'data')
    expect(blocks.map(({ offset }) => offset)).to.deep.equal(placed.map(({ offset }) => offset))
    const filter = reader.filter(partitions[0]!.filter!)
    expect(filter.length % 64).to.equal(0)
  })

  it('names file and offset of a block that does not verify, that is none, or that lies outside [TBL-10]', () => {
    const reader = readerOf(bytes)
    for (const block of [
      { offset: 72, bytes: 17 },
      { offset: 73, bytes: 4000 },
      { offset: 0, bytes: 100 },
      { offset: 72, bytes: 16 },
      { offset: bytes.length - 10, bytes: 100 },
      { offset: 72, bytes: 2 ** 31 },
    ]) {
      expect(() => reader.entries(block))
        .to.throw(NAME)
        .that.includes({ code: 'CORRUPTION', file: NAME, offset: block.offset })
    }
  })

  it('does not take a block of one kind for another [TBL-7]', () => {
    const reader = readerOf(bytes)
    const { topOffset, topBytes } = reader.layout()
    const top = { offset: topOffset, bytes: topBytes }
    expect(() => reader.blocks(top)).to.throw('this is no index block')
    const data = reader.blocks(reader.partitions(top)[0]!)[0]!
    expect(() => reader.partitions(data)).to.throw('this is no index block')
  })

  it('tells the system refusing from damage', () => {
    const file = fileOf(bytes)
    const identity = tableIdentity(STORE_ID, OPTIONS.number)
    const { number } = OPTIONS
    const size = bytes.length
    const reader = new TableReader({ file, name: NAME, size, number, identity, unzstd: undefined })
    file.close()
    expect(() => reader.layout())
      .to.throw(NAME)
      .that.includes({ code: 'IO' })
    expect(() => readerOf(bytes.subarray(0, 50)).layout()).to.throw('too short')
  })
})
