import { expect } from 'chai'
import { type Database, MemoryFileSystem, open } from '../../src/index.ts'

const COUNT = 20_000

/** A store whose compaction takes several steps. */
async function filledStore(): Promise<Database<string, string>> {
  const fs = new MemoryFileSystem()
  const db = await open('/store', { fs, memtableSize: 256 * 1024, compression: 'none' })
  for (let i = 0; i < COUNT; i++) {
    db.putSync(`key${(i * 7919) % COUNT}`, `${i}`.repeat(20))
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return db
}

describe('engine/compactor', () => {
  it('compacts on several requests at once, one after the other [API-23]', async () => {
    const db = await filledStore()
    const requests = [db.compact(), db.compact(), db.compact({ gte: 'key3' }), db.compact()]
    await Promise.all(requests)
    const { levels, lastError } = db.stats()
    expect(lastError).to.equal(undefined)
    expect(levels[0]?.tables).to.equal(0)
    expect((await db.verify()).problems).to.deep.equal([])
    expect(db.keysSync().all()).to.have.length(COUNT)
    await db.close()
  })

  it('rejects the requests that wait when the store is closed [API-21]', async () => {
    const db = await filledStore()
    const requests = [db.compact(), db.compact(), db.compact()]
    const codes = requests.map((request) => request.catch(({ code }: { code: string }) => code))
    await db.close()
    expect(await Promise.all(codes)).to.deep.equal(['CLOSED', 'CLOSED', 'CLOSED'])
  })
})
