/**
 * A file system whose calls can be made to fail.
 *
 *     const fs = faultFileSystem(inner, (call, path) => call === 'sync' ? 'EIO' : undefined)
 */
import { systemError } from '../../src/env/file-io.ts'
import type { File, FileSystem } from '../../src/env/file-system.ts'

/**
 * Gets the name of a call (`'open create'`, `'open read'` and `'open readwrite'` for the ways to open) and its path; returns an error
 * code to fail it, or `'short'` to have a read or a write, and only these, do with half of the bytes without a failure.
 * `'late'` is for syncs: it fails with `EIO`, the one with a promise only in a later turn.
 * For a write it also gets what is to be written, and where.
 */
export type Fault = (call: string, path: string, write?: FaultyWrite) => string | undefined

export interface FaultyWrite {
  readonly source: Uint8Array
  readonly position: number
}

export function faultFileSystem(inner: FileSystem, fault: Fault): FileSystem {
  const check = (call: string, path: string, write?: FaultyWrite): boolean => {
    const code = fault(call, path, write)
    if (code === 'short' && (call === 'write' || call === 'read')) return true
    if (code === 'late') throw systemError('EIO', `${call} fails late`)
    if (code !== undefined && code !== 'short') throw systemError(code, `${call} fails`)
    return false
  }
  return {
    open: (path, mode) => {
      check(`open ${mode}`, path)
      return faultFile(inner.open(path, mode), (call, write) => check(call, path, write))
    },
    makeDirectory: (path) => {
      check('makeDirectory', path)
      return inner.makeDirectory(path)
    },
    list: (path) => {
      check('list', path)
      return inner.list(path)
    },
    status: (path) => {
      check('status', path)
      return inner.status(path)
    },
    rename: (from, to) => {
      check('rename', from)
      inner.rename(from, to)
    },
    remove: (path) => {
      check('remove', path)
      inner.remove(path)
    },
    removeDirectory: (path) => {
      check('removeDirectory', path)
      inner.removeDirectory(path)
    },
    syncDirectory: (path) => {
      check('syncDirectory', path)
      inner.syncDirectory(path)
    },
    lock: (path) => inner.lock(path),
    lockHolder: (path) => inner.lockHolder(path),
  }
}

/** A write that fails has written half of its bytes. */
function faultFile(inner: File, check: (call: string, write?: FaultyWrite) => boolean): File {
  return {
    read: (target, position) => {
      const isShort = check('read') && target.length > 1
      return inner.read(isShort ? target.subarray(0, target.length >> 1) : target, position)
    },
    write: (source, position) => {
      const half = source.subarray(0, source.length >> 1)
      try {
        return inner.write(check('write', { source, position }) ? half : source, position)
      } catch (error) {
        inner.write(half, position)
        throw error
      }
    },
    sync: () => {
      check('sync')
      inner.sync()
    },
    syncAsync: async () => {
      try {
        check('sync')
      } catch (error) {
        if (String(error).endsWith('late')) await new Promise((resolve) => setImmediate(resolve))
        throw error
      }
      await inner.syncAsync()
    },
    truncate: (size) => {
      check('truncate')
      inner.truncate(size)
    },
    size: () => {
      check('size')
      return inner.size()
    },
    close: () => {
      check('close')
      inner.close()
    },
  }
}
