import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { View } from '../../src/kernel/view.ts'
import { decodeBlock, encodeBlock, openBlock, sealBlock } from '../reference/block.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { join, littleEndian } from '../reference/little-endian.ts'
import { merge } from '../reference/merge.ts'
import { decodeTable, type PlacedBlock, tableIdentity } from '../reference/table.ts'
import {
  bytesOf,
  look,
  randomEntries,
  randomKeys,
  scanAll,
  show,
  WHOLE,
} from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const LAST = 2 ** 53 - 1

interface OneTable {
  readonly kernel: Kernel
  readonly tables: MemoryTables
  readonly table: MemoryTable
  readonly view: View
  readonly entries: readonly Entry[]
  readonly blocks: readonly PlacedBlock[]
}

/** A store of one table of level 0. */
function oneTable(entries: readonly Entry[], cacheBytes = 1 << 20, codec = 0): OneTable {
  const kernel = createKernel(cacheBytes)
  const tables = new MemoryTables(kernel)
  const sorted = merge([entries])
  const [table] = tables.build(sorted, { codec }) as [MemoryTable]
  const view = new View(kernel, tables)
  view.set([], [[table.handle]])
  const options = { storeId: STORE_ID, number: table.handle.number, hashSeed: HASH_SEED }
  const { blocks } = decodeTable(table.file, { ...options, bitsPerKey: 10 })
  return { kernel, tables, table, view, entries: sorted, blocks }
}

/** The same table under a changed file, with nothing of it in memory. */
function reopen(store: OneTable, file: Uint8Array): void {
  store.view.set([], [])
  for (const table of store.tables.tables.values()) store.tables.free(table)
  const { finished, handle } = store.table
  const fresh = store.tables.open({ ...finished, number: handle.number }, file, finished)
  store.view.set([], [[fresh.handle]])
}

function put(key: Uint8Array, sequence: number, value: Uint8Array): Entry {
  return { key, kind: PUT, sequence, timestamp: 0, value }
}

function puts(count: number, valueBytes: number): Entry[] {
  return Array.from({ length: count }, (_, i) =>
    put(bytesOf(`key ${String(i).padStart(5, '0')}`), i + 1, new Uint8Array(valueBytes).fill(i)),
  )
}

/** A lookup, or the code of the error that it throws. */
function outcome(store: OneTable, key: Uint8Array, sequence = LAST): string {
  try {
    return show(look(store.kernel, store.view, key, sequence))
  } catch (error) {
    return codeOf(store.kernel, error)
  }
}

/** The code of a refusal; anything else, a trap above all, is thrown on. */
function codeOf(kernel: Kernel, error: unknown): string {
  const { code } = error as { code?: string }
  if (kernel.trapped || (code !== 'CORRUPTION' && code !== 'FORMAT')) throw error
  return code
}

