/** How a job reads its inputs: each block once, and by codes instead of keys wherever they tell entries apart. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { Codec, type FinishedTable } from '../../src/kernel/table-job.ts'
import type { Entry } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { merge } from '../reference/merge.ts'
import { decodeTable, encodeTable, type TableOptions } from '../reference/table.ts'
import { randomEntries, randomKeys } from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

/** Keys that inputs can hardly tell apart, or can by their first byte. */
const KEYS: Readonly<Record<string, (random: Random, count: number) => Uint8Array[]>> = {
  'of many shapes': randomKeys,
  'of zeros only': (_random, count) =>
    Array.from({ length: count }, (_, i) => new Uint8Array(i + 1)),
  'of two bytes behind a long prefix': (random, count) =>
    distinct(count, () => join(new Uint8Array(300).fill(9), pairs(random, random.int(1, 14)))),
  'that end where others go on': (random, count) =>
    distinct(count, () => pairs(random, random.int(1, 30))),
  'without any likeness': (random, count) => distinct(count, () => random.bytes(12)),
}

/** Bytes of which there are two. */
function pairs(random: Random, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, () => random.pick([0, 255]))
}

function distinct(count: number, make: () => Uint8Array): Uint8Array[] {
  const keys = new Map<string, Uint8Array>()
  for (let tries = 0; keys.size < count && tries < 10 * count; tries++) {
    const key = make()
    keys.set(key.join(), key)
  }
  return [...keys.values()]
}

function optionsOf(table: MemoryTable): TableOptions {
  return { storeId: STORE_ID, number: table.handle.number, hashSeed: HASH_SEED, bitsPerKey: 10 }
}

/** Options that let all of these entries survive. */
function all(entries: readonly Entry[]): { snapshots: number[] } {
  return { snapshots: entries.map(({ sequence }) => sequence).sort((left, right) => left - right) }
}

describe('kernel: inputs of jobs', () => {
  let kernel: Kernel
  let store: MemoryTables

  beforeEach(() => {
    kernel = createKernel()
    store = new MemoryTables(kernel)
  })

  it('are read once, block by block, and no data is kept [KRN-20]', () => {
    const random = seededRandom(testSeed())
    const shape = { keys: randomKeys(random, 900), count: 900, value: () => random.bytes(500) }
    const entries = merge([randomEntries(random, shape)])
    const lists = [0, 1, 2].map((part) => store.build(entries.filter((_, i) => i % 3 === part)))
    const blocks = lists.flat().flatMap((table) => decodeTable(table.file, optionsOf(table)).blocks)
    const index = blocks.filter(({ kind }) => kind === 'top' || kind === 'partition')
    const data = blocks.filter(({ kind }) => kind === 'data')
    const { reads } = store
    const [made] = store.run({ lists, options: all(entries) }).tables as [MemoryTable]
    expect(decodeTable(made.file, optionsOf(made)).entries).to.deep.equal(entries)
    expect(store.reads - reads).to.equal(index.length)
    const dataBytes = data.reduce((sum, block) => sum + block.bytes, 0)
    expect(store.runs.reduce((sum, run) => sum + run.bytes, 0)).to.equal(dataBytes)
    expect(store.runs.length).to.be.below(data.length / 8)
    const bytes = index.reduce((sum, block) => sum + block.bytes, 0)
    expect(kernel.exports.blockCacheBytes()).to.be.within(bytes, 16 * bytes)
    expect(dataBytes).to.be.above(64 * bytes)
  })

  it('of a later release end the job, and are not taken for damaged ones [LOG-5, KRN-20]', () => {
    const key = Uint8Array.of(107)
    const entry = { key, kind: 4, sequence: 1, timestamp: 0, value: new Uint8Array(0) }
    const options = { storeId: STORE_ID, number: 9, hashSeed: HASH_SEED, bitsPerKey: 10 }
    const file = encodeTable([entry], options)
    const ends = { number: 9, smallest: key, largest: key }
    const table = store.open(ends, file, {} as FinishedTable)
    expect(() => store.run({ lists: [[table]] })).to.throw('a block of the future')
    // The same block, damaged: its checksum comes first.
    file[72]! ^= 1
    expect(() => store.run({ lists: [[table]] }))
      .to.throw('a damaged block')
      .with.property('offset', 72)
  })

  it('are decompressed outside where they say so, whatever their table says [TBL-4, KRN-20]', () => {
    const value = (): Uint8Array => new Uint8Array(100)
    const shape = { keys: [Uint8Array.of(1)], count: 200, value }
    const entries = merge([randomEntries(seededRandom(testSeed()), shape)])
    const setup = { codec: Codec.ZSTD, compress: (content: Uint8Array) => deflateRawSync(content) }
    const [table] = store.build(entries, setup) as [MemoryTable]
    store.decompress = (payload) => inflateRawSync(payload)
    table.file[40] = Codec.LZ4
    const [made] = store.run({ lists: [[table]], options: all(entries) }).tables as [MemoryTable]
    expect(decodeTable(made.file, optionsOf(made)).entries).to.deep.equal(entries)
    expect(store.runs.length).to.be.greaterThan(0)
  })

  it('are given back, however many there are, wherever memory ends [KRN-14]', () => {
    const entries = randomEntries(seededRandom(testSeed()), { keys: [Uint8Array.of(1)], count: 20 })
    const inputs = { lists: entries.map((entry) => store.build([entry])) }
    const others = { memtables: entries.map((entry) => store.memtable([entry])) }
    for (const memtable of others.memtables) while (memtable.sortStep());
    for (const setup of [inputs, others]) {
      const { allocatedBytes, setAllocationLimit } = kernel.exports
      const run = (): void => store.free(store.run(setup).tables[0]!)
      run()
      const before = allocatedBytes()
      let failures = 0
      for (let isDone = false; !isDone; ) {
        setAllocationLimit(before + failures * 64)
        try {
          run()
          isDone = true
        } catch (error) {
          expect(error).to.include({ code: 'LIMIT' })
          failures++
        }
        setAllocationLimit(2 ** 32 - 1)
        expect(allocatedBytes()).to.equal(before)
      }
      expect(failures).to.be.greaterThan(500)
    }
  })

  for (const [name, keysOf] of Object.entries(KEYS)) {
    it(`are merged in order, however many there are, by keys ${name} [KRN-10, KRN-20]`, () => {
      const random = seededRandom(testSeed())
      for (const count of [1, 2, 3, 5, 16, 17, 40]) {
        const keys = keysOf(random, 200)
        const entries = merge([randomEntries(random, { keys, count: 500 })])
        const parts = Array.from({ length: count }, (): Entry[] => [])
        for (const entry of entries) random.pick(parts).push(entry)
        const filled = parts.filter((part) => part.length > 0)
        const memtables = filled.filter((_, i) => i % 4 === 3).map((part) => store.memtable(part))
        for (const memtable of memtables) while (memtable.sortStep());
        const options = { tableBytes: random.pick([1, 2 ** 40]), tables: 3 }
        const lists = filled
          .filter((_, i) => i % 4 !== 3)
          .map((part) => store.build(part, { options }))
        const step = random.int(1, 400)
        const [made] = store.run({ memtables, lists, step, options: all(entries) }).tables as [
          MemoryTable,
        ]
        expect(Buffer.compare(made.file, encodeTable(entries, optionsOf(made)))).to.equal(0)
        for (const memtable of memtables) memtable.free()
      }
    })
  }
})
