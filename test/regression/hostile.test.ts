/**
 * Directories and files that somebody has prepared: H2, H3, H5, H7, H9 and H10 of the plan. What a file says behind its checksums is the
 * matter of `decoders.test.ts`.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { MemoryFileSystem, open } from '../../src/index.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { View } from '../../src/kernel/view.ts'
import { TableFiles } from '../../src/table/table-files.ts'
import { hash64, loadChecksums } from '../../src/util/checksum.ts'
import { damagedReader } from '../faults/decoders/table.ts'
import { withinMemory } from '../faults/decoders/target.ts'
import { decodeBlock, encodeBlock, openBlock, sealBlock } from '../reference/block.ts'
import type { Entry } from '../reference/entry.ts'
import { join, littleEndian } from '../reference/little-endian.ts'
import { decodeTable, encodeTable, type PlacedBlock, tableIdentity } from '../reference/table.ts'
import { fileSystemOf, filesOf, flipped } from '../support/crashed-store.ts'
import { scanAll, WHOLE } from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { STORE_ID } from '../support/memory-tables.ts'
import { appendAll, newMemtable } from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import { tempDirectory } from '../support/temp.ts'

const NUMBER = 9
/** So many of it in a row are in nothing that is random. */
const CANARY_BYTE = 0xc5
const CANARY = 'canary that sings'

/** A table of 111 bytes, all checksums right, whose top index is to have these bytes at this offset. */
function tinyTable(offset: bigint, bytes: number): Uint8Array {
  const identity = tableIdentity(STORE_ID, NUMBER)
  const options = { storeId: STORE_ID, number: NUMBER, hashSeed: HASH_SEED, bitsPerKey: 0 }
  const entry = {
    key: Uint8Array.of(1),
    kind: 1,
    sequence: 1,
    timestamp: 0,
    value: Uint8Array.of(2),
  }
  const file = new Uint8Array(111)
  file.set(encodeTable([entry], options).subarray(0, 72))
  const view = new DataView(file.buffer)
  // Sections that follow each other, so that only the size of the top index is wrong.
  view.setBigUint64(16, 79n - 7n, true)
  view.setBigUint64(24, 79n - 7n, true)
  view.setBigUint64(64, hash64(file.subarray(0, 64)), true)
  view.setBigUint64(79 + 4, 0n, true)
  view.setBigUint64(79 + 12, 7n, true)
  view.setBigUint64(79 + 20, offset, true)
  view.setUint32(79 + 28, bytes, true)
  view.setUint32(79, Number(hash64(file.subarray(83), identity) & 0xffffffffn), true)
  return file
}

const indexedOptions = { storeId: STORE_ID, number: NUMBER, hashSeed: HASH_SEED, bitsPerKey: 0 }

/** A table with several data blocks and an index of two levels. */
function indexedTable(): Uint8Array {
  const entries = Array.from({ length: 60 }, (_, i) => ({
    ...{ key: Uint8Array.of(1, i), kind: 1, sequence: 1, timestamp: 0 },
    value: new Uint8Array(300).fill(i),
  }))
  return encodeTable(entries, indexedOptions)
}

type Part = 'data' | 'partition' | 'top'
type Place = Pick<PlacedBlock, 'offset' | 'bytes'>

