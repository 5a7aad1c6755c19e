import { expect } from 'chai'
import type { SedgeError } from '../../src/errors.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { Codec } from '../../src/kernel/table-job.ts'
import { type CheckedTable, checkTable } from '../../src/table/table-check.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, DELETE, type Entry, PUT } from '../reference/entry.ts'
import { encodeTable, tableIdentity } from '../reference/table.ts'
import { fileOf, runSteps } from '../support/file-of-bytes.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { MemoryTables, STORE_ID } from '../support/memory-tables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const encoder = new TextEncoder()

function check(
  file: Uint8Array,
  number: number,
  hashSeed: bigint | 'unknown' = HASH_SEED,
): { checked: CheckedTable | undefined; problems: SedgeError[] } {
  const problems: SedgeError[] = []
  const identity = tableIdentity(STORE_ID, number)
  const name = `00000${number}.sst`
  const table = { file: fileOf(file), name, size: file.length, number, identity, unzstd: undefined }
  const seed = hashSeed === 'unknown' ? undefined : hashSeed
  const checked = runSteps(checkTable(table, seed, (problem) => problems.push(problem)))
  return { checked, problems }
}

/** Entries that fill a few hundred blocks, a value in chunks and old versions among them. */
function manyEntries(): Entry[] {
  const random = seededRandom(testSeed())
  const entries: Entry[] = []
  for (let i = 0; i < 3000; i++) {
    const key = encoder.encode(`key-${String(i).padStart(6, '0')}`)
    const versions = random.chance(0.1) ? random.int(1, 5) : 1
    for (let version = versions; version > 0; version--) {
      const sequence = 1 + i * 5 + version
      const kind = random.pick([PUT, PUT, PUT, DELETE])
      const value = kind === PUT ? encoder.encode('value '.repeat(random.int(40))) : random.bytes(0)
      entries.push({ key, kind, sequence, timestamp: 1000 + i, value })
    }
  }
  const key = encoder.encode('key-001500-large')
  const at = entries.findIndex((entry) => Buffer.compare(entry.key, key) > 0)
  const large = { key, kind: CHUNKS, sequence: 60_000, timestamp: 5, value: random.bytes(150_000) }
  entries.splice(at, 0, large)
  return entries
}

describe('table/table-check', () => {
  let kernel: Kernel
  let store: MemoryTables

  before(async () => {
    await loadChecksums()
    kernel = createKernel()
    store = new MemoryTables(kernel)
  })

  for (const [name, codec, bitsPerKey] of [
    ['plain', Codec.NONE, 10],
    ['LZ4', Codec.LZ4, 10],
    ['unfiltered', Codec.NONE, 0],
  ] as const) {
    it(`finds nothing wrong with a ${name} table of the kernel, and counts [VER-3, VER-4]`, () => {
      const entries = manyEntries()
      const [table] = store.build(entries, { codec, bitsPerKey })
      const { checked, problems } = check(table!.file, table!.handle.number)
      expect(problems).to.deep.equal([])
      const { finished } = table!
      expect(checked).to.include({
        entries: entries.length,
        tombstones: finished.tombstones,
        minSequence: finished.minSequence,
        maxSequence: finished.maxSequence,
      })
      expect(checked!.smallest).to.deep.equal(finished.smallest)
      expect(checked!.largest).to.deep.equal(finished.largest)
      expect(checked!.blocks).to.be.greaterThan(20)
    })
  }

  it('finds every flipped bit [VER-2]', () => {
    const random = seededRandom(testSeed())
    const [table] = store.build(manyEntries(), { codec: Codec.LZ4 })
    const { file, handle } = table!
    for (let round = 0; round < 60; round++) {
      // The ends, where header and footer are, as often as the rest.
      const at = random.pick([
        random.int(72),
        file.length - 1 - random.int(32),
        random.int(file.length),
      ])
      const bit = 1 << random.int(8)
      file[at]! ^= bit
      const { problems } = check(file, handle.number)
      expect(problems.length, `byte ${at}`).to.be.greaterThan(0)
      expect(problems.every(({ code }) => code === 'CORRUPTION')).to.equal(true)
      file[at]! ^= bit
    }
    expect(check(file, handle.number).problems).to.deep.equal([])
  })

  it('finds every truncation and what was put behind [VER-2]', () => {
    const [table] = store.build(manyEntries())
    const { file, handle } = table!
    const random = seededRandom(testSeed())
    for (const length of [0, 10, 71, 72, 103, 104, random.int(file.length), file.length - 1]) {
      expect(check(file.subarray(0, length), handle.number).problems).not.to.have.length(0)
    }
    const longer = new Uint8Array(file.length + 1)
    longer.set(file)
    expect(check(longer, handle.number).problems).not.to.have.length(0)
  })

  it('goes on behind a damaged block [VER-1]', () => {
    const entries = manyEntries()
    const [table] = store.build(entries)
    const { file, handle } = table!
    file[100]! ^= 1
    const { checked, problems } = check(file, handle.number)
    expect(problems).to.have.length(1)
    expect(problems[0]).to.include({ code: 'CORRUPTION', offset: 72 })
    expect(checked!.entries).to.be.greaterThan(entries.length * 0.9)
  })

  it('notices a filter for other keys, and entries that an honest writer put out of order [VER-3]', () => {
    const entry = (key: string, sequence: number): Entry => {
      const value = new Uint8Array(4096)
      return { key: encoder.encode(key), kind: PUT, sequence, timestamp: 0, value }
    }
    const options = { storeId: STORE_ID, number: 7, hashSeed: HASH_SEED, bitsPerKey: 10 }
    const file = encodeTable([entry('a', 1), entry('c', 2), entry('b', 3)], options)
    const told = check(file, 7).problems.map(({ message }) => message)
    expect(told.some((message) => message.includes('out of order'))).to.equal(true)

    const sound = encodeTable([entry('a', 1), entry('b', 3)], { ...options, hashSeed: 99n })
    expect(check(sound, 7, 'unknown').problems).to.deep.equal([])
    expect(check(sound, 7, 99n).problems).to.deep.equal([])
    const blamed = check(sound, 7).problems.map(({ message }) => message)
    expect(blamed.every((message) => message.includes('a filter does not know'))).to.equal(true)
    expect(blamed).to.have.length(1)
  })

  it('tells a table of another number or store', () => {
    const [table] = store.build(manyEntries())
    const problems = check(table!.file, table!.handle.number + 1).problems
    expect(problems.map(({ offset }) => offset)).to.deep.equal([41])
  })
})
