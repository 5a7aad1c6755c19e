import { expect } from 'chai'
import { type Database, type FileSystem, MemoryFileSystem, open } from '../../src/index.ts'
import { rejection, STORE } from '../support/damaged-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'

const MIB = 1024 * 1024
const VALUE = 'v'.repeat(10_000)

/** Bytes of the log segments on disk. */
function logBytes(fs: FileSystem): number {
  const names = fs.list(STORE).filter((name) => name.endsWith('.log'))
  return names.reduce((sum, name) => sum + (fs.status(`${STORE}/${name}`)?.size ?? 0), 0)
}

describe('engine/writer', () => {
  let fs: MemoryFileSystem

  beforeEach(() => {
    fs = new MemoryFileSystem()
  })

  async function expectValues(count: number): Promise<void> {
    const db = await open(STORE, { fs })
    expect(db.stats().recovery.cleanClose).to.equal(true)
    expect(db.stats().sequence).to.equal(count)
    for (let i = 0; i < count; i++) expect(db.getSync(`key ${i}`)).to.equal(VALUE)
    await db.close()
  }

  describe("at level 'none'", () => {
    it('keeps at most 1 MiB of log waiting, and writes the rest at close [DUR-3]', async () => {
      const db = await open(STORE, { fs, durability: 'none' })
      let most = 0
      for (let i = 0; i < 500; i++) {
        if (i % 2 === 0) db.putSync(`key ${i}`, VALUE)
        else await db.put(`key ${i}`, VALUE)
        most = Math.max(most, (i + 1) * VALUE.length - logBytes(fs))
      }
      // Headers of what is written count against what waits, hence the half.
      expect(most).to.be.within(MIB / 2, MIB)
      const waiting = 500 * VALUE.length - logBytes(fs)
      expect(waiting).to.be.greaterThan(0)
      await db.close()
      await expectValues(500)
    })

    it('keeps a little that waits until close, however long, and sees it meanwhile [DUR-3, API-8]', async () => {
      const db = await open(STORE, { fs, durability: 'none' })
      await db.put('key 0', VALUE)
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(logBytes(fs)).to.be.lessThan(VALUE.length)
      expect(db.getSync('key 0')).to.equal(VALUE)
      await db.close()
      await expectValues(1)
    })

    it('writes what waits together with a write of another level [DUR-4]', async () => {
      for (const sync of [false, true]) {
        fs = new MemoryFileSystem()
        const db = await open(STORE, { fs, durability: 'none' })
        await db.put('key 0', VALUE)
        await db.put('key 1', VALUE, { sync })
        expect(logBytes(fs)).to.be.greaterThan(2 * VALUE.length)
        await db.close()
        await expectValues(2)
      }
    })

    it('tells by an event that the log could not be written at close, and loses only that [DUR-3, DUR-9]', async () => {
      const errors: unknown[] = []
      let isBroken = false
      const faulty = faultFileSystem(fs, (call, path) =>
        isBroken && call === 'write' && path.endsWith('.log') ? 'EIO' : undefined,
      )
      const db = await open(STORE, {
        fs: faulty,
        durability: 'none',
        onEvent: (event) => {
          if (event.type === 'error') errors.push(event.error.code)
        },
      })
      await db.put('key 0', VALUE, { sync: true })
      await db.put('key 1', VALUE)
      isBroken = true
      await rejection(db.close())
      expect(errors).to.include('IO')
      const again = await open(STORE, { fs })
      expect(again.keysSync().all()).to.deep.equal(['key 0'])
      await again.close()
    })
  })

  it('writes one frame for the writes of a turn [DUR-1]', async () => {
    let writes = 0
    const counting = faultFileSystem(fs, (call, path) => {
      if (call === 'write' && path.endsWith('.log')) writes++
      return undefined
    })
    const db = await open(STORE, { fs: counting })
    await db.put('first', 'opens the segment')
    writes = 0
    await Promise.all(Array.from({ length: 100 }, (_, i) => db.put(`key ${i}`, 'v')))
    expect(writes).to.equal(1)
    db.putSync('now', 'v')
    expect(writes).to.equal(2)
    await db.close()
  })

  it('writes early when the writes of a turn are many, without waiting for its end', async () => {
    const db = await open(STORE, { fs })
    const writes = Array.from({ length: 100 }, (_, i) => db.put(`key ${i}`, VALUE))
    expect(100 * VALUE.length - logBytes(fs)).to.be.lessThan(300_000)
    await Promise.all(writes)
    await db.close()
    await expectValues(100)
  })

  it('takes out of the view what could not be written, and nothing that was there before [DUR-9, ORD-7]', async () => {
    let isFull = false
    const faulty = faultFileSystem(fs, (call, path) =>
      isFull && call === 'write' && path.endsWith('.log') ? 'ENOSPC' : undefined,
    )
    const db: Database<string, string> = await open(STORE, { fs: faulty })
    await db.put('kept', 'before')
    isFull = true
    const lost = [
      db.put('kept', 'after'),
      db.delete('kept'),
      db.batch([{ type: 'put', key: 'new', value: 'v' }]),
    ]
    expect(db.getSync('new')).to.equal('v')
    expect(db.getSync('kept')).to.equal(undefined)
    for (const write of lost) expect(await rejection(write)).to.have.property('code', 'FULL')
    expect(db.getSync('new')).to.equal(undefined)
    expect(db.getSync('kept')).to.equal('before')
    expect(db.stats().state).to.equal('full')
    const { sequence } = db.stats()
    isFull = false
    await db.put('later', 'v')
    expect((await db.getEntry('later'))?.sequence).to.be.greaterThan(sequence)
    expect(db.stats().state).to.equal('open')
    await db.close()
    const again = await open(STORE, { fs })
    expect(again.iteratorSync().all()).to.deep.equal([
      ['kept', 'before'],
      ['later', 'v'],
    ])
    await again.close()
  })

  it('goes on after a time in which no file could be opened [DUR-12]', async () => {
    let isShort = false
    const needed = ['open create', 'list']
    const short = faultFileSystem(fs, (call) =>
      isShort && needed.includes(call) ? 'EMFILE' : undefined,
    )
    const db = await open(STORE, { fs: short, memtableSize: 65_536 })
    const state = (): object => ({ state: db.stats().state, keys: db.keysSync().all() })
    isShort = true
    // So many that the numbers of files that were set aside are used up.
    for (let attempt = 0; attempt < 200; attempt++) {
      expect(await rejection(db.put('no log', 'v'))).to.have.property('code', 'IO')
    }
    expect(state()).to.deep.equal({ state: 'open', keys: [] })
    isShort = false
    await db.put('a', 'v')
    isShort = true
    const beside = db.put('beside', 'v')
    expect(await rejection(db.put('no value file', 'v'.repeat(65_536)))).to.have.property(
      'code',
      'IO',
    )
    await beside
    expect(state()).to.deep.equal({ state: 'open', keys: ['a', 'beside'] })
    isShort = false
    await db.put('b', 'v'.repeat(65_536))
    expect(state()).to.deep.equal({ state: 'open', keys: ['a', 'b', 'beside'] })
    await db.close()
    const again = await open(STORE, { fs, recovery: 'strict' })
    expect(again.keysSync().all()).to.deep.equal(['a', 'b', 'beside'])
    expect((await again.verify()).problems).to.deep.equal([])
    await again.close()
  })

  it('goes on as well when that was at the first write after a clean close [DUR-12, MAN-23]', async () => {
    await (await open(STORE, { fs })).close()
    let isShort = false
    const short = faultFileSystem(fs, (call) =>
      isShort && call === 'open readwrite' ? 'EMFILE' : undefined,
    )
    const db = await open(STORE, { fs: short })
    expect(db.stats().recovery.cleanClose).to.equal(true)
    isShort = true
    expect(await rejection(db.put('a', 'v'))).to.have.property('code', 'IO')
    isShort = false
    await db.put('b', 'v')
    expect(db.stats().state).to.equal('open')
    expect(db.keysSync().all()).to.deep.equal(['b'])
    await db.close()
  })

  it('does nothing for an empty batch [API-9]', async () => {
    const db = await open(STORE, { fs })
    await db.batch([])
    db.batchSync([])
    expect(db.stats()).to.include({ sequence: 0, logSegments: 0 })
    expect(logBytes(fs)).to.equal(0)
    await db.close()
  })

  for (const length of [1, 100_000]) {
    it(`writes nothing when a value of ${length} bytes goes elsewhere while options are read [LIM-7, ERR-2]`, async () => {
      const db = await open(STORE, { fs, valueEncoding: 'binary' })
      for (const put of [db.put, db.putSync]) {
        const value = new Uint8Array(length)
        const options = {
          get sync(): boolean {
            structuredClone(value.buffer, { transfer: [value.buffer] })
            return false
          },
        }
        const error = await rejection((async () => put.call(db, 'k', value, options))())
        expect(error).to.be.instanceOf(TypeError)
        expect(error.message).to.match(/^a value .*memory/)
      }
      expect(db.stats()).to.include({ sequence: 0, state: 'open' })
      await db.close()
    })

    it(`writes nothing of a batch when a value of ${length} bytes goes elsewhere meanwhile [API-9, ERR-2, LIM-7]`, async () => {
      const db = await open(STORE, { fs, valueEncoding: 'binary' })
      const value = new Uint8Array(length)
      const error = await rejection(
        db.batch([
          { type: 'put', key: 'a', value: 'first' },
          { type: 'put', key: 'b', value },
          {
            type: 'put',
            get key() {
              structuredClone(value.buffer, { transfer: [value.buffer] })
              return 'c'
            },
            value: '',
          },
        ]),
      )
      expect(error).to.be.instanceOf(TypeError)
      expect(error.message).to.match(/^a value .*memory/)
      expect(db.stats()).to.include({ sequence: 0, state: 'open' })
      await db.put('d', 'next')
      expect(await db.keys().all()).to.deep.equal(['d'])
      await db.close()
    })
  }

  it('fills a segment with batches by what they take, not by what text of their length could take [OPT-10]', async () => {
    const memtableSize = 64 * 1024
    const charge = 56 + 'a'.length + 5000
    // Four arenas share the budget. Three bytes for each character would let only one batch in.
    const fitting = Math.floor(memtableSize / 4 / charge)
    const batchOf = (text: string) => [{ type: 'put', key: 'a', value: text.repeat(5000) }] as const
    const db = await open(STORE, { fs, memtableSize })
    for (let i = 0; i < fitting; i++) db.batchSync([...batchOf('v')])
    expect(db.stats()).to.include({ logSegments: 1, sequence: fitting })
    db.batchSync([...batchOf('v')])
    expect(db.stats().logSegments).to.equal(2)
    for (let i = 0; i < fitting; i++) await db.batch([...batchOf('é')])
    expect(db.getSync('a')).to.equal('é'.repeat(5000))
    await db.close()
  })

  it('begins another segment when values have filled the value file of one', async function () {
    this.timeout(60_000)
    const db = await open(STORE, { fs, valueEncoding: 'binary' })
    const value = new Uint8Array(33 * MIB)
    const segments = (): number => fs.list(STORE).filter((name) => name.endsWith('.val')).length
    db.putSync('a', value)
    db.putSync('b', value)
    expect(segments()).to.equal(1)
    db.putSync('c', value)
    expect(segments()).to.equal(2)
    expect(db.getSync('a')?.length).to.equal(value.length)
    await db.close()
  })

  it('makes a handful of files while a clock jumps by years at every write [LOG-12, API-12]', async () => {
    const year = 365 * 86_400_000
    let calls = 0
    const db = await open(STORE, { fs, clock: () => (calls++ % 2) * 50 * year })
    for (let i = 0; i < 200; i++) await db.put(`key ${i % 50}`, `${i}`)
    expect(fs.list(STORE).filter((name) => name.endsWith('.log')).length).to.be.at.most(2)
    for (let i = 0; i < 50; i++) expect(await db.get(`key ${i}`)).to.equal(`${150 + i}`)
    await db.flush()
    const entry = await db.getEntry('key 0')
    expect(entry).to.include({ value: '150', sequence: 151 })
    // No nearer to one of the two times than a segment that began at the other could tell.
    const distances = [0, 50 * year].map((time) => Math.abs((entry?.timestamp ?? -1) - time))
    expect(Math.min(...distances)).to.be.at.most(2 ** 31 - 1)
    expect((await db.verify()).problems).to.deep.equal([])
    await db.close()
  })

  it('stops writing when another process has taken the lock: F7 [REC-7]', async function () {
    this.timeout(60_000)
    let isOurs = true
    const stolen: FileSystem = {
      ...faultFileSystem(fs, () => undefined),
      lock: async () => ({ isHeld: () => isOurs, release: () => undefined }),
    }
    const db = await open(STORE, { fs: stolen })
    await db.put('before', 'v')
    isOurs = false
    // It is looked at once in a second.
    const deadline = Date.now() + 50_000
    let code: string | undefined
    while (code === undefined && Date.now() < deadline) {
      code = await db.put('after', 'v').then(
        () => undefined,
        (error: { code: string }) => error.code,
      )
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(code).to.equal('LOCKED')
    expect(db.stats().state).to.equal('failed')
    expect(db.getSync('before')).to.equal('v')
    expect(await rejection(db.put('again', 'v'))).to.have.property('code', 'FAILED')
    await db.close()
  })
})
