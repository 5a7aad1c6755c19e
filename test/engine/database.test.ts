import { expect } from 'chai'
import { caught, expectCode, fakeDatabase, filledDatabase } from '../support/fake-database.ts'

/** Calls that return promises, each with an argument that is wrong. */
type Call = [name: string, run: (db: ReturnType<typeof fakeDatabase>['db']) => unknown]
const bad = 5 as never

const PROMISED: readonly Call[] = [
  ['put', (db) => db.put(bad, 'v')],
  ['put a value', (db) => db.put('k', bad)],
  ['put with options', (db) => db.put('k', 'v', bad)],
  ['put null options', (db) => db.put('k', 'v', null as never)],
  ['put sync', (db) => db.put('k', 'v', { sync: bad })],
  ['delete', (db) => db.delete(bad)],
  ['delete sync', (db) => db.delete('k', { sync: bad })],
  ['batch', (db) => db.batch(bad)],
  ['batch of undefined', (db) => db.batch(undefined as never)],
  ['batch of a hole', (db) => db.batch(new Array(1))],
  ['batch of null', (db) => db.batch([null as never])],
  ['batch of a type', (db) => db.batch([{ type: 'del', key: 'k' } as never])],
  ['batch of a key', (db) => db.batch([{ type: 'put', key: bad, value: 'v' }])],
  ['batch of a value', (db) => db.batch([{ type: 'put', key: 'k', value: bad }])],
  ['get', (db) => db.get(bad)],
  ['get with options', (db) => db.get('k', bad)],
  ['get snapshot', (db) => db.get('k', { snapshot: bad })],
  ['get encoding', (db) => db.get('k', { valueEncoding: bad })],
  ['getMany', (db) => db.getMany(bad)],
  ['getMany of a key', (db) => db.getMany(['k', bad])],
  ['getMany with options', (db) => db.getMany([], bad)],
  ['has', (db) => db.has(bad)],
  ['getEntry', (db) => db.getEntry(bad)],
  ['clear', (db) => db.clear(bad)],
  ['clear of null', (db) => db.clear(null as never)],
  ['clear reverse', (db) => db.clear({ reverse: bad })],
  ['compact', (db) => db.compact({ gte: bad })],
]

const THROWN: readonly Call[] = [
  ['putSync', (db) => db.putSync(bad, 'v')],
  ['putSync with options', (db) => db.putSync('k', 'v', bad)],
  ['deleteSync', (db) => db.deleteSync(bad)],
  ['batchSync', (db) => db.batchSync(bad)],
  ['getSync', (db) => db.getSync(bad)],
  ['getManySync', (db) => db.getManySync(bad)],
  ['hasSync', (db) => db.hasSync(bad)],
  ['getInto', (db) => db.getInto(bad, new Uint8Array(1))],
  ['getInto target', (db) => db.getInto('k', new ArrayBuffer(1) as never)],
  ['getInto offset', (db) => db.getInto('k', new Uint8Array(1), '0' as never)],
  ['iterator', (db) => db.iterator(bad)],
  ['keys', (db) => db.keys({ gt: bad })],
  ['values', (db) => db.values({ reverse: bad })],
  ['iteratorSync', (db) => db.iteratorSync({ limit: '1' as never })],
  ['keysSync', (db) => db.keysSync({ prefix: bad })],
  ['valuesSync', (db) => db.valuesSync({ snapshot: {} as never })],
]

