import { rmSync } from 'node:fs'
import { expect } from 'chai'
import { type Database, MemoryFileSystem, open, type StoreEvent } from '../../src/index.ts'
import { filesOf } from '../support/crashed-store.ts'
import type { Fault } from '../support/fault-file-system.ts'
import {
  type FaultyStore,
  failing,
  faultyStore,
  rejection,
  until,
} from '../support/faulty-store.ts'
import { readStore } from '../support/store-model.ts'
import { STORE } from '../support/store-workload.ts'
import { tempDirectory } from '../support/temp.ts'

const COUNT = 20_000

/** A store whose compaction takes several steps. */
async function filledStore(): Promise<Database<string, string>> {
  const fs = new MemoryFileSystem()
  const db = await open('/store', { fs, memtableSize: 256 * 1024, compression: 'none' })
  for (let i = 0; i < COUNT; i++) {
    db.putSync(`key${(i * 7919) % COUNT}`, `${i}`.repeat(20))
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return db
}

/** A store on the disk after a load without a pause, which makes some forty tables. */
async function pressedStore(workers: 0 | 1): Promise<{
  readonly db: Database<string, string>
  readonly events: readonly StoreEvent[]
  readonly directory: string
}> {
  const directory = tempDirectory()
  const events: StoreEvent[] = []
  const onEvent = (event: StoreEvent): void => void events.push(event)
  const db = await open(directory, { memtableSize: 256 * 1024, workers, onEvent })
  for (let i = 0; i < COUNT; i += 100) {
    const puts = Array.from({ length: 100 }, (_, n) => {
      const key = ((i + n) * 7919) % COUNT
      return db.put(`key${key}`, `${key}`.repeat(20))
    })
    await Promise.all(puts)
  }
  return { db, events, directory }
}

describe('engine/compactor', () => {
  it('compacts on several requests at once, one after the other [API-23]', async () => {
    const db = await filledStore()
    const requests = [db.compact(), db.compact(), db.compact({ gte: 'key3' }), db.compact()]
    await Promise.all(requests)
    const { levels, lastError } = db.stats()
    expect(lastError).to.equal(undefined)
    expect(levels[0]?.tables).to.equal(0)
    expect((await db.verify()).problems).to.deep.equal([])
    expect(db.keysSync().all()).to.have.length(COUNT)
    await db.close()
  })

  it('rejects the requests that wait when the store is closed [API-21]', async () => {
    const db = await filledStore()
    const requests = [db.compact(), db.compact(), db.compact()]
    const codes = requests.map((request) => request.catch(({ code }: { code: string }) => code))
    await db.close()
    expect(await Promise.all(codes)).to.deep.equal(['CLOSED', 'CLOSED', 'CLOSED'])
  })

  it('merges within level 0 while a caller presses, and brings all down when it pauses [CMP-16, CMP-17, CMP-18]', async function () {
    this.timeout(30_000)
    const { db, events, directory } = await pressedStore(1)
    try {
      const isWithin = (event: StoreEvent): boolean =>
        event.type === 'compaction' && event.level === 0 && event.outputs === 1 && event.inputs >= 8
      expect(events.some(isWithin)).to.equal(true)
      for (let i = 0; i < COUNT; i += 97) expect(db.getSync(`key${i}`)).to.equal(`${i}`.repeat(20))
      const settled = (): boolean => {
        const [level0, level1] = db.stats().levels
        return level0!.tables <= 4 && level1!.tables > 0
      }
      while (!settled()) await new Promise((resolve) => setTimeout(resolve, 20))
      expect(db.keysSync().all()).to.have.length(COUNT)
      expect((await db.verify()).problems).to.deep.equal([])
    } finally {
      await db.close()
      rmSync(directory, { recursive: true })
    }
  })

  it('does neither with jobs on its own thread [CMP-19]', async () => {
    const { db, events, directory } = await pressedStore(0)
    try {
      const compactions = events.flatMap((event) => (event.type === 'compaction' ? [event] : []))
      expect(compactions.some(({ level }) => level === 0)).to.equal(true)
      await until(() => db.stats().levels[0]!.tables <= 4)
      expect(db.stats().levels[1]?.tables).to.be.greaterThan(0)
    } finally {
      await db.close()
      rmSync(directory, { recursive: true })
    }
  })

  const failures: Readonly<Record<string, Parameters<typeof failing>>> = {
    'creating a table': [['open create'], 'EMFILE', /\.tmp$/],
    'writing a table without space': [['write'], 'ENOSPC', /\.tmp$/],
    'syncing a table': [['sync'], 'EIO', /\.tmp$/],
    'renaming a table': [['rename'], 'EACCES', /\.tmp$/],
    'reading an input': [['read'], 'EIO', /\.sst$/],
    'looking at the directory before the edit': [['list'], 'EMFILE'],
    'writing the edit without space': [['write'], 'ENOSPC', /MANIFEST/],
  }
  for (const [what, rule] of Object.entries(failures)) {
    it(`tells of a compaction that fails in ${what}, changes nothing, and tries again [ERR-6, DUR-11]`, async function () {
      this.timeout(10_000)
      const store = await storeOfTables(5, failing(...rule))
      await until(() => store.events.some(({ type }) => type === 'error'))
      const { lastError, compactions, state } = store.db.stats()
      expect(lastError?.code).to.be.oneOf(['IO', 'FULL'])
      expect({ compactions, state }).to.deep.equal({ compactions: 0, state: 'open' })
      // What had been made goes in a later turn.
      await until(() => store.names('.sst').length === 5)
      await store.db.put('while', 'it fails')
      store.heal()
      await until(() => store.db.stats().compactions > 0)
      expect(store.db.stats().lastError).to.equal(undefined)
      await until(() => store.names('.sst').length === 1)
      expect(store.names('.tmp')).to.deep.equal([])
      expect((await readStore(store.db)).size).to.equal(7)
      await store.db.close()
    })
  }

  it('installs nothing that was made of a damaged table, and leaves the rest of the store to its users [ERR-4, ERR-6, TBL-10]', async () => {
    const store = await storeOfTables(4)
    const [damaged = ''] = store.names('.sst')
    const before = filesOf(store.inner)
    const file = store.inner.open(`${STORE}/${damaged}`, 'readwrite')
    file.write(Uint8Array.of(0xff), 100)
    file.close()
    const error = await rejection(store.db.compact({}))
    expect(error).to.include({ code: 'CORRUPTION', file: damaged })
    expect(error).to.have.property('offset').that.is.a('number')
    expect(store.events).to.deep.include({ type: 'error', error })
    const after = filesOf(store.inner)
    expect([...after.keys()].filter(isTable)).to.deep.equal([...before.keys()].filter(isTable))
    for (let table = 0; table < 4; table++) {
      const read = (): unknown => store.db.getSync(`${table} 1`)
      if (table > 0) expect(read()).to.equal('v'.repeat(100))
      else expect(read).to.throw().with.include({ code: 'CORRUPTION', file: damaged })
    }
    await store.db.put('other', 'key')
    expect(store.db.stats().state).to.equal('open')
    await store.db.close()
  })
})

/** Tables of level 0 that overlap; with five of them a compaction is due, and fails as `fault` says. */
async function storeOfTables(count: number, fault?: Fault): Promise<FaultyStore> {
  const store = await faultyStore()
  if (fault !== undefined) store.failWith(onceTablesAreRead(fault))
  for (let table = 0; table < count; table++) {
    store.db.putSync(`${table} 1`, 'v'.repeat(100))
    store.db.putSync('in all', `${table}`)
    await store.db.flush()
  }
  return store
}

/** Flushes read no tables, compactions do. */
function onceTablesAreRead(fault: Fault): Fault {
  let isArmed = false
  return (call, path) => {
    isArmed ||= call === 'open read' && isTable(path)
    return isArmed ? fault(call, path) : undefined
  }
}

function isTable(name: string): boolean {
  return name.endsWith('.sst')
}
