/**
 * One interleaving: a store on a simulated machine is written, read, flushed, compacted, scanned and closed while whatever can
 * happen next does so in an order that follows from the seed. Checked at every step and at the end:
 *
 *   reads, iterators and snapshots agree with the model         no file that counts is removed
 *   every promise settles                                       every file is closed
 *   what is there after the next open is what was accepted      nothing is left behind
 */
import { Engine } from '../../src/engine/engine.ts'
import { openWith } from '../../src/engine/open.ts'
import {
  type Database,
  type DatabaseIterator,
  MemoryFileSystem,
  open,
  SedgeError,
  type Snapshot,
} from '../../src/index.ts'
import { parseFileName } from '../../src/version/file-names.ts'
import { type Random, seededRandom } from './seed.ts'
import { Simulation, type SimulationFaults } from './simulation.ts'
import { readStore } from './store-model.ts'
import { WatchedFiles } from './watched-files.ts'

const STORE = '/store'
const OPTIONS = { memtableSize: 65_536, cacheSize: 2 ** 20 } as const
const KEYS = 24
/** Far more than any interleaving takes that goes on. */
const TURNS_MAX = 60_000

type Content = Map<string, string>

interface Scan {
  readonly iterator: DatabaseIterator<[string, string], string>
  readonly left: [string, string][]
  isBusy: boolean
}

export interface Interleaving {
  readonly seed: number
  /** Undefined for a machine that is sound. */
  readonly faults: SimulationFaults | undefined
  readonly operations: number
}

/** Faults of one kind, or of all, or none, as the seed says. */
export function interleavingOf(seed: number): Interleaving {
  const random = seededRandom(seed)
  const some = (most: number): number => (random.chance(0.4) ? random.float() * most : 0)
  const message = { drop: some(0.2), double: some(0.2), swap: some(0.3) }
  const step = { kill: some(0.05), hang: some(0.01), trap: some(0.1) }
  const faults = random.chance(0.3) ? undefined : { ...message, ...step }
  return { seed, faults, operations: random.int(20, 100) }
}

const NO_FAULTS: SimulationFaults = { drop: 0, double: 0, swap: 0, kill: 0, hang: 0, trap: 0 }

/** Runs it and returns its trace. Throws what is wrong. */
export async function runInterleaving(what: Interleaving): Promise<string[]> {
  const run = new InterleavingRun(what)
  await run.run()
  return run.trace
}

class InterleavingRun {
  readonly #what: Interleaving
  readonly #random: Random
  readonly #memory = new MemoryFileSystem()
  readonly #files = new WatchedFiles(this.#memory, STORE)
  readonly #main = this.#files.view()
  readonly #simulation: Simulation
  readonly #model: Content = new Map()
  readonly #pending = new Map<Promise<unknown>, string>()
  readonly #scans: Scan[] = []
  readonly #snapshots: [Snapshot, Content][] = []
  readonly #wrongs: string[] = []
  #db: Database<string, string> | undefined
  #isClosing = false
  #tag = 0

  constructor(what: Interleaving) {
    this.#what = what
    this.#random = seededRandom(what.seed + 2 ** 40)
    const scheduled = seededRandom(what.seed + 2 ** 41)
    this.#simulation = new Simulation(scheduled, what.faults ?? NO_FAULTS, this.#files)
  }

  get trace(): string[] {
    return this.#simulation.trace
  }

