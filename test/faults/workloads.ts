/**
 * Lives of a store, each of which does one kind of thing again and again, in small. They are recorded, cut off and made to
 * fail at each of their steps.
 */
import type { FileSystem } from '../../src/env/file-system.ts'
import type { OpenOptions } from '../../src/index.ts'
import { readClosed } from '../../src/version/closed-statement.ts'
import { Manifest } from '../../src/version/manifest.ts'
import { STORE, type Workload } from '../support/store-workload.ts'

export interface NamedWorkload {
  readonly name: string
  readonly options?: OpenOptions<'utf8', 'utf8'>
  /** What is not of interest itself: done before `run`, and neither cut off nor made to fail. */
  prepare?(life: Workload, fs: FileSystem): Promise<void>
  run(life: Workload): Promise<void>
}

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
  { name: 'everything', run: (life) => life.run() },
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
  manifest.removeClosed()
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
