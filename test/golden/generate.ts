/**
 * Writes the golden store of this format version: a small store with a bit of everything, the same bytes every time.
 *
 *     node build/test/golden/generate.js      writes test/golden/v1/
 *
 *   level 1   table, lz4: prefixes, shadowed versions, a value of 64 KiB in chunks
 *   level 0   two tables, raw: overwritten keys, tombstones
 *   log       one segment after a clean close, with a value of 64 KiB in its value file
 *
 * What a release has written stays as it is. A change of format gets a folder of its own beside this one.
 */
import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readFile } from '../../src/env/file-io.ts'
import { type Database, MemoryFileSystem, open } from '../../src/index.ts'
import { projectPath } from '../support/project.ts'
import { seededRandom } from '../support/seed.ts'

/** The folder of the files, from the project's root. */
export const GOLDEN_FOLDER = 'test/golden/v1'

/** When its first entry was written; each later one a second later. */
export const GOLDEN_START: number = Date.UTC(2026, 0, 1)

const STORE = '/golden'
const LARGE_BYTES = 65_536

export interface Golden {
  /** Files by their names. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** What the store holds, in the order of its keys. */
  readonly content: readonly (readonly [key: string, value: string])[]
}

class GoldenWriter {
  readonly #db: Database<string, string>
  readonly #content = new Map<string, string>()

  constructor(db: Database<string, string>) {
    this.#db = db
  }

  /** Keys are ASCII, so that their order is that of their UTF-16 code units. */
  get content(): [string, string][] {
    return [...this.#content].sort(([left], [right]) => (left < right ? -1 : 1))
  }

  async put(key: string, value: string): Promise<void> {
    await this.#db.put(key, value)
    this.#content.set(key, value)
  }

  async delete(key: string): Promise<void> {
    await this.#db.delete(key)
    this.#content.delete(key)
  }

  /** What a compaction brings to level 1; the snapshot keeps old versions there. */
  async writeLevel1(): Promise<void> {
    for (let n = 0; n < 300; n++) await this.put(key(n), `the first value of ${n}`)
    const snapshot = this.#db.snapshot()
    for (let n = 0; n < 300; n += 50) await this.put(key(n), 'written while a snapshot was open')
    await this.put('large/1', large('the chunks of a table'))
    await this.put('z', '')
    await this.#db.compact()
    snapshot.close()
  }

  async writeLevel0(): Promise<void> {
    for (let n = 0; n < 300; n += 3) await this.put(key(n), `the second value of ${n}`)
    for (let n = 1; n < 300; n += 30) await this.delete(key(n))
    await this.#db.flush()
    for (let n = 290; n < 310; n++) await this.put(key(n), `${n} `.repeat(200))
    await this.delete('never written')
    await this.#db.flush()
  }

  async writeLog(): Promise<void> {
    const batch = [
      { type: 'put', key: 'batch/1', value: 'one' },
      { type: 'put', key: 'batch/2', value: 'two' },
      { type: 'delete', key: key(2) },
    ] as const
    await this.#db.batch([...batch])
    this.#content.set('batch/1', 'one').set('batch/2', 'two').delete(key(2))
    await this.put('large/2', large('the chunks of a value file'))
    await this.put(key(3), 'the last value of 3')
  }
}

function key(n: number): string {
  return `key/${String(n).padStart(5, '0')}`
}

function large(text: string): string {
  return `${text}; `.repeat(LARGE_BYTES).slice(0, LARGE_BYTES)
}

/** Writes the store in memory and closes it. */
export async function writeGolden(): Promise<Golden> {
  const fs = new MemoryFileSystem()
  const random = seededRandom(20_260_101)
  let seconds = 0
  const clock = (): number => GOLDEN_START + 1000 * seconds++
  const db = await open(STORE, { fs, clock, random: () => random.float() })
  const writer = new GoldenWriter(db)
  await writer.writeLevel1()
  await writer.writeLevel0()
  await writer.writeLog()
  await db.close()
  const names = fs.list(STORE).sort()
  const files = new Map(names.map((name) => [name, readFile(fs, `${STORE}/${name}`)]))
  return { files, content: writer.content }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const folder = projectPath(GOLDEN_FOLDER)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { files } = await writeGolden()
  for (const [name, bytes] of files) writeFileSync(`${folder}/${name}`, bytes)
}
