import { expect } from 'chai'
import { Engine } from '../../src/engine/engine.ts'
import { openWith } from '../../src/engine/open.ts'
import { MemoryFileSystem, open, type SedgeError } from '../../src/index.ts'
import { contentOfFiles, filesOf } from '../support/crashed-store.ts'
import { flipBit, truncate } from '../support/damaged-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import {
  type FaultyStore,
  failing,
  faultyStore,
  rejection,
  until,
} from '../support/faulty-store.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'

const VALUE = 'v'.repeat(1000)

/** Fills more than one memtable without giving way, so that a sealed one waits. */
function fill({ db }: FaultyStore, count = 20, from = 0): void {
  for (let i = from; i < from + count; i++) db.putSync(`k${String(i).padStart(4, '0')}`, VALUE)
}

async function expectOnlyLargeDamaged({ db, names }: FaultyStore): Promise<void> {
  const error = await rejection(db.get('large'))
  expect(error).to.include({ code: 'CORRUPTION' })
  expect(names('.sst')).to.include((error as SedgeError).file)
  expect((await db.get('sound'))?.length).to.equal(70_000)
  expect(await db.get('small')).to.equal('s')
  const { problems } = await db.verify()
  expect(problems.map(({ code, file }) => [code, file])).to.deep.equal([
    ['CORRUPTION', (error as SedgeError).file],
  ])
}

