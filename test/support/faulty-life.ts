/**
 * Short lives of a store in which a call to the file system fails, once or from then on. Whatever fails, every call of the
 * store settles with a typed error or a result, what fails is told, what was promised is there afterwards, and no file stays
 * open.
 *
 *     const { calls } = await runFaulty('flush', NO_FAULT, seed)
 *     for (let call = 1; call <= calls; call++) await runFaulty('flush', { call, code: 'EIO', isSticky: false }, seed)
 */
import { readFile, systemError } from '../../src/env/file-io.ts'
import type { File, FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem, open, SedgeError } from '../../src/index.ts'
import { CrashFileSystem } from './crash-file-system.ts'
import { withoutSpace } from './crashed-store.ts'
import { type FaultyWrite, faultFileSystem } from './fault-file-system.ts'
import { seededRandom } from './seed.ts'
import { readStore } from './store-model.ts'
import { checkImage } from './store-oracle.ts'
import { STORE, storeOptions, Workload } from './store-workload.ts'
import { virtualTime } from './virtual-time.ts'

/** Milliseconds that a run may take whatever fails, on a busy machine: it is a matter of a few. */
const RUN_MS_MAX = 60_000

/**
 * `code`: of the system's error, or `'short'`, or, for a sync, `'lost'`, `'late'` or `'reverted'`: it fails with `EIO`, and what
 * it should have written never reaches the disk, while reads go on to show it, or do not. `'late'`: it is told in a later turn,
 * so that others may sync meanwhile who hear of nothing.
 */
export interface LifeFault {
  /** The number of the call that fails, from 1; 0 for none. */
  readonly call: number
  readonly code: string
  readonly isSticky: boolean
}

export const NO_FAULT: LifeFault = { call: 0, code: '', isSticky: false }

/** Lives that each touch other calls; short, because each of their calls gets its turns. */
export const LIVES: Readonly<Record<string, (life: Workload) => Promise<void>>> = {
  'puts and batches': (life) => within(life, () => life.some(25)),
  rotation: (life) => within(life, () => repeat(22, () => life.put(undefined, 2500))),
  'synced puts': (life) =>
    within(life, () =>
      repeat(4, () => Promise.all([life.put(true), life.put(false), life.batch()])),
    ),
  'syncs that meet': (life) =>
    within(life, () =>
      repeat(4, async () => {
        const first = life.put(true)
        // Its sync is under way.
        for (let turn = 0; turn < 20; turn++) await undefined
        await Promise.all([first, life.put(true, undefined, true), life.put(false)])
      }),
    ),
  flush: (life) =>
    within(life, async () => {
      await repeat(2, async () => {
        await life.some(5)
        await life.flush()
      })
    }),
  'compaction on request': (life) =>
    within(life, async () => {
      await life.some(5)
      await life.flush()
      await life.some(5)
      await life.compact()
    }),
  'compaction of level 0': (life) =>
    within(life, () =>
      repeat(6, async () => {
        await life.put(undefined)
        await life.flush()
      }),
    ),
  'flush, compaction and clear': async (life) => {
    await life.open()
    for (let round = 0; round < 3; round++) {
      await life.some(6)
      await life.flush()
    }
    await life.compact()
    await life.clear()
    await life.compact()
    await life.close()
  },
  'large values': (life) =>
    within(life, async () => {
      await life.large()
      await life.flush()
      await life.large()
    }),
  'closing and opening': async (life) => {
    await within(life, async () => {
      await life.some(4)
      await life.sync()
    })
    await within(life, () => life.some(4))
    await within(life, async () => undefined)
  },
  'first open': (life) => within(life, () => life.put(true)),
  'manifest rotation': (life) =>
    within(life, async () => {
      for (let round = 0; round < 6; round++) {
        await life.commit([[`long ${'x'.repeat(14_000)}${round % 3}`, `${round}`]], undefined)
        await life.flush()
      }
    }),
  reading: (life) =>
    within(life, async () => {
      await life.some(8)
      await life.compact()
      await repeat(2, () => life.read())
    }),
}

async function repeat(count: number, step: () => Promise<unknown>): Promise<void> {
  for (let left = count; left > 0; left--) await step()
}

async function within(life: Workload, run: () => Promise<void>): Promise<void> {
  await life.open()
  await run()
  await life.close()
}

export interface FaultyRun {
  /** The names of all calls, in their order. */
  readonly calls: readonly string[]
}

