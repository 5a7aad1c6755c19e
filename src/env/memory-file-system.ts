/**
 * A file system in memory, for users who want a store that leaves nothing behind, and for tests [ENV-10 … ENV-13].
 *
 * A tree of directories and files. Paths use `/`; `.` and `..` are understood, and there is no working directory:
 * `a/b` and `/a/b` are the same. It throws the errors that the machine's file system throws.
 */
import { type LockHolder, SedgeError } from '../errors.ts'
import { systemError } from './file-io.ts'
import type { DirectoryLock, File, FileStatus, FileSystem } from './file-system.ts'

interface MemoryDirectory {
  readonly kind: 'directory'
  readonly entries: Map<string, MemoryNode>
}

type MemoryNode = MemoryDirectory | MemoryContent

const CAPACITY_FIRST = 256

/** Bytes that grow by doubling. Bytes at and after `size` are zero. */
class MemoryContent {
  readonly kind = 'file'
  bytes: Uint8Array = new Uint8Array(0)
  size = 0

  resize(size: number): void {
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(CAPACITY_FIRST, size, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.size))
      this.bytes = grown
    } else if (size < this.size) {
      this.bytes.fill(0, size, this.size)
    }
    this.size = size
  }

  copy(): MemoryContent {
    const copied = new MemoryContent()
    copied.bytes = this.bytes.slice(0, this.size)
    copied.size = this.size
    return copied
  }
}

/** Nothing is ever durable: syncing succeeds and does nothing. A lock excludes users of this same object. */
export class MemoryFileSystem implements FileSystem {
  #root: MemoryDirectory = { kind: 'directory', entries: new Map() }
  readonly #locks = new Map<MemoryDirectory, LockHolder>()

  open(path: string, mode: 'create' | 'read' | 'readwrite'): File {
    const { parent, name } = this.#parentOf(path)
    const found = name === undefined ? parent : parent.entries.get(name)
    if (mode === 'create') {
      if (found !== undefined || name === undefined) throw systemError('EEXIST', 'already exists')
      const content = new MemoryContent()
      parent.entries.set(name, content)
      return new MemoryFile(content, true)
    }
    if (found === undefined) throw systemError('ENOENT', 'no such file')
    if (found.kind === 'directory') throw systemError('EISDIR', 'is a directory')
    return new MemoryFile(found, mode === 'readwrite')
  }

  makeDirectory(path: string): boolean {
    let directory = this.#root
    let isNew = false
    for (const part of partsOf(path)) {
      let next = directory.entries.get(part)
      isNew = next === undefined
      if (next === undefined) {
        next = { kind: 'directory', entries: new Map() }
        directory.entries.set(part, next)
      }
      if (next.kind === 'file') throw systemError('EEXIST', 'a file is in the way')
      directory = next
    }
    return isNew
  }

