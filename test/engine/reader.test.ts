import { expect } from 'chai'
import { Engine } from '../../src/engine/engine.ts'
import type { ScanCursor } from '../../src/engine/engine-types.ts'
import { resolveOptions } from '../../src/engine/options.ts'
import { SedgeError } from '../../src/errors.ts'
import { flipBit, rejection, STORE } from '../support/damaged-store.ts'
import { fill, Stores, type TextStore } from '../support/stores.ts'

const COUNT = 3000
/** Most bytes of a block and its trailer with the entries of `fill`. */
const BLOCK_BYTES_MAX = 8192
const DATA_OFFSET = 72

function keyOf(index: number): string {
  return `key ${String(index).padStart(7, '0')}`
}

function failure(call: () => unknown): SedgeError | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (error instanceof SedgeError) return error
    throw error
  }
}

describe('engine/reader', () => {
  const stores = new Stores()

  /** A store of one table, closed, its content, and the name of the table. */
  async function oneTable(): Promise<{ content: Map<string, string>; table: string }> {
    const db = await stores.open({ compression: 'none' })
    await fill(db, COUNT)
    await db.flush()
    const content = new Map(db.iteratorSync().all())
    await db.close()
    const [table, ...others] = stores.names(/\.sst$/)
    expect(others).to.deep.equal([])
    expect(content.size).to.equal(COUNT)
    return { content, table: table! }
  }

  /** The keys whose lookup fails for damage; of all others the value must be right. */
  function damagedKeys(
    db: TextStore,
    content: ReadonlyMap<string, string>,
    isDamage: (error: SedgeError) => boolean,
  ): string[] {
    const damaged: string[] = []
    for (const [key, value] of content) {
      const error = failure(() => {
        if (db.getSync(key) !== value) expect.fail('a wrong value or a missing key')
      })
      if (error === undefined) continue
      expect(error).to.have.property('code', 'CORRUPTION')
      expect(isDamage(error), `${error.file} at ${error.offset}`).to.equal(true)
      damaged.push(key)
    }
    return damaged
  }

  it('tells a flipped bit of a data block to the reads that touch it, and to no other [ERR-4, TBL-10]', async () => {
    const { content, table } = await oneTable()
    const { size } = stores.fs.status(`${STORE}/${table}`)!
    const at = Math.floor(size / 3)
    flipBit(stores.fs, `${STORE}/${table}`, at, 5)
    const db = await stores.open()
    const damaged = damagedKeys(db, content, ({ file, offset = -1 }) => {
      return (
        file === table && offset >= DATA_OFFSET && offset <= at && at - offset < BLOCK_BYTES_MAX
      )
    })
    expect(damaged.length).to.be.within(1, 100)
    const [first, last] = [damaged[0]!, damaged.at(-1)!]
    const target = new Uint8Array(1000)
    const reads = [
      () => db.hasSync(first),
      () => db.getInto(first, target),
      () => db.getManySync(['key 0000000', first]),
      () => db.iteratorSync().all(),
      () => db.keysSync({ gte: first, limit: 1 }).all(),
      () => db.valuesSync({ lte: last, reverse: true }).all(),
    ]
    for (const read of reads) expect(failure(read)).to.have.property('code', 'CORRUPTION')
    expect(await rejection(db.getEntry(last))).to.have.property('code', 'CORRUPTION')
    expect(await rejection(db.iterator().all())).to.have.property('code', 'CORRUPTION')
    const before = db.keysSync({ lt: keyOf(Number(first.slice(4)) - 100) }).all()
    const after = db.keysSync({ gt: keyOf(Number(last.slice(4)) + 100), reverse: true }).all()
    expect(before.length + after.length).to.be.greaterThan(COUNT - 400)
    expect(db.getSync('key 0000000x')).to.equal(undefined)
  })

  it('reads what was written over a damaged block, and goes on writing [ERR-4]', async () => {
    const { content, table } = await oneTable()
    flipBit(stores.fs, `${STORE}/${table}`, DATA_OFFSET + 100)
    const db = await stores.open()
    const damaged = damagedKeys(db, content, ({ file }) => file === table)
    expect(damaged).to.include(keyOf(0))
    for (const key of damaged) await db.put(key, 'again')
    for (const key of damaged) expect(db.getSync(key)).to.equal('again')
    expect(db.stats().state).to.equal('open')
  })

  it('tells damage of a large value only to who reads it [ERR-4, TBL-9]', async () => {
    const db = await stores.open()
    await db.put('a', 'a'.repeat(100_000))
    await db.put('b', 'b'.repeat(100_000))
    await db.put('c', 'small')
    await db.flush()
    await db.close()
    const [table] = stores.names(/\.sst$/)
    flipBit(stores.fs, `${STORE}/${table}`, DATA_OFFSET + 50_000)
    const again = await stores.open()
    const error = failure(() => again.getSync('a'))
    expect(error).to.include({ code: 'CORRUPTION', file: table })
    expect(error?.offset).to.be.within(DATA_OFFSET, DATA_OFFSET + 50_000)
    expect(again.getSync('b')).to.equal('b'.repeat(100_000))
    expect(again.getSync('c')).to.equal('small')
    expect(again.hasSync('a')).to.equal(true)
    expect(again.keysSync().all()).to.deep.equal(['a', 'b', 'c'])
  })

  it('finds the newest entry wherever it is: memtable, log of an earlier opening, table [API-8]', async () => {
    const db = await stores.open()
    for (const key of ['table', 'log', 'memtable', 'deleted']) await db.put(key, `old ${key}`)
    await db.flush()
    for (const key of ['log', 'memtable']) await db.put(key, `newer ${key}`)
    await db.delete('deleted')
    const again = await stores.reopen(db)
    await again.put('memtable', 'newest')
    const keys = ['table', 'log', 'memtable', 'deleted']
    const values = ['old table', 'newer log', 'newest', undefined]
    expect(again.getManySync(keys)).to.deep.equal(values)
    expect(keys.map((key) => again.hasSync(key))).to.deep.equal([true, true, true, false])
  })

  it('copies a large value from the log as from a table, only where it fits [API-11]', async () => {
    const db = await stores.open()
    const value = 'x'.repeat(70_000)
    await db.put('large', value)
    for (const flush of [false, true]) {
      if (flush) await db.flush()
      const target = new Uint8Array(70_010)
      expect(db.getInto('large', target, 11)).to.equal(70_000)
      expect(target.some((byte) => byte !== 0)).to.equal(false)
      expect(db.getInto('large', target, 10)).to.equal(70_000)
      expect(Buffer.from(target).toString()).to.equal('\0'.repeat(10) + value)
      expect(await db.getEntry('large')).to.include({ value, sequence: 1 })
    }
  })

  describe('scans', () => {
    let engine: Engine

    beforeEach(async () => {
      const options = resolveOptions({ fs: stores.fs }, () => undefined)
      engine = await Engine.open(STORE, options)
      for (let i = 0; i < COUNT; i++) engine.putSync(keyOf(i), `${i}`, undefined)
    })

    afterEach(() => engine.close())

    function scan(limit: number, reverse = false): ScanCursor {
      const range = {
        lower: Buffer.from(keyOf(10)),
        upper: Buffer.from(keyOf(COUNT - 10)),
        lowerInclusive: true,
        upperInclusive: false,
      }
      const sequence = undefined
      return engine.scan({ range, reverse, limit, sequence, keys: 'utf8', values: undefined })
    }

    function counts(cursor: ScanCursor): number[] {
      const found: number[] = []
      for (let batch = cursor.next(); batch !== undefined; batch = cursor.next()) {
        found.push(batch.count)
      }
      return found
    }

    it('begin with few entries, and grow', () => {
      const cursor = scan(Number.POSITIVE_INFINITY)
      const found = counts(cursor)
      expect(found.slice(0, 4)).to.deep.equal([16, 64, 256, 1024])
      expect(found.reduce((sum, count) => sum + count, 0)).to.equal(COUNT - 20)
      cursor.close()
    })

    it('hand out as many entries as the limit says, after a seek too [ORD-5, API-16]', () => {
      const cursor = scan(100)
      expect(cursor.next()?.count).to.equal(16)
      cursor.seek(keyOf(2000))
      const batch = cursor.next()
      expect(batch?.keys[0]).to.equal(keyOf(2000))
      expect(batch?.count).to.equal(16)
      expect(counts(cursor)).to.deep.equal([64, 4])
      cursor.close()
    })

    it('stay within their range when a seek leads out of it [API-16]', () => {
      const forward = scan(Number.POSITIVE_INFINITY)
      forward.seek('a')
      expect(forward.next()?.keys[0]).to.equal(keyOf(10))
      forward.seek('z')
      expect(counts(forward).reduce((sum, count) => sum + count, 0)).to.equal(0)
      const back = scan(Number.POSITIVE_INFINITY, true)
      back.seek('z')
      expect(back.next()?.keys[0]).to.equal(keyOf(COUNT - 11))
      back.seek(keyOf(500))
      expect(back.next()?.keys[0]).to.equal(keyOf(500))
      forward.close()
      back.close()
    })

    it('hold a live sequence until they are closed, and are CLOSED then [SNAP-1]', () => {
      const cursor = scan(Number.POSITIVE_INFINITY)
      expect(cursor.sequence).to.equal(COUNT)
      expect(engine.stats().liveSnapshots).to.equal(1)
      engine.deleteSync(keyOf(10), undefined)
      expect(cursor.next()?.keys[0]).to.equal(keyOf(10))
      cursor.close()
      cursor.close()
      expect(engine.stats().liveSnapshots).to.equal(0)
      expect(failure(() => cursor.next())).to.have.property('code', 'CLOSED')
      expect(failure(() => cursor.seek('a'))).to.have.property('code', 'CLOSED')
    })
  })
})
