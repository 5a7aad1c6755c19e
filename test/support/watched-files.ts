/**
 * A file system that several threads of a simulation use, and that watches them: which files are open and by whom, and that no file is
 * removed which the store still counts on.
 *
 *     const watched = new WatchedFiles(new MemoryFileSystem(), STORE)
 *     const main = watched.view()
 *     main.openFiles; main.die()
 */
import { systemError } from '../../src/env/file-io.ts'
import type { DirectoryLock, File, FileStatus, FileSystem } from '../../src/env/file-system.ts'
import type { LockHolder } from '../../src/errors.ts'
import { parseFileName } from '../../src/version/file-names.ts'
import { recoverManifest } from '../../src/version/manifest-recovery.ts'

export class WatchedFiles {
  readonly inner: FileSystem
  readonly directory: string
  /** What was removed although the manifest names it. */
  readonly wrongs: string[] = []

  constructor(inner: FileSystem, directory: string) {
    this.inner = inner
    this.directory = directory
  }

  view(): FileView {
    return new FileView(this)
  }

  /** Notes the removal of a file that the manifest counts. */
  judge(path: string): void {
    const name = path.slice(this.directory.length + 1)
    const parsed = parseFileName(name)
    if (parsed === undefined || !('number' in parsed)) return
    const state = recoverManifest(this.inner, this.directory)
    if (state === undefined) return
    const { type, number } = parsed
    const isLive =
      type === 'table'
        ? state.version.tables().some((table) => table.number === number)
        : (type === 'log' || type === 'values') && number >= state.logNumber
    if (isLive) this.wrongs.push(`${name} was removed while it counts`)
  }
}

/** What one thread sees. A dead one sees nothing any more. */
export class FileView implements FileSystem {
  readonly #watched: WatchedFiles
  #isDead = false
  openFiles = 0

  constructor(watched: WatchedFiles) {
    this.#watched = watched
  }

  /** Every later call fails. */
  die(): void {
    this.#isDead = true
  }

  open(path: string, mode: 'create' | 'read' | 'readwrite'): File {
    const inner = this.#inner.open(path, mode)
    this.openFiles++
    let isOpen = true
    const alive = (): File => {
      this.#assertAlive()
      return inner
    }
    return {
      read: (target, position) => alive().read(target, position),
      write: (source, position) => alive().write(source, position),
      sync: () => alive().sync(),
      syncAsync: () => alive().syncAsync(),
      truncate: (size) => alive().truncate(size),
      size: () => alive().size(),
      close: () => {
        if (isOpen) this.openFiles--
        isOpen = false
        inner.close()
      },
    }
  }

  makeDirectory(path: string): boolean {
    return this.#inner.makeDirectory(path)
  }

  list(path: string): string[] {
    return this.#inner.list(path)
  }

  status(path: string): FileStatus | undefined {
    return this.#inner.status(path)
  }

  rename(from: string, to: string): void {
    if (this.#inner.status(to) !== undefined) this.#watched.wrongs.push(`${to} was replaced`)
    this.#inner.rename(from, to)
  }

  remove(path: string): void {
    const inner = this.#inner
    this.#watched.judge(path)
    inner.remove(path)
  }

  removeDirectory(path: string): void {
    this.#inner.removeDirectory(path)
  }

  syncDirectory(path: string): void {
    this.#inner.syncDirectory(path)
  }

  lock(directory: string): Promise<DirectoryLock> {
    return this.#inner.lock(directory)
  }

  lockHolder(directory: string): Promise<LockHolder | undefined> {
    return this.#inner.lockHolder(directory)
  }

  get #inner(): FileSystem {
    this.#assertAlive()
    return this.#watched.inner
  }

  #assertAlive(): void {
    if (this.#isDead) throw systemError('EIO', 'the thread is dead')
  }
}
