import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Memtable } from '../../src/kernel/memtable.ts'
import { Codec, type FinishedTable, TableJob } from '../../src/kernel/table-job.ts'
import {
  CHUNKS,
  compareEntries,
  compareKeys,
  DELETE,
  type Entry,
  PUT,
  sameBytes,
} from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { merge } from '../reference/merge.ts'
import { survivors } from '../reference/survive.ts'
import { decodeTable, encodeTable, fileChecksum, type TableOptions } from '../reference/table.ts'
import { bytesOf, randomEntries, randomKeys } from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

function optionsOf(table: MemoryTable, bitsPerKey = 10): TableOptions {
  return { storeId: STORE_ID, number: table.handle.number, hashSeed: HASH_SEED, bitsPerKey }
}

/** What the kernel says about a table, told by its file and entries. */
function summaryOf(file: Uint8Array, entries: readonly Entry[]): Omit<FinishedTable, 'shadowed'> {
  const sequences = entries.map(({ sequence }) => sequence)
  return {
    header: file.slice(0, 72),
    size: file.length,
    entries: entries.length,
    tombstones: entries.filter(({ kind }) => kind === DELETE).length,
    minSequence: Math.min(...sequences),
    maxSequence: Math.max(...sequences),
    rawBytes: entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
    smallest: entries[0]!.key,
    largest: entries.at(-1)!.key,
    checksum: fileChecksum(file),
  }
}

/** Entries of many shapes, in internal order. */
const SHAPES: Readonly<Record<string, (random: Random) => Entry[]>> = {
  'one entry': (random) => randomEntries(random, { keys: [bytesOf('k')], count: 1 }),
  'small entries': (random) => {
    const shape = { keys: randomKeys(random, 400), count: 900 }
    return merge([randomEntries(random, shape)])
  },
  'versions that run over many blocks': (random) => {
    const shape = { keys: randomKeys(random, 3), count: 300, value: () => random.bytes(700) }
    return merge([randomEntries(random, shape)])
  },
  'large values': (random) => {
    const value = (): Uint8Array => random.bytes(random.pick([0, 4000, 4096, 9000, 65_535]))
    return merge([randomEntries(random, { keys: randomKeys(random, 30), count: 40, value })])
  },
  'long keys, so that the index has many partitions': (random) => {
    const stem = random.bytes(2000)
    const keys = Array.from({ length: 60 }, () => {
      const key = stem.slice(0, random.int(1500, 2000))
      key[key.length - random.int(1, 400)]! ^= 1
      return key
    })
    return merge([randomEntries(random, { keys, count: 120, value: () => random.bytes(2100) })])
  },
  'keys that share more than they may in a block': (random) => {
    const stem = random.bytes(900)
    const keys = Array.from({ length: 300 }, () => join(stem, random.bytes(random.int(1, 4))))
    const value = (): Uint8Array => random.bytes(random.int(4))
    // One that leaves the others no prefix.
    keys.push(Uint8Array.of(stem[0]! ^ 1))
    return merge([randomEntries(random, { keys, count: 400, value })])
  },
  'timestamps that grow with the sequences': (random) => {
    const steps = [0.01, 0.4, 3, 1000]
    const entries = randomEntries(random, { keys: randomKeys(random, 900), count: 900 })
    const timed = entries.map((entry, i) => {
      const step = steps[Math.floor((i * steps.length) / entries.length)]!
      return { ...entry, timestamp: Math.floor(entry.sequence * step) + random.int(3) }
    })
    return merge([timed])
  },
  'sequences and timestamps far apart': (random) => {
    const shape = { keys: randomKeys(random, 20), count: 40, timestamp: () => random.int(2 ** 31) }
    const entries = randomEntries(random, shape)
    return merge([entries.map((entry) => ({ ...entry, sequence: entry.sequence * 50_000_000 }))])
  },
}

