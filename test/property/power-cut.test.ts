/**
 * Power cuts: a life of a store is recorded once; then, for its every step, the power goes, in each of the ways in which
 * a disk may forget, and what opens afterwards is compared with the model. Some of these recoveries are cut off in turn.
 */
import { expect } from 'chai'
import type { FileSystem } from '../../src/env/file-system.ts'
import { type Database, MemoryFileSystem, open, SedgeError } from '../../src/index.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import type { CrashPolicy } from '../support/crash-image.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import {
  type JournalEntry,
  JournalFileSystem,
  JournalReplay,
} from '../support/journal-file-system.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { readStore, type StoreModel } from '../support/store-model.ts'
import { type Note, STORE, storeOptions, Workload } from '../support/store-workload.ts'

const POLICIES = ['lost', 'kept', 'data', 'names', 'files', 'sectors'] as const
/** How many lives are recorded for each; the random ones find something else every time. */
const LIVES = { lost: 1, kept: 1, data: 1, names: 1, files: 4, sectors: 4 } as const
type PolicyName = (typeof POLICIES)[number]

/** How many commits a store may hold after a power cut. */
interface Bounds {
  least: number
  most: number
}

interface Recording {
  readonly journal: readonly JournalEntry<Note>[]
  readonly model: StoreModel
}

async function record(random: Random): Promise<Recording> {
  const fs = new JournalFileSystem<Note>(new MemoryFileSystem())
  const options = storeOptions(fs, 1, {
    durability: random.pick(['none', 'process', 'disk']),
    compression: random.pick(['none', 'lz4']),
    bloomBitsPerKey: random.pick([0, 10]),
    maxLevels: random.pick([2, 3, 7]),
  })
  const workload = new Workload(options, random, { onNote: (note) => fs.note(note) })
  await workload.run()
  const { journal } = fs
  const recording = { journal: [...journal], model: workload.model }
  await workload.close()
  return recording
}

/** Opens what a power cut left, compares, uses it, and opens it again. Returns how many commits were there. */
async function checkImage(
  fs: FileSystem,
  model: StoreModel,
  { least, most }: Bounds,
  random: Random,
): Promise<number> {
  const options = storeOptions(fs, 2)
  const db = await open(STORE, options)
  const found = await readStore(db, model.keys)
  const count = model.match(found, least, most)
  if (random.chance(0.2)) expect((await db.verify()).problems, 'verify').to.deep.equal([])
  await use(db, found, random)
  expect(await readStore(db, model.keys), 'after use').to.deep.equal(found)
  await db.close()
  const again = await open(STORE, options)
  expect(again.stats().recovery.cleanClose, 'a clean close').to.equal(true)
  expect(await readStore(again), 'after re-opening').to.deep.equal(found)
  await again.close()
  return count
}

/** Writes to a store that was recovered, so that it has to live on; `found` follows. */
async function use(
  db: Database<string, string>,
  found: Map<string, string>,
  random: Random,
): Promise<void> {
  const steps = random.int(1, 5)
  for (let step = 0; step < steps; step++) {
    const value = `${random.int(1000)}`.repeat(random.pick([1, 1000, 20_000]))
    const key = `k${random.int(60)}`
    const sync = random.chance(0.3)
    if (random.chance(0.7)) {
      await db.put(key, value, { sync })
      found.set(key, value)
    } else {
      await db.delete(key, { sync })
      found.delete(key)
    }
  }
  if (random.chance(0.3)) await db.flush()
  if (random.chance(0.1)) await db.compact({})
}

/** Calls `visit` before every step of a journal, and after the last, with what may be there if the power goes now. */
async function eachCut(
  { journal, model }: Recording,
  visit: (replay: JournalReplay, bounds: Bounds, kept: Bounds, index: number) => Promise<void>,
): Promise<void> {
  const replay = new JournalReplay(new CrashFileSystem())
  const onDisk = { least: 0, most: 0 }
  const inProcess = { least: 0, most: 0 }
  for (const [index, entry] of journal.entries()) {
    if (entry.kind !== 'note') await visit(replay, onDisk, inProcess, index)
    else if (entry.note.what === 'issued') onDisk.most = inProcess.most = entry.note.commit
    else {
      const { commit, what } = entry.note
      if (what === 'disk') onDisk.least = Math.max(onDisk.least, commit)
      inProcess.least = Math.max(inProcess.least, commit)
    }
    replay.apply(entry)
  }
  expect(model.length).to.equal(onDisk.most)
  await visit(replay, onDisk, inProcess, journal.length)
}

