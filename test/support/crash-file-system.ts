/**
 * A file system in memory that knows what a power cut would leave.
 *
 * Content is durable by `sync` of its file, names by `syncDirectory`. What is not durable yet is kept as a list of
 * changes, numbered in the order in which they were made, of which an image keeps none, all, or some: `crash-image.ts`.
 *
 *     fs.onMutation = (mutation) => check(fs.image('lost'))   // called before every change
 */
import { systemError } from '../../src/env/file-io.ts'
import type { DirectoryLock, File, FileStatus, FileSystem } from '../../src/env/file-system.ts'
import type { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import {
  applyContent,
  applyNames,
  type Content,
  type CrashPolicy,
  imageOf,
  type NameChange,
} from './crash-image.ts'

export interface Mutation {
  readonly kind: 'create' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncDirectory'
  readonly path: string
  /** How many came before. */
  readonly index: number
}

/** So many removed files are remembered: their blocks turn up in others. */
const REMOVED_MAX = 8

/** One level of directories, which are durable at once. */
export class CrashFileSystem implements FileSystem {
  onMutation: (mutation: Mutation) => void = () => undefined
  #count = 0
  readonly #directories = new Set<string>()
  readonly #live = new Map<string, Content>()
  readonly #durable = new Map<string, Content>()
  #changes: NameChange[] = []
  /** Of the files that were removed last, durably. */
  #removed: Uint8Array[] = []
  #order = 0

  /** Takes the files of one directory as durable. */
  static of(image: FileSystem, directory: string): CrashFileSystem {
    const fs = new CrashFileSystem()
    fs.makeDirectory(directory)
    for (const name of image.list(directory)) {
      const file = image.open(`${directory}/${name}`, 'read')
      const bytes = new Uint8Array(file.size())
      file.read(bytes, 0)
      file.close()
      const content = { live: bytes.slice(), durable: bytes, changes: [] }
      fs.#live.set(`${directory}/${name}`, content)
      fs.#durable.set(`${directory}/${name}`, content)
    }
    return fs
  }

  /** The same files, changes and all, which go their own way. */
  clone(): CrashFileSystem {
    const copies = new Map<Content, Content>()
    const copyOf = (content: Content): Content => {
      const copy = copies.get(content) ?? { ...content, changes: [...content.changes] }
      copies.set(content, copy)
      return copy
    }
    const fs = new CrashFileSystem()
    for (const directory of this.#directories) fs.#directories.add(directory)
    for (const [path, content] of this.#live) fs.#live.set(path, copyOf(content))
    for (const [path, content] of this.#durable) fs.#durable.set(path, copyOf(content))
    fs.#changes = this.#changes.map(({ order, names }) => ({
      order,
      names: names.map(({ path, content }) => ({ path, content: content && copyOf(content) })),
    }))
    fs.#removed = [...this.#removed]
    fs.#order = this.#order
    return fs
  }

  /** What a machine would find after a power cut now. */
  image(policy: CrashPolicy): MemoryFileSystem {
    const state = {
      directories: [...this.#directories],
      live: this.#live,
      durable: this.#durable,
      changes: this.#changes,
      removed: this.#removed,
    }
    return imageOf(state, policy)
  }

  /** What a failed sync of a file may do: reads go on showing what was written, but it never reaches the disk. */
  lose(path: string): void {
    const content = this.#live.get(path)
    if (content === undefined) return
    content.changes = []
    content.hasLost = true
  }

  /** What another may do: what was written is gone from what reads show as well. */
  revert(path: string): void {
    const content = this.#live.get(path)
    if (content === undefined) return
    content.changes = []
    content.live = content.durable
  }

  open(path: string, mode: 'create' | 'read' | 'readwrite'): File {
    let content = this.#live.get(path)
    if (mode === 'create') {
      if (content !== undefined) throw systemError('EEXIST', 'already exists')
      this.#mutate('create', path)
      content = { live: new Uint8Array(0), durable: new Uint8Array(0), changes: [] }
      this.#name([{ path, content }])
    }
    if (content === undefined) throw systemError('ENOENT', 'no such file')
    return new CrashFile(
      content,
      (kind) => this.#mutate(kind, path),
      () => this.#order++,
    )
  }

  makeDirectory(path: string): boolean {
    const isNew = !this.#directories.has(path)
    this.#directories.add(path)
    return isNew
  }

  list(path: string): string[] {
    if (!this.#directories.has(path)) throw systemError('ENOENT', 'no such directory')
    return [...this.#live.keys()]
      .filter((one) => one.startsWith(`${path}/`))
      .map((one) => one.slice(path.length + 1))
  }

  status(path: string): FileStatus | undefined {
    if (this.#directories.has(path)) return { size: 0, kind: 'directory' }
    const content = this.#live.get(path)
    return content && { size: content.live.length, kind: 'file' }
  }

  rename(from: string, to: string): void {
    const content = this.#live.get(from)
    if (content === undefined) throw systemError('ENOENT', 'no such file')
    this.#mutate('rename', from)
    this.#name([
      { path: from, content: undefined },
      { path: to, content },
    ])
  }

  remove(path: string): void {
    if (!this.#live.has(path)) throw systemError('ENOENT', 'no such file')
    this.#mutate('remove', path)
    this.#name([{ path, content: undefined }])
  }

  removeDirectory(path: string): void {
    this.#directories.delete(path)
    // What was in it is gone with it.
    for (const name of this.#durable.keys()) {
      if (name.startsWith(`${path}/`)) this.#durable.delete(name)
    }
    this.#changes = this.#changes.filter(({ names }) => {
      return !names.some((one) => one.path.startsWith(`${path}/`))
    })
  }

  syncDirectory(path: string): void {
    this.#mutate('syncDirectory', path)
    const inside = (change: NameChange): boolean =>
      change.names.every((one) => one.path.startsWith(`${path}/`))
    for (const { names } of this.#changes.filter(inside)) {
      const [first] = names
      const gone = first?.content === undefined && this.#durable.get(first?.path ?? '')
      if (names.length === 1 && gone) this.#free(gone.live)
      applyNames(this.#durable, names)
    }
    this.#changes = this.#changes.filter((change) => !inside(change))
  }

  async lock(): Promise<DirectoryLock> {
    return { isHeld: () => true, release: () => undefined }
  }

  async lockHolder(): Promise<undefined> {
    return undefined
  }

  /** The blocks of a file that is gone are free for others. */
  #free(bytes: Uint8Array): void {
    this.#removed = [...this.#removed.slice(1 - REMOVED_MAX), bytes]
  }

  #mutate(kind: Mutation['kind'], path: string): void {
    this.onMutation({ kind, path, index: this.#count })
    this.#count++
  }

  #name(names: NameChange['names']): void {
    applyNames(this.#live, names)
    this.#changes.push({ order: this.#order++, names })
  }
}

class CrashFile implements File {
  readonly #content: Content
  readonly #mutate: (kind: 'write' | 'sync' | 'truncate') => void
  readonly #nextOrder: () => number

  constructor(
    content: Content,
    mutate: (kind: 'write' | 'sync' | 'truncate') => void,
    nextOrder: () => number,
  ) {
    this.#content = content
    this.#mutate = mutate
    this.#nextOrder = nextOrder
  }

  read(target: Uint8Array, position: number): number {
    const rest = this.#content.live.subarray(position, position + target.length)
    target.set(rest)
    return rest.length
  }

  write(source: Uint8Array, position: number): number {
    this.#mutate('write')
    const change = { order: this.#nextOrder(), position, bytes: source.slice() }
    this.#content.live = applyContent(this.#content.live, change)
    this.#content.changes.push(change)
    return source.length
  }

  sync(): void {
    this.#mutate('sync')
    const { changes, live, durable, hasLost } = this.#content
    this.#content.durable = hasLost ? changes.reduce(applyContent, durable) : live.slice()
    this.#content.changes = []
  }

  async syncAsync(): Promise<void> {
    this.sync()
  }

  truncate(size: number): void {
    this.#mutate('truncate')
    const change = { order: this.#nextOrder(), size }
    this.#content.live = applyContent(this.#content.live, change)
    this.#content.changes.push(change)
  }

  size(): number {
    return this.#content.live.length
  }

  close(): void {}
}
