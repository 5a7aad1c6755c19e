/** Defects 1 to 14 of the store that SedgeDB descends from (docs/origin.md), each as a test of its number. */
import { expect } from 'chai'
import { readFile } from '../../src/env/file-io.ts'
import type { File } from '../../src/env/file-system.ts'
import { contentOf, flipBit, rejection, STORE } from '../support/damaged-store.ts'
import { projectText } from '../support/project.ts'
import { encodeForeignLog } from '../support/rustedgedb-encoder.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { append, fill, Stores } from '../support/stores.ts'

describe('regression/rustedgedb', () => {
  const stores = new Stores()

  it('D-1: the header of a table has the 72 bytes that its page says', async () => {
    const db = await stores.open()
    await db.put('key', 'value')
    await db.flush()
    const header = readFile(stores.fs, `${STORE}/${stores.names(/sst$/)[0]}`).slice(0, 72)
    const view = new DataView(header.buffer)
    expect(new TextDecoder().decode(header.subarray(0, 8))).to.equal('RUSTEDGE')
    expect(view.getUint32(8, true)).to.equal(2)
    expect(view.getBigUint64(32, true)).to.equal(72n)
    expect(projectText('docs/table-format.md')).to.include('header (72 bytes)')
  })

  it('D-2: damage in a table is found when it is read', async () => {
    const db = await stores.open()
    await db.put('key', 'value')
    await db.flush()
    flipBit(stores.fs, `${STORE}/${stores.names(/sst$/)[0]}`, 90)
    expect(await rejection(db.get('key'))).to.have.property('code', 'CORRUPTION')
    expect((await db.verify()).problems).not.to.have.length(0)
  })

  it('D-3: a synced write is acknowledged after the log was synced', async () => {
    const calls: string[] = []
    const noting = new Proxy(stores.fs, {
      get: (target, name) => {
        const member = Reflect.get(target, name, target)
        if (name !== 'open') return typeof member === 'function' ? member.bind(target) : member
        return (path: string, mode: 'create'): File =>
          notingFile(target.open(path, mode), path, calls)
      },
    })
    const db = await stores.open({}, noting)
    await db.put('key', 'value', { sync: false })
    const before = calls.length
    await db.put('key', 'value', { sync: true })
    calls.push('acknowledged')
    expect(
      calls
        .slice(before)
        .filter((call) => call.endsWith('log'))
        .slice(-1),
    ).to.deep.equal(['sync log'])
    expect(calls.slice(before)).to.include('write log')
  })

  it('D-4: garbage in a log is not taken for records', async () => {
    const db = await stores.open()
    await db.put('key', 'value')
    const crashed = stores.fs.clone()
    const log = stores.names(/log$/, crashed).at(-1)!
    append(crashed, log, encodeForeignLog([{ key: 'ghost', value: 'boo', timestamp: 1 }]))
    const again = await stores.open({}, crashed)
    expect([...(await contentOf(again)).keys()]).to.deep.equal(['key'])
  })

  it('D-5: a deleted key stays deleted after a flush, a compaction and a restart', async () => {
    let db = await stores.open()
    await db.put('key', 'value')
    await db.flush()
    await db.delete('key')
    expect(await db.get('key')).to.equal(undefined)
    await db.flush()
    expect(await db.get('key')).to.equal(undefined)
    db = await stores.reopen(db)
    expect(await db.get('key')).to.equal(undefined)
    await db.compact()
    expect(await db.get('key')).to.equal(undefined)
    expect([...(await contentOf(db)).keys()]).to.deep.equal([])
  })

  it('D-6: an empty value is a value after a restart, a flush and a compaction', async () => {
    let db = await stores.open()
    await db.put('key', '')
    db = await stores.reopen(db)
    expect(await db.get('key')).to.equal('')
    await db.flush()
    await db.compact()
    db = await stores.reopen(db)
    expect(await db.get('key')).to.equal('')
    expect(await db.has('key')).to.equal(true)
  })

  it('D-7: no write is refused because a memtable is full', async () => {
    const db = await stores.open({ memtableSize: 64 * 1024 })
    await fill(db, 5000, 200)
    const reread = await stores.reopen(db)
    expect((await contentOf(reread)).size).to.equal(5000)
  })

  it('D-8: a key that is overwritten again and again fills no memory', async () => {
    const memtableSize = 256 * 1024
    const db = await stores.open({ memtableSize })
    for (let i = 0; i < 20_000; i++) {
      db.putSync('key', 'v'.repeat(200 - (i % 200)))
      // The bound is that of the entries; what finds them comes on top.
      if (i % 100 === 0) expect(db.stats().memtableBytes).to.be.at.most(memtableSize * 1.5)
    }
    await db.compact()
    expect(db.stats().tableBytes).to.be.lessThan(10_000)
  })

  it('D-9: logs are removed once tables hold their entries', async () => {
    const db = await stores.open({ memtableSize: 64 * 1024 })
    for (let round = 0; round < 5; round++) {
      await fill(db, 500)
      await db.flush()
      expect(stores.names(/log$/).length).to.be.at.most(2)
    }
  })

  it('D-10: a store opens with more log than a memtable takes', async () => {
    const db = await stores.open({ memtableSize: 16 * 1024 * 1024 })
    await fill(db, 5000, 400)
    const crashed = stores.fs.clone()
    const again = await stores.open({ memtableSize: 64 * 1024 }, crashed)
    expect((await contentOf(again)).size).to.equal(5000)
    expect(again.stats().memtableBytes).to.be.at.most(96 * 1024)
  })

  it('D-11: the newest write wins after any number of restarts', async () => {
    let db = await stores.open()
    for (let round = 0; round < 6; round++) {
      await db.put('key', `round ${round}`)
      if (round % 2 === 1) await db.flush()
      await db.put('other', `round ${round}`)
      db = await stores.reopen(db)
      expect(await db.get('key')).to.equal(`round ${round}`)
      expect(await db.get('other')).to.equal(`round ${round}`)
    }
  })

  it('D-12: sequences go on over flushes and restarts', async () => {
    let db = await stores.open()
    let last = 0
    for (let round = 0; round < 6; round++) {
      await db.put('key', String(round))
      const { sequence } = (await db.getEntry('key'))!
      expect(sequence).to.be.greaterThan(last)
      last = sequence
      if (round % 2 === 0) await db.flush()
      else db = await stores.reopen(db)
      expect((await db.getEntry('key'))!.sequence).to.equal(last)
    }
  })

  it('D-13: tables of one millisecond, or of a clock that goes back, do not overwrite each other', async () => {
    let now = 1_700_000_000_000
    const db = await stores.open({ clock: () => now })
    for (let round = 0; round < 4; round++) {
      await db.put(`key ${round}`, 'value')
      await db.put('newest', String(round))
      await db.flush()
      if (round > 1) now -= 3_600_000
    }
    expect(stores.names(/sst$/)).to.have.length(4)
    expect((await contentOf(db)).size).to.equal(5)
    expect(await db.get('newest')).to.equal('3')
  })

  it('D-14: a compaction keeps every entry as it was', async () => {
    const db = await stores.open()
    const random = seededRandom(testSeed())
    const keys = Array.from({ length: 500 }, () => Buffer.from(random.bytes(8)).toString('hex'))
    for (const [i, key] of keys.entries()) {
      await db.put(key, key.repeat(3))
      if (i % 100 === 99) await db.flush()
    }
    const before = await Promise.all(keys.map((key) => db.getEntry(key)))
    await db.compact()
    expect(await Promise.all(keys.map((key) => db.getEntry(key)))).to.deep.equal(before)
    expect(db.stats().compactions).to.be.greaterThan(0)
  })

  it('has every defect as a test, or says on the page why not', () => {
    const files = ['rustedgedb.test.ts', 'rustedgedb-reads.test.ts']
    const titles = files.map((name) => projectText('test/regression', name)).join()
    const tested = new Set(
      [...titles.matchAll(/it\('D-(\d+): /g)].map(([, number]) => Number(number)),
    )
    const rows = [...projectText('docs/origin.md').matchAll(/^\| D-(\d+) \|.*\|(.*)\|$/gm)]
    const all = Array.from({ length: 29 }, (_, i) => i + 1)
    expect(rows.map(([, number]) => Number(number))).to.deep.equal(all)
    for (const [, number, reason] of rows) {
      const isExcused = reason!.trim() !== ''
      expect(tested.has(Number(number)), `D-${number}`).to.equal(!isExcused)
    }
  })
})

/** A file that notes writes and syncs. */
function notingFile(file: File, path: string, calls: string[]): File {
  const type = path.slice(path.lastIndexOf('.') + 1)
  return {
    read: (target, position) => file.read(target, position),
    write: (source, position) => {
      calls.push(`write ${type}`)
      return file.write(source, position)
    },
    sync: () => {
      file.sync()
      calls.push(`sync ${type}`)
    },
    syncAsync: async () => {
      await file.syncAsync()
      calls.push(`sync ${type}`)
    },
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  }
}
