/** Defects 15 to 29 of the store that SedgeDB descends from (docs/origin.md), each as a test of its number. */

import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { readFile } from '../../src/env/file-io.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { open } from '../../src/index.ts'
import { contentOf, flipBit, rejection, STORE, truncate } from '../support/damaged-store.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { append, fill, Stores } from '../support/stores.ts'
import { tempDirectory } from '../support/temp.ts'

describe('regression/rustedgedb-reads', () => {
  const stores = new Stores()

  it('D-15: the keys of a table need not be in memory', async () => {
    const cacheSize = 1024 * 1024
    const db = await stores.open({ cacheSize, memtableSize: 1024 * 1024, compression: 'none' })
    await fill(db, 30_000, 200)
    await db.compact()
    expect(db.stats().tableBytes).to.be.greaterThan(4 * cacheSize)
    const random = seededRandom(testSeed())
    for (let i = 0; i < 2000; i++) {
      expect(await db.has(`key ${String(random.int(30_000)).padStart(7, '0')}`)).to.equal(true)
    }
    expect(db.stats().cacheBytes).to.be.at.most(cacheSize * 1.1)
  })

  it('D-16: tables are compressed', async () => {
    const sizes = { none: 0, lz4: 0 }
    for (const compression of ['none', 'lz4'] as const) {
      stores.fs = new MemoryFileSystem()
      const db = await stores.open({ compression })
      for (let i = 0; i < 2000; i++) db.putSync(`key ${i}`, 'the same old value '.repeat(5))
      await db.compact()
      sizes[compression] = db.stats().tableBytes
    }
    expect(sizes.lz4).to.be.lessThan(sizes.none / 2)
  })

  it('D-17: filters let few absent keys through', async () => {
    const db = await stores.open()
    await fill(db, 5000, 20)
    await db.flush()
    for (let i = 0; i < 5000; i++) {
      const absent = `key ${String(i).padStart(7, '0')}x`
      expect(db.getSync(absent)).to.equal(undefined)
    }
    const { filterChecks, filterFalsePositives } = db.stats()
    expect(filterChecks).to.be.at.least(4900)
    expect(filterFalsePositives / filterChecks).to.be.lessThan(0.02)
  })

  it('D-18: open and a read take a small part of a large table', async () => {
    let db = await stores.open({ compression: 'none' })
    await fill(db, 20_000, 200)
    await db.compact()
    db = await stores.reopen(db)
    expect(db.stats().bytesRead).to.be.lessThan(4096)
    expect(await db.has('key 0000777')).to.equal(true)
    expect(db.stats().bytesRead).to.be.lessThan(100_000)
    expect(db.stats().tableBytes).to.be.greaterThan(4_000_000)
  })

  it('D-19: zeros or garbage at the end of a log are dropped, and what is written later stays', async () => {
    const db = await stores.open()
    await db.put('before', 'value')
    for (const tail of [
      new Uint8Array(5000),
      new Uint8Array(10),
      seededRandom(testSeed()).bytes(300),
    ]) {
      const crashed = stores.fs.clone()
      append(crashed, stores.names(/log$/, crashed).at(-1)!, tail)
      const first = await stores.open({}, crashed)
      // Zeros are space that was prepared for more: nothing was in them.
      const isGarbage = tail.some((byte) => byte !== 0)
      expect(first.stats().recovery.droppedBytes).to.equal(isGarbage ? tail.length : 0)
      await first.put('after', 'value')
      const second = await stores.open({}, crashed.clone())
      expect([...(await contentOf(second)).keys()]).to.deep.equal(['after', 'before'])
    }
  })

  it('D-20: a damaged table is an error, and never silence', async () => {
    const db = await stores.open()
    await fill(db, 2000)
    await db.flush()
    await db.close()
    const table = stores.names(/sst$/)[0]!
    const damaged = stores.fs.clone()
    flipBit(damaged, `${STORE}/${table}`, 1000)
    const again = await stores.open({}, damaged)
    expect(await rejection(contentOf(again))).to.have.property('code', 'CORRUPTION')
    expect(await rejection(again.get('key 0000001'))).to.have.property('code', 'CORRUPTION')
    truncate(stores.fs, `${STORE}/${table}`, 1000)
    expect(await rejection(stores.open())).to.have.property('code', 'CORRUPTION')
    stores.fs.remove(`${STORE}/${table}`)
    expect(await rejection(stores.open())).to.have.property('code', 'CORRUPTION')
  })

  it('D-21: what breaks a limit is refused when it is written', async () => {
    const db = await stores.open()
    await db.put('k'.repeat(1024 * 1024), 'value')
    for (const write of [
      db.put('k'.repeat(1024 * 1024 + 1), 'value'),
      db.put('', 'value'),
      db.put('key', new Uint8Array(100 * 1024 * 1024 + 1), { valueEncoding: 'binary' }),
    ]) {
      expect(await rejection(write)).to.have.property('code', 'LIMIT')
    }
    const again = await stores.reopen(db)
    expect((await contentOf(again)).size).to.equal(1)
  })

  it('D-23: calls overlap, and nothing is printed', async () => {
    const printed: unknown[] = []
    const note = (...words: unknown[]): void => void printed.push(...words)
    const before = { ...console }
    Object.assign(console, { log: note, error: note, warn: note, info: note, debug: note })
    try {
      const db = await stores.open({ memtableSize: 64 * 1024 })
      const writes = Array.from({ length: 2000 }, (_, i) => db.put(`key ${i % 500}`, `value ${i}`))
      const reads = Array.from({ length: 500 }, (_, i) => db.get(`key ${i}`))
      await Promise.all([...writes, ...reads, db.flush(), db.compact(), contentOf(db)])
      for (let i = 0; i < 500; i++) expect(await db.get(`key ${i}`)).to.equal(`value ${1500 + i}`)
    } finally {
      Object.assign(console, before)
    }
    expect(printed).to.deep.equal([])
  })

  it('D-25: there are as many levels as the option says', async () => {
    const db = await stores.open()
    expect(db.stats().levels).to.have.length(7)
    stores.fs = new MemoryFileSystem()
    const small = await stores.open({ maxLevels: 3 })
    expect(small.stats().levels).to.have.length(3)
  })

  it('D-26: batches and the options that were promised exist', async () => {
    const db = await stores.open({
      bloomBitsPerKey: 16,
      memtableSize: 1024 * 1024,
      compression: 'lz4',
    })
    await db.put('b', 'old')
    const failing = db.batch([
      { type: 'put', key: 'a', value: '1' },
      { type: 'delete', key: 'b' },
      { type: 'put', key: '', value: '2' },
    ])
    expect(await rejection(failing)).to.have.property('code', 'LIMIT')
    expect([...(await contentOf(db)).keys()]).to.deep.equal(['b'])
    await db.batch([
      { type: 'put', key: 'a', value: '1' },
      { type: 'delete', key: 'b' },
    ])
    expect([...(await contentOf(db)).keys()]).to.deep.equal(['a'])
  })

  it('D-27: a closed store refuses, leaves nothing new behind, and is open once only', async () => {
    const directory = tempDirectory()
    for (let round = 0; round < 4; round++) {
      const db = await open(directory)
      await db.put('key', String(round))
      expect(await rejection(open(directory))).to.have.property('code', 'LOCKED')
      await db.close()
      expect(await rejection(db.put('key', 'late'))).to.have.property('code', 'CLOSED')
      expect(() => db.getSync('key'))
        .to.throw()
        .with.property('code', 'CLOSED')
    }
    expect(readdirSync(directory).filter((name) => name.endsWith('.log')).length).to.be.at.most(5)
    const db = await open(directory)
    expect(await db.get('key')).to.equal('3')
    await db.close()
  })

  it('D-28: a table that a crash left unfinished does not count, and nothing of it is missing', async () => {
    const db = await stores.open()
    await fill(db, 1000)
    const crashed = stores.fs.clone()
    await db.flush()
    const table = readFile(stores.fs, `${STORE}/${stores.names(/sst$/)[0]}`)
    for (const [name, length] of [
      ['000060.tmp', 500],
      ['000061.sst', 1000],
      ['000062.sst', 0],
    ] as const) {
      crashed.open(`${STORE}/${name}`, 'create').write(table.subarray(0, length), 0)
    }
    const again = await stores.open({}, crashed)
    expect((await contentOf(again)).size).to.equal(1000)
    expect(stores.names(/^00006[012]/, crashed)).to.deep.equal([])
  })

  it('D-29: readers do not wait for each other', async () => {
    const db = await stores.open()
    await fill(db, 3000)
    await db.flush()
    const iterators = Array.from({ length: 20 }, () => db.keys()[Symbol.asyncIterator]())
    for (let round = 0; round < 50; round++) {
      const keys = await Promise.all(iterators.map(async (one) => (await one.next()).value))
      expect(new Set(keys).size).to.equal(1)
      expect(db.getSync(keys[0]!)).to.be.a('string')
    }
    for (const one of iterators) await one.return?.()
  })
})
