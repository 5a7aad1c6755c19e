import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { MemoryFileSystem, type OpenOptions, open } from '../../src/index.ts'
import { hash64 } from '../../src/util/checksum.ts'
import {
  bytesOf,
  contentOfFiles,
  crashedStore,
  expectRefused,
  type Files,
  fileSystemOf,
  filesOf,
  flipped,
  replaced,
  sameFiles,
} from '../support/crashed-store.ts'
import { caught } from '../support/fake-database.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { failing, faultyStore, rejection } from '../support/faulty-store.ts'
import { JournalFileSystem } from '../support/journal-file-system.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import { tempDirectory } from '../support/temp.ts'

const CONTENT = new Map([
  ['a', '1'],
  ['b', '2'],
])

/** A store with a table and a log, closed. */
async function closedStore(): Promise<Files> {
  const fs = new MemoryFileSystem()
  const db = await open(STORE, storeOptions(fs))
  await db.put('a', '1')
  await db.flush()
  await db.put('b', '2')
  await db.close()
  return filesOf(fs)
}

/** The same, not closed. */
async function killedStore(): Promise<Files> {
  const { files } = await crashedStore(async (store) => {
    store.put('a', '1')
    await store.db.flush()
    store.put('b', '2')
  })
  return files
}

/** Bytes with a field of four bytes changed and the checksum over all before `checksumAt` made good. */
function resealed(bytes: Uint8Array, at: number, value: number, checksumAt: number): Uint8Array {
  const changed = bytes.slice()
  const view = new DataView(changed.buffer)
  view.setUint32(at, value, true)
  view.setBigUint64(checksumAt, hash64(changed.subarray(0, checksumAt)), true)
  return changed
}

function fileLike(files: Files, pattern: RegExp): string {
  const name = [...files.keys()].find((one) => pattern.test(one))
  if (name === undefined) throw new Error(`no file like ${pattern}`)
  return name
}

