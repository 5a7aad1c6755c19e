/** Loops that await each call, and never anything else, let the event loop turn. */
import { expect } from 'chai'
import {
  type Database,
  destroy,
  importRustEdgeDB,
  MemoryFileSystem,
  open,
  repair,
  type SedgeErrorCode,
} from '../../src/index.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'

const CALLS = 20_000
const TURNS_MIN = 8

type Call = (db: Database<string, string>, index: number) => Promise<unknown>

const LOOPS: Readonly<Record<string, Call>> = {
  put: (db, index) => db.put(`key ${index}`, 'value'),
  delete: (db, index) => db.delete(`key ${index}`),
  batch: (db, index) => db.batch([{ type: 'put', key: `key ${index}`, value: 'value' }]),
  'a chained batch': (db, index) => db.batch().put(`key ${index}`, 'value').write(),
  get: (db, index) => db.get(`key ${index % 10}`),
  getMany: (db, index) => db.getMany([`key ${index % 10}`, 'none']),
  has: (db, index) => db.has(`key ${index}`),
  getEntry: (db, index) => db.getEntry(`key ${index % 10}`),
  'for await': async (db) => {
    for await (const _ of db.iterator());
  },
  'for await that is left': async (db) => {
    for await (const _ of db.keys()) break
  },
  'all of a new iterator': (db) => db.iterator().all(),
  'all with limits': (db, index) => db.keys({ limit: index % 2 }).all({ limit: 1 }),
  'next of a new iterator': (db) => db.values().next(),
  'return of a new iterator': (db) => db.values().return(),
  'next and close': async (db) => {
    const iterator = db.keys()
    await iterator.next()
    await iterator.close()
  },
  'await using': async (db) => {
    await using _ = db.keys()
  },
  'close of a chained batch': (db) => db.batch().close(),
  'clear of nothing': (db) => db.clear({ prefix: 'none' }),
  'clear of an impossible range': (db) => db.clear({ gt: 'b', lt: 'a' }),
  'compact of an impossible range': (db) => db.compact({ gt: 'b', lt: 'a' }),
  sync: (db) => db.sync(),
}

/** Calls of one iterator. */
type IteratorCall = (iterator: ReturnType<Database<string, string>['keys']>) => Promise<unknown>

const ITERATOR_LOOPS: Readonly<Record<string, IteratorCall>> = {
  next: (iterator) => iterator.next(),
  'a seek and next': (iterator) => {
    iterator.seek('key')
    return iterator.next()
  },
  'all of nothing': (iterator) => iterator.all({ limit: 0 }),
  'all that is refused': (iterator) => iterator.all({ limit: -5 }).catch(() => {}),
}

const ENDED_LOOPS: Readonly<Record<string, IteratorCall>> = {
  next: (iterator) => iterator.next(),
  all: (iterator) => iterator.all(),
  close: (iterator) => iterator.close(),
  return: (iterator) => iterator.return(),
  throw: (iterator) => iterator.throw(new Error('mine')).catch(() => {}),
}

const CALLS_OF_ALL_KINDS: Readonly<Record<string, Call>> = {
  put: (db) => db.put('key', 'value'),
  delete: (db) => db.delete('key'),
  batch: (db) => db.batch([]),
  get: (db) => db.get('key'),
  getMany: (db) => db.getMany(['key']),
  has: (db) => db.has('key'),
  getEntry: (db) => db.getEntry('key'),
  clear: (db) => db.clear(),
  sync: (db) => db.sync(),
  flush: (db) => db.flush(),
  compact: (db) => db.compact(),
  verify: (db) => db.verify(),
}

/** A call on a whole store; with it in the table stands what it is refused with. */
type StoreCall = (db: Database<string, string>, fs: MemoryFileSystem) => Promise<unknown>

const STORE_CALLS: Readonly<Record<string, [StoreCall, (SedgeErrorCode | 'TypeError')?]>> = {
  'open and close': [async (_, fs) => (await open('/other', { fs })).close()],
  'open of an open store': [(_, fs) => open('/store', { fs }), 'LOCKED'],
  'open of no store': [(_, fs) => open('/none', { fs, createIfMissing: false }), 'NOT_FOUND'],
  'open of no path': [() => open(5 as never), 'TypeError'],
  'destroy of an open store': [(_, fs) => destroy('/store', { fs }), 'LOCKED'],
  'destroy of no store': [(_, fs) => destroy('/none', { fs })],
  'destroy of no path': [() => destroy(5 as never), 'TypeError'],
  'repair of no store': [(_, fs) => repair('/none', '/new', { fs }), 'NOT_FOUND'],
  'repair of no path': [() => repair(5 as never, '/new'), 'TypeError'],
  'import of no store': [(db, fs) => importRustEdgeDB('/none', db, { fs }), 'NOT_FOUND'],
  'import of no path': [(db) => importRustEdgeDB(5 as never, db), 'TypeError'],
}