describe('kernel/block-cache', () => {
  describe('budget', () => {
    it('is kept to by lookups, and what is used stays longest [KRN-12]', () => {
      const random = seededRandom(testSeed())
      const store = oneTable(puts(2000, 1000), 200_000)
      for (let i = 0; i < 3000; i++) {
        const { key } = random.pick(store.entries)
        expect(store.view.find(store.kernel.scratchKey(key), LAST)).to.equal(true)
        expect(store.kernel.exports.blockCacheBytes()).to.be.lessThan(200_000 + 20_000)
      }
      expect(store.kernel.exports.blockCacheBytes()).to.be.greaterThan(100_000)
      // One key is asked for between all others, and so is read no more than once.
      const [hot] = store.entries as [Entry]
      store.view.find(store.kernel.scratchKey(hot.key), LAST)
      const asked: number[] = []
      const provide = store.tables.provideBlock.bind(store.tables)
      store.tables.provideBlock = (need) => {
        asked.push(need.offset)
        provide(need)
      }
      for (let i = 0; i < 2000; i++) {
        store.view.find(store.kernel.scratchKey(random.pick(store.entries).key), LAST)
        store.view.find(store.kernel.scratchKey(hot.key), LAST)
      }
      expect(asked.length).to.be.greaterThan(1000)
      expect(asked.filter((offset) => offset === 72).length).to.be.lessThan(3)
    })

    it('is kept to by scans, whose blocks are not evicted under them [KRN-12]', () => {
      const store = oneTable(puts(1000, 1000), 100_000)
      for (const reverse of [false, true]) {
        let most = 0
        const provide = store.tables.provideBlock.bind(store.tables)
        store.tables.provideBlock = (need) => {
          provide(need)
          most = Math.max(most, store.kernel.exports.blockCacheBytes())
        }
        const { keys } = scanAll(store.kernel, store.tables, { ...WHOLE, reverse, bytes: 2 ** 30 })
        expect(keys.length).to.equal(1000)
        expect(most).to.be.within(80_000, 120_000)
      }
    })

    it('of nothing lets every lookup end, with all that it needs in memory at once [KRN-12]', () => {
      const store = oneTable(puts(300, 1000), 0)
      for (const { key } of store.entries) {
        expect(store.view.find(store.kernel.scratchKey(key), LAST)).to.equal(true)
      }
      expect(store.kernel.exports.blockCacheBytes()).to.be.lessThan(30_000)
      expect(store.tables.reads).to.be.within(60, 1000)
    })

    it('is not used up by lookups that fail [KRN-12]', () => {
      const store = oneTable(puts(300, 1000), 50_000)
      const provide = store.tables.provideBlock.bind(store.tables)
      store.tables.provideBlock = (need) => {
        provide(need)
        throw new Error('not now')
      }
      for (let i = 0; i < 2000; i++) {
        const { key } = store.entries[i % 300]!
        try {
          store.view.find(store.kernel.scratchKey(key), LAST)
        } catch {}
      }
      expect(store.kernel.exports.blockCacheBytes()).to.be.lessThan(80_000)
    })

    it('is free again when tables are forgotten [KRN-4]', () => {
      const store = oneTable(puts(3000, 1000), 1 << 24)
      scanAll(store.kernel, store.tables, WHOLE)
      // Blocks of many tables, so that the hash table of the cache grows and shrinks.
      const more = Array.from({ length: 40 }, () => store.tables.build(puts(30, 1000)))
      store.view.set([], [more.flat().map(({ handle }) => handle)])
      for (const { key } of puts(30, 0)) {
        expect(store.view.find(store.kernel.scratchKey(key), LAST)).to.equal(true)
      }
      for (const table of more.flat()) {
        store.view.set([], [[table.handle]])
        expect(scanAll(store.kernel, store.tables, WHOLE).keys.length).to.equal(30)
      }
      store.view.set([], [])
      for (const table of more.flat()) store.tables.free(table)
      store.tables.free(store.table)
      expect(store.kernel.exports.blockCacheBytes()).to.equal(0)
    })
  })

  describe('damage', () => {
    for (const codec of [0, 1]) {
      it(`of any byte of any block is found, with codec ${codec} [TBL-4, TBL-10]`, () => {
        const random = seededRandom(testSeed())
        const keys = randomKeys(random, 12)
        const store = oneTable(randomEntries(random, { keys, count: 30, deletes: 0 }), 0, codec)
        const good = store.entries.map(({ key }) => outcome(store, key))
        for (const { kind, offset, bytes } of store.blocks) {
          for (let at = offset; at < offset + bytes; at++) {
            const file = store.table.file.slice()
            file[at]! ^= random.pick([1, 128, 255, random.int(1, 256)])
            reopen(store, file)
            const got = store.entries.map(({ key }) => outcome(store, key))
            expect(got, kind).to.deep.equal(good.map(() => 'CORRUPTION'))
          }
        }
        reopen(store, store.table.file)
        expect(store.entries.map(({ key }) => outcome(store, key))).to.deep.equal(good)
      })
    }

    it('of a block that is shorter or longer than it was is found [TBL-4, TBL-10]', () => {
      const random = seededRandom(testSeed())
      const { kernel, tables, table, blocks } = oneTable(
        randomEntries(random, { keys: randomKeys(random, 12), count: 30 }),
      )
      const address = tables.kernel.staging(10_000)
      for (const { offset, bytes, kind } of blocks) {
        const code = { data: 0, partition: 1, top: 1, filter: 2 }[kind]
        kernel.memory.bytes.set(table.file.subarray(offset, offset + bytes + 20), address)
        for (let stored = 0; stored < bytes + 20; stored++) {
          if (stored === bytes) continue
          expect(table.handle.install(offset, code, address, stored, 0)).to.equal('corrupt')
        }
        const elsewhere = table.handle.install(offset + 1, code, address, bytes, 0)
        expect(elsewhere).to.equal('corrupt')
        expect(table.handle.install(offset, code, address, bytes, 0)).to.equal('installed')
      }
    })

    it('under a good checksum is found, or makes a block that contradicts nothing: H12 [TBL-10, KRN-13]', () => {
      const random = seededRandom(testSeed())
      const store = oneTable(randomEntries(random, { keys: randomKeys(random, 30), count: 90 }), 0)
      const identity = tableIdentity(STORE_ID, store.table.handle.number)
      const size = store.kernel.bytes
      let refused = 0
      for (let round = 0; round < 1500; round++) {
        const file = store.table.file.slice()
        for (let n = random.int(1, 3); n > 0; n--) {
          const { offset, bytes } = random.pick(store.blocks)
          const content = file.slice(offset, offset + bytes - 16)
          mutate(random, content)
          file.set(sealBlock(content, identity, offset), offset)
        }
        reopen(store, file)
        for (let n = 0; n < 5; n++) {
          const { key } = random.pick(store.entries)
          if (['CORRUPTION', 'FORMAT'].includes(outcome(store, key, random.int(100)))) refused++
        }
        for (const reverse of [false, true]) {
          try {
            const { keys } = scanAll(store.kernel, store.tables, { ...WHOLE, reverse })
            expect(keys.length).to.be.at.most(90)
          } catch (error) {
            codeOf(store.kernel, error)
            refused++
          }
        }
      }
      expect(refused).to.be.greaterThan(1000)
      expect(store.kernel.bytes).to.be.at.most(size + (4 << 20))
    })

    it('of handles is found: outside the table, and two uses of one block [TBL-7, TBL-10, KRN-13]', () => {
      const store = oneTable(puts(30, 500), 1 << 20)
      const identity = tableIdentity(STORE_ID, store.table.handle.number)
      const find = (kind: PlacedBlock['kind']): PlacedBlock =>
        store.blocks.find((block) => block.kind === kind)!
      const [top, partition, filter] = [find('top'), find('partition'), find('filter')]
      const entriesOf = ({ offset, bytes }: PlacedBlock): Entry[] =>
        decodeBlock(
          openBlock(store.table.file.slice(offset, offset + bytes), identity, offset),
          true,
        )
      /** Writes the index anew, with changed entries. */
      const rewrite = (inPartition: Partial<Entry>, inTop: Partial<Entry>): void => {
        const part = entriesOf(partition).map((entry) => ({ ...entry, ...inPartition }))
        const sealed = sealBlock(encodeBlock(part), identity, partition.offset)
        const topAt = partition.offset + sealed.length
        const own = { sequence: partition.offset, timestamp: sealed.length }
        const entries = entriesOf(top).map((entry) => ({ ...entry, ...own, ...inTop }))
        const sealedTop = sealBlock(encodeBlock(entries), identity, topAt)
        const footer = [...littleEndian(topAt, 8), ...littleEndian(sealedTop.length, 4)]
        const before = store.table.file.slice(0, partition.offset)
        reopen(store, join(before, sealed, sealedTop, new Uint8Array(20), footer))
      }
      rewrite({}, {})
      const found = outcome(store, store.entries.at(-1)!.key)
      expect(found).to.equal(show(store.entries.at(-1)))
      const last = store.entries.at(-1)!.key
      const places: [number, number][] = [
        [2 ** 52, 100],
        [0, 100],
        [store.table.file.length, 1],
        [store.table.file.length - 32, 1],
        [72, 2 ** 32 - 1],
        [partition.offset, partition.bytes],
        [filter.offset, filter.bytes],
        [top.offset, top.bytes],
      ]
      for (const [offset, bytes] of places) {
        if (offset !== partition.offset) {
          rewrite({}, { sequence: offset, timestamp: bytes })
          expect(outcome(store, last), `partition at ${offset}`).to.equal('CORRUPTION')
        }
        if (offset !== filter.offset) {
          const value = Uint8Array.from([...littleEndian(offset, 8), ...littleEndian(bytes, 4)])
          rewrite({}, { value })
          expect(outcome(store, last), `filter at ${offset}`).to.equal('CORRUPTION')
        }
        rewrite({ sequence: offset, timestamp: bytes }, {})
        expect(outcome(store, last), `block at ${offset}`).to.equal('CORRUPTION')
        expect(() => scanAll(store.kernel, store.tables, WHOLE)).to.throw('a damaged block')
      }
    })
  })

  it('counts hits and misses [KRN-12]', () => {
    const { kernel, view } = oneTable(puts(30, 500))
    const count = (): number[] => {
      kernel.exports.readCounters()
      return Array.from(kernel.memory.results.subarray(0, 2))
    }
    view.find(kernel.scratchKey('key 00000'), LAST)
    const [hits, misses] = count() as [number, number]
    expect([hits, misses]).to.deep.equal([0, 3])
    view.find(kernel.scratchKey('key 00000'), LAST)
    expect(count()).to.deep.equal([hits + 3, misses])
  })
})

/** Changes a few bytes of a content, at random or to numbers that mean something. */
function mutate(random: Random, content: Uint8Array): void {
  for (let n = random.int(1, 4); n > 0; n--) {
    const at = random.chance(0.5)
      ? random.int(Math.min(60, content.length))
      : random.int(content.length)
    content[at] = random.pick([0, 1, 2, 127, 128, 255, random.int(256), content[at]! + 1])
  }
}
