/**
 * Stores in memory with known content, and ways to damage their files.
 *
 *     const store = await writeStore()          tables on two levels, log segments, large values in both, deleted keys
 *     flipBit(store.fs, 'store/000003.sst', 100)
 *     expectContent(await open('repaired', { fs }), store.content)
 */
import { expect } from 'chai'
import type { Database } from '../../src/engine/database.ts'
import { open } from '../../src/engine/open.ts'
import { readFile } from '../../src/env/file-io.ts'
import type { FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { seededRandom, testSeed } from './seed.ts'

export const STORE = '/store'

export interface WrittenStore {
  readonly fs: MemoryFileSystem
  readonly content: ReadonlyMap<string, string>
  /** Everything that was ever written, as key, space and value. */
  readonly history: ReadonlySet<string>
  /** Base names. */
  readonly tables: readonly string[]
  readonly logs: readonly string[]
  readonly valueFiles: readonly string[]
}

/** Writes a store, with keys `k000000` and so on, and closes it. */
export async function writeStore(keys = 4000): Promise<WrittenStore> {
  const fs = new MemoryFileSystem()
  const content = new Map<string, string>()
  const history = new Set<string>()
  const random = seededRandom(testSeed())
  const db = await open(STORE, { fs, memtableSize: 2 * 1024 * 1024 })
  const put = (key: string, value: string): void => {
    db.putSync(key, value)
    content.set(key, value)
    history.add(`${key} ${value}`)
  }
  const remove = (key: string): void => {
    db.deleteSync(key)
    content.delete(key)
  }
  const some = (): string => `k${String(random.int(keys)).padStart(6, '0')}`
  for (let i = 0; i < keys; i++) put(`k${String(i).padStart(6, '0')}`, `first ${random.int(1e9)}`)
  for (let i = 0; i < keys / 10; i++) remove(some())
  put('large-a', 'a'.repeat(200_000))
  await db.compact()
  for (let i = 0; i < keys / 5; i++) put(some(), `second ${'x'.repeat(random.int(200))} ${i}`)
  for (let i = 0; i < keys / 10; i++) remove(some())
  await db.flush()
  for (let i = 0; i < keys / 10; i++) {
    put(some(), `third ${'y'.repeat(random.int(300))} ${i}`)
    if (i % 3 === 0) remove(some())
  }
  put('large-b', 'b'.repeat(130_000))
  put('empty', '')
  await db.close()
  const names = fs.list(STORE).sort()
  return {
    fs,
    content,
    history,
    tables: names.filter((name) => name.endsWith('.sst')),
    logs: names.filter((name) => name.endsWith('.log')),
    valueFiles: names.filter((name) => name.endsWith('.val')),
  }
}

/** Every entry, as text. */
export async function contentOf<K, V>(db: Database<K, V>): Promise<Map<string, string>> {
  const utf8 = { keyEncoding: 'utf8', valueEncoding: 'utf8' } as const
  const content = new Map<string, string>()
  for await (const [key, value] of db.iterator(utf8)) content.set(key, value)
  return content
}

/** Opens a store, expects it to hold this and nothing else and to verify, and closes it. */
export async function expectStore(
  fs: FileSystem,
  path: string,
  content: ReadonlyMap<string, string>,
): Promise<void> {
  const db = await open(path, { fs, createIfMissing: false })
  try {
    const found = await contentOf(db)
    expect([...found.keys()].sort()).to.deep.equal([...content.keys()].sort())
    for (const [key, value] of content) {
      if (found.get(key) !== value) expect.fail(`another value of ${key}`)
    }
    expect((await db.verify()).problems).to.deep.equal([])
  } finally {
    await db.close()
  }
}

export function flipBit(fs: FileSystem, path: string, offset: number, bit = 0): void {
  const file = fs.open(path, 'readwrite')
  const byte = new Uint8Array(1)
  file.read(byte, offset)
  byte[0]! ^= 1 << bit
  file.write(byte, offset)
  file.close()
}

export function overwrite(fs: FileSystem, path: string, offset: number, bytes: Uint8Array): void {
  const file = fs.open(path, 'readwrite')
  file.write(bytes, offset)
  file.close()
}

export function truncate(fs: FileSystem, path: string, size: number): void {
  const file = fs.open(path, 'readwrite')
  file.truncate(size)
  file.close()
}

/** Names and bytes of a directory's files. */
export function filesOf(fs: FileSystem, directory: string): Map<string, string> {
  const files = new Map<string, string>()
  for (const name of fs.list(directory).sort()) {
    const bytes = readFile(fs, `${directory}/${name}`)
    files.set(name, Buffer.from(bytes).toString('latin1'))
  }
  return files
}

/** A promise that must reject, and what it rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<{ code?: string } & Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  return expect.fail('it did not reject')
}
