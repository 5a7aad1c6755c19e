/**
 * Stores in memory for tests of the engine through its public face. Everything that was opened is closed after the test.
 *
 *     const stores = new Stores()           in a describe: it makes a file system for each test
 *     const db = await stores.open()
 */
import type { OpenOptions } from '../../src/engine/options.ts'
import type { FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { type Database, open } from '../../src/index.ts'
import { overwrite, STORE } from './damaged-store.ts'
import { seededRandom, testSeed } from './seed.ts'

export type TextStore = Database<string, string>
type TextOptions = OpenOptions<'utf8', 'utf8'>

export class Stores {
  fs: MemoryFileSystem = new MemoryFileSystem()
  readonly #opened: TextStore[] = []

  constructor() {
    beforeEach(() => {
      this.fs = new MemoryFileSystem()
    })
    afterEach(async () => {
      for (const db of this.#opened.splice(0)) await db.close()
    })
  }

  async open(options: TextOptions = {}, files: FileSystem = this.fs): Promise<TextStore> {
    const db = await open(STORE, { fs: files, ...options })
    this.#opened.push(db)
    return db
  }

  /** Closes a store and opens it again. */
  async reopen(db: TextStore, options?: TextOptions): Promise<TextStore> {
    await db.close()
    return this.open(options)
  }

  /** Base names of the store's files that match, in order. */
  names(pattern: RegExp, files: FileSystem = this.fs): string[] {
    const found = files.list(STORE).filter((name) => pattern.test(name))
    return found.sort()
  }
}

/** Puts bytes behind a file of the store. */
export function append(files: FileSystem, name: string, bytes: Uint8Array): void {
  const { size } = files.status(`${STORE}/${name}`)!
  overwrite(files, `${STORE}/${name}`, size, bytes)
}

/** Writes keys `key 0000000` and so on, with values of random digits. */
export async function fill(db: TextStore, count: number, bytes = 100): Promise<void> {
  const random = seededRandom(testSeed())
  for (let i = 0; i < count; i++) {
    const text = Buffer.from(random.bytes(bytes / 2)).toString('hex')
    db.putSync(`key ${String(i).padStart(7, '0')}`, text)
    if (i % 1000 === 999) await db.sync()
  }
}