/** Lives, then checks everything. Throws what is wrong. */
export async function runFaulty(name: string, fault: LifeFault, seed: number): Promise<FaultyRun> {
  const run = new Run(fault, seed)
  const lives = LIVES[name]
  if (lives === undefined) throw new RangeError(`no life ${name}`)
  await inTime(lives(run.life))
  await run.check()
  return { calls: run.calls }
}

class Run {
  readonly calls: string[] = []
  readonly life: Workload
  readonly #fault: LifeFault
  readonly #inner: MemoryFileSystem | CrashFileSystem
  readonly #open = new Set<File>()
  readonly #errors: unknown[] = []
  readonly #noted = { process: 0, disk: 0 }
  /** Files whose sync has failed since the store was opened. */
  readonly #unsynced = new Set<string>()
  readonly #wrongs: string[] = []
  readonly #hits: Hit[] = []
  #isOver = false
  #openings = 0

  constructor(fault: LifeFault, seed: number) {
    this.#fault = fault
    this.#inner = isDropped(fault) ? new CrashFileSystem() : new MemoryFileSystem()
    const random = seededRandom(seed)
    const onEvent = (event: { type: string; error?: unknown }): void => {
      if (event.type === 'error') this.#errors.push(event.error)
    }
    this.life = new Workload({ ...storeOptions(this.#files()), onEvent }, random, {
      time: virtualTime(seededRandom(seed + 1)),
      onNote: ({ commit, what }) => {
        if (what !== 'issued') this.#noted[what] = Math.max(this.#noted[what], commit)
      },
      onError: (error) => this.#errors.push(error),
    })
  }

  #files(): FileSystem {
    const inner = this.#inner
    const counted: FileSystem = {
      ...bound(inner),
      open: (path, mode) => this.#counted(inner.open(path, mode)),
      lock: async (path) => {
        // What the system has dropped is gone for a later life. Only the model of the first is of interest.
        const isOver = this.#hits.length > 0 && isDropped(this.#fault) && !this.#isOver
        if (isOver) throw systemError('EIO', 'no later life')
        this.#openings++
        this.#unsynced.clear()
        return inner.lock(path)
      },
    }
    return faultFileSystem(counted, (call, path, write) => this.#meet(call, path, write))
  }

  /** The file, which is to be closed some time. */
  #counted(file: File): File {
    const counted: File = {
      read: (target, position) => file.read(target, position),
      write: (source, position) => file.write(source, position),
      sync: () => file.sync(),
      syncAsync: () => file.syncAsync(),
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => {
        this.#open.delete(counted)
        file.close()
      },
    }
    this.#open.add(counted)
    return counted
  }

