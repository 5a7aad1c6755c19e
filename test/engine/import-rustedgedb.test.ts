import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Database } from '../../src/engine/database.ts'
import { type ImportReport, importRustEdgeDB } from '../../src/engine/import-rustedgedb.ts'
import { open } from '../../src/engine/open.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { contentOf, filesOf, rejection } from '../support/damaged-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import {
  encodeForeignLog,
  encodeForeignTable,
  type ForeignEntry,
} from '../support/rustedgedb-encoder.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { tempDirectory } from '../support/temp.ts'

const SOURCE = '/origin'

function put(key: string, value: string, timestamp: number): ForeignEntry {
  return { key, value, timestamp }
}

describe('engine/import-rustedgedb', () => {
  let fs: MemoryFileSystem
  let db: Database<string, string>

  beforeEach(async () => {
    fs = new MemoryFileSystem()
    fs.makeDirectory(SOURCE)
    db = await open('/store', { fs: new MemoryFileSystem() })
  })

  afterEach(() => db.close())

  function write(name: string, bytes: Uint8Array): void {
    fs.open(`${SOURCE}/${name}`, 'create').write(bytes, 0)
  }

  async function imported(): Promise<{ report: ImportReport; content: Record<string, string> }> {
    const report = await importRustEdgeDB(SOURCE, db, { fs })
    return { report, content: Object.fromEntries(await contentOf(db)) }
  }

  it('brings tables and logs over, the newest of each key, and changes nothing there [IMP-1, IMP-2, IMP-4, IMP-7]', async () => {
    write(
      'sstable_100.sst',
      encodeForeignTable([put('a', 'old', 1), put('b', 'old', 2), put('c', 'old', 3)]),
    )
    write(
      'sstable_1000.sst',
      encodeForeignTable([put('a', 'newer', 4), { ...put('b', '', 5), value: undefined }]),
    )
    write('wal_1000.log', encodeForeignLog([put('c', 'newest', 6)]))
    write('notes.txt', new Uint8Array(5))
    write('sstable_x.sst', new Uint8Array(5))
    const before = filesOf(fs, SOURCE)
    const { report, content } = await imported()
    expect(content).to.deep.equal({ a: 'newer', c: 'newest' })
    expect(report).to.deep.equal({
      tables: 2,
      logs: 1,
      puts: 5,
      deletes: 1,
      bytes: 6 + 20,
      problems: [],
    })
    expect(filesOf(fs, SOURCE)).to.deep.equal(before)
  })

  it('adds to what the store holds already [IMP-1]', async () => {
    await db.put('a', 'mine')
    await db.put('z', 'mine')
    write('wal.log', encodeForeignLog([put('a', 'theirs', 1)]))
    expect((await imported()).content).to.deep.equal({ a: 'theirs', z: 'mine' })
  })

  it('merges logs by time: `wal.log` goes on after a restart, with old records in it [IMP-3]', async () => {
    write(
      'wal.log',
      encodeForeignLog([put('a', 'first', 10), put('b', 'first', 11), put('b', 'last', 40)]),
    )
    write('wal_20.log', encodeForeignLog([put('a', 'second', 20), put('b', 'second', 21)]))
    write('wal_30.log', encodeForeignLog([put('a', 'third', 30)]))
    expect((await imported()).content).to.deep.equal({ a: 'third', b: 'last' })
  })

  it('keeps the order within a log whose clock went back [IMP-3]', async () => {
    write('wal.log', encodeForeignLog([put('a', '1', 50), put('a', '2', 10)]))
    write('wal_60.log', encodeForeignLog([put('b', '1', 60), put('b', '2', 5)]))
    expect((await imported()).content).to.deep.equal({ a: '2', b: '2' })
  })

  it('decides between equal times by which log was written last [IMP-3]', async () => {
    const directory = tempDirectory()
    const paths = ['wal.log', 'wal_7.log'].map((name) => join(directory, name))
    writeFileSync(paths[0]!, encodeForeignLog([put('a', 'active', 7)]))
    writeFileSync(paths[1]!, encodeForeignLog([put('a', 'rotated', 7)]))
    for (const [modified, expected] of [
      [100, 'rotated'],
      [300, 'active'],
      [200, 'rotated'],
    ] as const) {
      utimesSync(paths[0]!, modified, modified)
      utimesSync(paths[1]!, 200, 200)
      await importRustEdgeDB(directory, db)
      expect(await db.get('a')).to.equal(expected)
    }
  })

  it('stops at damage in a file, says where, and goes on with the next file [IMP-5]', async () => {
    const sound = encodeForeignLog([put('a', '1', 1), put('b', '1', 2)])
    const torn = encodeForeignLog([put('a', '1', 1), put('b', '1', 2), put('lost', '1', 3)])
    write('wal_1.log', torn.subarray(0, torn.length - 1))
    write('wal_2.log', encodeForeignLog([put('c', '1', 4)]))
    const table = encodeForeignTable([put('d', '1', 1), put('e', '1', 1)], { entries: 3 })
    write('sstable_1.sst', table)
    write('sstable_2.sst', new Uint8Array(200))
    const { report, content } = await imported()
    expect(content).to.deep.equal({ a: '1', b: '1', c: '1', d: '1', e: '1' })
    const told = report.problems.map(({ code, file, offset }) => ({ code, file, offset }))
    expect(told).to.deep.equal([
      { code: 'CORRUPTION', file: 'sstable_1.sst', offset: 72 + 3 + 52 },
      { code: 'CORRUPTION', file: 'sstable_2.sst', offset: 0 },
      { code: 'CORRUPTION', file: 'wal_1.log', offset: sound.length },
    ])
    expect(report).to.include({ tables: 2, logs: 2, puts: 5 })
  })

  it('leaves tables out that it cannot read [IMP-6]', async () => {
    write('sstable_1.sst', encodeForeignTable([put('a', '1', 1)], { codec: 1 }))
    write('wal.log', encodeForeignLog([put('b', '1', 1)]))
    const { report, content } = await imported()
    expect(content).to.deep.equal({ b: '1' })
    expect(report.problems.map(({ code }) => code)).to.deep.equal(['UNSUPPORTED'])
  })

  it('brings many entries and large ones over in batches, and lets timers run [IMP-1, API-25]', async () => {
    const random = seededRandom(testSeed())
    const expected: Record<string, string> = {}
    const entries = Array.from({ length: 5000 }, (_, i) => {
      const key = `key ${random.int(3000)}`
      const value = random.chance(0.01) ? 'v'.repeat(150_000) : `value ${i}`
      expected[key] = value
      return put(key, value, i)
    })
    write('wal.log', encodeForeignLog(entries))
    const before = db.stats().puts
    let hasTurned = false
    const immediate = setImmediate(() => {
      hasTurned = true
    })
    const report = await importRustEdgeDB(SOURCE, db, { fs })
    clearImmediate(immediate)
    expect(hasTurned).to.equal(true)
    expect(Object.fromEntries(await db.iterator().all())).to.deep.equal(expected)
    expect(report.puts).to.equal(5000)
    expect(db.stats().puts - before).to.equal(5000)
  })

  it('needs a store of RustEdgeDB [IMP-1]', async () => {
    write('000001.log', new Uint8Array(10))
    expect(await rejection(importRustEdgeDB(SOURCE, db, { fs }))).to.have.property(
      'code',
      'NOT_FOUND',
    )
    expect(await rejection(importRustEdgeDB('/none', db, { fs }))).to.have.property(
      'code',
      'NOT_FOUND',
    )
  })

  it('rejects when files cannot be read or the store cannot be written, and for wrong arguments [IMP-1, ERR-2]', async () => {
    write('wal.log', encodeForeignLog([put('a', '1', 1)]))
    const failing = faultFileSystem(fs, (call) => (call === 'read' ? 'EIO' : undefined))
    expect(await rejection(importRustEdgeDB(SOURCE, db, { fs: failing }))).to.have.property(
      'code',
      'IO',
    )
    expect(await rejection(importRustEdgeDB(1 as never, db))).to.be.instanceOf(TypeError)
    for (const none of [undefined, null, {}, { batch: () => undefined }]) {
      const given = importRustEdgeDB(SOURCE, none as never, { fs })
      expect(await rejection(given)).to.be.instanceOf(TypeError)
    }
    await db.close()
    expect(await rejection(importRustEdgeDB(SOURCE, db, { fs }))).to.have.property('code', 'CLOSED')
  })
})
