/** The caller's own code, called in the middle of a call: encoders, decoders, getters, listeners that use the store. */
import { expect } from 'chai'
import { type Database, MemoryFileSystem, open, type StoreEvent } from '../../src/index.ts'

const KIB = 1024

function openSmall(onEvent?: (event: StoreEvent) => void): Promise<Database<string, string>> {
  return open('/store', { fs: new MemoryFileSystem(), memtableSize: 64 * KIB, onEvent })
}

/** Everything that there is, and the last sequence. */
function stateOf(db: Database<string, string>): [unknown, number] {
  return [db.iteratorSync().all(), db.stats().sequence]
}

describe('property/callbacks', () => {
  it('writes what an encoder writes before what it encodes [API-20, ORD-7]', async () => {
    const db = await openSmall()
    let calls = 0
    const valueEncoding = {
      encode: (value: string): string => {
        // Enough to seal memtables in between.
        for (let index = 0; index < 50; index++) db.putSync(`inner${calls++}`, 'i'.repeat(500))
        return value
      },
      decode: (bytes: Uint8Array): string => Buffer.from(bytes).toString(),
    }
    for (let index = 0; index < 20; index++) {
      db.putSync(`outer${index}`, `${index}`, { valueEncoding })
      expect((await db.getEntry(`outer${index}`))?.sequence).to.equal(51 * (index + 1))
    }
    const batch = ['a', 'b', 'c'].map((key) => ({ type: 'put', key, value: key }) as const)
    await db.batch(batch, { valueEncoding })
    const sequences = await Promise.all(batch.map(({ key }) => db.getEntry(key)))
    const last = db.stats().sequence
    expect(sequences.map((entry) => entry?.sequence)).to.deep.equal([last - 2, last - 1, last])
    expect(calls).to.equal(50 * 23)
    expect(db.keysSync({ prefix: 'inner' }).all()).to.have.length(calls)
    expect((await db.verify()).problems).to.deep.equal([])
    await db.close()
  })

  it('shows a reader nothing that its decoder writes [SNAP-1]', async () => {
    const db = await openSmall()
    for (let index = 0; index < 300; index++) db.putSync(`key${1000 + index}`, 'old')
    const valueEncoding = {
      encode: (value: string): string => value,
      decode: (bytes: Uint8Array): string => {
        for (let index = 0; index < 300; index++) db.putSync(`key${1000 + index}`, 'n'.repeat(50))
        db.deleteSync('key1299')
        return Buffer.from(bytes).toString()
      },
    }
    const keys = ['key1000', 'key1150', 'key1299']
    expect(await db.getMany(keys, { valueEncoding })).to.deep.equal(['old', 'old', 'old'])
    for (let index = 0; index < 300; index++) db.putSync(`key${1000 + index}`, 'old')
    const values = db.valuesSync({ valueEncoding }).all()
    expect(values).to.deep.equal(new Array(300).fill('old'))
    await db.close()
  })

  it('leaves content and sequence as they were when the caller throws in the middle: F13 [API-20, LIM-5]', async () => {
    const db = await openSmall()
    db.putSync('before', 'v')
    const before = stateOf(db)
    const problem = new Error('thrown by the caller')
    const fail = (): never => {
      throw problem
    }
    const good = { type: 'put', key: 'good', value: 'v' } as const
    const getter = {
      ...good,
      get value(): 'v' {
        return fail()
      },
    }
    const json = { valueEncoding: 'json' } as const
    const attempts: (() => unknown)[] = [
      () => db.batchSync([good, getter]),
      () => db.batch([good, getter]),
      () => db.batchSync([good, { ...good, value: { toJSON: fail } }], json),
      () => db.putSync('k', { toJSON: fail }, json),
      () => db.batch().put('good', 'v').put('k', { toJSON: fail }, json),
      () => db.batchSync([good], { keyEncoding: { encode: fail, decode: () => '' } }),
      () => db.clear({ gt: 'a', keyEncoding: { encode: fail, decode: () => '' } }),
    ]
    for (const attempt of attempts) {
      let thrown: unknown
      try {
        await attempt()
      } catch (error) {
        thrown = error
      }
      expect(thrown).to.equal(problem)
      expect(stateOf(db)).to.deep.equal(before)
    }
    await db.close()
  })

  it('lets a listener write, and is not stopped by one that throws: F13 [OPT-9, API-8]', async () => {
    let heard = 0
    const db: Database<string, string> = await openSmall((event) => {
      if (event.type !== 'flush' && event.type !== 'compaction') return
      db.putSync(`event${heard++}`, event.type)
      void db.put(`promised${heard}`, event.type)
      throw new Error('ignored')
    })
    for (let index = 0; index < 3000; index++) {
      await db.put(`key${index % 100}`, 'v'.repeat(200))
      if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await db.compact()
    expect(heard).to.be.greaterThan(20)
    expect(db.keysSync({ prefix: 'event' }).all()).to.have.length(heard)
    expect(db.keysSync({ prefix: 'promised' }).all()).to.have.length(heard)
    expect(db.stats().lastError).to.equal(undefined)
    await db.close()
  })
})
