/**
 * Calls on a store whose process died (recovery, reading only, verify, repair, destroy) while a call to the file system fails,
 * once or from then on. The call resolves to what is right or rejects with a typed error that is no claim of damage, no file stays
 * open, and without the fault the store is what it was.
 *
 *     const calls = await runFaultyCall('recovery', NO_FAULT)
 */
import type { File, FileSystem } from '../../src/env/file-system.ts'
import { destroy, type MemoryFileSystem, open, repair, SedgeError } from '../../src/index.ts'
import { fileSystemOf } from './crashed-store.ts'
import { faultFileSystem } from './fault-file-system.ts'
import type { LifeFault } from './faulty-life.ts'
import { type AbandonedStore, abandonedStore } from './open-store-damage.ts'
import { seededRandom } from './seed.ts'
import { readStore, type StoreModel } from './store-model.ts'
import { checkImage } from './store-oracle.ts'
import { STORE, storeOptions } from './store-workload.ts'
import { openAt, virtualTime } from './virtual-time.ts'

interface Call {
  run(fs: FileSystem, model: StoreModel): Promise<void>
  /** What must be true afterwards; by default that the store is whole. */
  check?(fs: MemoryFileSystem, isDone: boolean, model: StoreModel): Promise<void>
}

const REPAIRED = 'repaired'

export const CALLS: Readonly<Record<string, Call>> = {
  recovery: { run: (fs, model) => readWith(fs, model, false) },
  'reading only': { run: (fs, model) => readWith(fs, model, true) },
  verify: { run: verifyWith },
  repair: {
    run: async (fs) => {
      const { problems, lost } = await repair(STORE, REPAIRED, { fs })
      // What cannot be read is reported as lost.
      const told = problems.length + lost.length
      if (told > 0) throw new SedgeError('IO', 'not everything could be read')
    },
    check: checkRepair,
  },
  destroy: { run: (fs) => destroy(STORE, { fs }), check: checkDestroy },
}

/** Returns the names of all calls to the file system. */
export async function runFaultyCall(name: string, fault: LifeFault): Promise<readonly string[]> {
  const call = CALLS[name]
  if (call === undefined) throw new RangeError(`no call ${name}`)
  const { files, model } = await sample()
  const inner = fileSystemOf(files)
  const calls: string[] = []
  const opened = new OpenFiles(inner)
  const fs = faultFileSystem(opened.view, (what) => {
    calls.push(what)
    const number = calls.length
    const isHit = fault.isSticky ? number >= fault.call && fault.call > 0 : number === fault.call
    return isHit ? fault.code : undefined
  })
  const isDone = await settled(call.run(fs, model), fault)
  if (opened.count > 0 && calls[fault.call - 1] !== 'close' && !fault.isSticky) {
    throw new Error(`${opened.count} files are still open`)
  }
  if (call.check !== undefined) await call.check(inner, isDone, model)
  else await expectWhole(inner, model)
  return calls
}

let abandoned: Promise<AbandonedStore> | undefined

function sample(): Promise<AbandonedStore> {
  abandoned ??= abandonedStore()
  return abandoned
}

/** True when it resolves, false when it rejects as it may. */
async function settled(promise: Promise<void>, { code }: LifeFault): Promise<boolean> {
  try {
    await promise
    return true
  } catch (error) {
    if (!(error instanceof SedgeError)) throw error
    // A system that says that a file is not there is believed.
    const isClaim = error.code === 'CORRUPTION' && code !== 'ENOENT'
    if (isClaim || error.code === 'FORMAT') {
      throw new Error('a failing disk is taken for damage', { cause: error })
    }
    return false
  }
}

/** Counts the files that are open. */
class OpenFiles {
  count = 0
  readonly view: FileSystem

  constructor(inner: FileSystem) {
    const view = faultFileSystem(inner, () => undefined)
    this.view = { ...view, open: (path, mode) => this.#counted(view.open(path, mode)) }
  }

  #counted(file: File): File {
    this.count++
    let isOpen = true
    const close = (): void => {
      if (isOpen) this.count--
      isOpen = false
      file.close()
    }
    return { ...file, close }
  }
}

async function readWith(fs: FileSystem, model: StoreModel, readOnly: boolean): Promise<void> {
  const time = virtualTime(seededRandom(1))
  const db = await openAt(time, STORE, storeOptions(fs, 2, { readOnly }))
  try {
    model.match(await readStore(db, model.keys), model.length, model.length)
  } finally {
    await db.close()
  }
}

async function verifyWith(fs: FileSystem): Promise<void> {
  const db = await open(STORE, storeOptions(fs, 2, { readOnly: true }))
  try {
    for (const cause of (await db.verify()).problems) throw cause
  } finally {
    await db.close()
  }
}

async function expectWhole(fs: MemoryFileSystem, model: StoreModel): Promise<void> {
  const bounds = { least: model.length, most: model.length }
  await checkImage(fs, model, bounds, seededRandom(3))
}

async function checkRepair(
  fs: MemoryFileSystem,
  isDone: boolean,
  model: StoreModel,
): Promise<void> {
  if (isDone) {
    const db = await open(REPAIRED, storeOptions(fs, 2, { createIfMissing: false }))
    model.match(await readStore(db, model.keys), model.length, model.length)
    await db.close()
  }
  await expectWhole(fs, model)
}

/** It is done, or can be done again, and nothing opens with a part of the content meanwhile. */
async function checkDestroy(
  fs: MemoryFileSystem,
  isDone: boolean,
  model: StoreModel,
): Promise<void> {
  const options = storeOptions(fs.clone(), 2, { createIfMissing: false })
  const db = await open(STORE, options).catch((error: unknown) => error as SedgeError)
  if (!(db instanceof Error)) {
    if (isDone) throw new Error('what was destroyed is there')
    model.match(await readStore(db, model.keys), model.length, model.length)
    await db.close()
  } else if (db.code !== 'NOT_FOUND' && db.code !== 'CORRUPTION') throw db
  await destroy(STORE, { fs })
  if (fs.status(STORE) !== undefined) throw new Error('files are left')
}
