/** A disk that is slow: every write takes so many milliseconds longer, and nobody else runs on this thread meanwhile. */
import type { File, FileSystem } from '../../src/env/file-system.ts'

export function slowFileSystem(inner: FileSystem, writeMs: number): FileSystem {
  const waiting = new Int32Array(new SharedArrayBuffer(4))
  const slow = (file: File): File => ({
    read: (target, position) => file.read(target, position),
    write: (source, position) => {
      Atomics.wait(waiting, 0, 0, writeMs)
      return file.write(source, position)
    },
    sync: () => file.sync(),
    syncAsync: () => file.syncAsync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  })
  return {
    open: (path, mode) => (mode === 'read' ? inner.open(path, mode) : slow(inner.open(path, mode))),
    makeDirectory: (path) => inner.makeDirectory(path),
    list: (path) => inner.list(path),
    status: (path) => inner.status(path),
    rename: (from, to) => inner.rename(from, to),
    remove: (path) => inner.remove(path),
    removeDirectory: (path) => inner.removeDirectory(path),
    syncDirectory: (path) => inner.syncDirectory(path),
    lock: (path) => inner.lock(path),
    lockHolder: (path) => inner.lockHolder(path),
  }
}
