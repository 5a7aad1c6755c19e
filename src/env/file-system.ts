/**
 * The file system as the store sees it: few, synchronous, positional calls, so that memory, fault
 * and crash file systems are easy to write. Only the sync to disk has an asynchronous form.
 *
 * Errors are thrown as the operating system gives them (`code` is `ENOENT`, `ENOSPC`, …). Reads and writes
 * may be short; `readFully` and `writeFully` of `file-io.ts` loop. Paths use `/`.
 */
import type { LockHolder } from '../errors.ts'

/** Held from open to close; at most one holder per directory. */
export interface DirectoryLock {
  /** False once somebody has removed or replaced the claim. Cheap. */
  isHeld(): boolean
  /** Gives the lock up. Idempotent. */
  release(): void
}

export interface FileStatus {
  /** Bytes. */
  readonly size: number
  readonly kind: 'file' | 'directory' | 'other'
  /** When a file was last written, in milliseconds since the epoch, where that is known. */
  readonly modified?: number
}

export interface File {
  /** Reads at most `target.length` bytes from `position`; returns how many, 0 at the end of the file. */
  read(target: Uint8Array, position: number): number
  /** Writes at most `source.length` bytes at `position`; returns how many. */
  write(source: Uint8Array, position: number): number
  /** Makes content and size durable (`fdatasync`). */
  sync(): void
  syncAsync(): Promise<void>
  truncate(size: number): void
  size(): number
  close(): void
}

export interface FileSystem {
  /**
   * `'create'`: a new file for reading and writing; fails with `EEXIST`. `'read'`: an existing regular
   * file. `'readwrite'`: an existing regular file. Never follows a symbolic link on creation.
   */
  open(path: string, mode: 'create' | 'read' | 'readwrite'): File
  /** Creates a directory and its parents; true if it did not exist. */
  makeDirectory(path: string): boolean
  /** Base names, in no particular order. */
  list(path: string): string[]
  /** `undefined` when there is nothing at `path`. */
  status(path: string): FileStatus | undefined
  rename(from: string, to: string): void
  remove(path: string): void
  /** Removes an empty directory. */
  removeDirectory(path: string): void
  /** Makes creations, renames and removals in a directory durable. A no-op where the platform has no such call. */
  syncDirectory(path: string): void
  /** Takes the store's lock; rejects with `SedgeError` `LOCKED`. `directory` exists. */
  lock(directory: string): Promise<DirectoryLock>
  /** Who holds the lock, without writing anything; `undefined` when nobody is known to. */
  lockHolder(directory: string): Promise<LockHolder | undefined>
}
