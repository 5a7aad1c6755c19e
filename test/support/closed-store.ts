/**
 * A store of every kind of file that was closed cleanly, and what must be said of it once it is damaged: each report names a
 * file, and whatever is read all the same is right.
 *
 *     const store = await closedStore(random)
 *     await expectFound(store, flipped(store.files, '000004.sst', 100))
 */
import { type Database, MemoryFileSystem, open, SedgeError } from '../../src/index.ts'
import { type Files, fileSystemOf, filesOf, sameFiles } from './crashed-store.ts'
import type { Random } from './seed.ts'
import { STORE, storeOptions } from './store-workload.ts'

export interface ClosedStore {
  readonly files: Files
  readonly content: ReadonlyMap<string, string>
}

/** Tables of two levels with filters, versions, tombstones and large values, a log and its value file. `seed` gives the id. */
export async function closedStore(random: Random, seed = 1): Promise<ClosedStore> {
  const fs = new MemoryFileSystem()
  const db = await open(STORE, storeOptions(fs, seed))
  const content = new Map<string, string>()
  const put = (key: string, value: string): void => {
    db.putSync(key, value)
    content.set(key, value)
  }
  const some = (): void => {
    for (let i = 0; i < 12; i++) put(`k${random.int(20)}`, `${random.int(1e6)}`.repeat(3))
    const gone = `k${random.int(20)}`
    db.deleteSync(gone)
    content.delete(gone)
  }
  some()
  put('large in a table', 't'.repeat(65_536))
  await db.compact({})
  some()
  await db.flush()
  some()
  put('large in the log', 'l'.repeat(66_000))
  put('empty', '')
  await db.close()
  return { files: filesOf(fs), content }
}

/**
 * Throws unless the damage is reported, with a file, and everything that is read is right. `alwaysVerify`: also where a read
 * has reported it already.
 */
export async function expectFound(
  store: ClosedStore,
  files: Files,
  { readOnly = false, alwaysVerify = true }: { readOnly?: boolean; alwaysVerify?: boolean } = {},
): Promise<void> {
  const fs = fileSystemOf(files)
  let db: Database<string, string>
  try {
    db = await open(STORE, storeOptions(fs, 2, readOnly ? { readOnly } : {}))
  } catch (error) {
    assertDamage(error)
    if (!sameFiles(filesOf(fs), files)) throw new Error('a refusal changed files')
    return
  }
  let found = 0
  try {
    found += readEverything(db, store.content)
    if (found === 0 || alwaysVerify) {
      const { problems } = await db.verify()
      found += problems.filter(({ code }) => code === 'CORRUPTION').length
    }
  } finally {
    await db.close()
  }
  if (found === 0) throw new Error('nobody reported the damage')
}

/** Comparisons are plain here, and in the readers below, because they are made millions of times. */
function assertDamage(error: unknown): void {
  if (!(error instanceof SedgeError)) throw error
  const { code, file } = error
  if (code !== 'CORRUPTION' || typeof file !== 'string') {
    throw new Error(`damage is told as ${code} in ${file}`, { cause: error })
  }
}

/** Reads in every way. Returns how many reads met the damage; all others must be right. */
function readEverything(
  db: Database<string, string>,
  content: ReadonlyMap<string, string>,
): number {
  let damaged = 0
  const keys = [...content.keys(), ...Array.from({ length: 20 }, (_, i) => `k${i}`), 'none']
  for (const key of new Set(keys)) {
    try {
      if (db.getSync(key) !== content.get(key)) throw new Error(`get of ${key} is wrong`)
    } catch (error) {
      assertDamage(error)
      damaged++
    }
  }
  const sorted = [...content].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const reverse of [false, true]) {
    try {
      compareScan(db.iteratorSync({ reverse }), reverse ? sorted.toReversed() : sorted)
    } catch (error) {
      assertDamage(error)
      damaged++
    }
  }
  return damaged
}

function compareScan(
  found: Iterable<readonly [string, string]>,
  expected: readonly (readonly [string, string])[],
): void {
  let index = 0
  for (const [key, value] of found) {
    const [rightKey, rightValue] = expected[index++] ?? []
    if (key !== rightKey || value !== rightValue) throw new Error(`a scan is wrong at ${key}`)
  }
  if (index !== expected.length) throw new Error(`a scan ends after ${index} entries`)
}