describe('kernel/table-job', () => {
  let kernel: Kernel
  let store: MemoryTables

  beforeEach(() => {
    kernel = createKernel()
    store = new MemoryTables(kernel)
  })

  describe('tables', () => {
    for (const [name, shape] of Object.entries(SHAPES)) {
      it(`without compression are the twin's byte for byte: ${name} [TBL-1, TBL-2, TBL-3, TBL-5, TBL-6, TBL-7, TBL-8, TBL-11, KRN-10]`, () => {
        const random = seededRandom(testSeed())
        for (const bitsPerKey of [10, 0, random.int(1, 40)]) {
          const entries = shape(random)
          const [table, ...others] = store.build(entries, { bitsPerKey }) as [MemoryTable]
          const twin = encodeTable(entries, optionsOf(table, bitsPerKey))
          expect(others).to.deep.equal([])
          expect(sameBytes(table.file, twin)).to.equal(true)
          const { shadowed: _, ...finished } = table.finished
          expect(finished).to.deep.equal(summaryOf(twin, entries))
        }
      })

      it(`with LZ4 decode to the same entries: ${name} [TBL-4, TBL-10]`, () => {
        const random = seededRandom(testSeed())
        const entries = shape(random)
        const [table] = store.build(entries, { codec: Codec.LZ4 }) as [MemoryTable]
        const decoded = decodeTable(table.file, optionsOf(table))
        expect(decoded.entries).to.deep.equal(entries)
        expect(table.file[40]).to.equal(Codec.LZ4)
        const { shadowed: _, ...finished } = table.finished
        expect(finished).to.deep.equal(summaryOf(table.file, entries))
      })
    }

    it('are compressed where that saves an eighth, and only there [TBL-4]', () => {
      const random = seededRandom(testSeed())
      const put = { kind: PUT, sequence: 1, timestamp: 0 }
      const codecs = [bytesOf('x'.repeat(5000)), random.bytes(5000)].map((value) => {
        const entry = { ...put, key: bytesOf('k'), value }
        const [table] = store.build([entry], { codec: Codec.LZ4 }) as [MemoryTable]
        const { blocks } = decodeTable(table.file, optionsOf(table))
        const data = blocks.find(({ kind }) => kind === 'data')!
        return table.file[data.offset + data.bytes - 16]
      })
      expect(codecs).to.deep.equal([Codec.LZ4, Codec.NONE])
    })

    it('hold large values in chunks before the block of their entry [TBL-9]', () => {
      const random = seededRandom(testSeed())
      const sizes = [65_536, 65_537, 200_000, 0, 100, 70_000]
      const entries = sizes.map((size, i) => {
        const kind = size >= 65_536 ? CHUNKS : PUT
        const rest = { kind, sequence: i + 1, timestamp: i }
        return { ...rest, key: bytesOf(`key ${i}`), value: random.bytes(size) }
      })
      const [table] = store.build(entries) as [MemoryTable]
      const twin = encodeTable(entries, optionsOf(table), ({ value }) => value)
      expect(sameBytes(table.file, twin)).to.equal(true)
      // A second job copies them from one table to the next.
      const [copy] = store.run({ lists: [[table]] }).tables as [MemoryTable]
      const again = encodeTable(entries, optionsOf(copy), ({ value }) => value)
      expect(sameBytes(copy.file, again)).to.equal(true)
      expect(copy.finished.checksum).to.equal(fileChecksum(again))
    })

    it('end before the chunks of a value, never between them and their entry [TBL-9, KRN-10]', () => {
      const random = seededRandom(testSeed())
      const value = (): Uint8Array => random.bytes(random.pick([10, 65_536, 70_000]))
      const entries = Array.from({ length: 12 }, (_, i): Entry => {
        const entry = {
          key: bytesOf(`key ${i + 10}`),
          sequence: i + 1,
          timestamp: 0,
          value: value(),
        }
        return { ...entry, kind: entry.value.length < 65_536 ? PUT : CHUNKS }
      })
      for (const tableBytes of [1, 60_000, 100_000]) {
        const made = store.build(entries, { options: { tableBytes, tables: 20 } })
        let from = 0
        for (const table of made) {
          const mine = entries.slice(from, (from += table.finished.entries))
          const twin = encodeTable(mine, optionsOf(table), (entry) => entry.value)
          expect(sameBytes(table.file, twin)).to.equal(true)
        }
        expect(from).to.equal(entries.length)
      }
    })

    it('may be compressed by a codec from outside [TBL-4, KRN-10]', () => {
      const random = seededRandom(testSeed())
      const shape = { keys: randomKeys(random, 300), count: 900 }
      const value = (): Uint8Array => random.pick([bytesOf('text '.repeat(40)), random.bytes(200)])
      const entries = merge([randomEntries(random, { ...shape, value })])
      const compress = (content: Uint8Array): Uint8Array => deflateRawSync(content)
      const [table] = store.build(entries, { codec: Codec.ZSTD, compress }) as [MemoryTable]
      const { shadowed: _, ...finished } = table.finished
      expect(finished).to.deep.equal(summaryOf(table.file, entries))
      expect(table.file[40]).to.equal(Codec.ZSTD)
      store.decompress = (payload) => inflateRawSync(payload)
      const [raw] = store.run({ lists: [[table]], options: all(entries) }).tables as [MemoryTable]
      expect(sameBytes(raw.file, encodeTable(entries, optionsOf(raw)))).to.equal(true)
      expect(table.file.length).to.be.lessThan(raw.file.length)
      // What does not shrink, or is refused, is stored as it is.
      for (const vain of [(content: Uint8Array) => content, () => new Uint8Array(0)]) {
        const [stored] = store.build(entries, { codec: Codec.ZSTD, compress: vain }) as [
          MemoryTable,
        ]
        expect(stored.file.length).to.equal(raw.file.length)
        const { blocks } = decodeTable(stored.file, optionsOf(stored))
        const codecs = blocks.map(({ offset, bytes }) => stored.file[offset + bytes - 16])
        expect(new Set(codecs)).to.deep.equal(new Set([Codec.NONE]))
      }
    })

    it('are the same whatever the steps, frames and sorted runs were [TBL-11]', () => {
      const random = seededRandom(testSeed())
      const entries = randomEntries(random, { keys: randomKeys(random, 100), count: 600 })
      const files = [1, 7, 10_000].map((step) => {
        const fresh = new MemoryTables(createKernel())
        return fresh.build(entries, { step, codec: Codec.LZ4 }).map(({ file }) => file)
      })
      expect(files[1]).to.deep.equal(files[0])
      expect(files[2]).to.deep.equal(files[0])
    })

    it('are not made when nothing survives, or nothing is there [KRN-10]', () => {
      expect(store.run({}).tables).to.deep.equal([])
      const key = bytesOf('k')
      const gone = { key, kind: DELETE, sequence: 1, timestamp: 0, value: new Uint8Array(0) }
      const [table] = store.build([gone]) as [MemoryTable]
      const outcome = store.run({ lists: [[table]], options: { dropTombstones: true } })
      expect(outcome).to.deep.equal({ tables: [], dropped: 1 })
    })

    it('end at the first key behind the size that is asked for, the last takes the rest [KRN-10]', () => {
      const random = seededRandom(testSeed())
      for (let round = 0; round < 20; round++) {
        const shape = { keys: randomKeys(random, 200), count: 400 }
        const value = (): Uint8Array => random.bytes(random.int(300))
        const entries = merge([randomEntries(random, { ...shape, value })])
        const tables = random.int(1, 6)
        const tableBytes = random.int(1, 20_000)
        const made = store.build(entries, { options: { tables, tableBytes } })
        expect(made.length).to.be.within(1, tables)
        const decoded = made.map((table) => decodeTable(table.file, optionsOf(table)).entries)
        expect(decoded.flat()).to.deep.equal(entries)
        decoded.forEach((mine, i) => {
          const next = decoded[i + 1]
          if (next === undefined) return
          expect(compareKeys(mine.at(-1)!.key, next[0]!.key)).to.be.lessThan(0)
          expect(made[i]!.file.length).to.be.at.least(tableBytes)
        })
        for (const table of made) store.free(table)
      }
    })
  })

  describe('survival', () => {
    it('keeps what a live sequence sees, and counts what it drops and shadows [KRN-11]', () => {
      const random = seededRandom(testSeed())
      for (let round = 0; round < 150; round++) {
        const entries = randomEntries(random, {
          keys: randomKeys(random, random.int(1, 20)),
          count: random.int(1, 150),
          deletes: random.pick([0.1, 0.5, 0.9]),
        })
        const snapshots = Array.from({ length: random.pick([0, 1, 2, 10]) }, () =>
          random.int(0, entries.length + 20),
        ).sort((left, right) => left - right)
        const dropTombstones = random.chance(0.5)
        const { memtables, lists } = spread(store, random, entries)
        const options = { snapshots, dropTombstones }
        const { tables, dropped } = store.run({
          memtables,
          lists,
          options,
          step: random.int(1, 50),
        })
        const all = merge([entries])
        const wanted = survivors(all, snapshots, dropTombstones)
        const got = tables.flatMap((table) => decodeTable(table.file, optionsOf(table)).entries)
        expect(got).to.deep.equal(wanted)
        expect(dropped).to.equal(entries.length - wanted.length)
        const newest = all.filter((entry, i) => i === 0 || !sameBytes(all[i - 1]!.key, entry.key))
        const shadowed = wanted.filter((entry) => !newest.includes(all[find(all, entry)]!)).length
        if (tables.length > 0) expect(tables.at(-1)!.finished.shadowed).to.equal(shadowed)
        for (const memtable of memtables) memtable.free()
        for (const table of [...lists.flat(), ...tables]) store.free(table)
      }
    })

    it('refuses a memtable that is not sorted [KRN-10]', () => {
      const memtable = store.memtable(
        randomEntries(seededRandom(1), { keys: [bytesOf('k')], count: 9 }),
      )
      expect(() => store.run({ memtables: [memtable] })).to.throw('internal error')
    })
  })

  describe('damage', () => {
    it('in an input ends the job and names where it is [TBL-10, KRN-10]', () => {
      const random = seededRandom(testSeed())
      const entries = merge([randomEntries(random, { keys: randomKeys(random, 200), count: 600 })])
      const [table] = store.build(entries) as [MemoryTable]
      const { blocks } = decodeTable(table.file, optionsOf(table))
      for (const { offset, bytes, kind } of blocks) {
        if (kind === 'filter') continue
        const at = offset + random.int(bytes)
        table.file[at]! ^= 1 << random.int(8)
        const fresh = store.open(
          { ...table.finished, number: table.handle.number },
          table.file.slice(),
          table.finished,
        )
        expect(() => store.run({ lists: [[fresh]] }))
          .to.throw('a damaged block')
          .that.includes({ code: 'CORRUPTION', offset })
        store.free(fresh)
        table.file.set(encodeTable(entries, optionsOf(table)))
      }
    })

    it('that only the order of entries shows ends the job as well [KRN-10]', () => {
      const entry = (key: string, sequence: number): Entry => {
        return { key: bytesOf(key), kind: PUT, sequence, timestamp: 0, value: new Uint8Array(4096) }
      }
      // The encoder trusts its caller, so blocks can be made to contradict their index.
      for (const entries of [
        [entry('a', 1), entry('c', 2), entry('b', 3), entry('d', 4)],
        [entry('a', 1), entry('b', 3), entry('b', 4), entry('c', 5)],
        [entry('a', 1), entry('b', 3), entry('b', 3), entry('c', 5)],
      ]) {
        const number = 77
        const options = { storeId: STORE_ID, number, hashSeed: HASH_SEED, bitsPerKey: 0 }
        const file = encodeTable(entries, options)
        const ends = { smallest: bytesOf('a'), largest: bytesOf('d') }
        const table = store.open({ number, ...ends }, file, {} as FinishedTable)
        expect(() => store.run({ lists: [[table]] })).to.throw('a damaged block')
        store.free(table)
      }
    })
  })

  it('gives back all memory that a job took, also of one that is left half way [KRN-4]', () => {
    const random = seededRandom(testSeed())
    const entries = merge([randomEntries(random, { keys: randomKeys(random, 100), count: 300 })])
    const [table] = store.build(entries) as [MemoryTable]
    for (const made of store.run({ lists: [[table]], options: all(entries) }).tables) {
      store.free(made)
    }
    const before = kernel.exports.allocatedBytes()
    for (let round = 0; round < 3; round++) {
      const job = new TableJob(kernel, store, { ...all(entries), ...SINGLE })
      job.addTables([table.handle])
      job.startTable(50, 1n, Codec.LZ4, 10)
      job.start()
      for (let steps = random.int(5); steps > 0; steps--) job.step(10)
      job.free()
    }
    expect(kernel.exports.allocatedBytes()).to.equal(before)
  })
})