  async run(): Promise<void> {
    await this.#open()
    for (let left = this.#what.operations; left > 0; left--) {
      this.#operate()
      for (let turns = this.#random.int(12); turns > 0; turns--) await this.#simulation.turn()
      this.#checkSoFar()
    }
    this.#close()
    await this.#untilSettled()
    this.#checkSoFar()
    this.#checkClosed()
    await this.#checkReopened()
  }

  async #open(): Promise<void> {
    const onEvent = (event: { type: string; error?: unknown }): void => {
      if (event.type === 'error' && this.#what.faults === undefined) {
        this.#wrongs.push(`an error on a sound machine: ${event.error}`)
      }
    }
    const opening = openWith((path, options) =>
      Engine.open(path, { ...options, workers: 1 }, this.#simulation.overrides),
    )
    const compression = this.#random.pick(['lz4', 'none'] as const)
    const options = { ...OPTIONS, compression, fs: this.#main, onEvent }
    this.#db = await opening<'utf8', 'utf8'>(STORE, options)
  }

  get #store(): Database<string, string> {
    if (this.#db === undefined) throw new Error('the store was not opened')
    return this.#db
  }

  #operate(): void {
    const kind = this.#random.float() * 100
    if (kind < 45) this.#write()
    else if (kind < 50) this.#writeBlocking()
    else if (kind < 65) this.#read()
    else if (kind < 72) this.#beginScan()
    else if (kind < 82) this.#goOn()
    else if (kind < 86) this.#takeSnapshot()
    else if (kind < 89) this.#releaseSnapshot()
    else if (kind < 92) this.#track('flush', this.#store.flush())
    else if (kind < 98.5) this.#track('compact', this.#store.compact())
    else if (kind < 99.5) this.#track('sync', this.#store.sync())
    else this.#close()
  }

  #key(): string {
    return `key ${this.#random.int(KEYS)}`
  }

  #value(): string {
    return `${++this.#tag} `.padEnd(this.#random.pick([20, 900, 3000, 7000]), 'v')
  }

