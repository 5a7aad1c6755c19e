/** What blocks for ever, or takes all memory, in stores that are not built for it. */
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { type Database, MemoryFileSystem, type OpenOptions, open } from '../../src/index.ts'
import { tempDirectory } from '../support/temp.ts'
import { unawaitedPuts } from '../support/unawaited-puts.ts'

type Options = OpenOptions<'utf8', 'utf8'>

const KIB = 1024
const MIB = 1024 * KIB
const MEMTABLE_SIZE = 256 * KIB
const SMALL: Options = { memtableSize: MEMTABLE_SIZE, cacheSize: MIB }
const COUNT = 1000

function openInMemory(options: Options = {}): Promise<Database<string, string>> {
  return open('/store', { ...SMALL, fs: new MemoryFileSystem(), ...options })
}

function keyOf(index: number): string {
  return `key${String(index).padStart(6, '0')}`
}

function fill(db: Database<string, string>, value: string, count: number = COUNT): void {
  for (let index = 0; index < count; index++) db.putSync(keyOf(index), value)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Memory that a store with these options may take: its budgets, and as much again for holes and scratch. */
function expectBounded(db: Database<string, string>, memtableSize: number = MEMTABLE_SIZE): void {
  const { memtableBytes, cacheBytes, kernelBytes } = db.stats()
  expect(memtableBytes, 'memtables').to.be.at.most(memtableSize)
  expect(cacheBytes, 'cache').to.be.at.most(MIB)
  expect(kernelBytes, 'kernel').to.be.at.most(2 * (memtableSize + MIB))
}

describe('property/endurance', function () {
  this.timeout(300_000)

  describe('a store that is rewritten inside a loop over itself', () => {
    /** Replaces, deletes and adds, twenty memtables in all. */
    const value = 'new'.repeat((20 * MEMTABLE_SIZE) / COUNT / 3)

    it('shows an asynchronous loop none of it [SNAP-5, SNAP-1, LIM-6]', async () => {
      const db = await openInMemory()
      fill(db, 'old')
      const seen: string[] = []
      for await (const [key, found] of db.iterator()) {
        expect(found).to.equal('old')
        seen.push(key)
        await db.put(keyOf(COUNT - seen.length), value)
        if (seen.length % 2 === 0) await db.delete(keyOf(seen.length))
        void db.put(`${key}+`, 'more')
        expectBounded(db)
      }
      expect(seen).to.deep.equal(Array.from({ length: COUNT }, (_, index) => keyOf(index)))
      expect(db.stats().flushes).to.be.greaterThan(40)
      await db.close()
    })

    it('shows a synchronous loop none of it, in either direction [SNAP-5, SNAP-1, LIM-6]', async () => {
      const db = await openInMemory()
      for (const reverse of [false, true]) {
        await db.clear()
        fill(db, 'old')
        let count = 0
        for (const [key, found] of db.iteratorSync({ reverse })) {
          expect(found).to.equal('old')
          db.putSync(key, value)
          db.deleteSync(keyOf(reverse ? count : COUNT - count))
          count++
          expectBounded(db)
        }
        expect(count).to.equal(COUNT)
      }
      await db.close()
    })
  })

  it('reads the old state from a snapshot and an iterator left open under load [SNAP-2, LIM-6]', async () => {
    const db = await openInMemory()
    fill(db, 'old')
    const snapshot = db.snapshot()
    const iterator = db.iterator()
    const first = await iterator.next()
    expect(first.value).to.deep.equal([keyOf(0), 'old'])
    for (let round = 0; round < 50; round++) {
      for (let index = 0; index < COUNT; index++) {
        void db.put(keyOf(index), `${round}`.repeat(120))
        if (index % 100 === 0) await nextTurn()
      }
      expectBounded(db)
    }
    await db.compact()
    expect(db.getSync(keyOf(7), { snapshot })).to.equal('old')
    for (const [, value] of db.iteratorSync({ snapshot })) expect(value).to.equal('old')
    const rest = await iterator.all()
    expect(rest.map(([key]) => key)).to.deep.equal(
      Array.from({ length: COUNT - 1 }, (_, index) => keyOf(index + 1)),
    )
    expect(rest.every(([, value]) => value === 'old')).to.equal(true)
    // Two versions of each key, not fifty.
    expect(db.stats().levels.reduce((sum, { entries }) => sum + entries, 0)).to.equal(2 * COUNT)
    await db.close()
  })

  it('lets go of snapshots and iterators that were forgotten [SNAP-6]', async () => {
    const db = await openInMemory()
    fill(db, 'old')
    const forget = async (): Promise<void> => {
      db.snapshot()
      await db.iterator().next()
      db.iteratorSync().next()
    }
    await forget()
    expect(db.stats().liveSnapshots).to.equal(3)
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    for (let turn = 0; turn < 100 && db.stats().liveSnapshots > 0; turn++) {
      collect()
      await sleep(5)
    }
    expect(db.stats().liveSnapshots).to.equal(0)
    await db.close()
  })

  it('reads ten thousand states from as many snapshots: G9 [SNAP-2]', async () => {
    const db = await open('store', { ...SMALL, fs: new MemoryFileSystem() })
    const snapshots = []
    for (let at = 0; at < 10_000; at++) {
      db.putSync(keyOf(at % 50), `${at}`)
      snapshots.push(db.snapshot())
    }
    await db.flush()
    await db.compact()
    for (let at = 0; at < 10_000; at += 7) {
      const snapshot = snapshots[at]!
      const seen = [at, at - 49].map((n) => db.getSync(keyOf((n + 50) % 50), { snapshot }))
      expect(seen).to.deep.equal([`${at}`, at < 49 ? undefined : `${at - 49}`])
    }
    for (const snapshot of snapshots) snapshot.close()
    await db.compact()
    expect(await db.values().all()).to.have.members(
      Array.from({ length: 50 }, (_, i) => `${9950 + i}`),
    )
    await db.close()
  })

  it('drops the versions that nobody sees: five rewrites take the room of one [SNAP-7]', async () => {
    const sizes: number[] = []
    for (const rounds of [1, 5]) {
      const db = await openInMemory({ compression: 'none' })
      for (let round = 0; round < rounds; round++) {
        for (let index = 0; index < 5000; index++) {
          db.putSync(keyOf(index), `${round}`.repeat(100))
        }
        await nextTurn()
      }
      await db.compact()
      sizes.push(db.stats().tableBytes)
      expect(db.stats().levels.reduce((sum, { entries }) => sum + entries, 0)).to.equal(5000)
      for (let index = 0; index < 5000; index++) db.deleteSync(keyOf(index))
      await db.compact()
      expect(db.stats().tableBytes).to.equal(0)
      await db.close()
    }
    expect(sizes[1]).to.be.at.most(sizes[0]! * 1.2)
  })

  for (const workers of [0, 1] as const) {
    it(`bounds memory under puts that never give way, with ${workers} workers [LIM-6]`, async () => {
      const db = await open(tempDirectory(), { ...SMALL, workers })
      const value = 'v'.repeat(500)
      // Two hundred memtables.
      for (let index = 0; index < 100_000; index++) {
        db.putSync(keyOf((index * 7919) % 20_000), value)
        if (index % 500 === 0) expectBounded(db)
      }
      expect(db.stats().stalledMs).to.be.greaterThan(0)
      expect(db.keysSync().all()).to.have.length(20_000)
      await db.close()
    })

    it(`bounds memory under a million puts that nobody awaits, with ${workers} workers [LIM-6]`, async () => {
      const report = await unawaitedPuts(tempDirectory(), { count: 1_000_000, workers })
      expect(report.found).to.equal(report.keys)
      expect(report.wrong).to.equal(0)
      expect(report.kernelBytes).to.be.at.most(16 * MIB)
      expect(report.grownBytes).to.be.at.most(192 * MIB)
    })
  }

  it('answers a hundred thousand keys at once, all of one moment [API-7, SNAP-1]', async () => {
    const db = await openInMemory()
    fill(db, 'v', 50_000)
    const keys = Array.from({ length: 100_000 }, (_, index) => keyOf(index))
    const asked = db.getMany(keys)
    db.putSync(keyOf(3), 'later')
    const values = await asked
    expect(values.length).to.equal(100_000)
    expect(values.slice(0, 50_000).every((value) => value === 'v')).to.equal(true)
    expect(values.slice(50_000).every((value) => value === undefined)).to.equal(true)
    await db.close()
  })

  it('leaves no file handle and no file behind in three hundred openings [API-21]', async () => {
    const path = tempDirectory()
    const handles = (): number => {
      return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    }
    let before = 0
    for (let opening = 0; opening < 300; opening++) {
      const db = await open(path, SMALL)
      await db.put(keyOf(opening), `${opening}`)
      if (opening % 10 === 0)
        expect((await db.getEntry(keyOf(opening)))?.value).to.equal(`${opening}`)
      await db.close()
      if (opening === 20) before = handles()
    }
    expect(handles()).to.be.at.most(before)
    const db = await open(path)
    expect(await db.keys().all()).to.have.length(300)
    // Compactions had no time in such short openings.
    const isTidy = (): boolean => readdirSync(path).length <= 24
    for (let turn = 0; turn < 5000 && !isTidy(); turn++) await sleep(10)
    expect(isTidy(), `${readdirSync(path)}`).to.equal(true)
    await db.close()
  })

  it('holds two hundred stores open at once [LIM-6]', async () => {
    const path = tempDirectory()
    const stores = await Promise.all(
      Array.from({ length: 200 }, (_, index) => open(`${path}/${index}`, SMALL)),
    )
    for (let round = 0; round < 200; round++) {
      for (const [index, db] of stores.entries()) {
        void db.put(keyOf(round), `${index}`.repeat(50))
      }
    }
    await Promise.all(stores.map((db) => db.flush()))
    let kernelBytes = 0
    for (const [index, db] of stores.entries()) {
      expect(await db.get(keyOf(199))).to.equal(`${index}`.repeat(50))
      kernelBytes += db.stats().kernelBytes
    }
    expect(kernelBytes / stores.length).to.be.at.most(512 * KIB)
    await Promise.all(stores.map((db) => db.close()))
  })
})