describe('engine/database', () => {
  it('rejects where it promises, and throws elsewhere [API-1, ERR-2]', async () => {
    const { db, engine } = fakeDatabase()
    for (const [name, run] of PROMISED) {
      const promise = run(db)
      expect(promise, name).to.be.instanceOf(Promise)
      expect(await caught(() => promise), name).to.be.instanceOf(TypeError)
    }
    for (const [name, run] of THROWN) {
      let result: unknown
      expect(() => (result = run(db)), name).to.throw(TypeError)
      expect(result, name).to.equal(undefined)
    }
    expect(engine.sequence).to.equal(0)
  })

  it('names the wrong argument [ERR-2]', async () => {
    const { db } = fakeDatabase()
    expect(() => db.putSync(bad, 'v')).to.throw(/^key /)
    expect(() => db.putSync('k', bad)).to.throw(/^value /)
    expect(() => db.putSync('k', 'v', { sync: bad })).to.throw(/^sync /)
    expect(() => db.batchSync([{ type: 'delete', key: 'k' }, bad])).to.throw(/operations\[1\]/)
    expect(() => db.getManySync(bad)).to.throw(/^keys /)
    expect(() => db.getSync('k', { snapshot: bad })).to.throw(/^snapshot /)
    expect(() => db.iterator(bad)).to.throw(/^range /)
    expect(() => db.getInto('k', new Uint8Array(1), -1)).to.throw(RangeError, /^offset /)
    expect(() => db.getSync('k', { keyEncoding: 'x' as never })).to.throw(RangeError, /keyEncoding/)
  })

  it('stores, finds and deletes [API-7, API-8]', async () => {
    const { db } = fakeDatabase()
    await db.put('a', '1')
    db.putSync('b', '')
    expect(await db.get('a')).to.equal('1')
    expect(db.getSync('a')).to.equal('1')
    expect(await db.has('b')).to.equal(true)
    expect(await db.get('c')).to.equal(undefined)
    expect(db.hasSync('c')).to.equal(false)
    void db.put('a', '2')
    expect(db.getSync('a')).to.equal('2')
    await db.delete('a')
    expect(await db.has('a')).to.equal(false)
    db.deleteSync('b')
    expect(db.getSync('b')).to.equal(undefined)
  })

  it('gets many in the order that was asked for [API-7]', async () => {
    const { db } = filledDatabase(3)
    const keys = ['k002', 'none', 'k000', 'k002']
    const expected = ['2', undefined, '0', '2']
    expect(await db.getMany(keys)).to.deep.equal(expected)
    expect(db.getManySync(keys)).to.deep.equal(expected)
    expect(await db.getMany([])).to.deep.equal([])
  })

  it('gives what the encodings say, for the store and for a call [API-2, API-5]', async () => {
    const { db } = fakeDatabase({ valueEncoding: 'json' })
    await db.put('a', { n: 1 })
    expect(await db.get('a')).to.deep.equal({ n: 1 })
    expect(db.getSync('a', { valueEncoding: 'utf8' })).to.equal('{"n":1}')

    const plain = await db.get('a', { valueEncoding: 'binary' })
    expect(Object.getPrototypeOf(plain)).to.equal(Uint8Array.prototype)
    expect(plain).to.deep.equal(new TextEncoder().encode('{"n":1}'))
    const [buffer] = await db.getMany(['a'], { valueEncoding: 'buffer' })
    expect(Buffer.isBuffer(buffer)).to.equal(true)

    await db.put(Uint8Array.of(0xfe), 'raw', { keyEncoding: 'binary', valueEncoding: 'utf8' })
    const options = { keyEncoding: 'binary', valueEncoding: 'buffer' } as const
    const rows = await db.iterator({ ...options, gt: Uint8Array.of(0xf0) }).all()
    expect(rows).to.deep.equal([[Uint8Array.of(0xfe), Buffer.from('raw')]])
    await db.delete(Buffer.of(0xfe), { keyEncoding: 'buffer' })
    expect(await db.keys().all()).to.deep.equal(['a'])
  })

  it("tells the encodings of a batch from the store's own [API-5, API-9]", async () => {
    const { db } = fakeDatabase()
    const options = { valueEncoding: 'json', keyEncoding: 'json' } as const
    await db.batch([{ type: 'put', key: ['a', 1], value: [true] }], options)
    expect(await db.get('["a",1]')).to.equal('[true]')
    expect(await db.get(['a', 1], options)).to.deep.equal([true])
  })

  it('applies the operations of a batch in their order [API-9]', async () => {
    const { db, engine } = filledDatabase(1)
    await db.batch([
      { type: 'put', key: 'a', value: '1' },
      { type: 'delete', key: 'k000' },
      { type: 'put', key: 'a', value: '2' },
    ])
    expect(await db.iterator().all()).to.deep.equal([['a', '2']])
    const { sequence } = engine
    db.batchSync([])
    expect(engine.sequence).to.equal(sequence)
  })

  it('asks for the level that a write names [DUR-4]', async () => {
    const { db, engine } = fakeDatabase()
    await db.put('k', 'v')
    await db.put('k', 'v', { sync: true })
    db.putSync('k', 'v', { sync: false })
    await db.delete('k', { sync: true })
    db.deleteSync('k', { sync: undefined })
    await db.batch([{ type: 'delete', key: 'k' }], { sync: true })
    db.batchSync([{ type: 'delete', key: 'k' }], { sync: false })
    await db.batch().delete('k').write({ sync: true })
    await db.clear({ sync: true })
    const levels = [
      undefined,
      'disk',
      'process',
      'disk',
      undefined,
      'disk',
      'process',
      'disk',
      'disk',
    ]
    expect(engine.levels).to.deep.equal(levels)
  })

  it('sees only options that an object has itself [OPT-3]', async () => {
    const { db, engine } = fakeDatabase()
    const polluted = { sync: true, snapshot: {}, keyEncoding: 'json', limit: 0, reverse: true }
    for (const [name, value] of Object.entries(polluted)) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true })
    }
    try {
      await db.put('a', '1')
      await db.put('b', '2', {})
      expect(await db.getMany(['a', 'b'], {})).to.deep.equal(['1', '2'])
      expect(await db.keys({}).all()).to.deep.equal(['a', 'b'])
      expect(engine.levels).to.deep.equal([undefined, undefined])
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name)
    }
  })

  it('copies a value to where the caller wants it, if it fits [API-11]', () => {
    const { db } = fakeDatabase()
    db.putSync('k', 'abc')
    const target = new Uint8Array(5)
    expect(db.getInto('k', target, 2)).to.equal(3)
    expect(target).to.deep.equal(Uint8Array.of(0, 0, 0x61, 0x62, 0x63))
    expect(db.getInto('k', target, 3)).to.equal(3)
    expect(target).to.deep.equal(Uint8Array.of(0, 0, 0x61, 0x62, 0x63))
    expect(db.getInto('none', target)).to.equal(undefined)
    const key = { keyEncoding: 'binary' } as const
    expect(db.getInto(Uint8Array.of(0x6b), target, 0, key)).to.equal(3)
  })

  it('tells when and as which write an entry came [API-12]', async () => {
    const { db } = fakeDatabase({ valueEncoding: 'json' })
    await db.put('a', 1)
    await db.put('b', 2)
    const entry = await db.getEntry('b')
    expect(entry).to.deep.equal({ value: 2, sequence: 2, timestamp: 1_700_000_000_002 })
    expect(await db.getEntry('c')).to.equal(undefined)
    expect((await db.getEntry('b', { valueEncoding: 'utf8' }))?.value).to.equal('2')
  })

  it('clears a range, all or the first and last of it [API-13]', async () => {
    const { db } = filledDatabase(10)
    await db.clear({ gte: 'k002', lt: 'k004' })
    await db.clear({ limit: 1 })
    await db.clear({ limit: 2, reverse: true })
    expect(await db.keys().all()).to.deep.equal(['k001', 'k004', 'k005', 'k006', 'k007'])
    await db.clear({ limit: 0 })
    await db.clear({ gt: 'k007', lt: 'k001' })
    expect(await db.keys().all()).to.have.length(5)
    await db.clear({ prefix: '"', keyEncoding: 'json' })
    await db.clear()
    expect(await db.keys().all()).to.deep.equal([])
  })

  it('leaves the store alone when an encoder throws [API-20]', async () => {
    const problem = new Error('mine')
    const encode = (): never => {
      throw problem
    }
    const failing = { encode, decode: () => 0 }
    const { db, engine } = fakeDatabase({ valueEncoding: failing })
    const put = { type: 'put', key: 'b', value: 1 as never } as const
    expect(await caught(() => db.put('a', 1 as never))).to.equal(problem)
    expect(await caught(() => db.batch([{ type: 'delete', key: 'a' }, put]))).to.equal(problem)
    expect(() => db.putSync('a', 1 as never)).to.throw(problem)
    expect(() => db.batchSync([put])).to.throw(problem)
    const options = Object.defineProperty({}, 'sync', { get: encode })
    const json = { valueEncoding: 'json' } as const
    expect(await caught(() => db.put('a', { toJSON: encode }, json))).to.equal(problem)
    expect(await caught(() => db.delete('a', options))).to.equal(problem)
    expect(engine.sequence).to.equal(0)
    expect(engine.levels).to.deep.equal([])
  })

  it('reads all keys of one getMany before a decoder can write [SNAP-1]', () => {
    const { db } = fakeDatabase({
      valueEncoding: {
        encode: (value: string) => value,
        decode(bytes: Uint8Array): string {
          db.putSync('b', 'changed', { valueEncoding: 'utf8' })
          return Buffer.from(bytes).toString()
        },
      },
    })
    db.putSync('a', '1')
    db.putSync('b', '2')
    expect(db.getManySync(['a', 'b'])).to.deep.equal(['1', '2'])
    expect(db.getManySync(['b'])).to.deep.equal(['changed'])
  })

  it('passes on what concerns the store as a whole [API-23, DUR-6]', async () => {
    const { db, engine } = fakeDatabase()
    await db.sync()
    await db.flush()
    await db.compact()
    await db.compact({ gte: 'a', lt: 'b' })
    await db.compact({ gte: 'b', lt: 'a' })
    expect(engine.calls).to.deep.equal(['sync', 'flush'])
    expect(engine.ranges.map(({ lower }) => lower)).to.deep.equal([undefined, Uint8Array.of(0x61)])
    expect((await db.verify()).problems).to.deep.equal([])
    expect(db.stats().state).to.equal('open')
  })

  it('neither clears nor compacts by a range that it does not understand [OPT-12]', async () => {
    const { db, engine } = fakeDatabase()
    const calls = [
      (range: unknown) => db.clear(range as object),
      (range: unknown) => db.compact(range as object),
    ]
    for (const call of calls) {
      const unknown = await caught(() => call({ prefx: 'a' }))
      expect(unknown).to.be.instanceOf(RangeError).with.property('message').that.contains('prefx')
      for (const odd of [new Map([['prefix', 'a']]), new Uint8Array(2), 'a', Object.create({})]) {
        expect(await caught(() => call(odd))).to.be.instanceOf(TypeError)
      }
    }
    expect(engine.ranges).to.deep.equal([])
    const bounds = { gt: 'a', gte: undefined, lt: undefined, lte: 'b', prefix: '', limit: 5 }
    const others = { reverse: true, sync: false, keyEncoding: 'utf8', valueEncoding: 'json' }
    for (const call of calls) await call({ ...bounds, ...others, snapshot: undefined })
    expect(engine.ranges.length).to.equal(2)
  })

  it('closes once, and is closed for every call from then on [API-21]', async () => {
    const { db, engine } = fakeDatabase()
    const batch = db.batch().put('k', 'v')
    expect(db.status).to.equal('open')
    const closing = db.close()
    expect(db.status).to.equal('closing')
    expect(db.close()).to.equal(closing)
    await expectClosed(db)
    await expectCode('CLOSED', () => batch.write())
    await closing
    expect(db.status).to.equal('closed')
    expect(db.close()).to.equal(closing)
    expect(engine.closes).to.equal(1)
    expect(db.stats().state).to.equal('closed')
    await expectClosed(db)
  })

  it('closes at the end of await using [API-21]', async () => {
    const { db, engine } = fakeDatabase()
    await db[Symbol.asyncDispose]()
    expect(engine.closes).to.equal(1)
  })

  it('gives all callers the failure of close, and closes once if called from within [API-21]', async () => {
    const { db, engine } = fakeDatabase()
    engine.closeError = new Error('disk')
    engine.onClose = () => void db.close().catch(() => {})
    const first = db.close()
    expect(await caught(() => first)).to.equal(engine.closeError)
    expect(await caught(() => db.close())).to.equal(engine.closeError)
    expect(engine.closes).to.equal(1)
    expect(db.status).to.equal('closed')
  })
})

async function expectClosed(db: ReturnType<typeof fakeDatabase>['db']): Promise<void> {
  const calls: (() => unknown)[] = [
    () => db.put('k', 'v'),
    () => db.putSync('k', 'v'),
    () => db.delete('k'),
    () => db.deleteSync('k'),
    () => db.batch([]),
    () => db.batch(),
    () => db.batchSync([]),
    () => db.get('k'),
    () => db.getSync('k'),
    () => db.getMany([]),
    () => db.getManySync([]),
    () => db.getInto('k', new Uint8Array(1)),
    () => db.has('k'),
    () => db.hasSync('k'),
    () => db.getEntry('k'),
    () => db.iterator(),
    () => db.keys({ limit: 0 }),
    () => db.values(),
    () => db.iteratorSync(),
    () => db.keysSync(),
    () => db.valuesSync(),
    () => db.snapshot(),
    () => db.clear(),
    () => db.clear({ limit: 0 }),
    () => db.sync(),
    () => db.flush(),
    () => db.compact({ gt: 'b', lt: 'a' }),
    () => db.verify(),
  ]
  for (const call of calls) await expectCode('CLOSED', call)
}
