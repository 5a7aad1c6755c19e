import { expect } from 'chai'
import { caught, expectCode, fakeDatabase, filledDatabase } from '../support/fake-database.ts'

describe('engine/chained-batch', () => {
  it('writes what was added, at once and in order [API-9]', async () => {
    const { db, engine } = filledDatabase(1)
    const batch = db.batch().put('a', '1').delete('k000').put('a', '2')
    expect(batch.length).to.equal(3)
    expect(await db.keys().all()).to.deep.equal(['k000'])
    await batch.write()
    expect(await db.iterator().all()).to.deep.equal([['a', '2']])
    expect(engine.levels).to.have.length(2)
  })

  it('forgets what was added when it is cleared [API-10]', async () => {
    const { db } = fakeDatabase()
    const batch = db.batch().put('a', '1').clear().put('b', '2')
    expect(batch.length).to.equal(1)
    await batch.write()
    expect(await db.keys().all()).to.deep.equal(['b'])
  })

  it('copies bytes as they are added [API-10, API-19]', async () => {
    const { db } = fakeDatabase()
    const key = Buffer.from('a')
    const value = Buffer.from('1')
    const batch = db.batch().put(key, value).delete(key)
    key[0] = 0x62
    value[0] = 0x32
    batch.put(key, value)
    await batch.write()
    expect(await db.iterator().all()).to.deep.equal([['b', '2']])
  })

  it('takes encodings for each operation [API-5]', async () => {
    const { db } = fakeDatabase()
    const json = { keyEncoding: 'json', valueEncoding: 'json' } as const
    await db.batch().put([1], { a: 1 }, json).put([2], 'x', { keyEncoding: 'json' }).write()
    await db.batch().delete([2], { keyEncoding: 'json' }).write()
    expect(await db.iterator().all()).to.deep.equal([['[1]', '{"a":1}']])
  })

  it('ends with write [API-10]', async () => {
    const { db } = fakeDatabase()
    const batch = db.batch().put('a', '1')
    await batch.write()
    expect(batch.length).to.equal(0)
    await expectCode('CLOSED', () => batch.write())
    await expectCode('CLOSED', () => batch.put('b', '1'))
    await expectCode('CLOSED', () => batch.delete('b'))
    await expectCode('CLOSED', () => batch.clear())
    await batch.close()
  })

  it('ends with close and writes nothing [API-10]', async () => {
    const { db, engine } = fakeDatabase()
    const batch = db.batch().put('a', '1')
    await batch.close()
    await batch.close()
    await db.batch().put('b', '1')[Symbol.asyncDispose]()
    await expectCode('CLOSED', () => batch.write())
    expect(engine.sequence).to.equal(0)
  })

  it('ends with its store [API-10, API-21]', async () => {
    const { db } = fakeDatabase()
    const batch = db.batch().put('a', '1')
    await db.close()
    expect(batch.length).to.equal(0)
    await expectCode('CLOSED', () => batch.write())
    await batch.close()
  })

  it('is closed for an encoder that closes it meanwhile [API-10]', async () => {
    const { db } = fakeDatabase()
    const batch = db.batch()
    const encode = (text: string): string => {
      void batch.close()
      return text
    }
    const valueEncoding = { encode, decode: String }
    await expectCode('CLOSED', () => batch.put('a', '1', { valueEncoding }))
  })

  it('throws for wrong arguments, but write rejects, and stays as it was [API-1, API-20]', async () => {
    const { db } = fakeDatabase()
    const batch = db.batch().put('a', '1')
    expect(() => batch.put(5 as never, '1')).to.throw(TypeError, /^key /)
    expect(() => batch.put('k', 5 as never)).to.throw(TypeError, /^value /)
    expect(() => batch.put('k', 'v', 5 as never)).to.throw(TypeError, /^options /)
    expect(() => batch.delete('\ud800')).to.throw(TypeError, /^key /)
    const rejected = batch.write({ sync: 1 as never })
    expect(await caught(() => rejected)).to.be.instanceOf(TypeError)
    expect(batch.length).to.equal(1)
    await batch.write()
    expect(await db.keys().all()).to.deep.equal(['a'])
  })
})
