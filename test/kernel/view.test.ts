import { expect } from 'chai'
import { Find } from '../../src/kernel/exports.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { readReference, View } from '../../src/kernel/view.ts'
import { equalBytes } from '../../src/util/bytes.ts'
import { CHUNKS, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { encodeReference } from '../reference/log-segment.ts'
import { tableIdentity } from '../reference/table.ts'
import { xxh64 } from '../reference/xxh64.ts'
import { bytesOf, look, randomKeys, show } from '../support/entries.ts'
import { createKernel } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import {
  freeStore,
  neighbours,
  type RandomStore,
  randomStore,
  STORE_SHAPES,
} from '../support/random-store.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

/** A lookup with the value made whole. */
function lookWhole(
  kernel: Kernel,
  store: RandomStore,
  key: Uint8Array,
  sequence: number,
): Entry | undefined {
  const entry = look(kernel, store.view, key, sequence)
  if (entry?.kind !== CHUNKS) return entry
  return { ...entry, value: store.tables.value(store.view.foundChunks()) }
}

interface Counters {
  readonly hits: number
  readonly misses: number
  readonly checks: number
  readonly negatives: number
  readonly falsePositives: number
}

function counters(kernel: Kernel): Counters {
  kernel.exports.readCounters()
  const [hits, misses, checks, negatives, falsePositives] = kernel.memory.results
  return { hits, misses, checks, negatives, falsePositives } as Counters
}

function put(key: Uint8Array, sequence: number, value: Uint8Array = new Uint8Array(0)): Entry {
  return { key, kind: PUT, sequence, timestamp: sequence, value }
}

describe('kernel/view', () => {
  for (const [name, shape] of Object.entries(STORE_SHAPES)) {
    for (const cacheBytes of [1 << 20, 0]) {
      it(`finds what is there and nothing else: ${name}, cache of ${cacheBytes} bytes [KRN-8, KRN-12]`, () => {
        const random = seededRandom(testSeed())
        for (let round = 0; round < 4; round++) {
          const kernel = createKernel(cacheBytes)
          const store = randomStore(kernel, random, shape(random))
          const last = store.entries.at(-1)!.sequence
          const keys = store.keys.slice(0, 40).flatMap((key) => [key, ...neighbours(key)])
          for (const key of keys) {
            for (const sequence of [
              2 ** 53 - 1,
              last,
              random.int(last + 1),
              random.int(last + 1),
            ]) {
              const wanted = show(store.find(key, sequence))
              expect(show(lookWhole(kernel, store, key, sequence))).to.equal(wanted)
            }
          }
        }
      })
    }
  }

  it('finds each of many versions of one key [KRN-8]', () => {
    const random = seededRandom(testSeed())
    for (const name of [
      'versions of a key over many blocks',
      'versions of a key over many index partitions',
    ]) {
      const kernel = createKernel()
      const store = randomStore(kernel, random, STORE_SHAPES[name]!(random))
      for (const { key, sequence } of store.entries) {
        for (const at of [sequence - 1, sequence]) {
          const wanted = show(store.find(key, at))
          expect(show(lookWhole(kernel, store, key, at))).to.equal(wanted)
        }
      }
    }
  })

  it('tells keys apart whose hashes begin alike [KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    // Nearly all first bytes are there, so the keys of a block share no prefix, and tags are of whole keys.
    const alike = Array.from({ length: 60_000 }, (_, i) => join([i % 256], bytesOf(`${i}`)))
      .filter((key) => xxh64(key, 0n) >> 56n === 7n)
      .sort(Buffer.compare)
    const present = alike.filter((_, i) => i % 2 === 0)
    const [table] = tables.build(present.map((key, i) => put(key, i + 1))) as [MemoryTable]
    const view = new View(kernel, tables)
    view.set([], [[], [table.handle]])
    expect(present.length).to.be.greaterThan(100)
    alike.forEach((key, i) => {
      const found = look(kernel, view, key, 2 ** 53 - 1)?.sequence
      expect(found).to.equal(i % 2 === 0 ? i / 2 + 1 : undefined)
    })
  })

  it('finds keys in an index of many partitions of short keys [KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const key = (i: number): Uint8Array => bytesOf(`key ${String(i).padStart(6, '0')}`)
    const value = new Uint8Array(4096)
    const entries = Array.from({ length: 1500 }, (_, i) => put(key(2 * i), i + 1, value))
    const [table] = tables.build(entries) as [MemoryTable]
    const view = new View(kernel, tables)
    view.set([], [[], [table.handle]])
    for (let i = -1; i <= 3001; i += 1) {
      const found = look(kernel, view, key(i), 2 ** 53 - 1)?.sequence
      expect(found).to.equal(i % 2 === 0 && i < 3000 ? i / 2 + 1 : undefined)
    }
  })

  it('tells sequence, timestamp and kind, to the last bit [KRN-2, KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const base = 2 ** 53 - 10
    const timestamp = -(2 ** 52)
    const entries = [0, 1].map((i) => ({
      ...put(bytesOf(`${i}`), base + i, bytesOf(`value ${i}`)),
      timestamp: timestamp + i,
    }))
    const memtable = tables.memtable(entries, timestamp)
    const [table] = tables.build(entries, {}, timestamp) as [MemoryTable]
    for (const level of [[], [table.handle]]) {
      const view = new View(kernel, tables)
      view.set(level.length === 0 ? [memtable] : [], [level])
      for (const entry of entries) {
        expect(look(kernel, view, entry.key, 2 ** 53 - 1)).to.deep.equal(entry)
      }
    }
  })

  it('saves reading blocks by filters, which are right about every key that is there [TBL-8, KRN-8]', () => {
    const random = seededRandom(testSeed())
    for (const bitsPerKey of [0, 10]) {
      const kernel = createKernel()
      const tables = new MemoryTables(kernel)
      const keys = randomKeys(random, 2000)
      const ends = [bytesOf('\0'), new Uint8Array(20).fill(255)]
      const entries = [...ends, ...keys.slice(0, 1000)].map((key, i) => put(key, i + 1))
      const [table] = tables.build(entries, { bitsPerKey }) as [MemoryTable]
      const view = new View(kernel, tables)
      view.set([], [[table.handle]])
      for (const { key } of entries) expect(view.find(kernel.scratchKey(key), 5000)).to.equal(true)
      for (const key of keys.slice(1000)) {
        expect(view.find(kernel.scratchKey(key), 5000)).to.equal(false)
      }
      const { checks, negatives, falsePositives } = counters(kernel)
      if (bitsPerKey === 0) {
        expect([checks, negatives, falsePositives]).to.deep.equal([0, 0, 0])
      } else {
        // A lookup that has to wait for a block asks again, which counts once.
        expect(tables.reads).to.be.greaterThan(0)
        expect(checks).to.equal(2002)
        expect(negatives + falsePositives).to.equal(1000)
        expect(falsePositives).to.be.lessThan(60)
      }
    }
  })

  it('reads no block to find out that a key is missing, whatever was found before [KRN-8]', () => {
    const kernel = createKernel(0)
    const tables = new MemoryTables(kernel)
    const key = (i: number): Uint8Array => bytesOf(`key ${String(i).padStart(6, '0')}`)
    const value = new Uint8Array(1000)
    const entries = Array.from({ length: 200 }, (_, i) => put(key(2 * i), i + 1, value))
    const [table] = tables.build(entries, { bitsPerKey: 20 }) as [MemoryTable]
    const view = new View(kernel, tables)
    view.set([], [[], [table.handle]])
    for (let i = 0; i < 100; i++) expect(look(kernel, view, key(20), 500)?.sequence).to.equal(11)
    const { reads } = tables
    expect(look(kernel, view, key(21), 500)).to.equal(undefined)
    expect(look(kernel, view, key(301), 500)).to.equal(undefined)
    expect(tables.reads).to.equal(reads)
  })

  it('finds older versions behind a row of newer ones where lookups find their keys [KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const value = (i: number): Uint8Array => new Uint8Array(300).fill(i)
    const versions = Array.from({ length: 100 }, (_, i) => put(bytesOf('k'), 100 - i, value(i)))
    const entries = [put(bytesOf('a'), 1), ...versions, put(bytesOf('z'), 1)]
    const [table] = tables.build(entries) as [MemoryTable]
    const view = new View(kernel, tables)
    view.set([], [[], [table.handle]])
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 10; i++)
        expect(look(kernel, view, bytesOf('a'), 200)).to.not.equal(undefined)
      for (let at = 100; at > 0; at--) {
        expect(look(kernel, view, bytesOf('k'), at)?.sequence).to.equal(at)
      }
      expect(look(kernel, view, bytesOf('k'), 0)).to.equal(undefined)
    }
  })

  it('reads nothing of a table whose range does not hold the key, nor below what it has found [KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const build = (sequence: number, ...keys: string[]): MemoryTable =>
      tables.build(keys.map((key, i) => put(bytesOf(key), sequence + i)))[0]!
    const deep = build(1, 'a', 'm', 'z')
    const newer = build(10, 'm')
    const view = new View(kernel, tables)
    view.set([], [[newer.handle], [], [deep.handle]])
    expect(view.find(kernel.scratchKey('m'), 100)).to.equal(true)
    expect(view.foundSequence).to.equal(10)
    // Top index, filter, index partition, data.
    expect(tables.reads).to.equal(4)
    expect(view.find(kernel.scratchKey('~'), 100)).to.equal(false)
    expect(tables.reads).to.equal(4)
    expect(view.find(kernel.scratchKey('m'), 9)).to.equal(true)
    expect(view.foundSequence).to.equal(2)
    expect(tables.reads).to.equal(8)
  })

  it('goes straight to what it has found before, as long as that is the newest [KRN-18]', () => {
    const random = seededRandom(testSeed())
    for (const cacheBytes of [8 << 20, 1 << 16]) {
      const kernel = createKernel(cacheBytes)
      const tables = new MemoryTables(kernel)
      const keys = randomKeys(random, 200)
      const pieces: Entry[][] = []
      let sequence = 0
      for (let piece = 0; piece < 6; piece++) {
        const some = keys.filter(() => random.int(3) > 0).sort(Buffer.compare)
        pieces.push(some.map((key) => put(key, ++sequence, random.bytes(random.int(200)))))
      }
      const view = new View(kernel, tables)
      const built = pieces.map((piece) => tables.build(piece)[0]!)
      for (let round = 0; round < 12; round++) {
        // Newest first. A table that is made again may lie where another one has lain.
        const seen = [5, 4, 3, 2, 1, 0].filter(() => random.int(3) > 0)
        view.set([], [seen.map((piece) => built[piece]!.handle)])
        for (let i = 0; i < 1500; i++) {
          const key = random.int(8) === 0 ? random.bytes(4) : random.pick(keys)
          const isNewest = random.int(4) > 0
          const at = isNewest ? sequence : random.int(sequence + 1)
          const wanted = seen
            .flatMap((piece) => pieces[piece]!.filter((entry) => equalBytes(entry.key, key)))
            .find((entry) => entry.sequence <= at)
          const found = look(kernel, view, key, at, isNewest ? Find.NEWEST : 0)
          expect(show(found)).to.equal(show(wanted))
        }
        // Now and then nothing but the view changes.
        if (round % 2 === 0) continue
        const gone = random.int(6)
        if (seen.includes(gone)) view.set([], [])
        tables.free(built[gone]!)
        built[gone] = tables.build(pieces[gone]!)[0]!
      }
    }
  })

  it('asks no filter and no index for what it has found before [KRN-18]', () => {
    const kernel = createKernel(8 << 20)
    const tables = new MemoryTables(kernel)
    const keys = Array.from({ length: 2000 }, (_, i) => bytesOf(`key ${10_000 + i}`))
    const [table] = tables.build(keys.map((key, i) => put(key, i + 1))) as [MemoryTable]
    const view = new View(kernel, tables)
    view.set([], [[table.handle]])
    const pass = (): Counters => {
      const before = counters(kernel)
      for (const key of keys) look(kernel, view, key, 2 ** 53 - 1, Find.NEWEST)
      const after = counters(kernel)
      return { ...after, hits: after.hits - before.hits, checks: after.checks - before.checks }
    }
    const first = pass()
    expect(first.checks).to.equal(2000)
    pass()
    // A few have lost their places to others.
    const third = pass()
    expect(third.checks).to.be.below(400)
    expect(third.hits).to.be.within(2000, 2000 + 2 * third.checks)
    view.set([], [[], [table.handle]])
    expect(pass().checks).to.be.greaterThan(100)
  })

  it('names where the chunks of a large value are [LOG-6, TBL-9, KRN-8]', () => {
    const random = seededRandom(testSeed())
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const entry = { ...put(bytesOf('k'), 1, random.bytes(100_000)), kind: CHUNKS }
    const memtable = tables.memtable([entry])
    const [table] = tables.build([entry]) as [MemoryTable]
    const view = new View(kernel, tables)
    view.set([memtable], [])
    expect(view.find(kernel.scratchKey('k'), 9)).to.equal(true)
    const inLog = { length: 100_000, offset: 0, source: memtable.address, inMemtable: true }
    expect(view.foundChunks()).to.deep.equal(inLog)
    expect(tables.value(view.foundChunks())).to.deep.equal(entry.value)
    view.set([], [[table.handle]])
    expect(view.find(kernel.scratchKey('k'), 9)).to.equal(true)
    const inTable = { length: 100_000, offset: 72, source: table.handle.address, inMemtable: false }
    expect(view.foundChunks()).to.deep.equal(inTable)
    expect(tables.value(view.foundChunks())).to.deep.equal(entry.value)
    const reference = Buffer.from(join([9], encodeReference(2 ** 47, 2 ** 40 + 1)))
    expect(readReference(reference, 1)).to.deep.equal({ length: 2 ** 47, offset: 2 ** 40 + 1 })
  })

  it('consists of what was set last [KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const view = new View(kernel, tables)
    const before = kernel.exports.allocatedBytes()
    const key = bytesOf('k')
    const memtables = [3, 2, 1].map((sequence) => tables.memtable([put(key, sequence)]))
    const levels = Array.from({ length: 7 }, () => tables.build([put(key, 1)]))
    for (let count = 0; count <= 3; count++) {
      view.set(memtables.slice(3 - count), [])
      expect(look(kernel, view, key, 9)?.sequence).to.equal(count === 0 ? undefined : count)
    }
    for (let level = 0; level < 7; level++) {
      view.set(
        [],
        levels.map((tablesHere, i) => (i === level ? tablesHere.map(({ handle }) => handle) : [])),
      )
      expect(look(kernel, view, key, 9)?.sequence).to.equal(1)
      expect(look(kernel, view, key, 0)).to.equal(undefined)
    }
    view.set([], [])
    expect(look(kernel, view, key, 9)).to.equal(undefined)
    for (const memtable of memtables) memtable.free()
    for (const table of levels.flat()) tables.free(table)
    expect(kernel.exports.allocatedBytes()).to.be.within(before, before + 4000)
  })

  it('leaves nothing behind when its tables are freed [KRN-4]', () => {
    const random = seededRandom(testSeed())
    const kernel = createKernel(0)
    const rounds: number[] = []
    for (let round = 0; round < 4; round++) {
      const store = randomStore(
        kernel,
        seededRandom(7),
        STORE_SHAPES['large values']!(seededRandom(7)),
      )
      for (const key of store.keys) look(kernel, store.view, key, random.int(40))
      freeStore(store)
      rounds.push(kernel.exports.allocatedBytes())
      expect(kernel.exports.blockCacheBytes()).to.equal(0)
    }
    // A rest that is too small for a block of its own stays with whatever lies before it.
    for (const bytes of rounds.slice(2)) expect(bytes).to.be.closeTo(rounds[1]!, 64)
  })

  it('says what is damaged, and finds nothing instead of it [TBL-10, KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const [table] = tables.build([put(bytesOf('k'), 1)]) as [MemoryTable]
    expect(tableIdentity(STORE_ID, table.handle.number)).to.not.equal(0n)
    table.file[80]! ^= 1
    const view = new View(kernel, tables)
    view.set([], [[table.handle]])
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => view.find(kernel.scratchKey('k'), 9))
        .to.throw('a damaged block')
        .that.includes({ code: 'CORRUPTION', offset: 72 })
    }
    table.file[80]! ^= 1
    expect(view.find(kernel.scratchKey('k'), 9)).to.equal(true)
  })
})
