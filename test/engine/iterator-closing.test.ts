/** What becomes of the calls of an iterator that wait when it is closed, or its store. */
import { expect } from 'chai'
import type { DatabaseIterator } from '../../src/engine/database-iterator.ts'
import { MemoryFileSystem, open } from '../../src/index.ts'
import { caught, expectCode, filledDatabase, keyNumber } from '../support/fake-database.ts'

const numbers = (from: number, below: number): number[] =>
  Array.from({ length: below - from }, (_, index) => from + index)
const keys = (from: number, below: number): string[] => numbers(from, below).map(keyNumber)

describe('engine/iterator-closing', () => {
  it('closes behind the calls before it, which are answered in full [API-26]', async () => {
    const { db, engine } = filledDatabase(999)
    const problem = new Error('mine')
    const done = { done: true, value: undefined }
    const ends: ((iterator: DatabaseIterator<string, string>) => Promise<unknown>)[] = [
      (iterator) => iterator.close(),
      (iterator) => iterator.return().then((result) => expect(result).to.deep.equal(done)),
      (iterator) =>
        caught(() => iterator.throw(problem)).then((error) => expect(error).to.equal(problem)),
      (iterator) => iterator[Symbol.asyncDispose](),
    ]
    for (const end of ends) {
      const iterator = db.keys()
      const settled: string[] = []
      const note = (name: string) => () => settled.push(name)
      const nexts = numbers(0, 400).map(() => iterator.next())
      iterator.seek('k500')
      const rest = iterator.all()
      const ended = end(iterator)
      const all = iterator.all()
      const next = iterator.next()
      void rest.then(note('rest'))
      void ended.then(note('ended'))
      void all.then(note('all'))
      void next.then(note('next'))
      await expectCode('CLOSED', () => iterator.seek('k000'))
      expect((await Promise.all(nexts)).map(({ value }) => value)).to.deep.equal(keys(0, 400))
      expect(await rest).to.deep.equal(keys(500, 999))
      await ended
      expect(engine.liveCursors).to.equal(0)
      expect([await all, await next]).to.deep.equal([[], done])
      expect(settled).to.deep.equal(['rest', 'ended', 'all', 'next'])
    }
  })

  it('returns from a function that ends what it has just asked for with all of it [API-26]', async () => {
    const { db, engine } = filledDatabase(999)
    const closing = async (): Promise<string[]> => {
      const iterator = db.keys()
      try {
        return iterator.all()
      } finally {
        await iterator.close()
      }
    }
    const using = async (): Promise<string[]> => {
      await using iterator = db.keys()
      return iterator.all()
    }
    expect(await closing()).to.deep.equal(keys(0, 999))
    expect(await using()).to.deep.equal(keys(0, 999))
    expect(engine.liveCursors).to.equal(0)
  })

  it('closes at once, any number of times, when nothing waits [API-26]', async () => {
    const { db, engine } = filledDatabase(50)
    const iterator = db.keys()
    await iterator.next()
    const closes = [iterator.close(), iterator.close(), iterator.return()]
    expect(engine.liveCursors).to.equal(0)
    await Promise.all(closes)
    expect((await iterator.next()).done).to.equal(true)
  })

  it('may be closed in the body of its own loop, with calls that wait [API-15, API-26]', async () => {
    const { db, engine } = filledDatabase(999)
    const iterator = db.keys()
    const seen: string[] = []
    let rest: Promise<string[]> | undefined
    for await (const key of iterator) {
      seen.push(key)
      rest = iterator.all()
      void iterator.close()
      await iterator.close()
    }
    expect(seen).to.deep.equal(['k000'])
    expect(await rest).to.deep.equal(keys(1, 999))
    expect(engine.liveCursors).to.equal(0)
  })

  it('may be closed by its decoder: what was asked for before is answered [API-26]', async () => {
    const { db, engine } = filledDatabase(999)
    const valueEncoding = {
      encode: String,
      decode: (bytes: Uint8Array): string => {
        closes.push(iterator.close())
        return Buffer.from(bytes).toString()
      },
    }
    let closes: Promise<void>[] = []
    let iterator = db.values({ valueEncoding })
    expect(await iterator.next()).to.deep.equal({ done: false, value: '0' })
    expect((await iterator.next()).done).to.equal(true)
    expect(closes).to.have.length(1)
    iterator = db.values({ valueEncoding })
    expect(await iterator.all()).to.deep.equal(numbers(0, 999).map(String))
    await Promise.all(closes)
    expect((await iterator.next()).done).to.equal(true)
    closes = []
    const seen: string[] = []
    iterator = db.values({ valueEncoding })
    for await (const value of iterator) seen.push(value)
    expect(seen).to.deep.equal(['0'])
    await Promise.all(closes)
    expect(engine.liveCursors).to.equal(0)
  })

  it('makes the calls of a decoder behind those that wait [API-18, API-26]', async () => {
    const { db } = filledDatabase(999)
    let closed: Promise<void> | undefined
    const valueEncoding = {
      encode: String,
      decode: (bytes: Uint8Array): string => {
        const value = Buffer.from(bytes).toString()
        // By one of those that have waited for a turn.
        if (Number(value) >= 400) closed ??= iterator.close()
        return value
      },
    }
    const iterator = db.values({ valueEncoding })
    const answers = numbers(0, 900).map(() => iterator.next())
    expect((await Promise.all(answers)).map(({ value }) => Number(value))).to.deep.equal(
      numbers(0, 900),
    )
    await closed
    expect((await iterator.next()).done).to.equal(true)
  })

  it('ends calls and closes that wait when the store is closed meanwhile [API-15, API-26]', async () => {
    const { db, engine } = filledDatabase(999)
    const iterator = db.keys()
    const all = iterator.all()
    const closes = [iterator.close(), iterator.close()]
    const after = iterator.next()
    const closing = db.close()
    expect(engine.liveCursors).to.equal(0)
    await Promise.all([
      expectCode('CLOSED', () => all),
      expectCode('CLOSED', () => after),
      expectCode('CLOSED', () => iterator.next()),
      expectCode('CLOSED', () => iterator.seek('k000')),
    ])
    await Promise.all([...closes, closing, iterator.close()])
  })

  it('closes behind calls that fail [API-15, API-26]', async () => {
    const { db, engine } = filledDatabase(999)
    const iterator = db.keys()
    const nexts = numbers(0, 350).map(() => iterator.next())
    const failing = caught(() => Promise.all(nexts))
    const closed = iterator.close()
    const problem = new Error('disk')
    engine.fillError = problem
    expect(await failing).to.equal(problem)
    await closed
    expect(engine.liveCursors).to.equal(0)
    expect((await Promise.allSettled(nexts))[0]).to.have.property('status', 'fulfilled')
  })

  it('answers in order the calls around a close that takes a turn itself [API-18, API-25]', async () => {
    const { db, turns } = filledDatabase(1)
    const before = turns()
    for (let round = 0; round < 3000; round++) {
      const iterator = db.keys()
      const settled: number[] = []
      const calls = [iterator.close(), iterator.next(), iterator.close(), iterator.all()]
      await Promise.all(calls.map((call, index) => call.then(() => settled.push(index))))
      expect(settled).to.deep.equal([0, 1, 2, 3])
    }
    expect(turns()).to.be.greaterThan(before)
  })

  it('gives all of a store whose iterator is closed in the same turn [API-17, API-26]', async () => {
    const db = await open('/store', { fs: new MemoryFileSystem() })
    for (let index = 0; index < 5000; index++) db.putSync(`key${index}`, 'v'.repeat(100))
    const iterator = db.iterator()
    const parts = [iterator.all({ limit: 3000 }), iterator.all()]
    await iterator.close()
    expect((await Promise.all(parts)).map(({ length }) => length)).to.deep.equal([3000, 2000])
    const last = db.keys()
    const cut = expectCode('CLOSED', () => last.all())
    const closed = last.close()
    await db.close()
    await cut
    await closed
  })
})