/** The table with an index that is made anew, in which the block `within` says the place of `to` for its first one; all checksums right. */
function redirected(file: Uint8Array, within: 'partition' | 'top', to: Part): Uint8Array {
  const identity = tableIdentity(STORE_ID, NUMBER)
  const { blocks } = decodeTable(file, indexedOptions)
  const placed = (part: Part): PlacedBlock => blocks.find(({ kind }) => kind === part)!
  const entriesOf = (part: Part): Entry[] => {
    const { offset, bytes } = placed(part)
    return decodeBlock(openBlock(file.slice(offset, offset + bytes), identity, offset), true)
  }
  const indexAt = placed('partition').offset
  const places = new Map<Part, Place>(blocks.map((block) => [block.kind as Part, block]))
  places.set('data', placed('data'))
  for (;;) {
    const say = (part: 'partition' | 'top', own: Part): Uint8Array => {
      const { offset, bytes } = places.get(part === within ? to : own)!
      const [first, ...others] = entriesOf(part) as [Entry, ...Entry[]]
      return encodeBlock([{ ...first, sequence: offset, timestamp: bytes }, ...others])
    }
    const partition = sealBlock(say('partition', 'data'), identity, indexAt)
    const topAt = indexAt + partition.length
    const top = sealBlock(say('top', 'partition'), identity, topAt)
    const isSettled =
      places.get('partition')!.bytes === partition.length &&
      places.get('top')!.offset === topAt &&
      places.get('top')!.bytes === top.length
    places.set('partition', { offset: indexAt, bytes: partition.length })
    places.set('top', { offset: topAt, bytes: top.length })
    // What an index says of itself decides how long it is.
    if (!isSettled) continue
    const footer = join(
      littleEndian(indexAt - 72, 8),
      littleEndian(partition.length + top.length, 8),
      littleEndian(topAt, 8),
      littleEndian(top.length, 4),
    )
    const sum = littleEndian(hash64(footer, identity), 4)
    return join(file.subarray(0, indexAt), partition, top, sum, footer)
  }
}

function expectDamaged(kernel: Kernel, file: Uint8Array): void {
  const fs = new MemoryFileSystem()
  fs.open('t', 'create').write(file, 0)
  const options = { directory: '', storeId: STORE_ID, tableName: () => 't', filesMax: 4 }
  const files = new TableFiles(kernel, fs, { ...options, unzstd: undefined })
  const [smallest, largest] = [Uint8Array.of(0), Uint8Array.of(255)]
  const table = files.open({ number: NUMBER, size: file.length, smallest, largest })
  new View(kernel, files).set([], [[table]])
  expect(() => withinMemory(file.length, () => scanAll(kernel, files, WHOLE)))
    .to.throw()
    .with.property('code', 'CORRUPTION')
  new View(kernel, files).set([], [])
  files.release(NUMBER)
}