  #meet(call: string, path: string, write?: FaultyWrite): string | undefined {
    if (this.#isOver) return undefined
    if (call === 'sync' && this.#unsynced.has(path)) this.#wrongs.push(`${path} is synced again`)
    this.calls.push(call)
    const { call: at, code, isSticky } = this.#fault
    const number = this.calls.length
    const isHit = at > 0 && (isSticky ? number >= at : number === at)
    if (!isHit) return undefined
    return this.#fail(call, path, code, write)
  }

  #fail(call: string, path: string, code: string, write?: FaultyWrite): string | undefined {
    // Those who have begun another sync in this very moment could not know.
    if (call === 'sync' && code !== 'short') {
      const opening = this.#openings
      const told = (): unknown => opening === this.#openings && this.#unsynced.add(path)
      setImmediate(code === 'late' ? () => setImmediate(told) : told)
    }
    if (this.#inner instanceof CrashFileSystem) {
      if (call !== 'sync') return undefined
      if (code === 'reverted') this.#inner.revert(path)
      else this.#inner.lose(path)
      this.#hits.push({ call, path, isOpen: this.life.isOpen, isPreparing: false })
      return code === 'late' ? code : 'EIO'
    }
    const isPreparing = write !== undefined && preparesSpace(this.#inner, path, write)
    this.#hits.push({ call, path, isOpen: this.life.isOpen, isPreparing })
    return code
  }

  async check(): Promise<void> {
    this.#isOver = true
    const { life } = this
    for (const error of this.#errors) {
      if (error instanceof SedgeError && error.message !== '') continue
      throw new Error('an error that is not typed', { cause: error })
    }
    const [wrong] = this.#wrongs
    if (wrong !== undefined) throw new Error(wrong)
    if (life.isOpen) {
      const found = await readStore(life.db, life.model.keys)
      life.model.match(found, life.model.length, life.model.length)
      await life.db.close().catch((error: unknown) => this.#errors.push(error))
    }
    if (this.#errors.length === 0) this.#expectTolerated()
    if (this.#open.size > 0 && !this.#hits.some(({ call }) => call === 'close')) {
      throw new Error(`${this.#open.size} files are still open`)
    }
    await this.#checkAfter()
  }

  #expectTolerated(): void {
    const swallowed = this.#hits.find((hit) => !isTolerated(hit, this.#fault.code))
    if (swallowed === undefined) return
    throw new Error(`nobody was told of ${swallowed.call} ${swallowed.path}`)
  }

  /** Without the fault the store opens, holds what it must, and goes on. */
  async #checkAfter(): Promise<void> {
    const { model } = this.life
    let fs: FileSystem = this.#inner
    let least = Math.max(this.#noted.process, this.#noted.disk)
    let most = model.length
    if (fs instanceof CrashFileSystem) {
      // What was acknowledged is on disk, even if the power goes at once.
      const cut = { least: this.#noted.disk, most }
      await checkImage(fs.image('lost'), model, cut, seededRandom(this.#fault.call))
      // What is shown after the fault is on disk from then on, even if the power goes at once.
      const shown = await open(STORE, storeOptions(fs, 2))
      least = most = model.match(await readStore(shown, model.keys), this.#noted.disk, most)
      const image = fs.image('lost')
      await shown.close()
      fs = image
    }
    await checkImage(fs, model, { least, most }, seededRandom(this.#fault.call))
  }
}

function isDropped({ code }: LifeFault): boolean {
  return code === 'lost' || code === 'late' || code === 'reverted'
}

interface Hit {
  readonly call: string
  readonly path: string
  /** The store was open already. */
  readonly isOpen: boolean
  /** The write was of zeros behind the frames of a log. */
  readonly isPreparing: boolean
}

function preparesSpace(fs: FileSystem, path: string, { source, position }: FaultyWrite): boolean {
  if (!path.endsWith('.log') || position === 0 || source.some((byte) => byte !== 0)) return false
  return withoutSpace(readFile(fs, path)).length === position
}

/** What may fail without a word: nothing is lost by it, or it is done again, or another file is closed to make room. */
function isTolerated({ call, path, isOpen, isPreparing }: Hit, code: string): boolean {
  // Nobody may be allowed to look beyond the store's own directory.
  const isOutside = path !== STORE && !path.startsWith(`${STORE}/`)
  // A manifest goes on when the one that is to replace it cannot be written [MAN-17].
  const isNext = isOpen && path.includes('MANIFEST-')
  const isCrowded = (code === 'EMFILE' || code === 'ENFILE') && call.startsWith('open')
  const isHarmless = code === 'short' || call === 'close' || call === 'remove'
  // Where there is no zstd, open looks at tables; one that it cannot read it leaves to the reads that touch it [OPT-11].
  const isLook = !isOpen && path.endsWith('.sst') && (call === 'read' || call === 'open read')
  // A close that cannot read what the last one has stated states it anew [MAN-23].
  const isReading = ['status', 'size', 'read', 'open read'].includes(call)
  const isStated = isOpen && isReading && /\/(CURRENT-[^/]*|CLOSED)$/.test(path)
  // Where the file system says that there is no statement there is none: the store opens as after a crash.
  const isSought = !isOpen && call === 'open read' && path.endsWith('/CLOSED')
  // A sync does without the space that it cannot prepare [LOG-15].
  const isAnother = isNext || isLook || isStated || (isSought && code === 'ENOENT') || isPreparing
  return isOutside || isCrowded || isAnother || isHarmless
}

/** The methods of a file system, without it. */
function bound(fs: FileSystem): FileSystem {
  return {
    open: (path, mode) => fs.open(path, mode),
    makeDirectory: (path) => fs.makeDirectory(path),
    list: (path) => fs.list(path),
    status: (path) => fs.status(path),
    rename: (from, to) => fs.rename(from, to),
    remove: (path) => fs.remove(path),
    removeDirectory: (path) => fs.removeDirectory(path),
    syncDirectory: (path) => fs.syncDirectory(path),
    lock: (path) => fs.lock(path),
    lockHolder: (path) => fs.lockHolder(path),
  }
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${RUN_MS_MAX} ms`)), RUN_MS_MAX)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
