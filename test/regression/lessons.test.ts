/**
 * What other stores have lost other people's data to, each as a case of its own: R1 to R20. Many are also proven in whole by the
 * fault suites; here is the one story that was told.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { lockDirectory } from '../../src/env/directory-lock.ts'
import { MemoryFileSystem, open } from '../../src/index.ts'
import { closedStore } from '../support/closed-store.ts'
import {
  bytesOf,
  type CrashedStore,
  contentOfFiles,
  crashedStore,
  expectRefused,
  type Files,
  fileSystemOf,
  filesOf,
  flipped,
  replaced,
  truncated,
} from '../support/crashed-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { failing, faultyStore } from '../support/faulty-store.ts'
import { interleavingOf, runInterleaving } from '../support/interleaving.ts'
import { plantClaim } from '../support/lock-race.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import { tempDirectory } from '../support/temp.ts'

function nameOf(files: Files, pattern: RegExp): string {
  const name = [...files.keys()].find((one) => pattern.test(one))
  if (name === undefined) throw new Error(`no ${pattern}`)
  return name
}

/** Five small commits in one log, nothing of it synced. */
function smallCrash(sync = false): Promise<CrashedStore> {
  return crashedStore((store) => {
    for (let i = 1; i <= 5; i++) store.put(`k${i}`, `${i}`.repeat(50), { sync })
  })
}