  list(path: string): string[] {
    return [...this.#directory(path).entries.keys()]
  }

  status(path: string): FileStatus | undefined {
    const node = this.#find(path)
    if (node === undefined) return undefined
    return { size: node.kind === 'file' ? node.size : 0, kind: node.kind }
  }

  rename(from: string, to: string): void {
    const source = this.#parentOf(from)
    const node = source.name === undefined ? undefined : source.parent.entries.get(source.name)
    if (node === undefined || source.name === undefined) throw systemError('ENOENT', 'no such file')
    const target = this.#parentOf(to)
    if (target.name === undefined) throw systemError('EBUSY', 'cannot replace the root')
    const replaced = target.parent.entries.get(target.name)
    if (replaced === node) return
    if (replaced?.kind === 'directory') {
      if (node.kind === 'file') throw systemError('EISDIR', 'the target is a directory')
      if (replaced.entries.size > 0) throw systemError('ENOTEMPTY', 'the target is not empty')
    } else if (replaced !== undefined && node.kind === 'directory') {
      throw systemError('ENOTDIR', 'the target is a file')
    }
    if (node.kind === 'directory' && isWithin(target.parent, node)) {
      throw systemError('EINVAL', 'cannot move a directory into itself')
    }
    source.parent.entries.delete(source.name)
    target.parent.entries.set(target.name, node)
  }

  remove(path: string): void {
    const { parent, name } = this.#parentOf(path)
    const node = name === undefined ? parent : parent.entries.get(name)
    if (node === undefined) throw systemError('ENOENT', 'no such file')
    if (node.kind === 'directory' || name === undefined) {
      throw systemError('EISDIR', 'cannot remove a directory')
    }
    parent.entries.delete(name)
  }

  removeDirectory(path: string): void {
    const directory = this.#directory(path)
    if (directory.entries.size > 0) throw systemError('ENOTEMPTY', 'the directory is not empty')
    const { parent, name } = this.#parentOf(path)
    if (name === undefined) throw systemError('EBUSY', 'cannot remove the root')
    parent.entries.delete(name)
  }

  syncDirectory(path: string): void {
    this.#directory(path)
  }

  async lock(directory: string): Promise<DirectoryLock> {
    const node = this.#directory(directory)
    const holder = this.#locks.get(node)
    if (holder !== undefined) {
      throw new SedgeError('LOCKED', 'the store is already open in this process', { holder })
    }
    const mine: LockHolder = { pid: process.pid, since: Date.now() }
    this.#locks.set(node, mine)
    return {
      isHeld: () => this.#locks.get(node) === mine,
      release: () => {
        if (this.#locks.get(node) === mine) this.#locks.delete(node)
      },
    }
  }

  async lockHolder(directory: string): Promise<LockHolder | undefined> {
    return this.#locks.get(this.#directory(directory))
  }

  /** A copy that shares nothing with this one. Open files and locks stay behind. */
  clone(): MemoryFileSystem {
    const copied = new MemoryFileSystem()
    copied.#root = copyDirectory(this.#root)
    return copied
  }

  #find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.#root
    for (const part of partsOf(path)) {
      if (node.kind === 'file') return undefined
      node = node.entries.get(part)
      if (node === undefined) return undefined
    }
    return node
  }

  #directory(path: string): MemoryDirectory {
    const node = this.#find(path)
    if (node === undefined) throw systemError('ENOENT', 'no such directory')
    if (node.kind === 'file') throw systemError('ENOTDIR', 'is not a directory')
    return node
  }

  /** The directory that holds the last part of `path`, and that part; no name for the root. */
  #parentOf(path: string): { parent: MemoryDirectory; name: string | undefined } {
    const parts = partsOf(path)
    const name = parts.pop()
    return { parent: this.#directory(parts.join('/')), name }
  }
}

/** An open file keeps its content when its name is removed or replaced. */
class MemoryFile implements File {
  #content: MemoryContent | undefined
  readonly #isWritable: boolean

  constructor(content: MemoryContent, isWritable: boolean) {
    this.#content = content
    this.#isWritable = isWritable
  }

  read(target: Uint8Array, position: number): number {
    const content = this.#open()
    checkPosition(position)
    const end = Math.min(content.size, position + target.length)
    if (position >= end) return 0
    target.set(content.bytes.subarray(position, end))
    return end - position
  }

  write(source: Uint8Array, position: number): number {
    const content = this.#writable()
    checkPosition(position)
    if (source.length === 0) return 0
    const end = position + source.length
    if (end > content.size) content.resize(end)
    content.bytes.set(source, position)
    return source.length
  }

  sync(): void {
    this.#open()
  }

  async syncAsync(): Promise<void> {
    this.#open()
  }

  truncate(size: number): void {
    checkPosition(size)
    this.#writable().resize(size)
  }

  size(): number {
    return this.#open().size
  }

  close(): void {
    this.#content = undefined
  }

  #open(): MemoryContent {
    if (this.#content === undefined) throw systemError('EBADF', 'the file is closed')
    return this.#content
  }

  #writable(): MemoryContent {
    if (!this.#isWritable) throw systemError('EBADF', 'the file is open for reading')
    return this.#open()
  }
}

function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RangeError('position must be a whole number')
  }
}

function partsOf(path: string): string[] {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts
}

function isWithin(directory: MemoryDirectory, ancestor: MemoryDirectory): boolean {
  if (directory === ancestor) return true
  for (const node of ancestor.entries.values()) {
    if (node.kind === 'directory' && isWithin(directory, node)) return true
  }
  return false
}

function copyDirectory(directory: MemoryDirectory): MemoryDirectory {
  const entries = new Map<string, MemoryNode>()
  for (const [name, node] of directory.entries) {
    entries.set(name, node.kind === 'file' ? node.copy() : copyDirectory(node))
  }
  return { kind: 'directory', entries }
}
