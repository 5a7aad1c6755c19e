/**
 * The file system of the machine, over `node:fs`: Node, Deno and Bun [ENV-1 … ENV-4, ENV-7 … ENV-9].
 *
 * Reads and writes name their position; no descriptor is in append mode and none is shared. Names are never
 * followed through a symbolic link, and only regular files are opened.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import type { LockHolder } from '../errors.ts'
import { findLockHolder, lockDirectory } from './directory-lock.ts'
import { errorCode, parentPath, systemError } from './file-io.ts'
import type { DirectoryLock, File, FileStatus, FileSystem } from './file-system.ts'

// Windows has neither; there a name cannot be a FIFO, and links need a privilege.
const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0
const O_NONBLOCK = constants.O_NONBLOCK ?? 0
const O_DSYNC = constants.O_DSYNC ?? 0

const OPEN_FLAGS = {
  create: constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | O_NOFOLLOW,
  read: constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  readwrite: constants.O_RDWR | O_NOFOLLOW | O_NONBLOCK,
} as const

const DIRECTORY = { recursive: true, mode: 0o700 } as const

/** How a platform says that directories cannot be synced. */
const NO_DIRECTORY_SYNC: readonly string[] = [
  'EPERM',
  'EISDIR',
  'EINVAL',
  'ENOTSUP',
  'EBADF',
  'ERR_ACCESS_DENIED',
]

/** Whether directories can be synced, by device, as the first attempt showed. */
const directorySync = new Map<number, boolean>()

/** A virus scanner or an indexer holds a file for a moment. Milliseconds between attempts. */
const WINDOWS_RETRY_DELAYS = [1, 2, 5, 10, 20, 50, 100, 200]
const WINDOWS_TRANSIENT: readonly string[] = ['EBUSY', 'EPERM', 'EACCES']

/** Stateless: one may serve every store. */
export class NodeFileSystem implements FileSystem {
  open(path: string, mode: 'create' | 'read' | 'readwrite'): File {
    if (mode === 'create') {
      const fd = openSync(path, OPEN_FLAGS.create | writeThroughFlag(), 0o600)
      return new NodeFile(fd)
    }
    const before = lstatSync(path)
    requireRegular(before)
    const flags = mode === 'read' ? OPEN_FLAGS.read : OPEN_FLAGS.readwrite | writeThroughFlag()
    const fd = openSync(path, flags)
    try {
      const opened = fstatSync(fd)
      requireRegular(opened)
      // Deno ignores O_NOFOLLOW unless it has every permission: a link put there meanwhile shows here.
      if (opened.ino !== before.ino || opened.dev !== before.dev) {
        throw systemError('ELOOP', 'the file was replaced while it was opened')
      }
    } catch (error) {
      closeSync(fd)
      throw error
    }
    return new NodeFile(fd)
  }

  makeDirectory(path: string): boolean {
    try {
      return mkdirSync(path, DIRECTORY) !== undefined
    } catch (error) {
      // Node says so of a file system that is read-only, too: one directory alone tells the reason.
      if (errorCode(error) !== 'ENOENT') throw error
      mkdirSync(this.#outermostMissing(path), DIRECTORY.mode)
      mkdirSync(path, DIRECTORY)
      return true
    }
  }

  #outermostMissing(path: string): string {
    const parent = parentPath(path)
    const isOutermost = parent === path || this.status(parent) !== undefined
    return isOutermost ? path : this.#outermostMissing(parent)
  }

  list(path: string): string[] {
    return readdirSync(path)
  }

