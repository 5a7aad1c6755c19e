/**
 * A store of every kind of file that was closed cleanly, and what must be said of it once it is damaged: each report names a
 * file, and whatever is read all the same is right.
 *
 *     const store = await closedStore(random)
 *     await expectFound(store, flipped(store.files, '000004.sst', 100), false)
 */
import { expect } from 'chai'
import { type Database, MemoryFileSystem, open, SedgeError } from '../../src/index.ts'
import { type Files, fileSystemOf, filesOf, sameFiles } from './crashed-store.ts'
import type { Random } from './seed.ts'
import { STORE, storeOptions } from './store-workload.ts'

export interface ClosedStore {
  readonly files: Files
  readonly content: ReadonlyMap<string, string>
}

/** Tables of two levels with filters, versions, tombstones and large values, a log and its value file. */
export async function closedStore(random: Random): Promise<ClosedStore> {
  const fs = new MemoryFileSystem()
  const db = await open(STORE, storeOptions(fs))
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

/** Throws unless the damage is reported and everything that is read is right. */
export async function expectFound(
  store: ClosedStore,
  files: Files,
  readOnly: boolean,
): Promise<void> {
  const fs = fileSystemOf(files)
  let db: Database<string, string>
  try {
    db = await open(STORE, storeOptions(fs, 2, readOnly ? { readOnly } : {}))
  } catch (error) {
    expectDamage(error)
    expect(sameFiles(filesOf(fs), files), 'a refusal changes nothing').to.equal(true)
    return
  }
  let found = 0
  try {
    found += await readEverything(db, store.content)
    found += (await db.verify()).problems.filter(({ code }) => code === 'CORRUPTION').length
  } finally {
    await db.close()
  }
  expect(found, 'reports of the damage').to.be.greaterThan(0)
}

export function expectDamage(error: unknown): void {
  expect(error).to.be.instanceOf(SedgeError)
  const { code, file } = error as SedgeError
  expect(code).to.equal('CORRUPTION')
  expect(file, 'the damaged file').to.be.a('string')
}

/** Reads in every way. Returns how many reads met the damage; all others must be right. */
export async function readEverything(
  db: Database<string, string>,
  content: ReadonlyMap<string, string>,
): Promise<number> {
  let damaged = 0
  const keys = [...content.keys(), ...Array.from({ length: 20 }, (_, i) => `k${i}`), 'none']
  for (const key of keys) {
    try {
      expect(db.getSync(key)).to.equal(content.get(key))
    } catch (error) {
      expectDamage(error)
      damaged++
    }
  }
  const sorted = [...content].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const reverse of [false, true]) {
    const expected = reverse ? sorted.toReversed() : sorted
    let index = 0
    try {
      for (const entry of db.iteratorSync({ reverse })) {
        expect(entry).to.deep.equal(expected[index++])
      }
      expect(index).to.equal(expected.length)
    } catch (error) {
      expectDamage(error)
      damaged++
    }
  }
  return damaged
}
