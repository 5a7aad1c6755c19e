import { expect } from 'chai'
import { Engine } from '../../src/engine/engine.ts'
import { resolveOptions } from '../../src/engine/options.ts'
import { MemoryFileSystem, open, type StoreEvent } from '../../src/index.ts'
import { filesOf, overwrite, rejection, STORE } from '../support/damaged-store.ts'
import { fill, Stores, type TextStore } from '../support/stores.ts'

/** Entries in all tables, old versions and tombstones among them. */
function entriesOf(db: TextStore): number {
  return db.stats().levels.reduce((sum, { entries }) => sum + entries, 0)
}

function writeKeys(db: TextStore, value: string): void {
  for (let i = 0; i < 10; i++) db.putSync(`key ${i}`, value)
}

describe('engine/engine', () => {
  const stores = new Stores()

  describe('open', () => {
    it('does not make a store that must be there, nor anything else [OPT-7]', async () => {
      for (const options of [{ createIfMissing: false }, { readOnly: true }]) {
        expect(await rejection(stores.open(options))).to.have.property('code', 'NOT_FOUND')
        expect(stores.fs.list('/')).to.deep.equal([])
      }
      stores.fs.makeDirectory(STORE)
      stores.fs.open(`${STORE}/notes.txt`, 'create').close()
      const error = await rejection(stores.open({ createIfMissing: false }))
      expect(error).to.have.property('code', 'NOT_FOUND')
      expect(stores.fs.list(STORE)).to.deep.equal(['notes.txt'])
      const db = await stores.open()
      await db.put('a', '1')
      const again = await stores.reopen(db, { createIfMissing: false })
      expect(again.getSync('a')).to.equal('1')
    })

    it('leaves a store alone that must not be there [OPT-7]', async () => {
      const db = await stores.open({ errorIfExists: true })
      await db.put('a', '1')
      await db.flush()
      await db.put('b', '2')
      await db.close()
      const before = filesOf(stores.fs, STORE)
      const error = await rejection(stores.open({ errorIfExists: true }))
      expect(error).to.have.property('code', 'EXISTS')
      expect(filesOf(stores.fs, STORE)).to.deep.equal(before)
      const again = await stores.open()
      expect(again.stats().recovery.cleanClose).to.equal(true)
      expect(again.getManySync(['a', 'b'])).to.deep.equal(['1', '2'])
    })

    it('never takes what is left of a store for no store [REC-6]', async () => {
      const db = await stores.open()
      await fill(db, 100)
      await db.flush()
      await db.put('a', '1')
      await db.close()
      for (const marker of stores.names(/^CURRENT-/)) stores.fs.remove(`${STORE}/${marker}`)
      const before = filesOf(stores.fs, STORE)
      const error = await rejection(stores.open())
      expect(error).to.have.property('code', 'CORRUPTION')
      expect(filesOf(stores.fs, STORE)).to.deep.equal(before)
    })

    it('leaves files alone that are not its own [REC-6]', async () => {
      const names = ['000001.sst.bak', 'notes.txt', '1.log']
      stores.fs.makeDirectory(STORE)
      for (const name of names) stores.fs.open(`${STORE}/${name}`, 'create').close()
      for (const name of names) overwrite(stores.fs, `${STORE}/${name}`, 0, Buffer.from(name))
      const db = await stores.open()
      await fill(db, 100)
      await db.compact()
      await db.put('a', '1')
      const again = await stores.reopen(db)
      await again.compact()
      await again.close()
      const files = filesOf(stores.fs, STORE)
      for (const name of names) expect(files.get(name)).to.equal(name)
    })

    it('gives the lock back when it fails [REC-7]', async () => {
      const db = await stores.open()
      await db.close()
      await rejection(stores.open({ errorIfExists: true }))
      const again = await stores.open()
      const error = await rejection(stores.open())
      expect(error).to.have.property('code', 'LOCKED')
      await again.put('a', 'still writable')
    })

    it('tells what it has found, by an event and by the numbers [REC-4]', async () => {
      const db = await stores.open()
      await db.put('a', '1')
      await db.put('b', '2')
      await db.close()
      const events: StoreEvent[] = []
      const again = await stores.open({ onEvent: (event) => events.push(event) })
      const { recovery } = again.stats()
      expect(recovery).to.include({ cleanClose: true, entries: 2, segments: 1, droppedBytes: 0 })
      expect(events).to.deep.equal([{ type: 'open', recovery }])
    })
  })

  describe('a listener that throws', () => {
    it('changes nothing in the life of a store [OPT-9]', async () => {
      const lives = [[], []] as string[][]
      const contents = []
      for (const [index, told] of lives.entries()) {
        stores.fs = new MemoryFileSystem()
        const onEvent = (event: StoreEvent): void => {
          told.push(event.type)
          if (index === 1) throw new Error('from the listener')
        }
        const options = { memtableSize: 256 * 1024, onEvent, random: () => 0.5, clock: () => 1 }
        const db = await stores.open(options)
        await fill(db, 200)
        await db.flush()
        await fill(db, 200)
        await db.compact()
        expect((await db.verify()).problems).to.deep.equal([])
        const { lastError, state } = db.stats()
        expect({ lastError, state }).to.deep.equal({ lastError: undefined, state: 'open' })
        await db.close()
        await Promise.resolve()
        const again = await stores.open()
        expect(again.stats().recovery.cleanClose).to.equal(true)
        contents.push(again.iteratorSync().all())
        await again.close()
      }
      expect(lives[0]).to.include.members(['open', 'flush', 'compaction', 'close'])
      expect(lives[1]).to.deep.equal(lives[0])
      expect(contents[1]).to.deep.equal(contents[0])
    })

    it('may call the store, even to close it [OPT-9, API-21]', async () => {
      const closed: Promise<void>[] = []
      const db: TextStore = await stores.open({
        onEvent: (event) => {
          if (event.type !== 'flush') return
          db.putSync('from the listener', 'v')
          closed.push(db.close())
          throw new Error('and then it fails')
        },
      })
      await db.put('a', '1')
      await rejection(db.compact())
      await Promise.all(closed)
      expect(closed).to.have.length(1)
      const again = await stores.open()
      expect(again.keysSync().all()).to.deep.equal(['a', 'from the listener'])
    })
  })

  describe('compact', () => {
    it('leaves one entry of each key when nobody sees the others [SNAP-7, API-23]', async () => {
      const db = await stores.open()
      for (let version = 0; version < 5; version++) {
        writeKeys(db, `version ${version}`)
        await db.flush()
      }
      await db.compact()
      expect(entriesOf(db)).to.equal(10)
      expect(db.valuesSync().all()).to.deep.equal(Array.from({ length: 10 }, () => 'version 4'))
    })

    it('keeps what a snapshot sees until it is closed, and no longer [SNAP-7, SNAP-2]', async () => {
      const db = await stores.open()
      writeKeys(db, 'never seen')
      await db.flush()
      writeKeys(db, 'old')
      const snapshot = db.snapshot()
      await db.flush()
      writeKeys(db, 'new')
      await db.compact()
      expect(entriesOf(db)).to.equal(20)
      expect(db.getSync('key 3', { snapshot })).to.equal('old')
      snapshot.close()
      await db.compact()
      expect(entriesOf(db)).to.equal(10)
      expect(db.getSync('key 3')).to.equal('new')
    })

    it('keeps what an iterator sees until it is closed, and no longer [SNAP-7, SNAP-1]', async () => {
      const db = await stores.open()
      writeKeys(db, 'old')
      const iterator = db.valuesSync()
      expect(iterator.next()).to.deep.equal({ done: false, value: 'old' })
      await db.clear()
      await db.compact()
      expect(entriesOf(db)).to.equal(20)
      expect(iterator.all()).to.deep.equal(Array.from({ length: 9 }, () => 'old'))
      writeKeys(db, 'new')
      await db.compact()
      expect(entriesOf(db)).to.equal(10)
    })

    it('leaves nothing of keys that were deleted [SNAP-7]', async () => {
      const db = await stores.open()
      writeKeys(db, 'old')
      await db.flush()
      await db.clear()
      await db.compact()
      expect(entriesOf(db)).to.equal(0)
      expect(db.keysSync().all()).to.deep.equal([])
      expect(stores.names(/\.sst$/)).to.deep.equal([])
    })
  })

  describe('close', () => {
    it('is CLOSED to every call but close and stats from then on [API-21]', async () => {
      const options = resolveOptions({ fs: stores.fs }, () => undefined)
      const engine = await Engine.open(STORE, options)
      engine.putSync('a', '1', undefined)
      const closing = engine.close()
      expect(engine.close()).to.equal(closing)
      const none = undefined
      const sync = [
        () => engine.putSync('a', '2', none),
        () => engine.deleteSync('a', none),
        () => engine.batchSync([], none),
        () => engine.get('a', 'utf8', none),
        () => engine.getInto('a', new Uint8Array(1), 0, none),
        () => engine.has('a', none),
        () => engine.getEntry('a', 'utf8', none),
        () => engine.pin(),
      ]
      for (const call of sync) expect(call).to.throw().with.property('code', 'CLOSED')
      const range = {
        lower: undefined,
        upper: undefined,
        lowerInclusive: true,
        upperInclusive: true,
      }
      const async = [
        engine.put('a', '2', none),
        engine.delete('a', none),
        engine.batch([], none),
        engine.clear(range, false, 1, none),
        engine.sync(),
        engine.flush(),
        engine.compact(range),
        engine.verify(),
      ]
      for (const call of async) expect(await rejection(call)).to.have.property('code', 'CLOSED')
      await closing
      expect(engine.stats()).to.include({ state: 'closed', sequence: 1 })
    })

    it('flushes much, so that the next open has little to replay, and leaves little in the log [DUR-7]', async () => {
      for (const [count, tables, segments] of [
        [100, 0, 1],
        [12_000, 1, 0],
      ] as const) {
        stores.fs = new MemoryFileSystem()
        const db = await stores.open()
        await fill(db, count)
        const again = await stores.reopen(db)
        expect(again.stats()).to.include({ tables, logSegments: segments, sequence: count })
        expect(again.keysSync().all()).to.have.length(count)
        await again.close()
      }
    })

    it('lets the store be opened at once, and never uses a sequence twice [ORD-7, REC-7]', async () => {
      let last = 0
      for (let opening = 0; opening < 5; opening++) {
        const db = await open(STORE, { fs: stores.fs })
        expect(db.stats().sequence).to.be.at.least(last)
        await db.put('a', `${opening}`)
        const sequence = (await db.getEntry('a'))?.sequence ?? 0
        expect(sequence).to.be.greaterThan(last)
        last = sequence
        if (opening % 2 === 0) await db.compact()
        await db.close()
      }
    })
  })
})
