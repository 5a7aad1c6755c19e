/**
 * The files of stores that were cut off, as plain bytes to damage.
 *
 *     const { files, model } = await crashedStore((store) => store.put('a', '1', { sync: true }))
 *     const db = await open(STORE, storeOptions(fileSystemOf(truncated(files, '000002.log', 100))))
 */
import { expect } from 'chai'
import { readFile } from '../../src/env/file-io.ts'
import type { FileSystem } from '../../src/env/file-system.ts'
import { type Database, MemoryFileSystem, type OpenOptions, open } from '../../src/index.ts'
import { decodeHeader, decodeSegment } from '../reference/log-segment.ts'
import { readStore, StoreModel } from './store-model.ts'
import { STORE, storeOptions } from './store-workload.ts'

/** Bytes by base name. */
export type Files = ReadonlyMap<string, Uint8Array>

/** Where a commit ends in its log. */
export interface CommitEnd {
  readonly file: string
  readonly offset: number
}

/** Writes by blocking calls, so that nothing happens in between: what is sealed is not flushed. */
export class CrashingStore {
  readonly model: StoreModel = new StoreModel()
  /** By commit, from 1. */
  readonly ends: CommitEnd[] = []
  readonly db: Database<string, string>
  readonly #fs: FileSystem

  constructor(db: Database<string, string>, fs: FileSystem) {
    this.db = db
    this.#fs = fs
  }

  put(key: string, value: string, options: { sync?: boolean } = {}): void {
    this.model.add([[key, value]])
    this.db.putSync(key, value, options)
    this.#note()
  }

  delete(key: string): void {
    this.model.add([[key, undefined]])
    this.db.deleteSync(key)
    this.#note()
  }

  batch(entries: readonly (readonly [string, string])[]): void {
    this.model.add(entries)
    this.db.batchSync(entries.map(([key, value]) => ({ type: 'put', key, value })))
    this.#note()
  }

