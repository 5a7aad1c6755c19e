/**
 * A store whose process died, and what its files may be taken for once they are damaged: an end of the log that a crash may have
 * torn, which then ends right before the damage, or damage, which is told. It has tables on two levels and two log
 * segments; the last commits were not synced.
 *
 *     const store = await abandonedStore()
 *     await expectTorn(store, flipped(store.files, '000007.log', 100), '000007.log', 100, 'flip')
 */
import { type Database, open, SedgeError } from '../../src/index.ts'
import {
  type CommitEnd,
  crashedStore,
  type Files,
  fileSystemOf,
  filesOf,
  isLog,
  sameFiles,
} from './crashed-store.ts'
import { readStore, type StoreModel } from './store-model.ts'
import { STORE, storeOptions } from './store-workload.ts'

export interface AbandonedStore {
  readonly files: Files
  readonly model: StoreModel
  /** By commit, from 1. */
  readonly ends: readonly CommitEnd[]
  /** The last commit that was synced. Commits follow it. */
  readonly synced: number
}

export type Damage = 'flip' | 'cut'

export async function abandonedStore(): Promise<AbandonedStore> {
  let synced = 0
  const { files, model, ends } = await crashedStore(async (store) => {
    for (let i = 0; i < 12; i++) store.put(`k${i}`, `first ${i}`.repeat(4))
    await store.db.compact({})
    for (let i = 0; i < 12; i += 2) store.put(`k${i}`, `second ${i}`.repeat(3))
    store.delete('k3')
    await store.db.flush()
    for (let i = 0; i < 9; i++) store.put(`k${i}`, `third ${i} `.repeat(250))
    store.delete('k1')
    store.put('synced', '', { sync: true })
    synced = store.ends.length
    for (let i = 0; i < 6; i++) store.put(`k${i + 4}`, `last ${i} `.repeat(30))
    store.batch([
      ['both', '1'],
      ['k2', 'of a batch'],
    ])
  })
  return { files, model, ends, synced }
}

/** Throws unless a damaged file is told, or is a log that ends right before damage which nothing behind proves to be such. */
export async function expectTorn(
  store: AbandonedStore,
  files: Files,
  name: string,
  offset: number,
  damage: Damage,
): Promise<void> {
  const { model } = store
  const fs = fileSystemOf(files)
  let db: Database<string, string>
  try {
    db = await open(STORE, storeOptions(fs, 2, offset % 2 === 0 ? { readOnly: true } : {}))
  } catch (error) {
    assertDamage(error)
    if (!sameFiles(filesOf(fs), files)) throw new Error('a refusal changed files')
    if (isLog(name) && !isProven(store, name, offset, damage)) {
      throw new Error('refused what a crash may have left', { cause: error })
    }
    return
  }
  try {
    const { least, most } = boundsOf(store, name, offset)
    const found = await readOrDamage(db, model)
    if (found !== undefined) model.match(found, least, most)
    else if (!name.endsWith('.sst')) throw new Error('a read met damage of another file')
  } finally {
    await db.close()
  }
  if (isLog(name) && isProven(store, name, offset, damage)) {
    throw new Error('what was synced is gone, and nobody was told')
  }
}

/** The commit that the damage is in, which is the first that is lost; one too many if there is none. */
function firstLost({ ends }: AbandonedStore, name: string, offset: number): number {
  const index = ends.findIndex(
    (end) => end.file > name || (end.file === name && end.offset > offset),
  )
  return index < 0 ? ends.length + 1 : index + 1
}

function boundsOf(
  store: AbandonedStore,
  name: string,
  offset: number,
): { least: number; most: number } {
  const { length } = store.model
  if (!isLog(name)) return { least: store.synced, most: length }
  const count = firstLost(store, name, offset) - 1
  return { least: count, most: count }
}

/** Whether what is left of the log says that the place was on disk once. */
function isProven(store: AbandonedStore, name: string, offset: number, damage: Damage): boolean {
  const { ends, synced } = store
  const lost = firstLost(store, name, offset)
  if (lost > synced) return false
  // What follows the synced commit says so; a cut takes with it what follows in the same file.
  return damage === 'flip' || ends.slice(synced).some(({ file }) => file > name)
}

/** Everything that is there; `undefined` where damage was told. What is read beside it must be right. */
async function readOrDamage(
  db: Database<string, string>,
  model: StoreModel,
): Promise<Map<string, string> | undefined> {
  try {
    return await readStore(db, model.keys)
  } catch (error) {
    assertDamage(error)
  }
  const right = model.state(model.length)
  for (const key of model.keys) {
    try {
      if (db.getSync(key) !== right.get(key)) throw new Error(`get of ${key} is wrong`)
    } catch (error) {
      assertDamage(error)
    }
  }
  return undefined
}

function assertDamage(error: unknown): void {
  if (!(error instanceof SedgeError) || error.code !== 'CORRUPTION') throw error
  if (typeof error.file !== 'string') throw new Error('damage without a file', { cause: error })
}
