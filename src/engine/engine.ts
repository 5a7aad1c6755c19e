/**
 * The engine: one open store. It puts the parts together and says in which order things close; what the parts do is
 * theirs.
 *
 * Call protocol: open (any method)* close. After `close` began every call but `close` and `stats` is `CLOSED`.
 */

import type { WorkerSetup } from '../compaction/worker-setup.ts'
import type { EnvironmentOverrides } from '../env/environment.ts'
import { ioError } from '../env/file-io.ts'
import type { DirectoryLock } from '../env/file-system.ts'
import { configureWorker } from '../env/worker-pool.ts'
import { WORKER_SOURCE } from '../env/worker-source.ts'
import { SedgeError } from '../errors.ts'
import { kernelModule } from '../kernel/kernel.ts'
import { Background } from './background.ts'
import { clearKeys } from './clearing.ts'
import type {
  Durability,
  Encoded,
  EncodedRange,
  EngineLike,
  EntryResult,
  Operation,
  ResultForm,
  ScanCursor,
  ScanOptions,
  SequencePin,
  Stats,
  VerifyReport,
} from './engine-types.ts'
import { type Opened, openStore } from './opening.ts'
import type { ResolvedOptions } from './options.ts'
import { assertFilesThere } from './presence.ts'
import { Reader } from './reader.ts'
import { readStats } from './stats.ts'
import { asSedgeError, closedError, failedError, type Store } from './store.ts'
import { verifyStore } from './verify.ts'
import { Writer } from './writer.ts'

/** A memtable of more than this is flushed at close, so that the next open has little to replay. */
const CLOSE_FLUSH_BYTES = 1024 * 1024
const CLOSE_SEGMENTS_MAX = 8

export class Engine implements EngineLike {
  readonly #store: Store
  readonly #lock: DirectoryLock | undefined
  readonly #background: Background
  readonly #reader: Reader
  readonly #writer: Writer
  #closing: Promise<void> | undefined

