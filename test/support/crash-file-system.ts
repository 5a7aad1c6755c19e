/**
 * A file system in memory that knows what a power cut would leave.
 *
 * Content is durable by `sync` of its file, names by `syncDirectory`. What is not durable yet is kept as a list of
 * changes, of which `image` keeps none, all, or any subset: names one by one, content by sectors of 512 bytes, each
 * of which may have its new content, its old content or garbage.
 *
 *     fs.onMutation = (mutation) => check(fs.image('lost'))   // called before every change
 */
import { systemError } from '../../src/env/file-io.ts'
import type { DirectoryLock, File, FileStatus, FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { Random } from './seed.ts'

const SECTOR_BYTES = 512

export interface Mutation {
  readonly kind: 'create' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncDirectory'
  readonly path: string
  /** How many came before. */
  readonly index: number
}

/**
 * `'lost'`: only what was synced. `'kept'`: everything. `'data'`: all content, but names only as they were synced. `'names'`: all names,
 * but content only as it was synced, zeros where a file had grown. A random source: any subset of names and sectors; `files`: any
 * subset of names, and each file as it is or as it was synced.
 */
export type CrashPolicy = 'lost' | 'kept' | 'data' | 'names' | Random | { readonly files: Random }

type ContentChange = { position: number; bytes: Uint8Array } | { size: number }

interface Content {
  live: Uint8Array
  durable: Uint8Array
  changes: ContentChange[]
  /** Some changes will never reach the disk. */
  hasLost?: boolean
}

/** `content` undefined: the name goes away. Both halves of a rename are one change. */
type NameChange = readonly { readonly path: string; readonly content: Content | undefined }[]

/** One level of directories, which are durable at once. */
export class CrashFileSystem implements FileSystem {
  onMutation: (mutation: Mutation) => void = () => undefined
  #count = 0
  readonly #directories = new Set<string>()
  readonly #live = new Map<string, Content>()
  readonly #durable = new Map<string, Content>()
  #changes: NameChange[] = []

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

  /** What a machine would find after a power cut now. */
  image(policy: CrashPolicy): MemoryFileSystem {
    const isNamed = policy === 'kept' || policy === 'names'
    const names = new Map(isNamed ? this.#live : this.#durable)
    if (typeof policy !== 'string') {
      const random = 'files' in policy ? policy.files : policy
      for (const change of this.#changes) if (random.chance(0.5)) applyNames(names, change)
    }
    const image = new MemoryFileSystem()
    for (const directory of this.#directories) image.makeDirectory(directory)
    for (const [path, content] of names) {
      const file = image.open(path, 'create')
      file.write(contentAfter(content, policy), 0)
      file.close()
    }
    return image
  }

  /** What a failed sync of a file may do: reads go on showing what was written, but it never reaches the disk. */
  lose(path: string): void {
    const content = this.#live.get(path)
    if (content === undefined) return
    content.changes = []
    content.hasLost = true
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
    return new CrashFile(content, (kind) => this.#mutate(kind, path))
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
  }

  syncDirectory(path: string): void {
    this.#mutate('syncDirectory', path)
    const inside = (change: NameChange): boolean =>
      change.every((one) => one.path.startsWith(`${path}/`))
    for (const change of this.#changes.filter(inside)) applyNames(this.#durable, change)
    this.#changes = this.#changes.filter((change) => !inside(change))
  }

  async lock(): Promise<DirectoryLock> {
    return { isHeld: () => true, release: () => undefined }
  }

  async lockHolder(): Promise<undefined> {
    return undefined
  }

  #mutate(kind: Mutation['kind'], path: string): void {
    this.onMutation({ kind, path, index: this.#count })
    this.#count++
  }

  #name(change: NameChange): void {
    applyNames(this.#live, change)
    this.#changes.push(change)
  }
}

class CrashFile implements File {
  readonly #content: Content
  readonly #mutate: (kind: 'write' | 'sync' | 'truncate') => void

  constructor(content: Content, mutate: (kind: 'write' | 'sync' | 'truncate') => void) {
    this.#content = content
    this.#mutate = mutate
  }

  read(target: Uint8Array, position: number): number {
    const rest = this.#content.live.subarray(position, position + target.length)
    target.set(rest)
    return rest.length
  }

  write(source: Uint8Array, position: number): number {
    this.#mutate('write')
    const change = { position, bytes: source.slice() }
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
    this.#content.live = applyContent(this.#content.live, { size })
    this.#content.changes.push({ size })
  }

  size(): number {
    return this.#content.live.length
  }

  close(): void {}
}

function applyNames(names: Map<string, Content>, change: NameChange): void {
  for (const { path, content } of change) {
    if (content === undefined) names.delete(path)
    else names.set(path, content)
  }
}

function applyContent(bytes: Uint8Array, change: ContentChange): Uint8Array {
  const size = 'size' in change ? change.size : change.position + change.bytes.length
  const result = new Uint8Array('size' in change ? size : Math.max(size, bytes.length))
  result.set(bytes.subarray(0, result.length))
  if (!('size' in change)) result.set(change.bytes, change.position)
  return result
}

function contentAfter(content: Content, policy: CrashPolicy): Uint8Array {
  if (policy === 'lost') return content.durable
  if (policy === 'kept' || policy === 'data') return content.live
  if (policy === 'names') {
    return applyContent(content.durable, { size: content.live.length })
  }
  if ('files' in policy) return policy.files.chance(0.5) ? content.live : content.durable
  let bytes = content.durable
  for (const change of content.changes) {
    if ('size' in change) {
      if (policy.chance(0.5)) bytes = applyContent(bytes, change)
    } else bytes = tornWrite(bytes, change.position, change.bytes, policy)
  }
  return bytes
}

/** Each sector of a write arrives, does not, or turns to garbage where there was nothing before. */
function tornWrite(
  before: Uint8Array,
  position: number,
  source: Uint8Array,
  random: Random,
): Uint8Array {
  let bytes = before
  const end = position + source.length
  for (let at = position; at < end; ) {
    const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES)
    if (random.chance(0.5)) {
      bytes = applyContent(bytes, {
        position: at,
        bytes: source.subarray(at - position, next - position),
      })
    } else if (at >= before.length && random.chance(0.3)) {
      bytes = applyContent(bytes, { position: at, bytes: random.bytes(next - at) })
    }
    at = next
  }
  return bytes
}
