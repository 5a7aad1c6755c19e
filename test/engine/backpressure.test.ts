import { expect } from 'chai'
import { type Database, MemoryFileSystem, open } from '../../src/index.ts'

const MEMTABLE_SIZE = 256 * 1024
const VALUE = 'v'.repeat(1000)

function openSmall(): Promise<Database<string, string>> {
  return open('/store', { fs: new MemoryFileSystem(), memtableSize: MEMTABLE_SIZE })
}

describe('engine/backpressure', () => {
  it('keeps memtables within their budget although the writer never gives way [LIM-6]', async () => {
    const db = await openSmall()
    let most = 0
    for (let i = 0; i < 4000; i++) {
      db.putSync(`key${i}`, VALUE)
      const { immutableMemtables } = db.stats()
      most = Math.max(most, immutableMemtables)
    }
    expect(most).to.be.at.most(3)
    expect(db.stats().flushes).to.be.greaterThan(20)
    expect(db.getSync('key0')).to.equal(VALUE)
    await db.close()
  })

  it('counts the index of the smallest memtables too [LIM-6]', async () => {
    for (const size of [0, 20, 200, 3000]) {
      const db = await open('/store', { fs: new MemoryFileSystem(), memtableSize: 64 * 1024 })
      const count = (64 * 1024 * 5) / (64 + size)
      for (let i = 0; i < count; i++) {
        db.putSync(`key${i}`, 'v'.repeat(size))
        expect(db.stats().memtableBytes).to.be.at.most(64 * 1024)
      }
      await db.close()
    }
  })

  it('holds acknowledgements instead of blocking a writer who awaits them [LIM-6, ERR-6]', async () => {
    const stalls: string[] = []
    const db = await open('/store', {
      fs: new MemoryFileSystem(),
      memtableSize: MEMTABLE_SIZE,
      onEvent: (event) => {
        if (event.type === 'stall') stalls.push(event.reason)
      },
    })
    for (let i = 0; i < 4000; i++) await db.put(`key${i}`, VALUE)
    expect(db.stats().stall).to.equal('none')
    expect(stalls).to.include('memtables')
    expect(db.stats().stalledMs).to.be.greaterThan(0)
    await db.close()
  })

  it('flushes what earlier openings have left in the log when its room is needed [LIM-6]', async () => {
    const fs = new MemoryFileSystem()
    const options = { fs, memtableSize: 64 * 1024 }
    for (let opening = 0; opening < 3; opening++) {
      const db = await open('/store', options)
      for (let i = 0; i < 14; i++) await db.put(`key${opening}-${i}`, VALUE)
      await db.close()
    }
    const db = await open('/store', options)
    expect(db.stats().immutableMemtables).to.equal(3)
    for (let i = 0; i < 100; i++) await db.put(`key${i}`, VALUE)
    expect(db.stats().flushes).to.be.greaterThan(4)
    await db.close()
  })

  it('lets go of writers when the store is closed meanwhile', async () => {
    const db = await openSmall()
    const writes = Array.from({ length: 1500 }, (_, i) => db.put(`key${i}`, VALUE))
    await db.close()
    await Promise.all(writes)
    expect(db.status).to.equal('closed')
  })
})