  private constructor(opened: Opened) {
    this.#store = opened.store
    this.#lock = opened.lock
    this.#background = new Background(this.#store)
    this.#reader = new Reader(this.#store)
    const background = this.#background
    this.#writer = new Writer(this.#store, {
      makeRoom: (bytes) => background.backpressure.makeRoom(bytes),
      sealed: () => background.flushSealed(),
      admit: (waiting) => background.backpressure.admit(waiting),
      isLockHeld: () => opened.lock?.isHeld() ?? true,
    })
  }

  /** Opens a store. Rejects with the errors that `Open` of `open.ts` lists. `overrides` stand in for parts of the machine. */
  static async open(
    path: string,
    options: ResolvedOptions,
    overrides?: EnvironmentOverrides,
  ): Promise<Engine> {
    if (options.workers === 1) startWorkers()
    const opened = await openStore(path, options, overrides)
    const engine = new Engine(opened)
    const { store } = opened
    try {
      if (opened.mustFlush) await engine.#background.waitForFlushes()
      if (!store.recovery.cleanClose) engine.#keepSequence()
      else if (store.manifest !== undefined) engine.#compactSoon()
    } catch (error) {
      await engine.#abandon()
      throw error
    }
    store.emit({ type: 'open', recovery: store.recovery })
    return engine
  }

  put(key: Encoded, value: Encoded, level: Durability | undefined): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closedError())
    return this.#writer.put(key, value, level)
  }

  putSync(key: Encoded, value: Encoded, level: Durability | undefined): void {
    this.#assertOpen()
    this.#writer.putSync(key, value, level)
  }

  delete(key: Encoded, level: Durability | undefined): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closedError())
    return this.#writer.delete(key, level)
  }

  deleteSync(key: Encoded, level: Durability | undefined): void {
    this.#assertOpen()
    this.#writer.deleteSync(key, level)
  }

  batch(operations: readonly Operation[], level: Durability | undefined): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closedError())
    return this.#writer.batch(operations, level)
  }

  batchSync(operations: readonly Operation[], level: Durability | undefined): void {
    this.#assertOpen()
    this.#writer.batchSync(operations, level)
  }

  get(
    key: Encoded,
    form: ResultForm,
    sequence: number | undefined,
  ): string | Uint8Array | undefined {
    this.#assertOpen()
    return this.#reader.get(key, form, sequence)
  }

  getInto(
    key: Encoded,
    target: Uint8Array,
    offset: number,
    sequence: number | undefined,
  ): number | undefined {
    this.#assertOpen()
    return this.#reader.getInto(key, target, offset, sequence)
  }

  has(key: Encoded, sequence: number | undefined): boolean {
    this.#assertOpen()
    return this.#reader.has(key, sequence)
  }

  getEntry(key: Encoded, form: ResultForm, sequence: number | undefined): EntryResult | undefined {
    this.#assertOpen()
    return this.#reader.getEntry(key, form, sequence)
  }

  scan(options: ScanOptions): ScanCursor {
    this.#assertOpen()
    this.#background.sortWhenIdle()
    return this.#reader.scan(options)
  }

  pin(): SequencePin {
    this.#assertOpen()
    return this.#store.live.pin(this.#store.sequence)
  }

  async clear(
    range: EncodedRange,
    reverse: boolean,
    limit: number,
    level: Durability | undefined,
  ): Promise<void> {
    this.#assertOpen()
    this.#store.assertWritable()
    const cursor = this.#reader.scan({
      range,
      reverse,
      limit,
      sequence: undefined,
      keys: 'binary',
      values: undefined,
    })
    const write = (operations: readonly Operation[]): Promise<void> => {
      return this.batch(operations, level)
    }
    await clearKeys({ store: this.#store, reader: this.#reader, write }, cursor)
  }

  async sync(): Promise<void> {
    this.#assertOpen()
    await this.#writer.sync()
  }

  async flush(): Promise<void> {
    this.#assertOpen()
    this.#store.assertWritable()
    this.#writer.seal()
    await this.#background.waitForFlushes()
    await this.#store.remover.settle()
  }

  async compact(range: EncodedRange): Promise<void> {
    await this.flush()
    this.#assertOpen()
    await this.#background.compactor.compactRange(range)
    await this.#store.remover.settle()
  }

  async verify(): Promise<VerifyReport> {
    this.#assertOpen()
    const { env, directory, storeId, hashSeed, version, chain } = this.#store
    if (this.#store.manifest !== undefined && this.#store.state === 'open') this.#writer.drain()
    return verifyStore({
      env,
      directory,
      storeId,
      hashSeed,
      version,
      segments: chain.segments.map(({ number, length }) => ({ number, length })),
      isLive: (table) => this.#store.version.tables().some(({ number }) => number === table),
      isLiveSegment: (segment) => chain.segments.some(({ number }) => number === segment),
    })
  }

  stats(): Stats {
    return readStats(this.#store)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError()
  }

  async #close(): Promise<void> {
    const store = this.#store
    let failure: SedgeError | undefined
    try {
      if (store.state === 'failed') await this.#closeFailed()
      else if (store.manifest !== undefined) await this.#closeWriting()
    } catch (error) {
      failure = asSedgeError(error)
    }
    await this.#abandon()
    store.emit({ type: 'close' })
    if (failure !== undefined) throw failure
  }

  /** Leaves everything on disk, and a statement that says so. */
  async #closeWriting(): Promise<void> {
    const store = this.#store
    const isSmall = this.#isLogSmall() && !store.hasLostSequences
    // Before the seal, which would begin a flush that the end of closing may or may not let through.
    if (isSmall) this.#background.stop()
    this.#writer.seal()
    if (!isSmall) await this.#flushBeforeClose()
    this.#background.stop()
    this.#writer.finishFailed()
    if (this.#lock?.isHeld() === false) throw failedError(store.failWithoutLock())
    assertFilesThere(store)
    try {
      await store.chain.syncAsync()
    } catch (error) {
      throw ioError(error, 'cannot sync', 'the log')
    }
    await this.#writer.settle()
    const segments = store.chain.segments.map(({ number, length, valueBytes }) => ({
      number,
      logLength: length,
      valueLength: valueBytes,
    }))
    this.#keepSequence()
    store.manifest?.writeClosed(segments)
  }

  /** Leaves on disk what was accepted before the failure, without a statement. Rejects where that is not so, or not known. */
  async #closeFailed(): Promise<void> {
    const store = this.#store
    this.#background.stop()
    await this.#writer.settle()
    if (store.manifest !== undefined) assertFilesThere(store)
    try {
      await store.chain.syncAsync()
    } catch (cause) {
      const what = 'the store has failed, and whether all that was written is on disk is unknown'
      throw new SedgeError('FAILED', what, { cause, outcome: 'unknown' })
    }
  }

  /** Whether the next open can replay the log in no time. */
  #isLogSmall(): boolean {
    const { segments } = this.#store.chain
    let charge = 0
    for (const segment of segments) charge += segment.charge
    return charge <= CLOSE_FLUSH_BYTES && segments.length <= CLOSE_SEGMENTS_MAX
  }

  /** Makes the next open quicker, and lost sequences known. What cannot be flushed stays in the log. */
  async #flushBeforeClose(): Promise<void> {
    try {
      await this.#background.waitForFlushes()
    } catch (error) {
      this.#store.reportError(asSedgeError(error))
    }
  }

  /** What there is to compact need not keep the caller waiting for his store: a worker takes milliseconds to start. */
  #compactSoon(): void {
    const store = this.#store
    store.env.defer(() => store.guarded(() => this.#background.compactor.schedule()))
  }

  /** Sequences that no table and no log tells of, those of lost or failed writes, are not used again [ORD-7]. */
  #keepSequence(): void {
    const { manifest, chain, sequence } = this.#store
    if (manifest === undefined || chain.segments.length > 0) return
    if (sequence > manifest.lastSequence) manifest.append({ lastSequence: sequence })
  }

  /** Gives everything up, whatever state it is in. */
  async #abandon(): Promise<void> {
    const store = this.#store
    this.#background.stop()
    await this.#writer.settle()
    // Only then may somebody else open the store.
    await this.#background.ended()
    await store.remover.settle()
    store.setState('closed')
    store.chain.close()
    store.tables.close()
    try {
      store.manifest?.close()
    } catch (error) {
      // Its edits are on disk. The lock must go whatever happens.
      store.reportError(asSedgeError(error))
    } finally {
      this.#lock?.release()
    }
  }
}

let areWorkersConfigured = false

function startWorkers(): void {
  if (areWorkersConfigured) return
  areWorkersConfigured = true
  configureWorker({
    // Asked for by the first job: to find it takes as long as to read the manifest.
    get url() {
      return workerUrl()
    },
    source: WORKER_SOURCE,
    setup: (): WorkerSetup => ({ kernel: kernelModule() }),
  })
}

/** The worker's own file; `undefined` where a bundler has left no trace of it. */
function workerUrl(): URL | undefined {
  try {
    return new URL('../compaction/worker.js', import.meta.url)
  } catch {
    return undefined
  }
}
