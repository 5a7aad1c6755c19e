import { expect } from 'chai'
import { type File, type FileSystem, MemoryFileSystem, open } from '../../src/index.ts'

/** Counts the syncs of log files, and can make them fail. */
function countingFileSystem(): { fs: FileSystem; syncs: () => number; fail: () => void } {
  const inner = new MemoryFileSystem()
  let count = 0
  let isFailing = false
  const wrap = (file: File): File => {
    const sync = (): void => {
      count++
      if (isFailing) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      file.sync()
    }
    return {
      read: (target, position) => file.read(target, position),
      write: (source, position) => file.write(source, position),
      sync,
      syncAsync: async () => sync(),
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
    fail: () => {
      isFailing = true
    },
  }
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
    await db.close()
  })
})