describe('engine/background', function () {
  this.timeout(60_000)

  it('makes a table of every sealed memtable, in their order, and removes the logs [API-23]', async () => {
    const store = await faultyStore()
    fill(store, 60)
    await store.db.flush()
    await until(() => store.names('.log').length === 0)
    const tables = store.events.filter(({ type }) => type === 'flush')
    expect(tables.length).to.be.within(4, 6)
    expect(store.db.stats()).to.include({ logSegments: 0, flushes: tables.length })
    expect((await readStore(store.db)).size).to.equal(60)
    await store.db.close()
  })

  for (const [code, waits] of [
    ['EMFILE', [100, 100, 100, 100]],
    ['EIO', [100, 200, 400, 800]],
  ] as const) {
    it(`tries again after a flush that fails for ${code}, before long where handles have run out [DUR-12, ERR-6]`, async () => {
      const fs = new MemoryFileSystem()
      let isFailing = false
      const isTable = (call: string, path: string): boolean =>
        /create|rename/.test(call) && /tmp$/.test(path)
      const faulty = faultFileSystem(fs, (call, path) => {
        return isFailing && isTable(call, path) ? code : undefined
      })
      const delays: number[] = []
      const delay = (ms: number, fn: () => void): { cancel: () => void } => {
        if (ms >= 100) delays.push(ms)
        const timer = setImmediate(fn)
        return { cancel: () => clearImmediate(timer) }
      }
      const opening = openWith((path, resolved) => Engine.open(path, resolved, { delay }))
      const db = await opening(STORE, { fs: faulty })
      await db.put('a', '1')
      isFailing = true
      expect(await rejection(db.flush())).to.have.property('code', 'IO')
      await until(() => delays.length >= waits.length)
      isFailing = false
      await until(() => db.stats().flushes > 0)
      expect(delays.slice(0, waits.length)).to.deep.equal(waits)
      await db.close()
    })
  }

  const failures: Readonly<Record<string, Parameters<typeof failing>>> = {
    'creating the table': [['open create'], 'EMFILE', /\.tmp$/],
    'writing the table': [['write'], 'EIO', /\.tmp$/],
    'writing it without space': [['write'], 'ENOSPC', /\.tmp$/],
    'syncing the table': [['sync'], 'EIO', /\.tmp$/],
    'renaming the table': [['rename'], 'EACCES', /\.tmp$/],
    'syncing the directory': [['syncDirectory'], 'EIO'],
    'looking at the directory before the edit': [['list'], 'EMFILE'],
    'writing the edit without space': [['write'], 'ENOSPC', /MANIFEST/],
  }
  for (const [what, rule] of Object.entries(failures)) {
    it(`tells of a flush that fails in ${what}, and tries again [ERR-6, DUR-11]`, async () => {
      const store = await faultyStore()
      store.db.putSync('a', '1')
      store.failWith(failing(...rule))
      const error = await rejection(store.db.flush())
      expect(error.code).to.be.oneOf(['IO', 'FULL'])
      expect(store.events).to.deep.include({ type: 'error', error })
      expect(store.db.stats()).to.include({ state: 'open', lastError: error, flushes: 0 })
      expect(await store.db.get('a')).to.equal('1')
      await store.db.put('b', '2')
      store.heal()
      await until(() => store.db.stats().flushes > 0)
      expect(store.db.stats()).to.include({ lastError: undefined, tables: 1 })
      expect(store.names('.tmp')).to.deep.equal([])
      expect(await readStore(store.db)).to.deep.equal(
        new Map([
          ['a', '1'],
          ['b', '2'],
        ]),
      )
      await store.db.close()
      const after = await contentOfFiles(filesOf(store.inner))
      expect(after).to.deep.equal(
        new Map([
          ['a', '1'],
          ['b', '2'],
        ]),
      )
    })
  }

  it('tries at once what is asked for, whatever failed before [API-23]', async () => {
    const store = await faultyStore()
    const times: number[] = []
    for (let round = 0; round < 40 && !times.some((ms) => ms < 90); round++) {
      store.db.putSync('a', `${round}`)
      store.failWith(failing(['write'], 'EIO', /\.tmp$/))
      expect(await rejection(store.db.flush())).to.have.property('code', 'IO')
      store.heal()
      const start = performance.now()
      await store.db.flush()
      times.push(performance.now() - start)
    }
    // A wait for the next try would be in all of them, what a busy machine adds is not.
    expect(Math.min(...times)).to.be.lessThan(90)
    expect(store.db.stats().lastError).to.equal(undefined)
    await store.db.close()
  })

  for (const [what, code, errno, files] of [
    ['the table fails', 'IO', 'EIO', /\.tmp$/],
    ['the edit has no space', 'FULL', 'ENOSPC', /MANIFEST/],
  ] as const) {
    it(`tries again for a writer who never gives way to the event loop: ${what} [LIM-6, ERR-6]`, async () => {
      const store = await faultyStore()
      store.failWith(failing(['write'], errno, files))
      // Nothing is held back for ever: once the budget is used up the writer is told why.
      expect(() => fill(store, 400))
        .to.throw()
        .with.property('code', code)
      store.heal()
      const end = performance.now() + 15_000
      let written = false
      while (!written && performance.now() < end) {
        try {
          fill(store, 200, 1000)
          written = true
        } catch (error) {
          expect(error).to.have.property('code', code)
        }
      }
      expect(written).to.equal(true)
      await store.db.close()
    })
  }

  for (const [what, files] of [
    ['a table', /\.tmp$/],
    ['the manifest', /MANIFEST/],
  ] as const) {
    it(`tells that it waits for space for ${what} [ERR-6, MAN-15]`, async () => {
      const store = await faultyStore()
      store.db.putSync('a', '1')
      store.failWith(failing(['write'], 'ENOSPC', files))
      expect(await rejection(store.db.flush())).to.have.property('code', 'FULL')
      expect(store.db.stats()).to.include({ state: 'open', stall: 'space' })
      store.heal()
      await store.db.flush()
      expect(store.db.stats()).to.include({ stall: 'none', lastError: undefined, tables: 1 })
      await store.db.close()
    })
  }

  it('ends writing when nobody can tell whether an edit has been made, and loses nothing [MAN-15, DUR-11]', async () => {
    const store = await faultyStore()
    store.db.putSync('a', '1')
    store.failWith(failing(['sync'], 'EIO', /MANIFEST/))
    expect(await rejection(store.db.flush())).to.include({ code: 'IO', outcome: 'unknown' })
    store.heal()
    expect(store.db.stats().state).to.equal('failed')
    expect(await store.db.get('a')).to.equal('1')
    expect(await rejection(store.db.put('b', '2'))).to.have.property('code', 'FAILED')
    expect(store.names('.log').length).to.equal(1)
    await store.db.close()
    expect(await contentOfFiles(filesOf(store.inner))).to.deep.equal(new Map([['a', '1']]))
  })

  const losses: Readonly<Record<string, (store: FaultyStore, path: string) => void>> = {
    'is damaged': ({ inner }, path) => {
      const file = inner.open(path, 'readwrite')
      file.write(Uint8Array.of(0xff), 200)
      file.close()
    },
    'is cut short': ({ inner }, path) => inner.open(path, 'readwrite').truncate(500),
    'is gone': ({ inner }, path) => inner.remove(path),
    'is not given': ({ failWith }) => failWith(failing(['read', 'open read'], 'EIO', /\.log$/)),
  }
  for (const [what, lose] of Object.entries(losses)) {
    it(`flushes from memory when the log ${what} [LOG-3, ERR-4, ERR-6]`, async () => {
      const store = await faultyStore()
      fill(store, 3)
      store.db.putSync('large', 'l'.repeat(70_000))
      const [log = ''] = store.names('.log')
      lose(store, `${STORE}/${log}`)
      await store.db.flush()
      const errors = store.events.flatMap((event) => (event.type === 'error' ? [event.error] : []))
      expect(errors[0]).to.have.property('file', log)
      expect(errors[0]?.code).to.equal(
        what === 'is gone' || what === 'is not given' ? 'IO' : 'CORRUPTION',
      )
      expect(store.db.stats()).to.include({ tables: 1, state: 'open' })
      expect((await store.db.get('k0000'))?.length).to.equal(1000)
      expect((await store.db.get('large'))?.length).to.equal(70_000)
      expect((await store.db.verify()).problems).to.deep.equal([])
      await store.db.close()
      expect((await contentOfFiles(filesOf(store.inner))).size).to.equal(4)
    })
  }

  for (const [what, damage, isReopened] of [
    ['is damaged', flipBit, false],
    ['is cut short', truncate, false],
    ['was damaged while the store was closed', flipBit, true],
  ] as const) {
    it(`flushes all but the value when a value file ${what} [ERR-7, TBL-12]`, async () => {
      let store = await faultyStore()
      store.db.putSync('sound', 's'.repeat(70_000))
      store.db.putSync('large', 'l'.repeat(140_000))
      if (isReopened) await store.db.close()
      const [values = ''] = store.names('.val')
      damage(store.inner, `${STORE}/${values}`, 100_000)
      if (isReopened) store = await faultyStore({}, store.inner)
      store.db.putSync('small', 's')
      await store.db.flush()
      const told = store.events.flatMap((event) => (event.type === 'error' ? [event.error] : []))
      expect(told.map(({ code, file }) => [code, file])).to.deep.equal([['CORRUPTION', values]])
      await expectOnlyLargeDamaged(store)
      // The damage stays where it is, and gets in nobody's way.
      await store.db.put('sound', 't'.repeat(70_000))
      await store.db.compact({})
      await expectOnlyLargeDamaged(store)
      expect(told.length).to.equal(1)
      expect(store.names('.val')).to.deep.equal([])
      await store.db.put('large', 'new')
      await store.db.compact({})
      expect(await store.db.get('large')).to.equal('new')
      expect((await store.db.verify()).problems).to.deep.equal([])
      await store.db.close()
      expect((await contentOfFiles(filesOf(store.inner))).size).to.equal(3)
    })
  }

  it('does not take a value file for damaged that the system does not give [ERR-7]', async () => {
    const store = await faultyStore()
    store.db.putSync('large', 'l'.repeat(70_000))
    store.failWith(failing(['read'], 'EIO', /\.val$/))
    const error = await rejection(store.db.flush())
    expect(error).to.include({ code: 'IO', file: store.names('.val')[0] })
    store.heal()
    await store.db.flush()
    expect((await store.db.get('large'))?.length).to.equal(70_000)
    await store.db.close()
  })

  it('removes the value file of a segment whose only large value could not be written [DUR-9]', async () => {
    const store = await faultyStore()
    store.failWith(failing(['write'], 'ENOSPC', /\.val$/))
    const error = await rejection(store.db.put('large', 'l'.repeat(70_000)))
    expect(error).to.have.property('code', 'FULL')
    store.heal()
    await store.db.put('small', 's')
    await store.db.flush()
    await until(() => store.names('.log').length === 0)
    expect(store.names('.val')).to.deep.equal([])
    expect(await readStore(store.db)).to.deep.equal(new Map([['small', 's']]))
    await store.db.close()
  })

  it('flushes what a crash left before it accepts a write, or does not open [REC-5, REC-4]', async () => {
    const store = await faultyStore()
    fill(store, 3)
    const image = store.inner.clone()
    await store.db.close()
    const full = faultFileSystem(image, failing(['write'], 'ENOSPC', /\.tmp$/))
    const error = await rejection(open(STORE, storeOptions(full, 2)))
    expect(error).to.have.property('code', 'FULL')
    const db = await open(STORE, storeOptions(image, 2))
    expect(db.stats()).to.include({ tables: 1, logSegments: 0 })
    expect((await readStore(db)).size).to.equal(3)
    await db.close()
  })
})
