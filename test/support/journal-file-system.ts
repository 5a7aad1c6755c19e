/**
 * Records what a store does to its files, once, so that a power cut can be played at every step afterwards.
 *
 *     const recorded = new JournalFileSystem(new MemoryFileSystem())
 *     …use a store on it, calling recorded.note(…) between its calls…
 *     const replay = new JournalReplay(new CrashFileSystem())
 *     for (const entry of recorded.journal) { check(replay.fs.image('lost')); replay.apply(entry) }
 */
import type { DirectoryLock, File, FileStatus, FileSystem } from '../../src/env/file-system.ts'
import type { LockHolder } from '../../src/errors.ts'
import type { CrashFileSystem } from './crash-file-system.ts'

/** `file` numbers the handle. Notes are the recorder's own. */
export type JournalEntry<N> =
  | { readonly kind: 'open'; readonly path: string; readonly mode: OpenMode; readonly file: number }
  | {
      readonly kind: 'write'
      readonly file: number
      readonly position: number
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'truncate'; readonly file: number; readonly size: number }
  | { readonly kind: 'sync'; readonly file: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: DirectoryChange; readonly path: string }
  | { readonly kind: 'note'; readonly note: N }

type DirectoryChange = 'makeDirectory' | 'removeDirectory' | 'syncDirectory'
type OpenMode = 'create' | 'readwrite'

/** Writes through to `inner` and keeps a journal of every change. */
export class JournalFileSystem<N = never> implements FileSystem {
  readonly journal: JournalEntry<N>[] = []
  readonly #inner: FileSystem
  #files = 0

  constructor(inner: FileSystem) {
    this.#inner = inner
  }

  note(note: N): void {
    this.journal.push({ kind: 'note', note })
  }

  open(path: string, mode: 'create' | 'read' | 'readwrite'): File {
    const opened = this.#inner.open(path, mode)
    if (mode === 'read') return opened
    const file = this.#files++
    this.journal.push({ kind: 'open', path, mode, file })
    return this.#recorded(opened, file)
  }

  #recorded(inner: File, file: number): File {
    const { journal } = this
    return {
      read: (target, position) => inner.read(target, position),
      write: (source, position) => {
        journal.push({ kind: 'write', file, position, bytes: source.slice() })
        return inner.write(source, position)
      },
      sync: () => {
        journal.push({ kind: 'sync', file })
        inner.sync()
      },
      // What is written while the sync is under way is not covered by it.
      syncAsync: async () => {
        journal.push({ kind: 'sync', file })
        await inner.syncAsync()
        await new Promise<void>((resolve) => setImmediate(resolve))
      },
      truncate: (size) => {
        journal.push({ kind: 'truncate', file, size })
        inner.truncate(size)
      },
      size: () => inner.size(),
      close: () => inner.close(),
    }
  }

  makeDirectory(path: string): boolean {
    this.journal.push({ kind: 'makeDirectory', path })
    return this.#inner.makeDirectory(path)
  }

  list(path: string): string[] {
    return this.#inner.list(path)
  }

  status(path: string): FileStatus | undefined {
    return this.#inner.status(path)
  }

  rename(from: string, to: string): void {
    this.#inner.rename(from, to)
    this.journal.push({ kind: 'rename', from, to })
  }

  remove(path: string): void {
    this.#inner.remove(path)
    this.journal.push({ kind: 'remove', path })
  }

  removeDirectory(path: string): void {
    this.#inner.removeDirectory(path)
    this.journal.push({ kind: 'removeDirectory', path })
  }

  syncDirectory(path: string): void {
    this.#inner.syncDirectory(path)
    this.journal.push({ kind: 'syncDirectory', path })
  }

  lock(directory: string): Promise<DirectoryLock> {
    return this.#inner.lock(directory)
  }

  lockHolder(directory: string): Promise<LockHolder | undefined> {
    return this.#inner.lockHolder(directory)
  }
}

/** Plays a journal into a file system that knows what a power cut would leave. */
export class JournalReplay {
  readonly fs: CrashFileSystem
  readonly #files = new Map<number, File>()

  constructor(fs: CrashFileSystem) {
    this.fs = fs
  }

  apply(entry: JournalEntry<unknown>): void {
    const { fs } = this
    switch (entry.kind) {
      case 'open':
        this.#files.set(entry.file, fs.open(entry.path, entry.mode))
        break
      case 'write':
        this.#file(entry.file).write(entry.bytes, entry.position)
        break
      case 'truncate':
        this.#file(entry.file).truncate(entry.size)
        break
      case 'sync':
        this.#file(entry.file).sync()
        break
      case 'rename':
        fs.rename(entry.from, entry.to)
        break
      case 'remove':
        fs.remove(entry.path)
        break
      case 'makeDirectory':
      case 'removeDirectory':
      case 'syncDirectory':
        fs[entry.kind](entry.path)
        break
      case 'note':
        break
    }
  }

  #file(number: number): File {
    const file = this.#files.get(number)
    if (file === undefined) throw new Error(`file ${number} was never opened`)
    return file
  }
}
