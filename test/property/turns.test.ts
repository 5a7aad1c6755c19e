/** Loops that await each call, and never anything else, let the event loop turn. */
import { expect } from 'chai'
import { type Database, MemoryFileSystem, open } from '../../src/index.ts'

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
}

describe('property/turns', () => {
  for (const durability of ['none', 'process'] as const) {
    for (const [name, call] of Object.entries(LOOPS)) {
      it(`lets timers run in a loop of ${name} at level '${durability}' [API-25]`, async function () {
        this.timeout(60_000)
        const db = await open('/store', { fs: new MemoryFileSystem(), durability })
        for (let index = 0; index < 10; index++) db.putSync(`key ${index}`, 'value')
        let turns = 0
        let isOver = false
        const count = (): void => {
          turns++
          if (!isOver) setImmediate(count)
        }
        setImmediate(count)
        for (let index = 0; index < CALLS; index++) await call(db, index)
        isOver = true
        expect(turns).to.be.at.least(TURNS_MIN)
        await db.close()
      })
    }
  }
})
