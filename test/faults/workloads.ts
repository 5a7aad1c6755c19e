/**
 * Lives of a store, each of which does one kind of thing again and again, in small. They are recorded, cut off and made to
 * fail at each of their steps.
 */
import type { FileSystem } from '../../src/env/file-system.ts'
import { destroy, type MemoryFileSystem, type OpenOptions, open, repair } from '../../src/index.ts'
import { readClosed } from '../../src/version/closed-statement.ts'
import { Manifest } from '../../src/version/manifest.ts'
import { readStore, type StoreModel } from '../support/store-model.ts'
import { STORE, storeOptions, type Workload } from '../support/store-workload.ts'

export interface NamedWorkload {
  readonly name: string
  readonly options?: OpenOptions<'utf8', 'utf8'>
  /** What is not of interest itself: done before `run`, and neither cut off nor made to fail. */
  prepare?(life: Workload, fs: FileSystem): Promise<void>
  run(life: Workload, fs: FileSystem): Promise<void>
  /** What must be true of what a power cut leaves, where that is not a store with what was promised. */
  check?(image: MemoryFileSystem, model: StoreModel, isOver: boolean): Promise<void>
}

export const REPAIRED = 'repaired'

/** With memtables of 16 KiB everything happens soon. */
export const WORKLOADS: readonly NamedWorkload[] = [
  { name: 'put', run: async (life) => within(life, () => repeat(60, () => life.put(undefined))) },
  { name: 'sync put', run: async (life) => within(life, () => syncedPuts(life)) },
  {
    name: 'put without log',
    options: { durability: 'none' },
    run: async (life) => within(life, () => life.some(50)),
  },
  {
    name: 'put to disk',
    options: { durability: 'disk' },
    run: async (life) => within(life, () => life.some(50)),
  },
  { name: 'batch', run: async (life) => within(life, () => repeat(40, () => life.batch())) },
  { name: 'delete', run: async (life) => within(life, () => deletes(life)) },
  { name: 'clear', run: async (life) => within(life, () => clears(life)) },
  { name: 'flush', run: async (life) => within(life, () => flushes(life, 8)) },
  {
    name: 'compaction of level 0',
    run: (life) =>
      within(life, async () => {
        for (let round = 0; round < 2; round++) {
          await flushes(life, 6)
          await life.compact()
        }
      }),
  },
  {
    name: 'compaction through levels',
    options: { compression: 'none' },
    prepare: deepTables,
    run: (life) => within(life, () => compactions(life)),
  },
  {
    name: 'log rotation',
    run: (life) => within(life, () => repeat(70, () => life.put(undefined, 2500))),
  },
  { name: 'manifest rotation', run: (life) => within(life, () => longKeys(life)) },
  { name: 'large values', run: (life) => within(life, () => largeValues(life)) },
  { name: 'first open', run: openings },
  { name: 'close and open', run: async (life) => lives(life, 6) },
  { name: 'many at once', run: (life) => within(life, () => manyAtOnce(life)) },
  { name: 'everything', run: (life) => life.run() },
  {
    name: 'repair',
    prepare: closedStore,
    run: async (_, fs) => void (await repair(STORE, REPAIRED, { fs })),
    check: checkRepaired,
  },
  {
    name: 'destroy',
    prepare: closedStore,
    run: (_, fs) => destroy(STORE, { fs }),
    check: checkDestroyed,
  },
]

async function repeat(count: number, step: () => Promise<unknown>): Promise<void> {
  for (let left = count; left > 0; left--) await step()
}

/** One life, from open to close. */
async function within(life: Workload, run: () => Promise<void>): Promise<void> {
  await life.open()
  await run()
  await life.close()
}

async function syncedPuts(life: Workload): Promise<void> {
  for (let round = 0; round < 12; round++) {
    await repeat(2, () => life.put(true))
    await Promise.all([life.put(true), life.put(false), life.put(true), life.put(true)])
  }
}

async function deletes(life: Workload): Promise<void> {
  await life.some(20)
  await life.flush()
  for (let key = 0; key < 40; key++) await life.commit([[`k${key}`, undefined]], key % 3 === 0)
  await life.compact()
}

async function clears(life: Workload): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await life.some(10)
    if (round % 2 === 0) await life.flush()
    await life.clear()
    await life.some(2)
  }
  await life.compact()
}

