import { expect } from 'chai'
import { Pacer } from '../../src/engine/pacer.ts'
import {
  disjointLists,
  mergeTables,
  SalvagedEntries,
  type SalvageParts,
} from '../../src/engine/salvage-output.ts'
import { nodeEnvironment } from '../../src/env/environment.ts'
import { readFile } from '../../src/env/file-io.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, DELETE, type Entry, PUT } from '../reference/entry.ts'
import {
  decodeChunks,
  decodeReference,
  encodeChunks,
  encodeReference,
} from '../reference/log-segment.ts'
import { decodeTable, tableIdentity } from '../reference/table.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const STORE_ID = Uint8Array.from({ length: 16 }, (_, i) => i)
const TARGET_ID = Uint8Array.from({ length: 16 }, (_, i) => i + 100)

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function entry(key: string, sequence: number, timestamp = 0, value = `${key} ${sequence}`): Entry {
  return { key: bytesOf(key), kind: PUT, sequence, timestamp, value: bytesOf(value) }
}

describe('engine/salvage-output', () => {
  let parts: SalvageParts
  let fs: MemoryFileSystem

  before(loadChecksums)

  beforeEach(() => {
    fs = new MemoryFileSystem()
    fs.makeDirectory('/temporary')
    fs.makeDirectory('/target')
    const env = nodeEnvironment({ fs })
    const kernel = createKernel(1 << 20)
    parts = { env, kernel, hashSeed: HASH_SEED, pacer: new Pacer(env) }
  })

  async function merged(saved: SalvagedEntries): Promise<Entry[]> {
    const folder = await saved.finish()
    const target = { directory: '/target', storeId: TARGET_ID, level: 3 }
    const { tables } = await mergeTables(parts, [folder], target)
    return tables.flatMap(({ number, level }) => {
      expect(level).to.equal(3)
      const file = readFile(fs, `/target/${String(number).padStart(6, '0')}.sst`)
      const options = { storeId: TARGET_ID, number, hashSeed: HASH_SEED, bitsPerKey: 10 }
      return decodeTable(file, options).entries
    })
  }

  it('keeps the newest entry of each key, in whatever order they come, and no tombstone [REP-5]', async () => {
    const saved = new SalvagedEntries(parts, '/temporary', STORE_ID)
    const gone = { ...entry('b', 9), kind: DELETE, value: new Uint8Array(0) }
    await saved.add([entry('c', 5), entry('a', 7), entry('b', 8), gone], undefined)
    await saved.flush()
    await saved.add([entry('a', 3), entry('b', 2), entry('c', 6), entry('c', 5)], undefined)
    const entries = await merged(saved)
    expect(entries).to.deep.equal([entry('a', 7), entry('c', 6)])
    expect(saved.lastSequence).to.equal(9)
  })

  it('takes sequences and timestamps that are far apart [REP-5]', async () => {
    const saved = new SalvagedEntries(parts, '/temporary', STORE_ID)
    const year = 365 * 24 * 3_600_000
    const entries = Array.from({ length: 12 }, (_, i) => {
      return entry(String.fromCharCode(97 + i), 1 + i * 2 ** 33, 1e12 + ((i * 5) % 12) * year)
    })
    await saved.add([...entries].reverse(), undefined)
    expect(await merged(saved)).to.deep.equal(entries)
  })

  it('writes batches as they fill, and merges them [REP-5]', async () => {
    const random = seededRandom(testSeed())
    const saved = new SalvagedEntries(parts, '/temporary', STORE_ID)
    const value = 'x'.repeat(60_000)
    const entries = Array.from({ length: 400 }, (_, i) => {
      return entry(String(random.int(100_000)).padStart(5, '0'), i + 1, 0, value)
    })
    for (const one of entries) await saved.add([one], undefined)
    expect(fs.list('/temporary').length).to.be.greaterThan(1)
    const found = await merged(saved)
    const expected = new Map(entries.map((one) => [Buffer.from(one.key).toString(), one.sequence]))
    expect(found).to.have.length(expected.size)
    for (const { key, sequence } of found) {
      expect(expected.get(Buffer.from(key).toString())).to.equal(sequence)
    }
  })

  it('brings large values along [REP-3]', async () => {
    const value = seededRandom(testSeed()).bytes(200_000)
    const chunks = encodeChunks(value, 77n, 1000)
    const file = fs.open('/values', 'create')
    file.write(chunks, 1000)
    const source = {
      name: 'values',
      identity: 77n,
      read: (target: Uint8Array, at: number) => file.read(target, at),
    }
    const saved = new SalvagedEntries(parts, '/temporary', STORE_ID)
    const large = { ...entry('large', 2), kind: CHUNKS, value: encodeReference(200_000, 1000) }
    await saved.add([entry('small', 1), large], source)
    const [found] = await merged(saved)
    const { length, offset } = decodeReference(found!.value)
    const table = readFile(fs, '/target/000001.sst')
    const copied = decodeChunks(table, tableIdentity(TARGET_ID, 1), offset, length)
    expect(Buffer.compare(copied, value)).to.equal(0)
  })

  it('puts tables into as few lists without overlaps as there can be', () => {
    const table = (number: number, smallest: string, largest: string) => {
      return { number, size: 0, smallest: bytesOf(smallest), largest: bytesOf(largest) }
    }
    const tables = [
      table(1, 'a', 'c'),
      table(2, 'd', 'f'),
      table(3, 'b', 'e'),
      table(4, 'g', 'h'),
      table(5, 'c', 'c'),
    ]
    const lists = disjointLists(tables).map((list) => list.map(({ number }) => number))
    expect(lists).to.deep.equal([[1, 2, 4], [3], [5]])
    expect(disjointLists([])).to.deep.equal([])
  })
})
