/** The kernel against its twins for longer: thousands of random stores, jobs over them, and forged tables. */
import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { View } from '../../src/kernel/view.ts'
import { sealBlock } from '../reference/block.ts'
import { merge } from '../reference/merge.ts'
import { decodeTable, tableIdentity } from '../reference/table.ts'
import {
  look,
  randomEntries,
  randomKeys,
  scanAll,
  show,
  showBytes,
  WHOLE,
} from '../support/entries.ts'
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

const ROUNDS = 150

function scanText(
  kernel: Kernel,
  store: RandomStore,
  sequence: number,
  reverse: boolean,
): string[] {
  const whole = store.tables.value.bind(store.tables)
  const request = { ...WHOLE, sequence, reverse }
  const { keys, values } = scanAll(kernel, store.tables, request, whole)
  const lines = keys.map((key, i) => `${showBytes(key)} = ${showBytes(values[i]!)}`)
  return reverse ? lines.reverse() : lines
}

/** Compacts all of a store into one level, keeping what the sequences see. */
function compactAll(
  store: RandomStore,
  random: Random,
  snapshots: readonly number[],
): MemoryTable[] {
  for (const memtable of store.memtables) while (memtable.sortStep());
  const [level0, ...deeper] = store.levels as [MemoryTable[], ...MemoryTable[][]]
  const { tables } = store.tables.run({
    memtables: store.memtables,
    lists: [...level0.map((table) => [table]), ...deeper],
    options: {
      snapshots,
      dropTombstones: random.chance(0.5),
      tableBytes: random.pick([1, 10_000, 2 ** 40]),
      tables: 20,
    },
    codec: random.int(2),
    step: random.int(1, 100),
  })
  return tables
}

describe('slow/kernel', function () {
  this.timeout(3_600_000)

  for (const [name, shape] of Object.entries(STORE_SHAPES)) {
    it(`finds the same before and after any compaction: ${name} [KRN-8, KRN-9, KRN-11]`, () => {
      const random = seededRandom(testSeed())
      for (let round = 0; round < ROUNDS; round++) {
        const kernel = createKernel(random.pick([0, 30_000, 1 << 20]))
        const store = randomStore(kernel, random, shape(random))
        const snapshots = Array.from({ length: random.int(4) }, () =>
          random.int(store.entries.length + 2),
        ).sort((left, right) => left - right)
        const compacted = compactAll(store, random, snapshots)
        const compactedView = new View(kernel, store.tables)
        const keys = random.shuffle([...store.keys]).slice(0, 30)
        for (const sequence of [...snapshots, 2 ** 53 - 1]) {
          const wanted = store.visible(sequence)
          const lines = wanted.map(({ key, value }) => `${showBytes(key)} = ${showBytes(value)}`)
          compactedView.set([], [[], compacted.map(({ handle }) => handle)])
          for (const reverse of [false, true]) {
            expect(scanText(kernel, store, sequence, reverse)).to.deep.equal(lines)
          }
          for (const key of keys.flatMap((one) => [one, ...neighbours(one)])) {
            const entry = store.find(key, sequence)
            const found = look(kernel, compactedView, key, sequence)
            expect(found?.sequence).to.equal(entry?.sequence)
          }
        }
        compactedView.set([], [])
        for (const table of compacted) store.tables.free(table)
        freeStore(store)
        expect(kernel.exports.blockCacheBytes()).to.equal(0)
      }
    })
  }

  it('is not misled by forged tables into anything but a refusal or an answer [KRN-13]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 40; round++) {
      const kernel = createKernel(random.pick([0, 1 << 20]))
      const tables = new MemoryTables(kernel)
      const entries = randomEntries(random, { keys: randomKeys(random, 40), count: 120 })
      const [good] = tables.build(merge([entries]), { codec: random.int(2) }) as [MemoryTable]
      const { number } = good.handle
      const options = { storeId: STORE_ID, number, hashSeed: HASH_SEED, bitsPerKey: 10 }
      const { blocks } = decodeTable(good.file, options)
      const identity = tableIdentity(STORE_ID, number)
      for (let forged = 0; forged < 200; forged++) {
        const file = good.file.slice()
        const { offset, bytes } = random.pick(blocks)
        const trailer = file.slice(offset + bytes - 16, offset + bytes - 8)
        const payload = file.slice(offset, offset + bytes - 16)
        for (let n = random.int(1, 5); n > 0; n--) {
          payload[random.int(payload.length)] = random.pick([0, 1, 127, 128, 255, random.int(256)])
        }
        const content = { length: new DataView(trailer.buffer).getUint32(4, true) } as Uint8Array
        const packed = { codec: trailer[0]!, bytes: payload }
        file.set(sealBlock(content, identity, offset, packed), offset)
        const table = tables.open({ ...good.finished, number }, file, good.finished)
        const view = new View(kernel, tables)
        view.set([], [[table.handle]])
        const attempts = [
          () => show(look(kernel, view, random.pick(entries).key, random.int(200))),
          () => scanAll(kernel, tables, { ...WHOLE, reverse: random.chance(0.5) }),
          () => tables.run({ lists: [[table]] }).tables.forEach((made) => void tables.free(made)),
        ]
        for (const attempt of attempts) {
          try {
            attempt()
          } catch (error) {
            expect(kernel.trapped).to.equal(false)
            expect((error as { code?: string }).code).to.be.oneOf(['CORRUPTION', 'FORMAT'])
          }
        }
        view.set([], [])
        tables.free(table)
      }
      expect(kernel.bytes).to.be.lessThan(16 << 20)
    }
  })
})
