import { expect } from 'chai'
import { STORE } from '../support/damaged-store.ts'
import { fill, Stores } from '../support/stores.ts'

describe('engine/stats', () => {
  const stores = new Stores()

  it('counts what was asked of the store, from open on', async () => {
    const db = await stores.open()
    await db.put('a', '1')
    await db.batch([
      { type: 'put', key: 'b', value: '2' },
      { type: 'delete', key: 'a' },
    ])
    db.getSync('a')
    db.hasSync('b')
    expect(db.stats()).to.include({ puts: 2, deletes: 1, gets: 2, sequence: 3, state: 'open' })
    const again = await stores.reopen(db)
    expect(again.stats()).to.include({ puts: 0, deletes: 0, gets: 0, sequence: 3 })
  })

  it('moves entries from the memtable to the levels when they are flushed', async () => {
    const db = await stores.open()
    expect(db.stats()).to.include({ tables: 0, tableBytes: 0, logSegments: 0, memtableEntries: 0 })
    await fill(db, 500)
    const before = db.stats()
    expect(before).to.include({ memtableEntries: 500, logSegments: 1, immutableMemtables: 0 })
    expect(before.memtableBytes).to.be.greaterThan(500 * 100)
    expect(before.logBytes).to.equal(
      stores.fs.status(`${STORE}/${stores.names(/\.log$/)[0]}`)?.size,
    )
    await db.flush()
    const after = db.stats()
    expect(after).to.include({ memtableEntries: 0, memtableBytes: 0, logSegments: 0, logBytes: 0 })
    expect(after).to.include({ tables: 1, flushes: 1, immutableMemtables: 0 })
    expect(after.levels.reduce((sum, { entries }) => sum + entries, 0)).to.equal(500)
    const [table] = stores.names(/\.sst$/)
    expect(after.tableBytes).to.equal(stores.fs.status(`${STORE}/${table}`)?.size)
    const sealBytes = 32
    expect(after.bytesWritten).to.equal(before.bytesWritten + sealBytes + after.tableBytes)
  })

  it('has a row for each level, whose sums are the totals', async () => {
    const db = await stores.open({ maxLevels: 4 })
    await fill(db, 300)
    await db.compact()
    await db.put('another', 'entry')
    await db.flush()
    const { levels, tables, tableBytes } = db.stats()
    expect(levels.map(({ level }) => level)).to.deep.equal([0, 1, 2, 3])
    expect(levels.reduce((sum, one) => sum + one.tables, 0)).to.equal(tables)
    expect(levels.reduce((sum, one) => sum + one.bytes, 0)).to.equal(tableBytes)
    expect(levels[0]).to.include({ tables: 1, entries: 1 })
    expect(tables).to.equal(2)
  })

  it('counts snapshots and iterators that are open', async () => {
    const db = await stores.open()
    await db.put('a', '1')
    const snapshot = db.snapshot()
    const iterator = db.iterator()
    await iterator.next()
    expect(db.stats().liveSnapshots).to.equal(2)
    snapshot.close()
    await iterator.close()
    expect(db.stats().liveSnapshots).to.equal(0)
  })

  it('counts large values as bytes of the log', async () => {
    const db = await stores.open()
    await db.put('large', 'x'.repeat(100_000))
    const { logBytes, memtableBytes } = db.stats()
    expect(logBytes).to.be.within(100_000, 105_000)
    expect(memtableBytes).to.be.lessThan(50_000)
  })

  it('is there after close, without what close has taken away [API-21]', async () => {
    const db = await stores.open()
    await fill(db, 100)
    await db.flush()
    await db.put('a', '1')
    await db.close()
    const stats = db.stats()
    expect(stats).to.include({ state: 'closed', logBytes: 0, memtableBytes: 0, memtableEntries: 0 })
    expect(stats).to.include({ puts: 101, sequence: 101, tables: 1 })
  })
})
