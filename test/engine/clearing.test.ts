import { expect } from 'chai'
import { open } from '../../src/index.ts'
import { Stores, type TextStore } from '../support/stores.ts'
import { tempDirectory } from '../support/temp.ts'

const keyOf = (i: number): string => `k${String(i).padStart(6, '0')}`

function fillKeys(db: TextStore, count: number): void {
  for (let from = 0; from < count; from += 1000) {
    const length = Math.min(1000, count - from)
    db.batchSync(
      Array.from({ length }, (_, i) => ({ type: 'put', key: keyOf(from + i), value: 'old' })),
    )
  }
}

async function remaining(db: TextStore): Promise<[string, string][]> {
  return await db.iterator().all()
}

describe('engine/clearing', () => {
  const stores = new Stores()

  for (const count of [10, 1000, 1024, 1025, 20_000]) {
    it(`keeps what is written after the call, with ${count} keys [API-13]`, async () => {
      const db = await stores.open()
      fillKeys(db, count)
      const cleared = db.clear()
      db.putSync(keyOf(count - 1), 'new')
      const second = db.put(keyOf(1), 'second')
      db.putSync('k', 'unheard of')
      await Promise.all([cleared, second])
      expect(await remaining(db)).to.deep.equal([
        ['k', 'unheard of'],
        [keyOf(1), 'second'],
        [keyOf(count - 1), 'new'],
      ])
    })
  }

  it('keeps what is written at any time until it has ended, also while tables are made [API-13]', async () => {
    const db = await stores.open({ memtableSize: 256 * 1024 })
    fillKeys(db, 20_000)
    await db.flush()
    const expected: [string, string][] = []
    let isDone = false
    const cleared = db.clear().then(() => {
      isDone = true
    })
    for (let i = 0; !isDone; i++) {
      // From the last key, which is the last to be deleted, to the first, and some that are deleted at once.
      const key = keyOf(19_999 - ((i * 37) % 20_000))
      if (expected.some(([one]) => one === key)) continue
      if (i % 5 === 4) db.deleteSync(key)
      else {
        expected.push([key, `new ${i}`])
        db.putSync(key, `new ${i}`)
      }
      if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
      if (i === 20) void db.flush()
    }
    await cleared
    expect(expected.length).to.be.greaterThan(5)
    const left = new Map(await remaining(db))
    expect([...left].sort()).to.deep.equal(expected.sort())
    const again = await stores.reopen(db)
    expect(await remaining(again)).to.deep.equal(expected)
  })

  it('counts a key that is kept against the limit, from the end that reverse says [API-13]', async () => {
    const db = await stores.open()
    fillKeys(db, 5000)
    const cleared = db.clear({ reverse: true, limit: 4000, gte: keyOf(0) })
    db.putSync(keyOf(1500), 'new')
    await cleared
    const left = await remaining(db)
    expect(left.length).to.equal(1001)
    expect(left.at(-1)).to.deep.equal([keyOf(1500), 'new'])
  })

  it('looks nothing up as long as nobody else writes [API-13]', async () => {
    const db = await stores.open()
    fillKeys(db, 5000)
    const before = db.stats()
    await db.clear()
    const after = db.stats()
    expect(after.deletes - before.deletes).to.equal(5000)
    expect(after.gets).to.equal(before.gets)
    expect(await remaining(db)).to.deep.equal([])
  })

  it('keeps what is written after the call in files, too [API-13]', async () => {
    const db = await open(tempDirectory(), { memtableSize: 1024 * 1024 })
    fillKeys(db, 30_000)
    const cleared = db.clear()
    db.putSync(keyOf(29_999), 'new')
    await cleared
    expect(await remaining(db)).to.deep.equal([[keyOf(29_999), 'new']])
    await db.close()
  })
})
