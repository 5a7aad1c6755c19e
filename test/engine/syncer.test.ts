import { expect } from 'chai'
import {
  type Database,
  type File,
  type FileSystem,
  MemoryFileSystem,
  open,
} from '../../src/index.ts'

interface CountingFileSystem {
  readonly fs: FileSystem
  readonly syncs: () => number
  readonly fail: (isFailing?: boolean) => void
  /** Makes writes fail for want of space. */
  readonly fill: (isFull: boolean) => void
  /** Syncs that do not block take until the returned function is called. */
  readonly hold: () => () => void
}

/** Counts the syncs of log files, and can make them fail. */
function countingFileSystem(): CountingFileSystem {
  const inner = new MemoryFileSystem()
  let count = 0
  let isFailing = false
  let isFull = false
  let gate = Promise.resolve()
  const wrap = (file: File): File => {
    const sync = (): void => {
      count++
      if (isFailing) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      file.sync()
    }
    return {
      read: (target, position) => file.read(target, position),
      write: (source, position) => {
        if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
        return file.write(source, position)
      },
      sync,
      syncAsync: async () => {
        sync()
        await gate
      },
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => file.close(),
    }
  }
  const fs: FileSystem = {
    open: (path, mode) => {
      const file = inner.open(path, mode)
      return path.endsWith('.log') ? wrap(file) : file
    },
    makeDirectory: (path) => inner.makeDirectory(path),
    list: (path) => inner.list(path),
    status: (path) => inner.status(path),
    rename: (from, to) => inner.rename(from, to),
    remove: (path) => inner.remove(path),
    removeDirectory: (path) => inner.removeDirectory(path),
    syncDirectory: (path) => inner.syncDirectory(path),
    lock: (directory) => inner.lock(directory),
    lockHolder: (directory) => inner.lockHolder(directory),
  }
  return {
    fs,
    syncs: () => count,
    fail: (failing = true) => {
      isFailing = failing
    },
    fill: (full) => {
      isFull = full
    },
    hold: () => {
      let release = (): void => undefined
      gate = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
  }
}

/** A store whose log may not be on disk closes, and says so. */
async function closeFailed(db: Database<string, string>): Promise<void> {
  const error = await db.close().catch((reason: unknown) => reason)
  expect(error).to.include({ code: 'FAILED', outcome: 'unknown' })
  expect(db.stats().state).to.equal('closed')
}

describe('engine/syncer', () => {
  it('syncs once for all who wait [DUR-2, DUR-4]', async () => {
    const { fs, syncs } = countingFileSystem()
    const db = await open('/store', { fs })
    await Promise.all(Array.from({ length: 64 }, (_, i) => db.put(`k${i}`, 'v', { sync: true })))
    expect(syncs()).to.be.within(1, 2)
    await db.put('plain', 'v')
    const before = syncs()
    await db.put('plain', 'w')
    expect(syncs()).to.equal(before)
    db.putSync('now', 'v', { sync: true })
    expect(syncs()).to.equal(before + 1)
    await db.close()
  })

  it('never acknowledges after a sync that failed, and takes nothing back [DUR-10, DUR-11]', async () => {
    const { fs, fail } = countingFileSystem()
    const db = await open('/store', { fs })
    await db.put('before', 'v')
    fail()
    const error = await db.put('k', 'v', { sync: true }).catch((reason: unknown) => reason)
    expect(error).to.include({ code: 'IO', outcome: 'unknown' })
    expect(db.stats().state).to.equal('failed')
    expect(db.getSync('k')).to.equal('v')
    const later = await db.put('later', 'v').catch((reason: unknown) => reason)
    expect(later).to.have.property('code', 'FAILED')
    expect(() => db.putSync('later', 'v'))
      .to.throw()
      .with.property('code', 'FAILED')
    await closeFailed(db)
  })

  it('does not claim at close that all is on disk after a sync that failed, and closes all the same [DUR-7, DUR-10]', async () => {
    const { fs, fail, syncs } = countingFileSystem()
    const db = await open('/store', { fs })
    await db.put('accepted', 'v')
    fail()
    await db.put('k', 'v', { sync: true }).catch(() => undefined)
    fail(false)
    const before = syncs()
    await closeFailed(db)
    expect(syncs(), 'of a file whose sync has failed').to.equal(before)
    const again = await open('/store', { fs })
    expect(await again.get('accepted')).to.equal('v')
    await again.close()
  })

  it('rejects with an unknown outcome whoever waits for the next sync, too [DUR-10]', async () => {
    const { fs, fail, hold, syncs } = countingFileSystem()
    const db = await open('/store', { fs })
    const release = hold()
    const first = db.put('first', 'v', { sync: true })
    await turn()
    const second = db.put('second', 'v', { sync: true })
    await turn()
    expect(syncs()).to.equal(1)
    fail()
    release()
    await first
    const error = await second.catch((reason: unknown) => reason)
    expect(error).to.include({ code: 'IO', outcome: 'unknown' })
    fail(false)
    const sync = await db.sync().catch((reason: unknown) => reason)
    expect(sync).to.have.property('code', 'FAILED')
    expect(db.getSync('second')).to.equal('v')
    await closeFailed(db)
  })

  it('acknowledges nothing when another sync has heard of the failure meanwhile [DUR-10]', async () => {
    const { fs, fail, hold } = countingFileSystem()
    const db = await open('/store', { fs })
    const release = hold()
    const waiting = db.put('waiting', 'v', { sync: true })
    await turn()
    fail()
    expect(() => db.putSync('now', 'v', { sync: true }))
      .to.throw()
      .with.property('outcome', 'unknown')
    release()
    const error = await waiting.catch((reason: unknown) => reason)
    expect(error).to.have.property('outcome', 'unknown')
    await closeFailed(db)
  })

  it('acknowledges those whose frames are written when a later write fails [DUR-9, DUR-10]', async () => {
    const { fs, fill, hold } = countingFileSystem()
    const db = await open('/store', { fs })
    const release = hold()
    const first = db.put('first', 'v', { sync: true })
    await turn()
    const second = db.put('second', 'v', { sync: true })
    await turn()
    fill(true)
    const third = await db.put('third', 'v', { sync: true }).catch((reason: unknown) => reason)
    expect(third).to.include({ code: 'FULL', outcome: undefined })
    fill(false)
    release()
    await Promise.all([first, second])
    expect(db.keysSync().all()).to.deep.equal(['first', 'second'])
    await db.close()
  })

  it('leaves nobody behind who comes back the moment a sync is done [DUR-6]', async () => {
    const { fs } = countingFileSystem()
    const db = await open('/store', { fs })
    for (let round = 0; round < 5; round++) {
      await db.put('k', `${round}`, { sync: true })
      await db.sync()
      await db.sync()
    }
    expect(db.getSync('k')).to.equal('4')
    await db.close()
  })

  it('tells of a write that fails on the way to a sync once, by the promise [DUR-6, DUR-9]', async () => {
    const { fs, fill } = countingFileSystem()
    const db = await open('/store', { fs, durability: 'none' })
    await db.put('k', 'v')
    fill(true)
    const error = await db.sync().catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'FULL')
    // A second, unheard rejection would end the process in a later turn.
    await turn()
    fill(false)
    await db.put('after', 'v')
    await db.sync()
    await db.close()
  })
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
