/**
 * A life of a store that touches everything that writes to files: puts, deletes and batches at both levels, one by one and many
 * at once, large values, rotation, flush, compaction, clear, sync, close and open.
 *
 *     const workload = new Workload(options, random, { onNote })
 *     await workload.run()      // the journal of options.fs now tells the story; workload.model what was committed
 */
import type { EnvironmentOverrides } from '../../src/env/environment.ts'
import { type Database, type OpenOptions, open } from '../../src/index.ts'
import { type Random, seededRandom } from './seed.ts'
import { type Change, readStore, StoreModel } from './store-model.ts'
import { openAt } from './virtual-time.ts'

export const STORE = 'store'

/** What a run tells as it happens. `'issued'`: the call was made. Else its level was reached. */
export interface Note {
  readonly commit: number
  readonly what: 'issued' | 'process' | 'disk'
}

export interface WorkloadHooks {
  readonly onNote?: (note: Note) => void
  /** Gets what a call has failed with, and the run goes on; without it the run fails. */
  readonly onError?: (error: unknown) => void
  /** Replaces the machine's time. */
  readonly time?: EnvironmentOverrides
}

/** A small store that behaves the same every time. */
export function storeOptions(
  fs: OpenOptions['fs'],
  seed = 1,
  more: OpenOptions<'utf8', 'utf8'> = {},
): OpenOptions<'utf8', 'utf8'> {
  let time = 1_700_000_000_000
  const random = seededRandom(seed)
  return {
    fs,
    clock: () => time++,
    random: () => random.float(),
    memtableSize: 65_536,
    cacheSize: 2 ** 20,
    ...more,
  }
}

export class Workload {
  readonly model: StoreModel = new StoreModel()
  readonly #options: OpenOptions<'utf8', 'utf8'>
  readonly #random: Random
  readonly #hooks: WorkloadHooks
  #db: Database<string, string> | undefined

  constructor(options: OpenOptions<'utf8', 'utf8'>, random: Random, hooks: WorkloadHooks = {}) {
    this.#options = options
    this.#random = random
    this.#hooks = hooks
  }

