import { expect } from 'chai'
import {
  type ForeignRecord,
  type RecordReader,
  readForeignLog,
  readForeignTable,
} from '../../src/engine/rustedgedb-reader.ts'
import { fileOf } from '../support/file-of-bytes.ts'
import {
  encodeForeignLog,
  encodeForeignTable,
  type ForeignEntry,
} from '../support/rustedgedb-encoder.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const ENTRIES: ForeignEntry[] = [
  { key: 'apple', value: 'red', timestamp: 5 },
  { key: 'banana', value: undefined, timestamp: 6 },
  { key: 'cherry', value: 'x'.repeat(200_000), timestamp: 7 },
  { key: 'date', value: 'brown', timestamp: 8 },
]

function readAll(reader: RecordReader): [string, string | undefined][] {
  const records: ForeignRecord[] = []
  for (let one = reader.next(); one !== undefined; one = reader.next()) records.push(one)
  return records.map(({ key, value }) => {
    return [Buffer.from(key).toString(), value && Buffer.from(value).toString()]
  })
}

function expected(entries: readonly ForeignEntry[]): [string, string | undefined][] {
  return entries.map(({ key, value }) => [key, value])
}

describe('engine/rustedgedb-reader', () => {
  it('reads logs and tables, tombstones and large values included [IMP-1, IMP-4]', () => {
    const log = readForeignLog(fileOf(encodeForeignLog(ENTRIES)), 'wal.log')
    expect(log.peek()).to.deep.equal({ timestamp: 5 })
    expect(log.peek()).to.deep.equal({ timestamp: 5 })
    expect(readAll(log)).to.deep.equal(expected(ENTRIES))
    expect(log.peek()).to.equal(undefined)
    const table = readForeignTable(fileOf(encodeForeignTable(ENTRIES)), 'sstable_1.sst')
    expect(table.entries).to.equal(4)
    expect(readAll(table.records)).to.deep.equal(expected(ENTRIES))
    expect(table.records.position).to.equal(table.end)
  })

  it('gives up where a record breaks a limit or the file, and stays there [IMP-5]', () => {
    const good = encodeForeignLog(ENTRIES.slice(0, 2))
    const bad = (keyBytes: number, valueBytes: number, rest: number): Uint8Array => {
      const bytes = new Uint8Array(good.length + 24 + rest)
      bytes.set(good)
      const view = new DataView(bytes.buffer)
      view.setUint32(good.length, keyBytes, true)
      view.setUint32(good.length + 4, valueBytes, true)
      view.setUint32(good.length + 16, 3, true)
      return bytes
    }
    for (const bytes of [
      bad(0, 0, 100),
      bad(1024 * 1024 + 1, 0, 2 ** 21),
      bad(1, 100 * 1024 * 1024 + 1, 100),
      bad(0xffffffff, 0xffffffff, 100),
      bad(50, 51, 100),
      bad(1, 1, 1),
      bad(1, 1, 2).subarray(0, good.length + 23),
    ]) {
      const reader = readForeignLog(fileOf(bytes), 'wal.log')
      reader.next()
      reader.next()
      for (const call of [() => reader.next(), () => reader.peek(), () => reader.next()]) {
        expect(call).to.throw().that.includes({ code: 'CORRUPTION', offset: good.length })
      }
    }
  })

  it('wants the sequences of a log to follow each other, not those of a table [IMP-5]', () => {
    const entries = [3, 4, 6].map((sequence) => ({ ...ENTRIES[0]!, sequence }))
    const log = readForeignLog(fileOf(encodeForeignLog(entries)), 'wal.log')
    expect([log.next(), log.next()]).to.have.length(2)
    expect(() => log.next()).to.throw('out of order')
    const table = readForeignTable(fileOf(encodeForeignTable(entries)), 'sstable_1.sst')
    expect(readAll(table.records)).to.have.length(3)
  })

  it('tells tables that are none, or of another kind [IMP-5, IMP-6]', () => {
    const name = 'sstable_1.sst'
    const open = (bytes: Uint8Array) => (): unknown => readForeignTable(fileOf(bytes), name)
    expect(open(new Uint8Array(100)))
      .to.throw()
      .with.property('code', 'CORRUPTION')
    expect(open(encodeForeignTable(ENTRIES).subarray(0, 71))).to.throw('not a table')
    for (const wrong of [{ version: 2 }, { codec: 1 }]) {
      const bytes = encodeForeignTable(ENTRIES, wrong)
      expect(open(bytes)).to.throw().with.property('code', 'UNSUPPORTED')
    }
    for (const [at, value] of [
      [16, 2n ** 40n],
      [16, 0n],
      [32, 8n],
      [32, 2n ** 50n],
    ] as const) {
      const bytes = encodeForeignTable(ENTRIES)
      new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at, value, true)
      expect(open(bytes)).to.throw('points outside')
    }
  })

  it('never reads beyond its file, whatever is in it [IMP-5]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 300; round++) {
      const bytes = new Uint8Array(encodeForeignLog([ENTRIES[0]!, ENTRIES[1]!, ENTRIES[3]!]))
      for (let i = 0; i < 3; i++) bytes[random.int(bytes.length)] = random.int(256)
      const reader = readForeignLog(fileOf(bytes), 'wal.log')
      let count = 0
      try {
        while (reader.next() !== undefined) count++
      } catch (error) {
        expect(error).to.have.property('code', 'CORRUPTION')
      }
      expect(count).to.be.at.most(6)
    }
  })
})