async function flushes(life: Workload, count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await life.some(5)
    await life.flush()
  }
}

async function compactions(life: Workload): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await life.some(10)
    await life.flush()
    if (round === 1) await life.clear()
    await life.compact()
  }
}

/** A life before, whose tables are on the fourth level. */
async function deepTables(life: Workload, fs: FileSystem): Promise<void> {
  await within(life, async () => {
    await life.some(30)
    await life.compact()
  })
  const recovered = Manifest.recover(fs, STORE)
  if (recovered === undefined) throw new Error('there is no manifest')
  const statement = readClosed(fs, STORE, recovered)
  const manifest = Manifest.takeOver(fs, STORE, recovered)
  const removeTables = manifest.version.tables()
  manifest.append({ removeTables, addTables: removeTables.map((one) => ({ ...one, level: 4 })) })
  if (statement !== undefined) manifest.writeClosed(statement.segments)
  manifest.close()
}

/** Keys that make the manifest grow by 16 KiB with each table. */
async function longKeys(life: Workload): Promise<void> {
  for (let round = 0; round < 14; round++) {
    const key = `long ${'x'.repeat(6000)}${round % 5}`
    await life.commit([[key, `${round}`]], round % 2 === 0)
    await life.some(1)
    await life.flush()
  }
}

async function largeValues(life: Workload): Promise<void> {
  await life.large()
  await life.flush()
  await life.large()
  await life.sync()
  await life.compact()
  await life.large()
}

async function openings(life: Workload): Promise<void> {
  await within(life, async () => undefined)
  await life.open()
  await life.put(undefined)
  await life.close()
  await within(life, () => life.put(true))
}

async function lives(life: Workload, count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await within(life, async () => {
      await life.some(4)
      if (round % 3 === 2) await life.flush()
    })
  }
}

/** Writes that nobody waits for one by one, with flushes among them. */
async function manyAtOnce(life: Workload): Promise<void> {
  for (let round = 0; round < 6; round++) {
    const puts = Array.from({ length: 12 }, (_, i) => life.put(i % 4 === 0))
    await Promise.all([...puts, life.batch(), life.flush(), life.batch(), life.put(true)])
  }
}

/** Tables, a log and large values. */
async function closedStore(life: Workload): Promise<void> {
  await within(life, async () => {
    await life.some(20)
    await life.compact()
    await life.large()
    await life.flush()
    await life.some(10)
    await life.large()
  })
}

/** The source is what it was; the target is no store, or has everything [REP-1, REP-7]. */
async function checkRepaired(
  image: MemoryFileSystem,
  model: StoreModel,
  isOver: boolean,
): Promise<void> {
  await expectWhole(image, STORE, model)
  const isThere = await isStore(image, REPAIRED)
  if (isThere) await expectWhole(image, REPAIRED, model)
  else if (isOver) throw new Error('what was repaired is gone')
}

/** The store is whole, or no store any more; to destroy it again does what is left to do [DES-3]. */
async function checkDestroyed(
  image: MemoryFileSystem,
  model: StoreModel,
  isOver: boolean,
): Promise<void> {
  const isThere = await isStore(image, STORE)
  if (isThere && isOver) throw new Error('what was destroyed is there')
  if (isThere) await expectWhole(image, STORE, model)
  await destroy(STORE, { fs: image })
  if (image.status(STORE) !== undefined) throw new Error('files are left')
}

async function isStore(fs: MemoryFileSystem, path: string): Promise<boolean> {
  const options = storeOptions(fs.clone(), 2, { createIfMissing: false })
  try {
    await (await open(path, options)).close()
    return true
  } catch (error) {
    const { code } = error as { code?: string }
    if (code !== 'NOT_FOUND' && code !== 'CORRUPTION') throw error
    return false
  }
}

async function expectWhole(fs: MemoryFileSystem, path: string, model: StoreModel): Promise<void> {
  const db = await open(path, storeOptions(fs, 2, { createIfMissing: false }))
  model.match(await readStore(db, model.keys), model.length, model.length)
  const { problems } = await db.verify()
  for (const problem of problems) throw new Error('verify finds a problem', { cause: problem })
  await db.close()
}
