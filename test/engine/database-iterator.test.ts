import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import {
  caught,
  expectCode,
  fakeDatabase,
  filledDatabase,
  keyNumber,
} from '../support/fake-database.ts'

const numbers = (from: number, below: number): number[] =>
  Array.from({ length: below - from }, (_, index) => from + index)
const keys = (from: number, below: number): string[] => numbers(from, below).map(keyNumber)

describe('engine/database-iterator', () => {
  it('yields entries, keys and values in order, with and without await [API-14, ORD-1]', async () => {
    const { db } = filledDatabase(100)
    const values = numbers(0, 100).map(String)
    const entries = keys(0, 100).map((key, index) => [key, values[index]])
    const collected: unknown[] = []
    for await (const entry of db.iterator()) collected.push(entry)
    expect(collected).to.deep.equal(entries)
    expect([...db.iteratorSync()]).to.deep.equal(entries)
    expect(await db.keys().all()).to.deep.equal(keys(0, 100))
    expect([...db.keysSync()]).to.deep.equal(keys(0, 100))
    expect(await db.values().all()).to.deep.equal(values)
    expect(db.valuesSync().all()).to.deep.equal(values)
  })

  it('turns, limits and bounds [ORD-2, ORD-3, ORD-5, ORD-6]', async () => {
    const { db } = filledDatabase(100)
    const list = (range: object): Promise<string[]> => db.keys(range).all()
    expect(await list({ reverse: true, limit: 3 })).to.deep.equal(['k099', 'k098', 'k097'])
    expect(await list({ gt: 'k010', lte: 'k012' })).to.deep.equal(['k011', 'k012'])
    expect(await list({ prefix: 'k05', gte: 'k058' })).to.deep.equal(['k058', 'k059'])
    expect(await list({ limit: 20 })).to.have.length(20)
    expect(await list({ limit: -1 })).to.have.length(100)
    expect(await list({ limit: 0 })).to.deep.equal([])
    expect(await list({ gt: 'k020', lt: 'k010' })).to.deep.equal([])
  })

  it('orders by bytes and not by UTF-16 units [ORD-1]', async () => {
    const { db } = fakeDatabase()
    for (const key of ['😀', '\uffee', 'a', 'ab', 'Z', 'é']) db.putSync(key, '')
    expect(await db.keys().all()).to.deep.equal(['Z', 'a', 'ab', 'é', '\uffee', '😀'])
  })

  it('decodes keys and values [API-3, API-4]', async () => {
    const keyEncoding = {
      encode: (n: number) => Uint8Array.of(n >> 8, n),
      decode: ([high = 0, low = 0]: Uint8Array) => (high << 8) | low,
    }
    const { db } = fakeDatabase({ keyEncoding, valueEncoding: 'json' })
    for (const n of [300, 2, 1000]) db.putSync(n, { n })
    expect(await db.iterator({ gte: 3 }).all()).to.deep.equal([
      [300, { n: 300 }],
      [1000, { n: 1000 }],
    ])
    expect([...db.keysSync({ reverse: true })]).to.deep.equal([1000, 300, 2])
  })

  it('fixes what it sees when it is made [SNAP-1]', async () => {
    const { db } = filledDatabase(2)
    const iterator = db.iterator()
    const sync = db.keysSync()
    db.putSync('k000', 'new')
    db.deleteSync('k001')
    db.putSync('k002', 'new')
    expect(await iterator.all()).to.deep.equal([
      ['k000', '0'],
      ['k001', '1'],
    ])
    expect(sync.all()).to.deep.equal(['k000', 'k001'])
  })

  it('is done after its end and lets go of the scan [API-15]', async () => {
    const { db, engine } = filledDatabase(1)
    const iterator = db.keys()
    expect(engine.liveCursors).to.equal(1)
    expect(await iterator.next()).to.deep.equal({ done: false, value: 'k000' })
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined })
    expect(engine.liveCursors).to.equal(0)
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined })
    await expectCode('CLOSED', () => iterator.seek('k000'))

    const sync = db.keysSync()
    expect(sync.next()).to.deep.equal({ done: false, value: 'k000' })
    expect(sync.next()).to.deep.equal({ done: true, value: undefined })
    expect(sync.next()).to.deep.equal({ done: true, value: undefined })
    expect(engine.liveCursors).to.equal(0)
  })

  it('is closed by leaving its loop [API-15]', async () => {
    const { db, engine } = filledDatabase(50)
    for await (const key of db.keys()) if (key === 'k003') break
    expect(engine.liveCursors).to.equal(0)
    const problem = new Error('mine')
    const leave = async (): Promise<void> => {
      for await (const _ of db.iterator()) throw problem
    }
    expect(await caught(leave)).to.equal(problem)
    for (const _ of db.valuesSync()) break
    expect(() => {
      for (const _ of db.iteratorSync()) throw problem
    }).to.throw(problem)
    expect(engine.liveCursors).to.equal(0)
  })

  it('is closed by close, return, throw and using, any number of times [API-15]', async () => {
    const { db, engine } = filledDatabase(50)
    const problem = new Error('mine')
    const first = db.keys()
    await first.next()
    await first.close()
    await first.close()
    expect(await first.next()).to.deep.equal({ done: true, value: undefined })
    expect(await first.all()).to.deep.equal([])
    expect(await db.keys().return()).to.deep.equal({ done: true, value: undefined })
    expect(await caught(() => db.keys().throw(problem))).to.equal(problem)
    await db.keys()[Symbol.asyncDispose]()

    const sync = db.keysSync()
    sync.next()
    sync.close()
    sync.close()
    expect(sync.next()).to.deep.equal({ done: true, value: undefined })
    expect(db.keysSync().return()).to.deep.equal({ done: true, value: undefined })
    expect(() => db.keysSync().throw(problem)).to.throw(problem)
    db.keysSync()[Symbol.dispose]()
    expect(engine.liveCursors).to.equal(0)
  })

  it('is closed by the store, and says so [API-15, API-21]', async () => {
    const { db, engine } = filledDatabase(50)
    const ended = db.keys({ limit: 1 })
    await ended.all()
    const iterator = db.keys()
    await iterator.next()
    const sync = db.keysSync()
    void db.close()
    expect(engine.liveCursors).to.equal(0)
    await expectCode('CLOSED', () => iterator.next())
    await expectCode('CLOSED', () => iterator.all())
    await expectCode('CLOSED', () => iterator.seek('k001'))
    await expectCode('CLOSED', () => sync.next())
    await iterator.close()
    expect(await ended.next()).to.deep.equal({ done: true, value: undefined })
  })

  it('is closed by a failure, of the store or of a decoder [API-15, ERR-5]', async () => {
    const { db, engine } = filledDatabase(50)
    engine.fillError = new Error('disk')
    const iterator = db.keys()
    expect(await caught(() => iterator.next())).to.equal(engine.fillError)
    expect(() => db.keysSync().next()).to.throw(engine.fillError)
    engine.fillError = undefined
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined })

    await db.put('k', '{')
    await expectCode('FORMAT', () => db.values({ valueEncoding: 'json' }).next())
    await expectCode('FORMAT', () => db.values({ valueEncoding: 'json' }).all())
    await expectCode('FORMAT', () => [...db.valuesSync({ valueEncoding: 'json' })])
    expect(engine.liveCursors).to.equal(0)
  })

  it('seeks forward and back, within its range [API-16]', async () => {
    const { db } = filledDatabase(60)
    const iterator = db.keys({ gte: 'k010', lt: 'k050' })
    expect((await iterator.next()).value).to.equal('k010')
    iterator.seek('k0305')
    expect((await iterator.next()).value).to.equal('k031')
    iterator.seek('k000')
    expect((await iterator.next()).value).to.equal('k010')
    iterator.seek('')
    expect((await iterator.next()).value).to.equal('k010')
    iterator.seek('k050')
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined })

    const back = db.keysSync({ reverse: true })
    back.seek('k0305')
    expect(back.next().value).to.equal('k030')
    expect(() => back.seek(5 as never)).to.throw(TypeError, /^key /)
    await expectCode('LIMIT', () => back.seek('x'.repeat(1024 * 1024 + 1)))
    expect(back.next().value).to.equal('k029')
  })

  it('counts against its limit what was taken, not what was fetched [API-16]', async () => {
    const { db, engine } = filledDatabase(60)
    const iterator = db.keys({ limit: 5 })
    await iterator.next()
    db.deleteSync('k040')
    iterator.seek('k040')
    expect(await iterator.all()).to.deep.equal(keys(40, 44))
    expect(engine.liveCursors).to.equal(0)

    const sync = db.keysSync({ limit: 2 })
    sync.next()
    sync.next()
    sync.seek('k000')
    expect(sync.next().done).to.equal(true)
    const none = db.keysSync({ limit: 0 })
    none.seek('k000')
    expect(none.next().done).to.equal(true)
  })

  it('gives the rest, or so many of it, at once [API-17]', async () => {
    const { db, engine } = filledDatabase(100)
    const iterator = db.keys()
    await iterator.next()
    expect(await iterator.all({ limit: 30 })).to.deep.equal(keys(1, 31))
    expect(await iterator.all({ limit: 0 })).to.deep.equal([])
    expect(await iterator.all()).to.deep.equal(keys(31, 100))
    const sync = db.keysSync()
    expect(sync.all({ limit: 30 })).to.deep.equal(keys(0, 30))
    expect(sync.all()).to.deep.equal(keys(30, 100))
    expect(engine.liveCursors).to.equal(0)
    expect(await caught(() => db.keys().all({ limit: -3 }))).to.be.instanceOf(RangeError)
    expect(() => db.keysSync().all(5 as never)).to.throw(TypeError)
  })

  it('answers calls in their order, over turns of the event loop [API-18]', async () => {
    const { db, turns } = filledDatabase(900)
    const iterator = db.keys()
    const answers = await Promise.all([
      ...numbers(0, 400).map(() => iterator.next()),
      iterator.all({ limit: 300 }),
      iterator.next(),
      iterator.all(),
      iterator.next(),
    ])
    const flat = answers.flatMap((one) => (Array.isArray(one) ? one : (one.value ?? [])))
    expect(flat).to.deep.equal(keys(0, 900))
    expect(answers.at(-1)).to.deep.equal({ done: true, value: undefined })
    expect(turns()).to.be.greaterThan(0)
  })

  it('seeks between the calls before and after it, whichever of them takes a turn [API-16, API-18]', async () => {
    const { db, turns } = filledDatabase(999)
    const iterator = db.keys()
    const answers: Promise<unknown>[] = []
    const expected: unknown[] = []
    for (let index = 0; index < 900; index += 3) {
      answers.push(iterator.next().then(({ value }) => value))
      iterator.seek(keys(index + 2, index + 3)[0] ?? '')
      answers.push(iterator.all({ limit: 1 }))
      iterator.seek(keys(index + 3, index + 4)[0] ?? '')
      expected.push(...keys(index, index + 1), keys(index + 2, index + 3))
    }
    expect(await Promise.all(answers)).to.deep.equal(expected)
    expect(turns()).to.be.greaterThan(0)
    expect(await iterator.all()).to.deep.equal(keys(900, 999))
  })

  it('answers a long row of calls that wait [API-18]', async () => {
    const { db } = filledDatabase(999)
    const iterator = db.keys()
    const first = iterator.all({ limit: 900 })
    const answers = numbers(0, 20_000).map(() => iterator.all({ limit: 1 }))
    expect(await first).to.have.length(900)
    expect((await Promise.all(answers)).flat()).to.deep.equal(keys(900, 999))
  })

  it('lets timers run while a loop goes on [API-18]', async () => {
    const { db } = filledDatabase(999)
    let ticks = 0
    const timer = setInterval(() => ticks++, 0)
    const until = Date.now() + 15_000
    try {
      while (ticks < 3 && Date.now() < until) for await (const _ of db.keys());
    } finally {
      clearInterval(timer)
    }
    expect(ticks).to.be.greaterThan(2)
  })

  it('lets its own loop rewrite and delete what it reads [SNAP-5]', async () => {
    const { db } = filledDatabase(100)
    let count = 0
    for await (const [key, value] of db.iterator()) {
      expect(value).to.equal(String(count++))
      await db.put(`z${key}`, 'new')
      await (count % 2 === 0 ? db.delete(key) : db.put(key, 'new'))
    }
    expect(count).to.equal(100)
  })

  it('lets go of what was forgotten once it is collected [SNAP-6]', async () => {
    const { db, engine } = filledDatabase(50)
    await db.keys().next()
    db.keysSync().next()
    db.snapshot()
    expect([engine.liveCursors, engine.livePins]).to.deep.equal([2, 1])
    const collect = garbageCollector()
    for (let turn = 0; turn < 50 && engine.liveCursors + engine.livePins > 0; turn++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect([engine.liveCursors, engine.livePins]).to.deep.equal([0, 0])
  })
})

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
