import { expect } from 'chai'
import { expectCode, fakeDatabase, filledDatabase } from '../support/fake-database.ts'

describe('engine/snapshot', () => {
  it('shows every read what was there when it was taken [SNAP-2]', async () => {
    const { db } = filledDatabase(2)
    const snapshot = db.snapshot()
    expect(snapshot.sequence).to.equal(2)
    db.putSync('k000', 'new')
    db.deleteSync('k001')
    db.putSync('k002', 'new')
    const old = { snapshot }
    expect(await db.get('k000', old)).to.equal('0')
    expect(db.getSync('k001', old)).to.equal('1')
    expect(await db.getMany(['k000', 'k002'], old)).to.deep.equal(['0', undefined])
    expect(await db.has('k001', old)).to.equal(true)
    expect(db.hasSync('k002', old)).to.equal(false)
    expect(db.getInto('k000', new Uint8Array(9), 0, old)).to.equal(1)
    expect((await db.getEntry('k001', old))?.sequence).to.equal(2)
    expect(await db.keys(old).all()).to.deep.equal(['k000', 'k001'])
    expect([...db.valuesSync(old)]).to.deep.equal(['0', '1'])
    expect(await db.keys().all()).to.deep.equal(['k000', 'k002'])
    snapshot.close()
  })

  it('is closed once and not to be used after that [SNAP-3]', async () => {
    const { db, engine } = filledDatabase(1)
    const snapshot = db.snapshot()
    const other = db.snapshot()
    snapshot.close()
    snapshot.close()
    expect(engine.livePins).to.equal(1)
    other[Symbol.dispose]()
    expect(engine.livePins).to.equal(0)
    await expectCode('CLOSED', () => db.get('k000', { snapshot }))
    await expectCode('CLOSED', () => db.iterator({ snapshot }))
    expect(snapshot.sequence).to.equal(1)
  })

  it('is of no use to another store, nor is what only looks like one [SNAP-3]', () => {
    const { db } = filledDatabase(1)
    const foreign = fakeDatabase().db.snapshot()
    const fakes = [foreign, { sequence: 1 }, Object.create(foreign), null, 1, 'x']
    for (const snapshot of fakes) {
      expect(() => db.getSync('k000', { snapshot: snapshot as never })).to.throw(TypeError, /^snap/)
    }
    foreign.close()
    expect(() => db.getSync('k000', { snapshot: foreign })).to.throw(TypeError)
    expect(db.getSync('k000', { snapshot: undefined })).to.equal('0')
  })

  it('leaves alone the iterators that began on it [SNAP-4]', async () => {
    const { db } = filledDatabase(30)
    const snapshot = db.snapshot()
    const iterator = db.keys({ snapshot })
    snapshot.close()
    db.deleteSync('k020')
    expect(await iterator.all()).to.have.length(30)
  })

  it('ends with the store [API-21]', async () => {
    const { db, engine } = filledDatabase(1)
    const snapshot = db.snapshot()
    await db.close()
    expect(engine.livePins).to.equal(0)
    snapshot.close()
    expect(engine.livePins).to.equal(0)
  })
})