  #note(): void {
    const file = this.#fs.list(STORE).filter(isLog).sort().at(-1) ?? ''
    this.ends.push({ file, offset: withoutSpace(readFile(this.#fs, `${STORE}/${file}`)).length })
  }
}

export interface CrashedStore {
  readonly files: Files
  readonly model: StoreModel
  readonly ends: readonly CommitEnd[]
}

/** A segment without the space that was prepared behind its frames. */
export function withoutSpace(log: Uint8Array): Uint8Array {
  return log.length === 0 ? log : log.slice(0, decodeSegment(log, decodeHeader(log)).end)
}

/** What is on disk when the process dies after `write`, as if no space had been prepared. */
export async function crashedStore(
  write: (store: CrashingStore) => unknown,
  from: Files = new Map(),
): Promise<CrashedStore> {
  const crashed = await crashedWithSpace(write, from)
  const files = new Map(crashed.files)
  for (const [name, bytes] of files) if (isLog(name)) files.set(name, withoutSpace(bytes))
  return { ...crashed, files }
}

/** The same, as it is. */
export async function crashedWithSpace(
  write: (store: CrashingStore) => unknown,
  from: Files = new Map(),
): Promise<CrashedStore> {
  const fs = fileSystemOf(from)
  const db = await open(STORE, storeOptions(fs))
  const store = new CrashingStore(db, fs)
  await write(store)
  const { model, ends } = store
  const files = filesOf(fs)
  await db.close()
  return { files, model, ends }
}

export function filesOf(fs: FileSystem): Files {
  const names = fs.list(STORE).sort()
  return new Map(names.map((name) => [name, readFile(fs, `${STORE}/${name}`)]))
}

export function fileSystemOf(files: Files): MemoryFileSystem {
  const fs = new MemoryFileSystem()
  fs.makeDirectory(STORE)
  for (const [name, bytes] of files) {
    const file = fs.open(`${STORE}/${name}`, 'create')
    file.write(bytes, 0)
    file.close()
  }
  return fs
}

export function isLog(name: string): boolean {
  return name.endsWith('.log')
}

export function bytesOf(files: Files, name: string): Uint8Array {
  const bytes = files.get(name)
  if (bytes === undefined) throw new Error(`there is no ${name}`)
  return bytes
}

/** The files with one of them replaced, or removed when there are no bytes for it. */
export function replaced(files: Files, name: string, bytes: Uint8Array | undefined): Files {
  const result = new Map(files)
  if (bytes === undefined) result.delete(name)
  else result.set(name, bytes)
  return result
}

export function truncated(files: Files, name: string, length: number): Files {
  return replaced(files, name, bytesOf(files, name).slice(0, length))
}

export function flipped(files: Files, name: string, offset: number, mask = 1): Files {
  const bytes = bytesOf(files, name).slice()
  bytes[offset]! ^= mask
  return replaced(files, name, bytes)
}

export function extended(files: Files, name: string, tail: Uint8Array): Files {
  const bytes = bytesOf(files, name)
  const longer = new Uint8Array(bytes.length + tail.length)
  longer.set(bytes)
  longer.set(tail, bytes.length)
  return replaced(files, name, longer)
}

type Options = OpenOptions<'utf8', 'utf8'>

/** Expects that open refuses with this code and that not a byte has changed. Returns the error. */
export async function expectRefused(
  files: Files,
  code: string,
  options: Options = {},
): Promise<Error & { code?: string; file?: string; offset?: number }> {
  const fs = fileSystemOf(files)
  let error: unknown
  try {
    const db = await open(STORE, storeOptions(fs, 2, options))
    await db.close()
  } catch (thrown) {
    error = thrown
  }
  expect(error, `should be ${code}`).to.be.instanceOf(Error)
  expect(error).to.have.property('code', code)
  expect(sameFiles(filesOf(fs), files), 'the files are as they were').to.equal(true)
  return error as Error
}

export function sameFiles(left: Files, right: Files): boolean {
  if (left.size !== right.size) return false
  for (const [name, bytes] of left) {
    const other = right.get(name)
    if (other?.length !== bytes.length || Buffer.compare(other, bytes) !== 0) return false
  }
  return true
}

/** Opens, reads everything in every way, closes. */
export async function contentOfFiles(
  files: Files,
  options: Options = {},
): Promise<Map<string, string>> {
  const db = await open(STORE, storeOptions(fileSystemOf(files), 2, options))
  try {
    return await readStore(db)
  } finally {
    await db.close()
  }
}

/** Opens, compares with the first `count` commits, writes, and opens once more. */
export async function expectCommits(
  files: Files,
  { model }: Pick<CrashedStore, 'model'>,
  count: number,
): Promise<void> {
  const fs = fileSystemOf(files)
  const db = await open(STORE, storeOptions(fs, 2))
  expect(await readStore(db, model.keys)).to.deep.equal(model.state(count))
  await db.put('then', 'more')
  await db.put('and', 'synced', { sync: true })
  const after = filesOf(fs)
  await db.close()
  const expected = model.state(count).set('then', 'more').set('and', 'synced')
  expect(await contentOfFiles(after), 'after a second crash').to.deep.equal(expected)
}

/** Four synced commits, then four that are not: their frames state what was synced. */
export function halfSynced(store: CrashingStore): void {
  for (let i = 0; i < 4; i++) store.put(`s${i}`, `value ${i}`, { sync: true })
  store.batch([
    ['b1', 'one'],
    ['b2', 'two'],
    ['s1', 'again'],
  ])
  store.delete('s0')
  store.put('p1', 'x'.repeat(100))
  store.put('p2', '')
}

/** Two segments that were not flushed; with `sync`, everything but the last commit was synced. */
export function twoSegments(sync: boolean): (store: CrashingStore) => void {
  return (store) => {
    for (let i = 0; i < 13; i++) store.put(`k${i}`, `${i} `.repeat(1000), { sync })
    store.put('end', 'end')
  }
}

export function logsOf(files: Files): string[] {
  return [...files.keys()].filter(isLog)
}