const SINGLE = { dropTombstones: false, tableBytes: 2 ** 40, tables: 1 }

/** Options that let all of these entries survive. */
function all(entries: readonly Entry[]): { snapshots: number[] } {
  return { snapshots: entries.map(({ sequence }) => sequence).sort((left, right) => left - right) }
}

/** Puts entries into memtables, tables of level 0 and lists of disjoint tables, in pieces by sequence. */
function spread(
  store: MemoryTables,
  random: Random,
  entries: readonly Entry[],
): { memtables: Memtable[]; lists: MemoryTable[][] } {
  const memtables: Memtable[] = []
  const lists: MemoryTable[][] = []
  for (let from = 0; from < entries.length; ) {
    const to = random.int(from + 1, entries.length + 1)
    const piece = entries.slice(from, to)
    from = to
    if (random.chance(0.4)) {
      const memtable = store.memtable(piece)
      while (memtable.sortStep());
      memtables.push(memtable)
    } else {
      const options = { tableBytes: random.pick([1, 2000, 2 ** 40]), tables: 4 }
      lists.push(store.build(piece, { options }))
    }
  }
  return { memtables, lists }
}

/** Where in sorted entries the one with this key and sequence is. */
function find(entries: readonly Entry[], wanted: Entry): number {
  return entries.findIndex((entry) => compareEntries(entry, wanted) === 0)
}