function policyOf(name: PolicyName, random: Random): CrashPolicy {
  if (name === 'sectors') return random
  return name === 'files' ? { files: random } : name
}

/** Cuts off the recovery of an image, and then another. What was once read must come back. */
async function checkNested(
  image: MemoryFileSystem,
  model: StoreModel,
  { least, most }: Bounds,
  random: Random,
): Promise<void> {
  const first = await open(STORE, storeOptions(image.clone(), 2, { readOnly: true }))
  const count = model.match(await readStore(first, model.keys), least, most)
  await first.close()
  let start: FileSystem = image
  for (let depth = 0; depth < 2; depth++) {
    const recorded = new JournalFileSystem(CrashFileSystem.of(start, STORE))
    const db = await open(STORE, storeOptions(recorded, 3 + depth))
    model.match(await readStore(db, model.keys), count, count)
    const steps = recorded.journal.length
    await db.close()
    const replay = new JournalReplay(CrashFileSystem.of(start, STORE))
    for (const entry of recorded.journal.slice(0, random.int(steps + 1))) replay.apply(entry)
    start = replay.fs.image(policyOf(random.pick(POLICIES), random))
  }
  await checkImage(start, model, { least: count, most: count }, random)
}

/**
 * Lives with a sync that fails and takes what it should have written with it. The store is opened again, what it then shows is
 * on disk when the power goes, and everything that was acknowledged at `'disk'` before is there.
 */
async function checkLostSync(failAt: number, random: Random): Promise<boolean> {
  const crashing = new CrashFileSystem()
  let syncs = 0
  const fs = faultFileSystem(crashing, (call, path) => {
    if (call !== 'sync' || ++syncs !== failAt) return undefined
    crashing.lose(path)
    return 'EIO'
  })
  const onDisk = { least: 0, most: 0 }
  const workload = new Workload(storeOptions(fs), random, {
    onNote: ({ commit, what }) => {
      if (what === 'disk') onDisk.least = Math.max(onDisk.least, commit)
    },
    onError: (error) => expect(error).to.be.instanceOf(SedgeError),
  })
  await workload.run()
  await workload.close()
  const { model } = workload
  const again = await open(STORE, storeOptions(crashing, 2))
  const count = model.match(await readStore(again, model.keys), onDisk.least, model.length)
  const image = crashing.image('lost')
  await again.close()
  await checkImage(image, model, { least: count, most: count }, random)
  return syncs >= failAt
}

describe('property/power-cut', function () {
  this.timeout(300_000)

  for (const name of POLICIES) {
    it(`leaves a prefix with all that was acknowledged, whatever the step, policy ${name} [DUR-2, DUR-5, DUR-6, DUR-7, API-9, LOG-7, LOG-10, REC-1]`, async () => {
      const random = seededRandom(testSeed())
      let images = 0
      for (let life = 0; life < LIVES[name]; life++) {
        const recording = await record(random)
        await eachCut(recording, async (replay, onDisk, inProcess, index) => {
          if (!replay.fs.status(STORE)) return
          images++
          const image = replay.fs.image(policyOf(name, random))
          const bounds = name === 'kept' ? inProcess : onDisk
          await told(index, checkImage(image, recording.model, bounds, random))
        })
      }
      expect(images).to.be.greaterThan(200)
    })
  }

  it('gives the same content when recovery is cut off and repeated [REC-5, DUR-5]', async () => {
    const random = seededRandom(testSeed())
    const recording = await record(random)
    let images = 0
    await eachCut(recording, async (replay, onDisk, _, index) => {
      if (onDisk.most === 0) return
      const image = replay.fs.image(policyOf(random.pick(['lost', 'files', 'sectors']), random))
      images++
      await told(index, checkNested(image, recording.model, onDisk, random))
    })
    expect(images).to.be.greaterThan(200)
  })

  it('stays true to its word when a sync fails and loses what it should have written [DUR-2, DUR-5, DUR-10]', async () => {
    const random = seededRandom(testSeed())
    let failAt = 1
    while (await told(failAt, checkLostSync(failAt, random))) failAt++
    expect(failAt).to.be.greaterThan(20)
  })
})

async function told<T>(step: number, check: Promise<T>): Promise<T> {
  try {
    return await check
  } catch (cause) {
    throw new Error(`the power went before step ${step}`, { cause })
  }
}
