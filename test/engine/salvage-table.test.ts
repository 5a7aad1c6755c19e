import { expect } from 'chai'
import { SalvageLog } from '../../src/engine/salvage-log.ts'
import { identifyTable, salvageTable } from '../../src/engine/salvage-table.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, type Entry, PUT } from '../reference/entry.ts'
import { decodeTable, encodeTable, tableIdentity } from '../reference/table.ts'
import { fileOf } from '../support/file-of-bytes.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i)
const OPTIONS = { storeId: STORE_ID, number: 9, hashSeed: 42n, bitsPerKey: 10 }
const NAME = '000009.sst'

/** Three hundred entries of a hundred bytes, two with large values. */
function entries(): Entry[] {
  const random = seededRandom(testSeed())
  return Array.from({ length: 300 }, (_, i) => ({
    key: new TextEncoder().encode(`key ${String(i).padStart(4, '0')}`),
    kind: i === 100 || i === 200 ? CHUNKS : PUT,
    sequence: 1 + i,
    timestamp: i,
    value: i === 100 || i === 200 ? random.bytes(70_000) : random.bytes(100),
  }))
}

interface Saved {
  readonly sequences: number[]
  readonly log: SalvageLog
}

function salvage(bytes: Uint8Array, identity = tableIdentity(STORE_ID, 9)): Saved {
  const log = new SalvageLog()
  const sequences: number[] = []
  const table = { file: fileOf(bytes), name: NAME, number: 9, identity, unzstd: undefined }
  for (const saved of salvageTable(table, log)) sequences.push(...saved.map((one) => one.sequence))
  return { sequences: sequences.sort((a, b) => a - b), log }
}

function identify(
  bytes: Uint8Array,
  storeId: Uint8Array | undefined,
  number = 9,
): bigint | undefined {
  return identifyTable({ file: fileOf(bytes), name: NAME, number }, storeId, new SalvageLog())
}

describe('engine/salvage-table', () => {
  let bytes: Uint8Array
  let all: number[]
  const offsetOf = (kind: string): number =>
    decodeTable(
      encodeTable(entries(), OPTIONS, ({ value }) => value),
      OPTIONS,
    ).blocks.find((block) => block.kind === kind)!.offset

  before(loadChecksums)

  beforeEach(() => {
    bytes = encodeTable(entries(), OPTIONS, ({ value }) => value)
    all = entries().map(({ sequence }) => sequence)
  })

  it('saves everything of a sound table [REP-3]', () => {
    const { sequences, log } = salvage(bytes)
    expect(sequences).to.deep.equal(all)
    expect(log.losses).to.deep.equal([])
  })

  it('saves everything by header or footer alone, and without either [REP-3]', () => {
    for (const damage of [[20], [bytes.length - 20], [20, bytes.length - 20]]) {
      const copy = bytes.slice()
      for (const at of damage) copy[at]! ^= 1
      const { sequences, log } = salvage(copy)
      expect(sequences, `damage at ${damage}`).to.deep.equal(all)
      expect(log.losses.filter(({ offset }) => offset < offsetOf('filter'))).to.deep.equal([])
    }
  })

  it('saves everything without its index [REP-3]', () => {
    for (const kind of ['partition', 'top', 'filter']) {
      const copy = bytes.slice()
      copy[offsetOf(kind) + 30]! ^= 1
      const { sequences, log } = salvage(copy)
      expect(sequences, kind).to.deep.equal(all)
      expect(log.losses, kind).to.deep.equal([])
    }
  })

  it('loses the entries of a damaged block, and says where [REP-3, REP-6]', () => {
    const block = decodeTable(bytes, OPTIONS).blocks.filter(({ kind }) => kind === 'data')[1]!
    bytes[block.offset + 50]! ^= 1
    const { sequences, log } = salvage(bytes)
    expect(log.losses).to.deep.equal([{ file: NAME, offset: block.offset, bytes: block.bytes }])
    expect(sequences.length).to.be.within(all.length - 50, all.length - 1)
  })

  it('loses an entry with its large value [REP-3, REP-6]', () => {
    const at = Buffer.from(bytes).indexOf(entries()[100]!.value.subarray(0, 100))
    bytes[at + 66_000]! ^= 1
    const { sequences, log } = salvage(bytes)
    expect(sequences).to.deep.equal(all.filter((sequence) => sequence !== 101))
    expect(log.losses).to.deep.equal([{ file: NAME, offset: at, bytes: 70_016 }])
  })

  it('saves what lies before the place where a table is cut off [REP-3, REP-6]', () => {
    const { sequences, log } = salvage(bytes.subarray(0, 20_000))
    expect(sequences.length).to.be.greaterThan(20)
    expect(sequences).to.deep.equal(all.slice(0, sequences.length))
    const lost = log.losses.reduce((sum, stretch) => sum + stretch.bytes!, 0)
    expect(lost).to.be.greaterThan(offsetOf('filter') - 20_000)
  })

  it('saves nothing under a wrong identity', () => {
    const { sequences, log } = salvage(bytes, 1n)
    expect(sequences).to.deep.equal([])
    expect(log.losses).not.to.have.length(0)
  })

  it('knows a table by the store, or by its own header [REP-2, REP-3]', () => {
    const identity = tableIdentity(STORE_ID, 9)
    expect(identify(bytes, STORE_ID)).to.equal(identity)
    expect(identify(bytes, undefined)).to.equal(identity)
    expect(identify(bytes, new Uint8Array(16))).to.equal(undefined)
    expect(identify(bytes, undefined, 10)).to.equal(undefined)
    bytes[12]! ^= 1
    expect(identify(bytes, STORE_ID)).to.equal(identity)
    expect(identify(bytes, undefined)).to.equal(undefined)
    expect(identify(bytes.subarray(0, 20), STORE_ID)).to.equal(identity)
  })
})
