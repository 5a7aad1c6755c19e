import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { Codec } from '../../src/kernel/table-job.ts'
import { BlockSearch, type FoundBlock } from '../../src/table/block-search.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { decodeTable, type PlacedBlock, tableIdentity } from '../reference/table.ts'
import { fileOf } from '../support/file-of-bytes.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

function entriesOf(random: Random): Entry[] {
  return Array.from({ length: 1500 }, (_, i) => ({
    key: new TextEncoder().encode(`key-${String(i).padStart(6, '0')}`),
    kind: PUT,
    sequence: 1 + i,
    timestamp: i,
    value: random.chance(0.5) ? random.bytes(random.int(100)) : new Uint8Array(random.int(200)),
  }))
}

function search(bytes: Uint8Array, number: number, from: number, to: number): FoundBlock[] {
  const identity = tableIdentity(STORE_ID, number)
  const found = new BlockSearch({ file: fileOf(bytes), identity, unzstd: undefined }).find(from, to)
  return [...found].filter((block) => block !== undefined)
}

function offsets(blocks: readonly { readonly offset: number }[]): number[] {
  return blocks.map(({ offset }) => offset)
}

describe('table/block-search', () => {
  let kernel: Kernel
  let random: Random

  before(async () => {
    await loadChecksums()
    kernel = createKernel()
  })

  for (const [name, codec] of [
    ['plain', Codec.NONE],
    ['compressed', Codec.LZ4],
  ] as const) {
    describe(name, () => {
      let file: Uint8Array
      let number: number
      let data: PlacedBlock[]
      let end: number

      beforeEach(() => {
        random = seededRandom(testSeed())
        const [table] = new MemoryTables(kernel).build(entriesOf(random), { codec })
        file = table!.file
        number = table!.handle.number
        const options = { storeId: STORE_ID, number, hashSeed: HASH_SEED, bitsPerKey: 10 }
        data = decodeTable(file, options).blocks.filter(({ kind }) => kind === 'data')
        end = data.at(-1)!.offset + data.at(-1)!.bytes
      })

      it('finds every block of a sound table without its index [REP-3]', () => {
        const found = search(file, number, 72, end)
        expect(offsets(found)).to.deep.equal(offsets(data))
        const entries = found.flatMap((block) => block.entries)
        expect(entries.map(({ sequence }) => sequence)).to.deep.equal(
          Array.from({ length: 1500 }, (_, i) => i + 1),
        )
      })

      it('finds all but the blocks that are damaged, wherever the damage is [REP-3]', () => {
        for (let round = 0; round < 20; round++) {
          const copy = file.slice()
          const damaged = new Set<number>()
          for (let i = 0; i < 3; i++) {
            const block = random.pick(data)
            // Trailers, which lead the search, as often as contents.
            const inside = random.chance(0.5)
              ? random.int(block.bytes)
              : block.bytes - 16 + random.int(16)
            copy[block.offset + inside]! ^= 1 << random.int(8)
            damaged.add(block.offset)
          }
          const sound = offsets(data).filter((offset) => isSound(copy, offset))
          expect(offsets(search(copy, number, 72, end))).to.deep.equal(sound)
          expect(sound.length).to.be.at.least(data.length - damaged.size)
        }
      })

      it('finds blocks behind bytes that are no blocks [REP-3]', () => {
        const from = data[3]!.offset
        for (let at = 72; at < from; at++) file[at] = random.int(256)
        expect(offsets(search(file, number, 72, end))).to.deep.equal(offsets(data.slice(3)))
      })

      it('finds nothing of another table or another store', () => {
        expect(search(file, number + 1, 72, end)).to.deep.equal([])
      })

      function isSound(copy: Uint8Array, offset: number): boolean {
        const { bytes } = data.find((block) => block.offset === offset)!
        const before = file.subarray(offset, offset + bytes)
        return Buffer.compare(before, copy.subarray(offset, offset + bytes)) === 0
      }
    })
  }

  it('knows blocks of other kinds, and takes no entries from them', () => {
    random = seededRandom(testSeed())
    const [table] = new MemoryTables(kernel).build(entriesOf(random))
    const { file, handle } = table!
    const found = search(file, handle.number, 72, file.length)
    const sequences = found.flatMap(({ entries }) => entries.map(({ sequence }) => sequence))
    expect(sequences).to.have.length(1500)
    expect(found.filter(({ entries }) => entries.length === 0).length).to.be.greaterThan(1)
  })

  it('gives up on bytes that look like blocks without end', () => {
    // Each u32 pair is a possible trailer of a large block.
    const words = new Uint32Array(2 ** 18)
    for (let i = 0; i < words.length; i += 2) words[i + 1] = 2 ** 19
    const bytes = new Uint8Array(words.buffer)
    const start = Date.now()
    expect(search(bytes, 1, 0, bytes.length)).to.deep.equal([])
    expect(Date.now() - start).to.be.lessThan(10_000)
  })
})
