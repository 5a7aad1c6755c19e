/**
 * The machine's file system, until the nth call that changes anything: there it kills its own process, before the call, after it, or
 * in the middle of a write. This reaches moments that no timer hits.
 */
import type { File, FileSystem } from '../../src/env/file-system.ts'

export type Moment = 'before' | 'after' | 'within'

export function suicidalFileSystem(inner: FileSystem, nth: number, moment: Moment): FileSystem {
  let calls = 0
  const change = <T>(call: () => T, part: () => void = () => {}): T => {
    const isLast = ++calls === nth
    if (isLast && moment === 'within') part()
    if (isLast && moment !== 'after') die()
    const result = call()
    if (isLast) die()
    return result
  }
  const wrap = (file: File): File => ({
    read: (target, position) => file.read(target, position),
    write: (source, position) =>
      change(
        () => file.write(source, position),
        () => file.write(source.subarray(0, source.length >> 1), position),
      ),
    sync: () => change(() => file.sync()),
    syncAsync: () => change(() => file.syncAsync()),
    truncate: (size) => change(() => file.truncate(size)),
    size: () => file.size(),
    close: () => file.close(),
  })
  return {
    open: (path, mode) =>
      mode === 'create' ? wrap(change(() => inner.open(path, mode))) : wrap(inner.open(path, mode)),
    makeDirectory: (path) => change(() => inner.makeDirectory(path)),
    list: (path) => inner.list(path),
    status: (path) => inner.status(path),
    rename: (from, to) => change(() => inner.rename(from, to)),
    remove: (path) => change(() => inner.remove(path)),
    removeDirectory: (path) => change(() => inner.removeDirectory(path)),
    syncDirectory: (path) => change(() => inner.syncDirectory(path)),
    lock: (path) => inner.lock(path),
    lockHolder: (path) => inner.lockHolder(path),
  }
}

function die(): never {
  for (;;) process.kill(process.pid, 'SIGKILL')
}