  #note(commit: number, what: Note['what']): void {
    this.#hooks.onNote?.({ commit, what })
  }

  /** False when it fails and that is expected. */
  async #attempt(call: () => unknown, commit?: number): Promise<boolean> {
    try {
      await call()
      return true
    } catch (error) {
      const { onError } = this.#hooks
      if (onError === undefined) throw error
      // What was refused is not there; what has an unknown outcome may be.
      const { outcome } = error as { outcome?: unknown }
      if (commit !== undefined && outcome !== 'unknown') this.model.refuse(commit)
      onError(error)
      return false
    }
  }

  get db(): Database<string, string> {
    if (this.#db === undefined) throw new Error('the store is not open')
    return this.#db
  }

  get isOpen(): boolean {
    return this.#db !== undefined
  }

  async open(): Promise<void> {
    await this.#attempt(async () => {
      const { time } = this.#hooks
      const opening =
        time === undefined ? open(STORE, this.#options) : openAt(time, STORE, this.#options)
      this.#db = await opening
    })
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    await this.#covering(() => this.db.close())
    this.#db = undefined
  }

  /** Everything, in an order that makes each kind of file live through each kind of step. */
  async run(): Promise<void> {
    await this.open()
    await this.some(25)
    await this.flush()
    await this.some(12)
    await this.large()
    await this.sync()
    await this.some(12)
    await this.compact()
    await this.clear()
    await this.some(8)
    await this.close()
    await this.open()
    await this.some(30)
    await this.large()
    await this.close()
    await this.open()
    await this.some(20)
  }

  /** Small commits of every kind. */
  async some(count: number): Promise<void> {
    const random = this.#random
    for (let left = this.isOpen ? count : 0; left > 0; ) {
      if (random.chance(0.2)) {
        const together = random.int(2, 6)
        await Promise.all(Array.from({ length: together }, () => this.#one()))
        left -= together
      } else {
        await this.#one()
        left--
      }
    }
  }

  async #one(): Promise<void> {
    const random = this.#random
    const sync = random.pick([true, false, false, undefined, undefined])
    const kind = random.int(10)
    if (kind < 5) await this.commit([[this.#key(), this.#value()]], sync)
    else if (kind < 7) await this.commit([[this.#key(), undefined]], sync)
    else await this.commit(this.#changes(), sync)
  }

  /** A single key, with a value of this size or one of any, by the synchronous call or not. */
  async put(sync: boolean | undefined, size?: number, isSync?: boolean): Promise<void> {
    const value = size === undefined ? this.#value() : this.#text(size)
    await this.commit([[this.#key(), value]], sync, isSync)
  }

  /** Several keys at once. */
  async batch(): Promise<void> {
    await this.commit(this.#changes(), this.#random.pick([true, false, undefined]))
  }

  #changes(): Change[] {
    const random = this.#random
    return Array.from({ length: random.int(2, 6) }, (): Change => {
      return [this.#key(), random.chance(0.8) ? this.#value() : undefined]
    })
  }

  /** Values that go to the value file, one of them of several chunks, next to small ones. */
  async large(): Promise<void> {
    const random = this.#random
    await this.commit([['large 1', this.#text(65_536)]], false)
    await this.commit(
      [
        ['large 2', this.#text(140_000)],
        ['k1', this.#value()],
      ],
      true,
    )
    await this.commit([['large 1', this.#text(random.int(65_536, 80_000))]], false)
    await this.commit([['large 2', undefined]], false)
  }

  /** One commit, a batch or a single call, by the synchronous call or the one with a promise. */
  async commit(
    changes: readonly Change[],
    sync: boolean | undefined,
    isSync: boolean = this.#random.chance(0.2),
  ): Promise<void> {
    if (!this.isOpen) return
    const { model } = this
    const commit = model.add(changes)
    this.#note(commit, 'issued')
    const write = (): unknown => this.#write(changes, sync, isSync)
    if (await this.#attempt(write, commit)) this.#reached(commit, sync)
  }

  /** A commit was acknowledged: at which level follows from the call and the store's options. */
  #reached(commit: number, sync: boolean | undefined): void {
    const level = sync === undefined ? this.#options.durability : sync ? 'disk' : 'process'
    if (level !== 'none') this.#note(commit, level ?? 'process')
  }

  #write(changes: readonly Change[], sync: boolean | undefined, isSync: boolean): unknown {
    const { db } = this
    const [first, ...others] = changes
    if (first === undefined || others.length > 0) {
      const operations = changes.map(([key, value]) =>
        value === undefined
          ? { type: 'delete' as const, key }
          : { type: 'put' as const, key, value },
      )
      return isSync ? db.batchSync(operations, { sync }) : db.batch(operations, { sync })
    }
    const [key, value] = first
    if (value === undefined) return isSync ? db.deleteSync(key, { sync }) : db.delete(key, { sync })
    return isSync ? db.putSync(key, value, { sync }) : db.put(key, value, { sync })
  }

  async sync(): Promise<void> {
    await this.#covering(() => this.db.sync())
  }

  async flush(): Promise<void> {
    await this.#covering(() => this.db.flush())
  }

  async compact(): Promise<void> {
    await this.#covering(() => this.db.compact({}))
  }

  /** A call that leaves all commits before it on disk. */
  async #covering(call: () => Promise<void>): Promise<void> {
    if (!this.isOpen) return
    const last = this.model.length
    if (await this.#attempt(call)) this.#note(last, 'disk')
  }

  /** Reads everything in every way. */
  async read(): Promise<void> {
    if (this.isOpen) await this.#attempt(() => readStore(this.db, this.model.keys))
  }

  /** Deletes half of the keys, fewer than `clear` takes in one batch. */
  async clear(): Promise<void> {
    const { model } = this
    if (!this.isOpen) return
    const keys = [...model.state(model.length).keys()].filter((key) => key >= 'k2' && key < 'k6')
    const commit = model.add(keys.map((key) => [key, undefined]))
    this.#note(commit, 'issued')
    const clear = (): unknown => this.db.clear({ gte: 'k2', lt: 'k6' })
    if (await this.#attempt(clear, commit)) this.#reached(commit, undefined)
  }

  #key(): string {
    return `k${this.#random.int(40)}`
  }

  #value(): string {
    return this.#text(this.#random.pick([0, 10, 300, 900, 2500]))
  }

  /** No two values are alike. */
  #text(length: number): string {
    const stamp = `${this.model.length}/${this.#random.int(1000)} `
    return stamp.repeat(Math.ceil(length / stamp.length)).slice(0, length)
  }
}
