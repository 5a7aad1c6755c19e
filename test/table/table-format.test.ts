import { expect } from 'chai'
import {
  decodeFooter,
  decodeHeader,
  decodeLayout,
  type TableLayout,
  tableIdentity,
} from '../../src/table/table-format.ts'
import { hash64, loadChecksums } from '../../src/util/checksum.ts'
import { PUT } from '../reference/entry.ts'
import { encodeTable, tableIdentity as identityOf } from '../reference/table.ts'

const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i)
const OPTIONS = { storeId: STORE_ID, number: 9, hashSeed: 42n, bitsPerKey: 10 }
const NAME = '000009.sst'

function tableOf(keys: number): Uint8Array {
  const entries = Array.from({ length: keys }, (_, i) => {
    const [key, value] = [Uint8Array.of(i), new Uint8Array(2000)]
    return { key, kind: PUT, sequence: 1, timestamp: 0, value }
  })
  return encodeTable(entries, OPTIONS)
}

function layoutOf(bytes: Uint8Array, number = 9, size = bytes.length): TableLayout {
  const [header, footer] = [bytes.subarray(0, 72), bytes.subarray(-32)]
  return decodeLayout(NAME, header, footer, size, number, tableIdentity(STORE_ID, number))
}

/** Seals a header again after a change. */
function resealed(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setBigUint64(64, hash64(bytes.subarray(0, 64)), true)
  return bytes
}

describe('table/table-format', () => {
  before(loadChecksums)

  it('gives a table the identity that its twin gives it [TBL-2]', () => {
    for (const number of [1, 9, 2 ** 40]) {
      expect(tableIdentity(STORE_ID, number)).to.equal(identityOf(STORE_ID, number))
    }
  })

  it('reads where things are from header and footer [TBL-1]', () => {
    const bytes = tableOf(20)
    const layout = layoutOf(bytes)
    expect(layout).to.include({ entries: 20, dataOffset: 72, bitsPerKey: 10 })
    expect(layout.limit).to.equal(bytes.length - 32)
    expect(layout.topOffset + layout.topBytes).to.equal(layout.limit)
    const header = decodeHeader(NAME, bytes.subarray(0, 72))
    const identity = tableIdentity(STORE_ID, 9)
    const { filterOffset } = layout
    expect(header).to.deep.equal({ number: 9, identity, filterOffset, codec: 0 })
    const footer = decodeFooter(bytes.subarray(-32), identity)
    expect(footer).to.include({ dataBytes: layout.filterOffset - 72, topOffset: layout.topOffset })
  })

  it('refuses every flipped bit of header and footer [TBL-10]', () => {
    const bytes = tableOf(3)
    const ends = [
      ...Array(72).keys(),
      ...Array.from({ length: 32 }, (_, i) => bytes.length - 1 - i),
    ]
    for (const at of ends) {
      bytes[at]! ^= 1 << (at & 7)
      expect(() => layoutOf(bytes), `byte ${at}`)
        .to.throw()
        .with.property('code', 'CORRUPTION')
      bytes[at]! ^= 1 << (at & 7)
    }
    expect(layoutOf(bytes).entries).to.equal(3)
  })

  it('refuses another table and another size [TBL-2, TBL-10]', () => {
    const bytes = tableOf(3)
    expect(() => layoutOf(bytes, 10)).to.throw('another table')
    expect(() => layoutOf(bytes, 9, bytes.length + 8)).to.throw('contradict')
    expect(decodeFooter(bytes.subarray(-32), 5n)).to.equal(undefined)
  })

  it('tells a table of the future from a damaged one [REC-9, TBL-1]', () => {
    const bytes = tableOf(3)
    bytes[8] = 3
    expect(decodeHeader(NAME, bytes.subarray(0, 72))).to.equal(undefined)
    expect(() => layoutOf(resealed(bytes)))
      .to.throw()
      .that.includes({ code: 'FORMAT', actual: 3 })
  })
})
