import { expect } from 'chai'
import { SedgeError } from '../../src/errors.ts'
import { concat } from '../../src/util/bytes.ts'
import { ByteWriter } from '../../src/util/coding.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import {
  decodeVersionEdit,
  encodeVersionEdit,
  type VersionEdit,
} from '../../src/version/version-edit.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { tableMeta } from '../support/table-metas.ts'

describe('version/version-edit', () => {
  it('gives back every edit [MAN-5]', () => {
    const random = seededRandom(testSeed())
    expect(decoded(encodeVersionEdit({}))).to.deep.equal({})
    for (let round = 0; round < 500; round++) {
      const edit = anyEdit(random)
      expect(decoded(encodeVersionEdit(edit))).to.deep.equal(edit)
    }
  })

  it('keeps numbers up to 2^53 and keys of 1 MiB [MAN-5]', () => {
    const largest = Number.MAX_SAFE_INTEGER
    const table: TableMeta = {
      ...tableMeta(largest, { size: largest, entries: largest, rawBytes: largest }),
      checksum: 2n ** 64n - 1n,
      smallest: new Uint8Array(1),
      largest: new Uint8Array(1_048_576).fill(255),
    }
    const edit = { lastSequence: largest, addTables: [table] }
    expect(decoded(encodeVersionEdit(edit))).to.deep.equal(edit)
  })

  it('does not keep the bytes that it was decoded from', () => {
    const bytes = encodeVersionEdit({ addTables: [tableMeta(1, { smallest: 'key' })] })
    const edit = decoded(bytes)
    bytes.fill(0)
    expect(Buffer.from(edit.addTables![0]!.smallest).toString()).to.equal('key')
  })

  it('allows fewer than 8 zero bytes behind an edit, and nothing else [MAN-3]', () => {
    const edit = { logNumber: 9 }
    const bytes = encodeVersionEdit(edit)
    for (let zeros = 0; zeros < 8; zeros++) {
      expect(decoded(concat(bytes, new Uint8Array(zeros)))).to.deep.equal(edit)
    }
    expectCode('CORRUPTION', concat(bytes, new Uint8Array(8)), 'padding')
    expectCode('CORRUPTION', concat(bytes, Uint8Array.of(0, 1)), 'padding')
  })

  it('refuses an unknown field as FORMAT [MAN-6]', () => {
    const bytes = new ByteWriter().varint(2).varint(5).varint(8).varint(1).finish()
    const error = expectCode('FORMAT', bytes, 'unknown field 8')
    expect(error).to.include({ file: 'MANIFEST-000001', offset: 102, actual: 8 })
  })

  it('names the field that makes no sense, and its offset [MAN-6]', () => {
    const table = encodeVersionEdit({ addTables: [tableMeta(5, { level: 2, smallest: 'k' })] })
    expectCode('CORRUPTION', table.subarray(0, 2), 'number')
    expectCode('CORRUPTION', table.subarray(0, 9), 'checksum')
    const cut = expectCode('CORRUPTION', table.subarray(0, table.length - 1), 'raw bytes')
    expect(cut.offset).to.equal(100 + table.length - 1)
    const fields = new ByteWriter().varint(1).varint(33).finish()
    expect(expectCode('CORRUPTION', fields, 'levels: 33').offset).to.equal(101)
  })

  it('refuses contents that cannot be [MAN-6]', () => {
    const refused = (sketch: Partial<TableMeta>, field: string): void => {
      const table = { ...tableMeta(5), ...sketch }
      expectCode('CORRUPTION', encodeVersionEdit({ addTables: [table] }), field)
    }
    refused({ number: 0 }, 'number')
    refused({ level: 16 }, 'level')
    refused({ entries: 0 }, 'entries')
    refused({ tombstones: 2 }, 'tombstones')
    refused({ shadowed: 2 }, 'shadowed')
    refused({ smallest: new Uint8Array(0) }, 'smallest key')
    refused({ largest: new Uint8Array(1_048_577) }, 'largest key')
    refused({ smallest: Uint8Array.of(200) }, 'largest key')
    refused({ minSequence: 9 }, 'largest sequence')
  })

  it('refuses fields out of order or twice [MAN-5]', () => {
    const twice = new ByteWriter().varint(2).varint(5).varint(2).varint(6).finish()
    expectCode('CORRUPTION', twice, 'out of order')
    const back = new ByteWriter().varint(4).varint(5).varint(3).varint(6).finish()
    expectCode('CORRUPTION', back, 'out of order')
  })

  it('answers any bytes with an edit or a typed error', () => {
    const random = seededRandom(testSeed())
    let refused = 0
    for (let round = 0; round < 20_000; round++) {
      const bytes = encodeVersionEdit(anyEdit(random))
      for (let flips = random.int(1, 4); flips > 0; flips--) {
        if (bytes.length > 0) bytes[random.int(bytes.length)] = random.int(256)
      }
      try {
        decoded(bytes)
      } catch (error) {
        expect(error).to.be.instanceOf(SedgeError)
        refused++
      }
    }
    expect(refused).to.be.greaterThan(1000)
  })
})

function anyEdit(random: Random): VersionEdit {
  const edit: Record<string, unknown> = {}
  const whole = (least: number): number => least + Math.floor(2 ** (52 * random.float())) - 1
  if (random.chance(0.3)) edit['levels'] = random.int(2, 17)
  if (random.chance(0.5)) edit['nextFileNumber'] = whole(1)
  if (random.chance(0.5)) edit['lastSequence'] = whole(0)
  if (random.chance(0.5)) edit['logNumber'] = whole(0)
  if (random.chance(0.3)) edit['syncedLog'] = { number: whole(1), length: whole(0) }
  if (random.chance(0.5)) {
    edit['removeTables'] = Array.from({ length: random.int(1, 4) }, () => {
      return { level: random.int(16), number: whole(1) }
    })
  }
  if (random.chance(0.6)) {
    edit['addTables'] = Array.from({ length: random.int(1, 4) }, () => {
      const entries = whole(1)
      const smallest = String(random.int(1000))
      const level = random.int(16)
      const tombstones = Math.min(entries, 3)
      return tableMeta(whole(1), { level, entries, tombstones, smallest, largest: `${smallest}z` })
    })
  }
  return edit
}

function decoded(bytes: Uint8Array): VersionEdit {
  return decodeVersionEdit(bytes, 'MANIFEST-000001', 100)
}

function expectCode(code: string, bytes: Uint8Array, text: string): SedgeError {
  try {
    decoded(bytes)
  } catch (error) {
    expect(error).to.be.instanceOf(SedgeError)
    expect((error as SedgeError).code).to.equal(code)
    expect((error as SedgeError).message).to.contain(text)
    return error as SedgeError
  }
  return expect.fail('nothing was thrown')
}