  #changes(): [string, string | undefined][] {
    const count = this.#random.chance(0.2) ? this.#random.int(2, 6) : 1
    return Array.from({ length: count }, () => [
      this.#key(),
      this.#random.chance(0.15) ? undefined : this.#value(),
    ])
  }

  #write(): void {
    if (this.#isClosing) return
    const changes = this.#changes()
    const batch = changes.map(([key, value]) =>
      value === undefined
        ? ({ type: 'delete', key } as const)
        : ({ type: 'put', key, value } as const),
    )
    const before = this.#store.stats().sequence
    const written = this.#store.batch(batch, { sync: this.#random.chance(0.2) })
    // A write that was refused because nothing can be flushed has taken no sequence.
    if (this.#store.stats().sequence > before) this.#apply(changes)
    this.#track('write', written)
  }

  #writeBlocking(): void {
    if (this.#isClosing) return
    const changes: [string, string][] = [[this.#key(), this.#value()]]
    try {
      this.#store.putSync(...changes[0]!)
      this.#apply(changes)
    } catch (error) {
      this.#expectAllowed('putSync', error)
    }
  }

  #apply(changes: readonly [string, string | undefined][]): void {
    for (const [key, value] of changes) {
      if (value === undefined) this.#model.delete(key)
      else this.#model.set(key, value)
    }
  }

  #read(): void {
    if (this.#isClosing) return
    const key = this.#key()
    const [snapshot, content] = this.#someSnapshot() ?? [undefined, this.#model]
    const options = snapshot === undefined ? {} : { snapshot }
    const expected = content.get(key)
    this.#expectSame(`getSync ${key}`, this.#store.getSync(key, options), expected)
    const got = this.#store.get(key, options)
    this.#track(
      'get',
      got.then((value) => this.#expectSame(`get ${key}`, value, expected)),
    )
  }

  #someSnapshot(): [Snapshot, Content] | undefined {
    if (this.#snapshots.length === 0 || this.#random.chance(0.5)) return undefined
    return this.#random.pick(this.#snapshots)
  }

  #beginScan(): void {
    if (this.#isClosing || this.#scans.length > 4) return
    const [snapshot, content] = this.#someSnapshot() ?? [undefined, this.#model]
    const reverse = this.#random.chance(0.5)
    const left = [...content].sort(([a], [b]) => (a < b ? -1 : 1))
    if (reverse) left.reverse()
    const options = snapshot === undefined ? { reverse } : { reverse, snapshot }
    this.#scans.push({ iterator: this.#store.iterator(options), left, isBusy: false })
  }

  #goOn(): void {
    const scan = this.#scans[0]
    if (scan === undefined || this.#isClosing) return
    if (this.#random.chance(0.2)) {
      this.#scans.shift()
      this.#track('close of an iterator', scan.iterator.close())
      return
    }
    if (scan.isBusy) return
    scan.isBusy = true
    const expected = scan.left.shift()
    const next = scan.iterator.next().then(({ done, value }) => {
      scan.isBusy = false
      this.#expectSame('next', done ? undefined : value[0], expected?.[0])
      this.#expectSame('next', done ? undefined : value[1], expected?.[1])
    })
    this.#track('next', next)
  }

  #takeSnapshot(): void {
    if (this.#isClosing || this.#snapshots.length > 3) return
    this.#snapshots.push([this.#store.snapshot(), new Map(this.#model)])
  }

  #releaseSnapshot(): void {
    this.#snapshots.shift()?.[0].close()
  }

  #close(): void {
    this.#isClosing = true
    const first = this.#store.close()
    this.#track('close', first)
    if (this.#store.close() !== first) this.#wrongs.push('close gave two promises')
  }

  /** Every promise settles; it may be rejected only for reasons that there are. */
  #track(what: string, promise: Promise<unknown>): void {
    this.#pending.set(promise, what)
    promise.then(
      () => this.#pending.delete(promise),
      (error) => {
        this.#pending.delete(promise)
        this.#expectAllowed(what, error)
      },
    )
  }

  #expectAllowed(what: string, error: unknown): void {
    if (error instanceof SedgeError) {
      if (error.code === 'CLOSED' && this.#isClosing && what !== 'write' && what !== 'close') return
      // Background work may fail on a machine that is not sound, and says so to whoever asked for it.
      if (this.#what.faults !== undefined && error.code === 'FAILED' && what !== 'close') return
      if (this.#what.faults !== undefined && error.code === 'IO' && what !== 'close') return
    }
    this.#wrongs.push(`${what} was rejected: ${error instanceof Error ? error.stack : error}`)
  }

  #expectSame(what: string, found: string | undefined, expected: string | undefined): void {
    if (found === expected) return
    this.#wrongs.push(`${what} is ${found?.slice(0, 20)} for ${expected?.slice(0, 20)}`)
  }

  #checkSoFar(): void {
    const wrong = this.#wrongs[0] ?? this.#files.wrongs[0]
    if (wrong !== undefined) throw new Error(wrong)
  }

  async #untilSettled(): Promise<void> {
    for (let turns = 0; this.#pending.size > 0; turns++) {
      if (turns > TURNS_MAX) {
        const names = [...this.#pending.values()].join(', ')
        throw new Error(`after ${TURNS_MAX} turns not settled: ${names}`)
      }
      await this.#simulation.turn()
    }
  }

  #checkClosed(): void {
    if (this.#main.openFiles !== 0) throw new Error(`${this.#main.openFiles} files are open`)
    for (const [index, view] of this.#simulation.views.entries()) {
      const worker = this.#simulation.workers[index]!
      if (worker.isSound && view.openFiles !== 0) {
        throw new Error(`a worker has ${view.openFiles} files open`)
      }
    }
    if (this.#simulation.pool.pending > 0) throw new Error('jobs are pending after close')
  }

  /** A worker that was given up may still be at it. */
  async #checkReopened(): Promise<void> {
    const again = await open(STORE, { ...OPTIONS, fs: this.#memory })
    if (!again.stats().recovery.cleanClose) throw new Error('the store was not closed cleanly')
    for (let turns = 0; turns < 40; turns++) await this.#simulation.turn()
    const found = await readStore(again)
    for (const key of new Set([...found.keys(), ...this.#model.keys()])) {
      this.#expectSame(`after the next open ${key}`, found.get(key), this.#model.get(key))
    }
    await again.put('after', 'it')
    const { problems } = await again.verify()
    if (problems.length > 0) throw problems[0]
    await again.close()
    this.#checkSoFar()
    const last = await open(STORE, { ...OPTIONS, fs: this.#memory })
    this.#expectSame('after', await last.get('after'), 'it')
    await last.close()
    this.#checkSoFar()
    const left = this.#memory.list(STORE).find((name) => parseFileName(name)?.type === 'temporary')
    if (left !== undefined) throw new Error(`${left} was left behind`)
  }
}