describe('engine/opening', () => {
  it('creates a store, unless there is to be one already, or none [OPT-7]', async () => {
    const fs = new MemoryFileSystem()
    const options = storeOptions(fs)
    const missing = await rejection(open(STORE, { ...options, createIfMissing: false }))
    expect(missing).to.have.property('code', 'NOT_FOUND')
    const unread = await rejection(open(STORE, { ...options, readOnly: true }))
    expect(unread).to.have.property('code', 'NOT_FOUND')
    expect(fs.status(STORE)).to.equal(undefined)
    const db = await open(STORE, { ...options, errorIfExists: true })
    expect(db.stats().recovery).to.include({ cleanClose: true, segments: 0, removedFiles: 0 })
    await db.close()
    const before = filesOf(fs)
    const there = await rejection(open(STORE, { ...options, errorIfExists: true }))
    expect(there).to.have.property('code', 'EXISTS')
    expect(sameFiles(filesOf(fs), before)).to.equal(true)
    await (await open(STORE, { ...options, createIfMissing: false })).close()
  })

  it('creates nothing in a directory without a store when none may be created [OPT-7]', async () => {
    const fs = fileSystemOf(new Map([['notes.txt', Uint8Array.of(1)]]))
    for (const more of [{ createIfMissing: false }, { readOnly: true }]) {
      const error = await rejection(open(STORE, storeOptions(fs, 1, more)))
      expect(error).to.have.property('code', 'NOT_FOUND')
      expect(fs.list(STORE)).to.deep.equal(['notes.txt'])
    }
  })

  it('makes the directories that lead to a store, durably [DUR-2]', async () => {
    const fs = new JournalFileSystem(new MemoryFileSystem())
    const db = await open('here/and/there', storeOptions(fs))
    await db.put('a', '1', { sync: true })
    const synced = fs.journal.flatMap((entry) =>
      entry.kind === 'syncDirectory' ? [entry.path] : [],
    )
    expect(synced).to.include.members(['.', 'here', 'here/and'])
    await db.close()
  })

  it('refuses a path that is no directory [ERR-1]', async () => {
    const fs = new MemoryFileSystem()
    fs.open('file', 'create').close()
    for (const readOnly of [false, true]) {
      const more: OpenOptions<'utf8', 'utf8'> = readOnly ? { readOnly } : {}
      expect(await rejection(open('file', storeOptions(fs, 1, more)))).to.have.property(
        'code',
        'IO',
      )
    }
  })

  it('gives every refusal of the system as a typed error, and keeps no lock [ERR-1, REC-7]', async () => {
    const files = await killedStore()
    for (const readOnly of [false, true]) {
      let calls = 0
      for (let failAt = 1; ; failAt++) {
        const inner = fileSystemOf(files)
        calls = 0
        const fs = faultFileSystem(inner, () => (++calls === failAt ? 'EIO' : undefined))
        const more = readOnly ? { readOnly } : {}
        const error = await caught(async () => {
          await (await open(STORE, storeOptions(fs, 2, more))).close()
          throw new Error('opened')
        })
        if (calls < failAt) break
        if ((error as Error).message !== 'opened') expect(error).to.have.property('code', 'IO')
        if (readOnly) expect(sameFiles(filesOf(inner), files)).to.equal(true)
        expect(await contentOfFiles(filesOf(inner))).to.deep.equal(CONTENT)
        await (await open(STORE, storeOptions(inner, 2))).close()
      }
      expect(calls).to.be.greaterThan(8)
    }
  })

  describe('reading only', () => {
    it('reads what was closed and what was killed, and changes nothing [REC-8]', async () => {
      for (const files of [await closedStore(), await killedStore()]) {
        const fs = new JournalFileSystem(fileSystemOf(files))
        const db = await open(STORE, storeOptions(fs, 2, { readOnly: true }))
        expect(await readStore(db)).to.deep.equal(CONTENT)
        expect(db.stats().state).to.equal('open')
        expect((await db.verify()).problems).to.deep.equal([])
        const writes = [
          () => db.put('c', '3'),
          () => db.putSync('c', '3'),
          () => db.deleteSync('a'),
          () => db.batch([{ type: 'delete', key: 'a' }]),
          () => db.clear(),
          () => db.sync(),
          () => db.flush(),
          () => db.compact({}),
        ]
        for (const write of writes) {
          expect(await caught(write)).to.have.property('code', 'UNSUPPORTED')
        }
        expect(await readStore(db)).to.deep.equal(CONTENT)
        await db.close()
        expect(fs.journal).to.deep.equal([])
      }
    })

    it('is refused while somebody writes, and several may read [REC-7, REC-8]', async () => {
      const fs = fileSystemOf(await closedStore())
      const options = storeOptions(fs, 2, { readOnly: true })
      const readers = [await open(STORE, options), await open(STORE, options)]
      for (const reader of readers) expect(await reader.get('b')).to.equal('2')
      for (const reader of readers) await reader.close()
      const writer = await open(STORE, storeOptions(fs, 2))
      const error = await rejection(open(STORE, options))
      expect(error).to.have.property('code', 'LOCKED')
      expect(error).to.have.nested.property('holder.pid', process.pid)
      expect(await rejection(open(STORE, storeOptions(fs)))).to.have.property('code', 'LOCKED')
      await writer.close()
    })

    it('cuts a torn tail off for its readers alone [REC-1, REC-8]', async () => {
      const files = await killedStore()
      const log = fileLike(files, /\.log$/)
      const torn = replaced(files, log, bytesOf(files, log).slice(0, -1))
      const fs = fileSystemOf(torn)
      const db = await open(STORE, storeOptions(fs, 2, { readOnly: true }))
      expect(await readStore(db)).to.deep.equal(new Map([['a', '1']]))
      await db.close()
      expect(sameFiles(filesOf(fs), torn)).to.equal(true)
    })
  })

  describe('files', () => {
    it('removes what nothing refers to, tells how much, and leaves files alone that are not its own [REC-4, REC-6, MAN-1]', async () => {
      const files = await killedStore()
      const foreign = [
        'notes.txt',
        '000009.sst.bak',
        '9.sst',
        '0000010.log',
        '.000011.sst',
        'x.tmp',
      ]
      const orphans = ['000060.sst', '000061.tmp', '000001.log', '000001.val']
      const all = new Map(files)
      for (const name of [...foreign, ...orphans]) all.set(name, Uint8Array.of(1, 2, 3))
      const fs = fileSystemOf(all)
      const db = await open(STORE, storeOptions(fs, 2))
      expect(db.stats().recovery.removedFiles).to.equal(orphans.length)
      expect(await readStore(db)).to.deep.equal(CONTENT)
      const names = fs.list(STORE)
      expect(names).to.include.members(foreign)
      for (const name of orphans) expect(names).not.to.include(name)
      // A number that a file has had is not given again.
      await db.put('c', '3')
      await db.flush()
      const numbers = fs
        .list(STORE)
        .flatMap((name) => /^(\d{6})\.(?:sst|log)$/.exec(name)?.[1] ?? [])
      expect(numbers.map(Number)).to.not.include.members([60, 61])
      await db.close()
    })

    it('opens although an orphan cannot be removed, but not when a part of the log cannot be cut off [REC-1, REC-6]', async () => {
      const files = replaced(await killedStore(), '000060.sst', Uint8Array.of(1))
      const open1 = faultFileSystem(fileSystemOf(files), failing(['remove'], 'EACCES', /\.sst$/))
      const db = await open(STORE, storeOptions(open1, 2))
      expect(await readStore(db)).to.deep.equal(CONTENT)
      await db.close()
      const cut = replaced(files, '000061.log', Uint8Array.of(1))
      const open2 = faultFileSystem(fileSystemOf(cut), failing(['remove'], 'EACCES', /61\.log$/))
      expect(await rejection(open(STORE, storeOptions(open2, 2)))).to.have.property('code', 'IO')
      const both = replaced(cut, '000062.log', new Uint8Array(0))
      expect(await contentOfFiles(both)).to.deep.equal(CONTENT)
    })

    it('refuses a directory with files of a store and no marker [REC-6]', async () => {
      const files = await closedStore()
      const marker = fileLike(files, /^CURRENT/)
      await expectRefused(replaced(files, marker, undefined), 'CORRUPTION')
      await expectRefused(replaced(files, marker, new Uint8Array(0)), 'CORRUPTION')
      const table = fileLike(files, /\.sst$/)
      await expectRefused(new Map([[table, bytesOf(files, table)]]), 'CORRUPTION')
    })

    it('says why a store cannot be made where nothing can [ERR-1, ENV-6]', async () => {
      const { fs, failWith } = await faultyStore()
      failWith(failing(['makeDirectory'], 'EROFS'))
      const error = await rejection(open('/new/store', storeOptions(fs)))
      expect(error).to.include({ code: 'IO', message: 'cannot open store: EROFS' })
      expect(error.cause).to.have.property('code', 'EROFS')
      expect(fs.status('/new')).to.equal(undefined)
    })

    it('refuses a table that is missing or of another length, naming it [REC-1, ERR-4]', async () => {
      const files = await closedStore()
      const table = fileLike(files, /\.sst$/)
      for (const bytes of [undefined, new Uint8Array(0), new Uint8Array(9999)]) {
        const error = await expectRefused(replaced(files, table, bytes), 'CORRUPTION')
        expect(error).to.have.property('file', table)
      }
    })

    it('refuses versions and features of the future and changes nothing: C6 [REC-9, MAN-9]', async () => {
      const files = await closedStore()
      const manifest = fileLike(files, /^MANIFEST/)
      const log = fileLike(files, /\.log$/)
      for (const at of [8, 12]) {
        const newer = resealed(bytesOf(files, manifest), at, 2, 56)
        await expectRefused(replaced(files, manifest, newer), 'FORMAT')
        const newerLog = resealed(bytesOf(files, log), at, 2, 72)
        await expectRefused(replaced(files, log, newerLog), 'FORMAT')
      }
    })

    it('says FORMAT for a table of the future when it is read, and other tables stay readable [REC-9]', async () => {
      const files = await closedStore()
      const table = fileLike(files, /\.sst$/)
      const newer = resealed(bytesOf(files, table), 8, 3, 64)
      const db = await open(STORE, storeOptions(fileSystemOf(replaced(files, table, newer)), 2))
      expect(() => db.getSync('a'))
        .to.throw()
        .with.property('code', 'FORMAT')
      expect(db.getSync('b')).to.equal('2')
      await db.close()
    })
  })

  it('says how the last opening ended [REC-4]', async () => {
    const closed = await open(STORE, storeOptions(fileSystemOf(await closedStore()), 2))
    expect(closed.stats().recovery).to.include({ cleanClose: true, segments: 1, entries: 1 })
    await closed.close()
    const killed = await open(STORE, storeOptions(fileSystemOf(await killedStore()), 2))
    expect(killed.stats().recovery).to.include({ cleanClose: false, segments: 1, entries: 1 })
    await killed.close()
  })

  it('keeps what damage spares with pointInTime after a clean close, and goes on from there [REC-3, DUR-8]', async () => {
    const files = await closedStore()
    const log = fileLike(files, /\.log$/)
    const damaged = [
      flipped(files, log, 120),
      replaced(files, log, bytesOf(files, log).slice(0, 90)),
    ]
    for (const some of damaged) {
      await expectRefused(some, 'CORRUPTION')
      const fs = fileSystemOf(some)
      const db = await open(STORE, storeOptions(fs, 2, { recovery: 'pointInTime' }))
      expect(db.stats().recovery).to.include({ cleanClose: false })
      expect(db.stats().recovery.damage).to.include({ code: 'CORRUPTION', file: log })
      expect(await readStore(db)).to.deep.equal(new Map([['a', '1']]))
      db.putSync('c', '3')
      const killed = filesOf(fs)
      await db.close()
      const content = await contentOfFiles(killed)
      expect(content).to.deep.equal(
        new Map([
          ['a', '1'],
          ['c', '3'],
        ]),
      )
    }
  })

  it('gives the sequences of writes that have failed to nobody [ORD-7, DUR-9]', async () => {
    const store = await faultyStore()
    await store.db.put('a', '1')
    store.failWith(failing(['write'], 'ENOSPC', /\.log$/))
    const lost = store.db.put('b', '2')
    const sequence = (await store.db.getEntry('b'))?.sequence ?? 0
    expect(sequence).to.be.greaterThan(1)
    expect(await rejection(lost)).to.have.property('code', 'FULL')
    store.heal()
    await store.db.close()
    const db = await open(STORE, storeOptions(store.inner, 2))
    expect(db.stats().recovery.cleanClose).to.equal(true)
    await db.put('c', '3')
    expect((await db.getEntry('c'))?.sequence).to.be.greaterThan(sequence)
    await db.close()
  })

  it('says IO when the log cannot be synced at close, and has it there at the next open [DUR-7, ERR-1]', async () => {
    const store = await faultyStore()
    await store.db.put('a', '1')
    store.failWith(failing(['sync'], 'EIO', /\.log$/))
    expect(await rejection(store.db.close())).to.have.property('code', 'IO')
    const db = await open(STORE, storeOptions(store.inner, 2))
    expect(db.stats().recovery.cleanClose).to.equal(false)
    expect(await db.get('a')).to.equal('1')
    await db.close()
  })

  it('opens a store in a directory of the machine twice only one after the other [REC-7]', async () => {
    const path = join(tempDirectory(), 'store')
    mkdirSync(path)
    const first = await open(path, { memtableSize: 65_536 })
    expect(await rejection(open(path))).to.have.property('code', 'LOCKED')
    await first.put('a', '1')
    await first.close()
    const second = await open(path)
    expect(await second.get('a')).to.equal('1')
    await second.close()
  })

  it('lets go of everything when its last step fails [REC-7, ERR-1]', async () => {
    const store = await faultyStore()
    store.db.putSync('a', '1')
    const image = store.inner.clone()
    await store.db.close()
    const fs = faultFileSystem(image, failing(['sync'], 'EIO', /\.tmp$/))
    expect(await rejection(open(STORE, storeOptions(fs)))).to.have.property('code', 'IO')
    const db = await open(STORE, storeOptions(image))
    expect(await db.get('a')).to.equal('1')
    await db.close()
  })
})