describe('regression/lessons', () => {
  it('R1: a marker that a kernel panic left empty or short is damage, and no new store [MAN-11, MAN-12]', async () => {
    const { files } = await closedStore(seededRandom(testSeed()))
    const marker = nameOf(files, /^CURRENT/)
    for (let length = 0; length < bytesOf(files, marker).length; length++) {
      await expectRefused(truncated(files, marker, length), 'CORRUPTION')
    }
  })

  it('R2: a table of no bytes is damage when the store is opened [REC-1, ERR-4]', async () => {
    const { files } = await closedStore(seededRandom(testSeed()))
    const table = nameOf(files, /\.sst$/)
    const error = await expectRefused(truncated(files, table, 0), 'CORRUPTION')
    expect(error.file).to.equal(table)
  })

  it('R3: behind a hole in the log nothing counts [LOG-10, DUR-5]', async () => {
    const { files, model, ends } = await smallCrash()
    const log = nameOf(files, /\.log$/)
    const bytes = bytesOf(files, log).slice()
    bytes.fill(0, ends[1]!.offset, ends[2]!.offset)
    expect(await contentOfFiles(replaced(files, log, bytes))).to.deep.equal(model.state(2))
  })

  it('R4: what is written after the disk was full for a while is there after a crash [DUR-9, LOG-9]', async () => {
    const store = await faultyStore()
    await store.db.put('before', '1')
    store.failWith(failing(['write'], 'ENOSPC', /\.log$/))
    const refused = await store.db.put('lost', 'x'.repeat(500)).catch((error: unknown) => error)
    expect(refused).to.have.property('code', 'FULL')
    store.heal()
    for (let i = 0; store.db.stats().state !== 'open' && i < 1000; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (let i = 0; i < 20; i++) await store.db.put(`after ${i}`, '2')
    const files = filesOf(store.inner.clone())
    const found = await contentOfFiles(files)
    expect(found.size).to.equal(21)
    expect(found.has('lost')).to.equal(false)
    await store.db.close()
  })

  it('R5: a file that is shorter than what says so is damage [DUR-8, MAN-19]', async () => {
    const { files } = await closedStore(seededRandom(testSeed()))
    for (const name of files.keys()) {
      if (!/\.(log|val|sst)$|^MANIFEST/.test(name)) continue
      const { length } = bytesOf(files, name)
      await expectRefused(truncated(files, name, length - 1), 'CORRUPTION')
    }
  })

  it('R6: no store says that it was closed cleanly when its log could not be synced [DUR-7, DUR-10]', async () => {
    const store = await faultyStore()
    await store.db.put('a', '1')
    store.failWith(failing(['sync'], 'EIO', /\.log$/))
    await store.db.put('b', '2', { sync: true }).catch(() => {})
    store.heal()
    await store.db.close().catch(() => {})
    expect(store.names('CLOSED')).to.deep.equal([])
    const db = await open(STORE, storeOptions(store.inner, 2))
    expect(db.stats().recovery.cleanClose).to.equal(false)
    await db.close()
  })

  it('R7: a marker without its manifest is damage, and no new store [REC-6, MAN-11]', async () => {
    const { files } = await closedStore(seededRandom(testSeed()))
    await expectRefused(replaced(files, nameOf(files, /^MANIFEST/), undefined), 'CORRUPTION')
  })

  it('R8: a marker whose content never reached the disk gives way to the one before, or is damage [MAN-11]', async () => {
    const { files, content } = await closedStore(seededRandom(testSeed()))
    const marker = nameOf(files, /^CURRENT/)
    const zeros = new Uint8Array(bytesOf(files, marker).length)
    await expectRefused(replaced(files, marker, zeros), 'CORRUPTION')
    const next = marker.replace(/-0*(\d+)-/, (whole, epoch) => {
      return `-${String(Number(epoch) + 1).padStart(whole.length - 2, '0')}-`
    })
    expect(await contentOfFiles(replaced(files, next, zeros))).to.deep.equal(content)
  })

  it('R9: a log that ends between two frames is found when it was closed, or synced [DUR-8, LOG-10]', async () => {
    const fs = new MemoryFileSystem()
    const db = await open(STORE, storeOptions(fs))
    const sizes: number[] = []
    for (let i = 0; i < 5; i++) {
      await db.put(`k${i}`, 'v')
      sizes.push(fs.status(`${STORE}/${nameOf(filesOf(fs), /\.log$/)}`)!.size)
    }
    await db.close()
    const closed = filesOf(fs)
    for (const size of sizes) {
      await expectRefused(truncated(closed, nameOf(closed, /\.log$/), size), 'CORRUPTION')
    }
    const { files: synced, ends: places } = await crashedStore((store) => {
      for (let i = 0; i < 30; i++) store.put(`k${i}`, 'v'.repeat(1000), { sync: true })
    })
    const first = nameOf(synced, /\.log$/)
    const inFirst = places.filter(({ file }) => file === first)
    expect(inFirst.length).to.be.within(2, 29)
    await expectRefused(truncated(synced, first, inFirst[1]!.offset), 'CORRUPTION')
  })

  it('R10: one crash after the other leaves a store that opens [REC-5]', async () => {
    const { files, model } = await smallCrash()
    let now = truncated(
      files,
      nameOf(files, /\.log$/),
      bytesOf(files, nameOf(files, /\.log$/)).length - 3,
    )
    for (let crash = 0; crash < 5; crash++) {
      const fs = fileSystemOf(now)
      const db = await open(STORE, storeOptions(fs, crash))
      now = filesOf(fs.clone())
      await db.close()
    }
    expect(await contentOfFiles(now)).to.deep.equal(model.state(4))
  })

  it('R11: no value is taken from what lay in its place before [LOG-6, LOG-2]', async () => {
    const write = (digit: string) =>
      crashedStore((store) => store.put('large', digit.repeat(70_000)))
    const [mine, other] = [await write('1'), await write('2')]
    const values = nameOf(mine.files, /\.val$/)
    const elsewhere = new Uint8Array(bytesOf(other.files, values))
    // Of another place of the same file, moved by one chunk.
    const moved = bytesOf(mine.files, values).slice()
    moved.copyWithin(0, 65_544)
    for (const stale of [moved, elsewhere.fill(0, 0, 1)]) {
      const found = await contentOfFiles(replaced(mine.files, values, stale))
      expect([...found.keys()]).to.deep.equal([])
    }
  })

  it('R12: what was cleared does not come back [API-13, DUR-1]', async () => {
    const fs = new MemoryFileSystem()
    const db = await open(STORE, storeOptions(fs))
    for (let i = 0; i < 100; i++) db.putSync(`k${i}`, 'v'.repeat(500))
    await db.flush()
    await db.clear()
    await db.put('new', '1')
    for (const work of [() => db.sync(), () => db.flush(), () => db.compact()]) {
      await work()
      expect([...(await contentOfFiles(filesOf(fs.clone())))]).to.deep.equal([['new', '1']])
    }
    await db.close()
  })

  it('R13: keys that are no text are recovered as they are [API-6, REC-1]', async () => {
    const fs = new MemoryFileSystem()
    const db = await open(STORE, { ...storeOptions(fs), keyEncoding: 'binary' })
    const keys = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte, 0xff, 0xc0))
    for (const key of keys) db.putSync(key, 'v')
    const crashed = fs.clone()
    await db.close()
    const again = await open(STORE, { ...storeOptions(crashed), keyEncoding: 'binary' })
    expect(await again.keys().all()).to.deep.equal(keys)
    await again.close()
  })

  it('R14: damage in the middle of a log cuts nothing off that was synced [LOG-10, REC-1]', async () => {
    const { files, ends } = await smallCrash(true)
    const log = nameOf(files, /\.log$/)
    await expectRefused(flipped(files, log, ends[1]!.offset + 40), 'CORRUPTION')
  })

  it('R15: a lock that names a process of another life with a number in use does not last [LOCK-13]', async () => {
    for (const pid of [1, process.pid]) {
      const directory = tempDirectory()
      plantClaim(directory, { pid, startTime: '1' })
      const lock = await lockDirectory(directory)
      expect(lock.isHeld()).to.equal(true)
      lock.release()
    }
  })

  it('R16: files made within one millisecond, or while the clock goes back, are all different [MAN-18]', async () => {
    for (const clock of [() => 1_700_000_000_000, countingDown()]) {
      const fs = new MemoryFileSystem()
      const db = await open(STORE, { ...storeOptions(fs), clock })
      for (let i = 0; i < 12; i++) {
        await db.put('key', `${i}`)
        await db.flush()
      }
      await db.close()
      expect((await contentOfFiles(filesOf(fs))).get('key')).to.equal('11')
    }
  })

  it('R17: a copy of the files is a store, whatever was under way when it was made [DUR-5, REC-5]', async () => {
    const fs = new MemoryFileSystem()
    const copies: MemoryFileSystem[] = []
    const onEvent = (): unknown => copies.push(fs.clone())
    const db = await open(STORE, storeOptions(fs, 1, { onEvent }))
    for (let i = 0; i < 300; i++) await db.put(`k${i % 50}`, `${i} `.repeat(200))
    await db.compact()
    await db.close()
    expect(copies.length).to.be.greaterThan(5)
    for (const copy of copies) await contentOfFiles(filesOf(copy))
  })

  it('R18: reading the files of a lock does not let go of it [LOCK-5, LOCK-20]', async () => {
    const directory = tempDirectory()
    const lock = await lockDirectory(directory)
    for (const name of readdirSync(directory)) {
      if (!name.endsWith('.sock')) readFileSync(`${directory}/${name}`)
    }
    expect(lock.isHeld()).to.equal(true)
    const second = await lockDirectory(directory).catch((error: unknown) => error)
    expect(second).to.have.property('code', 'LOCKED')
    lock.release()
  })

  it('R19: writes that take fewer bytes than they were given lose none [ENV-5]', async () => {
    const inner = new MemoryFileSystem()
    let calls = 0
    const fs = faultFileSystem(inner, (call) => {
      return call === 'write' && ++calls % 2 === 1 ? 'short' : undefined
    })
    const db = await open(STORE, storeOptions(fs))
    for (let i = 0; i < 60; i++) await db.put(`k${i}`, `${i} `.repeat(400), { sync: i % 7 === 0 })
    await db.put('large', 'l'.repeat(100_000))
    await db.compact()
    const found = await readStore(db)
    await db.close()
    expect(calls).to.be.greaterThan(50)
    expect(await contentOfFiles(filesOf(inner))).to.deep.equal(found)
  })

  it('R20: flushes, rotations and compactions that meet in any order lose nothing [API-23, DUR-7]', async function () {
    this.timeout(60_000)
    let turns = 0
    for (let seed = testSeed(), left = 25; left > 0; seed++, left--) {
      turns += (await runInterleaving({ ...interleavingOf(seed), faults: undefined })).length
    }
    expect(turns).to.be.greaterThan(500)
  })
})

function countingDown(): () => number {
  let time = 1_700_000_000_000
  return () => (time -= 1000)
}