  status(path: string): FileStatus | undefined {
    const status = lstatSync(path, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    const size = status.size
    if (status.isFile()) return { size, kind: 'file', modified: status.mtimeMs }
    if (status.isDirectory()) return { size, kind: 'directory' }
    // A store may be reached through a link to its directory, but its files may not be links.
    const target = status.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : undefined
    return { size, kind: target?.isDirectory() ? 'directory' : 'other' }
  }

  rename(from: string, to: string): void {
    retryOnWindows(() => renameSync(from, to))
  }

  remove(path: string): void {
    // Deno removes an empty directory when asked to unlink it.
    if (lstatSync(path).isDirectory()) throw systemError('EISDIR', 'cannot remove a directory')
    retryOnWindows(() => unlinkSync(path))
  }

  removeDirectory(path: string): void {
    retryOnWindows(() => rmdirSync(path))
  }

  syncDirectory(path: string): void {
    const device = statSync(path).dev
    if (directorySync.get(device) === false) return
    try {
      const fd = openSync(path, constants.O_RDONLY)
      try {
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      directorySync.set(device, true)
    } catch (error) {
      const code = errorCode(error) ?? ''
      if (directorySync.has(device) || !NO_DIRECTORY_SYNC.includes(code)) throw error
      directorySync.set(device, false)
    }
  }

  lock(directory: string): Promise<DirectoryLock> {
    return lockDirectory(directory)
  }

  lockHolder(directory: string): Promise<LockHolder | undefined> {
    return findLockHolder(directory)
  }
}

/** Call protocol: (read | write | sync | truncate | size)* close. */
class NodeFile implements File {
  #fd: number
  /** With write-through files, whether the size was changed by other means than a write. */
  #sizeUnsynced = false

  constructor(fd: number) {
    this.#fd = fd
  }

  read(target: Uint8Array, position: number): number {
    return readSync(this.#open(), target, 0, target.length, checkedPosition(position))
  }

  write(source: Uint8Array, position: number): number {
    return writeSync(this.#open(), source, 0, source.length, checkedPosition(position))
  }

  sync(): void {
    if (isSyncRefused()) this.#rewriteLastByte()
    else fdatasyncSync(this.#open())
  }

  syncAsync(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (isSyncRefused()) {
        this.#rewriteLastByte()
        return resolve()
      }
      fdatasync(this.#open(), (error) => (error ? reject(error) : resolve()))
    })
  }

  truncate(size: number): void {
    ftruncateSync(this.#open(), checkedPosition(size))
    this.#sizeUnsynced = true
  }

  size(): number {
    return fstatSync(this.#open()).size
  }

  close(): void {
    if (this.#fd === -1) return
    const fd = this.#fd
    this.#fd = -1
    closeSync(fd)
  }

  /** A descriptor that was closed may already be another file's. */
  #open(): number {
    if (this.#fd === -1) throw systemError('EBADF', 'the file is closed')
    return this.#fd
  }

  /** Write-through covers writes only. A write after a truncation takes the new size to the disk with it. */
  #rewriteLastByte(): void {
    const fd = this.#open()
    if (!this.#sizeUnsynced) return
    const size = fstatSync(fd).size
    const byte = new Uint8Array(1)
    if (size > 0 && readSync(fd, byte, 0, 1, size - 1) === 1) writeSync(fd, byte, 0, 1, size - 1)
    this.#sizeUnsynced = false
  }
}

let syncRefused: boolean | undefined

/** Node's permission model refuses `fdatasync`, always: there every write goes through to the disk. */
function isSyncRefused(): boolean {
  syncRefused ??= (process as { permission?: unknown }).permission !== undefined && O_DSYNC !== 0
  return syncRefused
}

function writeThroughFlag(): number {
  return isSyncRefused() ? O_DSYNC : 0
}

/** `null`, `-1` and `NaN` would mean "wherever the descriptor is". */
function checkedPosition(position: number): number {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RangeError('position must be a whole number')
  }
  return position
}

function requireRegular(status: Stats): void {
  if (status.isFile()) return
  if (status.isDirectory()) throw systemError('EISDIR', 'is a directory')
  if (status.isSymbolicLink()) throw systemError('ELOOP', 'is a symbolic link')
  throw systemError('EINVAL', 'is not a regular file')
}

function retryOnWindows(action: () => void): void {
  for (const delay of process.platform === 'win32' ? WINDOWS_RETRY_DELAYS : []) {
    try {
      action()
      return
    } catch (error) {
      if (!WINDOWS_TRANSIENT.includes(errorCode(error) ?? '')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delay)
    }
  }
  action()
}