describe('regression/hostile', () => {
  before(loadChecksums)

  it('H2: a table of 111 bytes that claims 4 GiB is damage, and takes no memory [TBL-10]', () => {
    const kernel = createKernel()
    const before = kernel.bytes
    const claims: [bigint, number][] = [
      [72n, 0xffffffff],
      [72n, 7],
      [2n ** 63n, 0xffffffff],
      [0n, 0],
    ]
    for (const [offset, bytes] of claims) {
      expectDamaged(kernel, tinyTable(offset, bytes))
    }
    expect(kernel.bytes).to.be.at.most(before + 2 ** 20)
  })

  it('H3: an index whose parts refer to themselves or to each other is damage [TBL-10]', () => {
    const kernel = createKernel()
    const file = indexedTable()
    const whole = decodeTable(redirected(file, 'partition', 'data'), indexedOptions)
    expect(whole.entries).to.have.length(60)
    expectDamaged(kernel, redirected(file, 'top', 'top'))
    expectDamaged(kernel, redirected(file, 'top', 'data'))
    expectDamaged(kernel, redirected(file, 'partition', 'partition'))
    expectDamaged(kernel, redirected(file, 'partition', 'top'))
  })

  it('H9: what a kernel has held of others is in nothing that damaged tables make it give [KRN-13]', () => {
    const random = seededRandom(testSeed())
    const kernel = createKernel()
    const text = new Uint8Array(500).fill(CANARY_BYTE)
    let answers = 0
    for (let round = 0; round < 40; round++) {
      const memtable = newMemtable(kernel, 65_536)
      const entry = { key: text, kind: 1, timestamp: 1_700_000_000_000, value: text }
      appendAll(
        kernel,
        memtable,
        Array.from({ length: 40 }, (_, i) => ({ ...entry, sequence: i + 1 })),
      )
      memtable.free()
      const staging = kernel.staging(65_536)
      kernel.memory.bytes.fill(CANARY_BYTE, staging, staging + 65_536)
      const read = damagedReader(kernel)
      for (let table = 0; table < 10; table++) {
        const given = read(random)
        if (given === undefined) continue
        answers++
        const bytes = given.split(/\s/).map((word) => Buffer.from(word, 'base64'))
        const seen = bytes.filter((one) => one.includes(Buffer.alloc(8, CANARY_BYTE)))
        expect(seen).to.deep.equal([])
      }
    }
    expect(answers).to.be.greaterThan(40)
  })

  it('H5: links that were planted under the names of files to come are neither written through nor removed through [ENV-1, ENV-2]', async () => {
    const root = tempDirectory()
    mkdirSync(`${root}/store`)
    writeFileSync(`${root}/outside`, 'untouched')
    for (let number = 1; number < 40; number++) {
      for (const ending of ['log', 'val', 'sst', 'tmp']) {
        const name = `${String(number).padStart(6, '0')}.${ending}`
        symlinkSync('../outside', `${root}/store/${name}`)
      }
    }
    symlinkSync('../outside', `${root}/store/CLOSED`)
    const attempts = [
      async () => {
        const db = await open(`${root}/store`, { memtableSize: 65_536, workers: 0 })
        try {
          for (let i = 0; i < 200; i++) await db.put(`k${i}`, 'v'.repeat(1000))
          await db.compact()
        } finally {
          await db.close()
        }
      },
    ]
    for (const attempt of attempts) await attempt().catch(() => {})
    expect(readFileSync(`${root}/outside`, 'utf8')).to.equal('untouched')
  })

  it('H7: names of JavaScript are keys and values like any others [API-3, OPT-3]', async () => {
    const db = await open(STORE, { fs: new MemoryFileSystem(), valueEncoding: 'json' })
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', 'length']
    const values = names.map((name) => JSON.parse(`{"${name}": {"sync": true, "polluted": 1}}`))
    for (const [index, name] of names.entries()) await db.put(name, values[index])
    for (const [index, name] of names.entries()) {
      expect(JSON.stringify(await db.get(name))).to.equal(JSON.stringify(values[index]))
    }
    expect(await db.get('valueOf')).to.equal(undefined)
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined)
    const options = JSON.parse('{"__proto__": {"sync": "no boolean"}}')
    await db.put('key', 1, options)
    await db.close()
  })

  it('H10: no message about damage holds a byte of a key or a value [ERR-3]', async () => {
    const random = seededRandom(testSeed())
    const fs = new MemoryFileSystem()
    const first = await open(STORE, storeOptions(fs))
    for (let i = 0; i < 50; i++) first.putSync(`${CANARY} ${i}`, `${CANARY} `.repeat(20))
    await first.compact()
    for (let i = 0; i < 9; i++) first.putSync(`${CANARY} ${i}`, CANARY)
    await first.close()
    const files = filesOf(fs)
    const told: string[] = []
    for (let round = 0; round < 150; round++) {
      const name = random.pick([...files.keys()])
      const damaged = flipped(files, name, random.int(files.get(name)!.length), 1 << random.int(8))
      const db = await open(STORE, storeOptions(fileSystemOf(damaged), 2)).catch((error) => {
        told.push(String(error.message), String(error.stack), JSON.stringify(error))
      })
      if (db === undefined) continue
      await db
        .iterator()
        .all()
        .catch((error) => told.push(String(error.stack), JSON.stringify(error)))
      for (const problem of (await db.verify()).problems) told.push(problem.message)
      await db.close()
    }
    expect(told.length).to.be.greaterThan(100)
    expect(told.filter((text) => text.includes('canary'))).to.deep.equal([])
  })
})
