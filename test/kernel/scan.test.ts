import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { type FillRequest, fill } from '../../src/kernel/scan.ts'
import { View } from '../../src/kernel/view.ts'
import { CHUNKS, DELETE, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { inBounds } from '../reference/merge.ts'
import { encodeTable } from '../reference/table.ts'
import { bytesOf, scanAll, showBytes, WHOLE } from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import {
  freeStore,
  neighbours,
  type RandomStore,
  randomStore,
  STORE_SHAPES,
} from '../support/random-store.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

/** A random range with random limits over a store. */
function randomRequest(random: Random, store: RandomStore): FillRequest {
  const bound = (): Uint8Array | undefined => {
    if (random.chance(0.2)) return undefined
    const key = random.pick(store.keys)
    return random.chance(0.5) ? key : random.pick(neighbours(key))
  }
  return {
    ...{ start: bound(), startInclusive: random.chance(0.5) },
    ...{ end: bound(), endInclusive: random.chance(0.5) },
    reverse: random.chance(0.5),
    sequence: random.chance(0.3) ? 2 ** 53 - 1 : random.int(store.entries.length + 2),
    entries: random.pick([1, 2, 7, 1024]),
    bytes: random.pick([1, 500, 65_536]),
    wanted: Number.POSITIVE_INFINITY,
    ...{ keys: 'binary', values: 'binary' },
  }
}

function wantedOf(store: RandomStore, request: FillRequest): string[] {
  const seen = inBounds(store.visible(request.sequence), request)
  return seen.map(({ key, value }) => `${showBytes(key)} = ${showBytes(value)}`)
}

function gotOf(kernel: Kernel, store: RandomStore, request: FillRequest): string[] {
  const whole = store.tables.value.bind(store.tables)
  const { keys, values } = scanAll(kernel, store.tables, request, whole)
  return keys.map((key, i) => `${showBytes(key)} = ${showBytes(values[i]!)}`)
}

function put(key: string, sequence: number, value: Uint8Array = new Uint8Array(0)): Entry {
  return { key: bytesOf(key), kind: PUT, sequence, timestamp: 0, value }
}

describe('kernel/scan', () => {
  for (const [name, shape] of Object.entries(STORE_SHAPES)) {
    it(`yields what the sequence sees of any range, in both directions: ${name} [KRN-9]`, () => {
      const random = seededRandom(testSeed())
      for (let round = 0; round < 6; round++) {
        const kernel = createKernel(random.pick([0, 20_000, 1 << 20]))
        const store = randomStore(kernel, random, shape(random))
        for (let scan = 0; scan < (name === 'large values' ? 10 : 60); scan++) {
          const request = randomRequest(random, store)
          expect(gotOf(kernel, store, request)).to.deep.equal(wantedOf(store, request))
        }
        // In the checked kernel this fails when a scan has left a block pinned.
        freeStore(store)
        expect(kernel.exports.blockCacheBytes()).to.equal(0)
      }
    })
  }

  it('gives texts as they were written, whether ASCII or not, in columns of any form [KRN-6, KRN-9]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 40; round++) {
      const kernel = createKernel()
      const tables = new MemoryTables(kernel)
      const view = new View(kernel, tables)
      const text = random.pick([
        ['a', 'b', '~'],
        ['a', 'é', '😀', '\u07ff'],
      ])
      const value = random.pick([
        ['a', 'b', '~'],
        ['a', 'é', '😀', '\u07ff'],
      ])
      const some = (from: string[], length: number): string =>
        Array.from({ length }, () => random.pick(from)).join('')
      const wanted = new Map<string, string>()
      for (let i = 0; i < 90; i++) {
        wanted.set(some(text, 1 + random.int(40)), some(value, random.pick([0, 3, 30, 900])))
      }
      const pairs = [...wanted].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      const entries = pairs.map(([key, words], i) => ({
        ...put('', i + 1, Buffer.from(words)),
        key: Buffer.from(key),
      }))
      view.set([tables.memtable(random.shuffle([...entries]))], [])
      const keys = random.pick(['utf8', 'binary', 'buffer'] as const)
      const values = random.pick(['utf8', 'binary', 'buffer'] as const)
      const request = { ...WHOLE, keys, values, entries: random.pick([1, 16, 1024]) }
      const got = scanAll(kernel, tables, request)
      const asText = (item: string | Uint8Array): string =>
        typeof item === 'string' ? item : Buffer.from(item).toString()
      expect(got.keys.map(asText)).to.deep.equal(pairs.map(([key]) => key))
      expect(got.values.map(asText)).to.deep.equal(pairs.map(([, words]) => words))
      for (const [column, form] of [
        [got.keys, keys],
        [got.values, values],
      ] as const) {
        expect(column.every((item) => (typeof item === 'string') === (form === 'utf8'))).to.equal(
          true,
        )
        expect(column.every((item) => Buffer.isBuffer(item) === (form === 'buffer'))).to.equal(true)
      }
    }
  })

  it('yields each entry once while entries are added and flushed between its fills [KRN-9]', () => {
    const random = seededRandom(testSeed())
    for (const reverse of [false, true]) {
      const kernel = createKernel()
      const tables = new MemoryTables(kernel)
      const view = new View(kernel, tables)
      const entries = Array.from({ length: 300 }, (_, i) => put(`key ${i + 100}`, i + 1))
      const memtable = tables.memtable(random.shuffle([...entries]))
      view.set([memtable], [])
      const seen: string[] = []
      let request: FillRequest = { ...WHOLE, reverse, sequence: 300, entries: 7, keys: 'utf8' }
      let flushed: MemoryTable[] | undefined
      for (let fills = 0; ; fills++) {
        const got = fill(kernel, tables, request)
        seen.push(...(got.keys as string[]))
        if (got.resume === undefined) break
        request = { ...request, start: got.resume, startInclusive: false }
        if (fills === 20) {
          flushed = tables.build(entries)
          view.set([], [flushed.map(({ handle }) => handle)])
        } else if (fills < 20) {
          const at = 301 + fills
          const key = kernel.scratchKey(`key ${100 + random.int(300)} and more`)
          const address = kernel.scratch(0)
          memtable.append(PUT, address, key, address, 0, at, 0)
          memtable.sealFrame(undefined, 0)
        }
      }
      const keys = entries.map((_, i) => `key ${i + 100}`)
      expect(seen).to.deep.equal(reverse ? keys.reverse() : keys)
    }
  })

  it('stops at the number of entries, or behind the bytes, and always takes one [KRN-9]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const entries = Array.from({ length: 50 }, (_, i) =>
      put(`${i + 10}`, i + 1, new Uint8Array(84)),
    )
    new View(kernel, tables).set([tables.memtable(entries)], [])
    const count = (request: Partial<FillRequest>): number =>
      fill(kernel, tables, { ...WHOLE, ...request }).count
    for (const reverse of [false, true]) {
      expect(count({ reverse })).to.equal(50)
      expect(count({ reverse, entries: 1 })).to.equal(1)
      expect(count({ reverse, entries: 49 })).to.equal(49)
      expect(count({ reverse, bytes: 0 })).to.equal(1)
      // An entry takes 16 + 2 + 84 bytes.
      expect(count({ reverse, bytes: 1020 })).to.equal(10)
      expect(count({ reverse, bytes: 1021 })).to.equal(11)
    }
    // It does not look behind what it was asked for, so that only the next fill tells that this was the end.
    const exact = fill(kernel, tables, { ...WHOLE, entries: 50 })
    expect([exact.count, exact.resume]).to.deep.equal([50, bytesOf('59')])
    const rest = fill(kernel, tables, { ...WHOLE, start: bytesOf('59'), startInclusive: false })
    expect([rest.count, rest.resume]).to.deep.equal([0, undefined])
    const back = fill(kernel, tables, { ...WHOLE, reverse: true, entries: 50 })
    expect([back.count, back.resume]).to.deep.equal([50, undefined])
    // Nor does it say where to go on when nothing more is wanted.
    const enough = fill(kernel, tables, { ...WHOLE, entries: 9, wanted: 9 })
    expect([enough.count, enough.resume]).to.deep.equal([9, undefined])
    const short = fill(kernel, tables, { ...WHOLE, entries: 9, bytes: 0, wanted: 9 })
    expect([short.count, short.resume]).to.deep.equal([1, bytesOf('10')])
  })

  it('comes back from a desert of tombstones without an entry, and goes on behind it [KRN-9]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const desert = Array.from({ length: 40_000 }, (_, i): Entry => {
      return { ...put(`key ${i + 100_000}`, i + 1), kind: DELETE }
    })
    const last = put('key 999999', 40_001)
    new View(kernel, tables).set([tables.memtable([...desert, last])], [])
    const first = fill(kernel, tables, WHOLE)
    expect(first.count).to.equal(0)
    expect(first.resume).to.not.equal(undefined)
    const { keys, fills } = scanAll(kernel, tables, { ...WHOLE, keys: 'utf8' })
    expect(keys).to.deep.equal(['key 999999'])
    expect(fills).to.be.within(2, 4)
    const back = scanAll(kernel, tables, { ...WHOLE, keys: 'utf8', reverse: true })
    expect(back.keys).to.deep.equal(['key 999999'])
  })

  it('gives columns in the form asked for, each the caller’s own [KRN-6, KRN-9]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const entries = [put('a', 1, bytesOf('one')), put('b', 2), put('c', 3, bytesOf('three'))]
    new View(kernel, tables).set([tables.memtable(entries)], [])
    const columns = (keys: FillRequest['keys'], values: FillRequest['values']): unknown[] => {
      const got = fill(kernel, tables, { ...WHOLE, keys, values })
      return [got.count, got.keys, got.values]
    }
    expect(columns('utf8', 'utf8')).to.deep.equal([3, ['a', 'b', 'c'], ['one', '', 'three']])
    expect(columns(undefined, 'utf8')).to.deep.equal([3, [], ['one', '', 'three']])
    expect(columns('utf8', undefined)).to.deep.equal([3, ['a', 'b', 'c'], []])
    expect(columns(undefined, undefined)).to.deep.equal([3, [], []])
    const buffers = fill(kernel, tables, { ...WHOLE, keys: 'buffer', values: 'binary' })
    expect(buffers.keys.every(Buffer.isBuffer)).to.equal(true)
    expect(buffers.values.some(Buffer.isBuffer)).to.equal(false)
    expect(buffers.values).to.deep.equal(entries.map(({ value }) => value))
    const [first] = buffers.values as [Uint8Array]
    first.fill(0)
    expect(columns('utf8', 'utf8')).to.deep.equal([3, ['a', 'b', 'c'], ['one', '', 'three']])
  })

  it('names the chunks of large values, and leaves them alone when only keys are asked for [KRN-9]', () => {
    const random = seededRandom(testSeed())
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const large = (key: string, sequence: number): Entry => {
      return { ...put(key, sequence, random.bytes(70_000)), kind: CHUNKS }
    }
    const entries = [large('a', 1), put('b', 2, bytesOf('small')), large('c', 3)]
    const [table] = tables.build(entries.slice(0, 2)) as [MemoryTable]
    new View(kernel, tables).set([tables.memtable(entries.slice(2))], [[table.handle]])
    for (const reverse of [false, true]) {
      const got = fill(kernel, tables, { ...WHOLE, reverse, bytes: 1 << 20 })
      expect(got.chunked.map(({ index }) => index)).to.deep.equal([0, 2])
      const [first, second] = got.chunked.map(({ value }) => tables.value(value))
      const ordered = reverse ? [...entries].reverse() : entries
      expect([first, second]).to.deep.equal([ordered[0]!.value, ordered[2]!.value])
      expect(fill(kernel, tables, { ...WHOLE, reverse, values: undefined }).chunked).to.deep.equal(
        [],
      )
    }
  })

  it('passes keys of 1 MiB [KRN-9]', () => {
    const random = seededRandom(testSeed())
    const kernel = createKernel(0)
    const tables = new MemoryTables(kernel)
    const stem = random.bytes((1 << 20) - 1)
    const entries = Array.from({ length: 12 }, (_, i): Entry => {
      const key = join(stem, [i & ~1])
      return { key, kind: PUT, sequence: i + 1, timestamp: 0, value: random.bytes(100) }
    })
    const [table] = tables.build(entries.slice(0, 9)) as [MemoryTable]
    const view = new View(kernel, tables)
    view.set([tables.memtable(entries.slice(9))], [[], [table.handle]])
    const wanted = entries.filter((_, i) => i % 2 === 1).map(({ value }) => showBytes(value))
    for (const reverse of [false, true]) {
      const { values } = scanAll(kernel, tables, { ...WHOLE, reverse })
      expect(values.map(showBytes)).to.deep.equal(reverse ? [...wanted].reverse() : wanted)
    }
  })

  it('says what is damaged, and can go on where it was when that is mended [TBL-10, KRN-9]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const entries = Array.from({ length: 40 }, (_, i) =>
      put(`${i + 10}`, i + 1, new Uint8Array(900)),
    )
    const [table] = tables.build(entries) as [MemoryTable]
    new View(kernel, tables).set([], [[table.handle]])
    const middle = Math.floor(table.file.length / 2)
    table.file[middle]! ^= 1
    const got: string[] = []
    let request: FillRequest = { ...WHOLE, keys: 'utf8', entries: 1 }
    expect(() => {
      for (;;) {
        const one = fill(kernel, tables, request)
        got.push(...(one.keys as string[]))
        request = { ...request, start: one.resume, startInclusive: false }
      }
    }).to.throw('a damaged block')
    expect(got.length).to.be.within(1, 39)
    table.file[middle]! ^= 1
    const rest = scanAll(kernel, tables, { ...request, entries: 100 })
    expect([...got, ...rest.keys]).to.deep.equal(entries.map((_, i) => `${i + 10}`))
  })

  it('refuses keys that are not where their index says, instead of going round for ever [KRN-9]', () => {
    const value = new Uint8Array(4096)
    const entries = ['a', 'c', 'b', 'd'].map((key, i) => put(key, i + 1, value))
    const options = { storeId: STORE_ID, number: 77, hashSeed: HASH_SEED, bitsPerKey: 0 }
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const ends = { smallest: bytesOf('a'), largest: bytesOf('d') }
    const finished = {} as MemoryTable['finished']
    const table = tables.open({ number: 77, ...ends }, encodeTable(entries, options), finished)
    new View(kernel, tables).set([], [[table.handle]])
    for (const reverse of [false, true]) {
      const scan = (): unknown => scanAll(kernel, tables, { ...WHOLE, reverse })
      expect(scan).to.throw('a damaged block').that.includes({ code: 'CORRUPTION' })
    }
  })
})