/** How often the event loop turns while `call` is made again and again, and how often that failed with `code`. */
async function turnsOf(
  call: (index: number) => Promise<unknown>,
  code?: SedgeErrorCode | 'TypeError',
  calls = CALLS,
): Promise<{ turns: number; failures: number }> {
  let turns = 0
  let failures = 0
  let immediate = setImmediate(function count() {
    turns++
    immediate = setImmediate(count)
  })
  for (let index = 0; index < calls; index++) {
    try {
      await call(index)
    } catch (error) {
      const { code: found, name } = error as { code?: string; name: string }
      if (code === undefined || (found ?? name) !== code) throw error
      failures++
    }
  }
  clearImmediate(immediate)
  return { turns, failures }
}

async function expectTurns(
  call: (index: number) => Promise<unknown>,
  code?: SedgeErrorCode | 'TypeError',
): Promise<void> {
  const { turns, failures } = await turnsOf(call, code)
  expect(turns).to.be.at.least(TURNS_MIN)
  expect(failures).to.equal(code === undefined ? 0 : CALLS)
}

/** With ten keys. */
async function openSmall(
  options: { durability?: 'none' | 'process' } = {},
): Promise<Database<string, string>> {
  const db = await open('/store', { fs: new MemoryFileSystem(), ...options })
  for (let index = 0; index < 10; index++) db.putSync(`key ${index}`, 'value')
  return db
}

describe('property/turns', function () {
  this.timeout(120_000)

  for (const durability of ['none', 'process'] as const) {
    for (const [name, call] of Object.entries(LOOPS)) {
      it(`lets timers run in a loop of ${name} at level '${durability}' [API-25]`, async () => {
        const db = await openSmall({ durability })
        await expectTurns((index) => call(db, index))
        await db.close()
      })
    }
  }

  for (const [name, call] of Object.entries(ITERATOR_LOOPS)) {
    it(`lets timers run in a loop of ${name} of one iterator [API-25]`, async () => {
      const db = await openSmall()
      const iterator = db.keys()
      await expectTurns(() => call(iterator))
      await db.close()
    })
  }

  for (const [name, call] of Object.entries(ENDED_LOOPS)) {
    it(`lets timers run in a loop of ${name} of an iterator that has ended [API-25]`, async () => {
      const db = await openSmall()
      const iterator = db.keys()
      await iterator.close()
      await expectTurns(() => call(iterator))
      await db.close()
    })
  }

  for (const [name, call] of Object.entries(CALLS_OF_ALL_KINDS)) {
    it(`lets timers run in a loop of ${name} of a store that is closed [API-25]`, async () => {
      const db = await openSmall()
      const batch = db.batch()
      const iterator = db.keys()
      await db.close()
      await expectTurns((index) => call(db, index), 'CLOSED')
      if (name !== 'put') return
      await expectTurns(() => batch.write(), 'CLOSED')
      await expectTurns(() => iterator.next(), 'CLOSED')
      await expectTurns(() => iterator.all(), 'CLOSED')
    })
  }

  for (const [name, [call, code]] of Object.entries(STORE_CALLS)) {
    it(`lets timers run in a loop of ${name} [API-25]`, async () => {
      const fs = new MemoryFileSystem()
      const db = await open('/store', { fs })
      const calls = TURNS_MIN * 2
      const { turns, failures } = await turnsOf(() => call(db, fs), code, calls)
      expect(turns).to.be.at.least(TURNS_MIN)
      expect(failures).to.equal(code === undefined ? 0 : calls)
      await db.close()
    })
  }

  it('lets timers run in a loop of calls that are refused for their arguments [API-25]', async () => {
    const db = await openSmall()
    await expectTurns(() => db.put('', 'value'), 'LIMIT')
    await expectTurns(() => db.get(5 as never), 'TypeError')
    await expectTurns(() => db.getEntry(5 as never), 'TypeError')
    await expectTurns(() => db.clear(5 as never), 'TypeError')
    await expectTurns(() => db.batch().write(5 as never), 'TypeError')
    await db.close()
  })

  it('lets timers run in a loop of writes to a store that is read-only [API-25]', async () => {
    const fs = new MemoryFileSystem()
    await (await open('/store', { fs })).close()
    const db = await open('/store', { fs, readOnly: true })
    await expectTurns(() => db.put('key', 'value'), 'UNSUPPORTED')
    await expectTurns(() => db.flush(), 'UNSUPPORTED')
    await expectTurns(() => db.sync(), 'UNSUPPORTED')
    await db.close()
  })

  it('lets timers run in a loop of writes to a disk that is full [API-25]', async () => {
    let isFull = false
    const fs = faultFileSystem(new MemoryFileSystem(), (call) =>
      isFull && (call === 'write' || call === 'open create') ? 'ENOSPC' : undefined,
    )
    const db = await open('/store', { fs })
    isFull = true
    await expectTurns(() => db.put('key', 'value'), 'FULL')
    isFull = false
    await db.close()
  })
})
