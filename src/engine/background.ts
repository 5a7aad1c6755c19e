/**
 * Flushes and compactions: what to start, what to do with the results, and who has to wait for them.
 *
 *   sealed segment ─► flush job ─► result kept until all older segments are done ─► manifest, view, files removed
 *
 * Flushes install in segment order. Nothing that fails is forgotten: it is told, and tried again.
 */
import { type FlushJob, flushMemtable } from '../compaction/flush-job.ts'
import type { Output } from '../compaction/table-output.ts'
import { isOutOfHandles } from '../env/file-io.ts'
import { SedgeError } from '../errors.ts'
import type { LiveSegment } from '../log/log-chain.ts'
import { logFileName, tableFileName, valueFileName } from '../version/file-names.ts'
import { Backpressure, type FlushState } from './backpressure.ts'
import { Compactor } from './compactor.ts'
import { Executor, type JobResult, type Ticket } from './executor.ts'
import { asSedgeError, isRetriable, type Store } from './store.ts'

interface Flush {
  readonly segment: LiveSegment
  readonly startedAt: number
  /** Undefined while the job runs. */
  output: Output | undefined
  attempts: number
  /** After a failure: when it is tried again, in milliseconds of the monotonic clock. */
  retryAt: number | undefined
}

const RETRY_MS_LEAST = 100
const RETRY_MS_MOST = 5000
const SORT_MS = 2

export class Background implements FlushState {
  readonly #store: Store
  readonly #executor: Executor
  readonly #compactor: Compactor
  readonly backpressure: Backpressure
  readonly #flushes = new Map<LiveSegment, Flush>()
  /** Called whenever something was installed or has failed. */
  #watchers: (() => void)[] = []
  #isStopped = false
  #isSorting = false
  #tickets = new Set<Ticket>()

  constructor(store: Store) {
    this.#store = store
    this.#executor = new Executor(store.env, store.options.workers === 1)
    this.#compactor = new Compactor(store, this.#executor, () => this.#notify())
    this.backpressure = new Backpressure(store, this.#executor, this.#compactor, this)
    store.whenFailed(() => this.#notify())
  }

  get compactor(): Compactor {
    return this.#compactor
  }

  // -------------------------------------------------------------------------------------------------
  // Flushing

  /** Segments that wait to become tables. */
  get sealed(): readonly LiveSegment[] {
    return this.#store.chain.segments.filter((segment) => segment !== this.#store.chain.open)
  }

  /** Starts a flush of every sealed segment that has none yet. */
  flushSealed(): void {
    if (this.#isStopped || this.#store.kernel.trapped) return
    const now = this.#store.env.monotonic()
    for (const segment of this.sealed) {
      const flush = this.#flushes.get(segment)
      if (flush === undefined) this.#startFlush(segment)
      // A caller who never gives way to the event loop waits in vain for a timer.
      else if (flush.retryAt !== undefined && flush.retryAt <= now) this.#runFlush(flush)
    }
    this.#install()
  }

  #startFlush(segment: LiveSegment): void {
    const startedAt = this.#store.env.monotonic()
    const flush: Flush = { segment, startedAt, output: undefined, attempts: 0, retryAt: undefined }
    this.#flushes.set(segment, flush)
    if (segment.memtable.count === 0) flush.output = { tables: [], bytesWritten: 0, dropped: 0 }
    else this.#runFlush(flush)
  }

  #runFlush(flush: Flush): void {
    const { segment } = flush
    flush.retryAt = undefined
    try {
      const ticket = this.#executor.run(
        () => this.#flushJob(segment),
        (result) => {
          this.#tickets.delete(ticket)
          this.#store.guarded(() => this.#flushDone(flush, result))
        },
      )
      this.#tickets.add(ticket)
    } catch (error) {
      this.#flushFailed(flush, error)
    }
  }

  #flushJob(segment: LiveSegment): FlushJob {
    const { directory, storeId, hashSeed, live, manifest, options } = this.#store
    return {
      type: 'flush',
      priority: 'high',
      directory,
      storeId,
      hashSeed,
      segment: segment.number,
      length: segment.length,
      snapshots: live.list(),
      tableNumber: manifest?.allocateNumber() ?? 0,
      bitsPerKey: options.bloomBitsPerKey,
    }
  }

  #flushDone(flush: Flush, result: JobResult): void {
    if (result.ok) flush.output = result.output
    if (this.#isStopped) {
      this.#notify()
      return
    }
    if (result.ok) {
      this.#install()
      return
    }
    const error = asSedgeError(result.error)
    if (isUnreadable(error, flush.segment)) {
      this.#store.reportError(error)
      this.#flushFromMemory(flush, error)
      return
    }
    this.#flushFailed(flush, error)
  }

  /**
   * The file does not read back, but the arena that it was written from is still good. What is damaged of the large values,
   * which are in their file only, becomes a part of the table that is damaged [ERR-7]. `reported` has been told.
   */
  #flushFromMemory(flush: Flush, reported: SedgeError): void {
    const { env, kernel } = this.#store
    const { memtable, identity } = flush.segment
    let job: FlushJob
    try {
      job = this.#flushJob(flush.segment)
    } catch (error) {
      this.#flushFailed(flush, error)
      return
    }
    let isTold = reported.file === valueFileName(flush.segment.number)
    const steps = flushMemtable(env.fs, kernel, job, memtable, identity, (damage) => {
      if (!isTold) this.#store.reportError(damage)
      isTold = true
    })
    const ticket = this.#executor.inline.run(true, steps, (result) => {
      this.#tickets.delete(ticket)
      this.#store.guarded(() => {
        if (result.ok) flush.output = result.output
        if (this.#isStopped) this.#notify()
        else if (result.ok) this.#install()
        else this.#flushFailed(flush, result.error)
      })
    })
    this.#tickets.add(ticket)
  }

  #flushFailed(flush: Flush, error: unknown): void {
    const reason = asSedgeError(error)
    this.#store.flushFailure = reason
    this.#store.reportError(reason)
    this.#notify()
    // Handles come back from one moment to the next, and until then writers are refused.
    const most = isOutOfHandles(reason) ? RETRY_MS_LEAST : RETRY_MS_MOST
    const wait = Math.min(RETRY_MS_LEAST * 2 ** flush.attempts++, most)
    flush.retryAt = this.#store.env.monotonic() + wait
    this.#store.env.delay(wait, () => {
      if (flush.retryAt !== undefined) flush.retryAt = 0
      this.#store.guarded(() => this.flushSealed())
    })
  }

  /** Lets the next look at the sealed segments try again whatever has failed. */
  #endWaits(): void {
    for (const flush of this.#flushes.values()) if (flush.retryAt !== undefined) flush.retryAt = 0
  }

  /** Installs finished flushes, oldest first. */
  #install(): void {
    for (;;) {
      const segment = this.#store.chain.segments[0]
      if (segment === undefined || segment === this.#store.chain.open) break
      const flush = this.#flushes.get(segment)
      if (flush?.output === undefined) break
      if (!this.#installOne(flush, flush.output)) break
    }
    this.#notify()
    this.#compactor.schedule()
  }

  #installOne(flush: Flush, output: Output): boolean {
    const store = this.#store
    const { segment } = flush
    try {
      store.manifest?.append({
        addTables: output.tables,
        logNumber: segment.number + 1,
        lastSequence: Math.max(segment.lastSequence, store.manifest.lastSequence),
      })
    } catch (error) {
      this.#installFailed(asSedgeError(error))
      return false
    }
    store.flushFailure = undefined
    store.reportSuccess()
    this.#flushes.delete(segment)
    // What this one has overcome need not keep the others waiting.
    this.#endWaits()
    store.flushes++
    store.tableBytesWritten += output.bytesWritten
    store.version = store.manifest?.version ?? store.version
    const { number, valueBytes, writer } = segment
    if (segment.memtable.tail * 2 > store.arenaBytes) this.#compactor.flushed()
    const hasValues = valueBytes > 0 || writer?.values !== undefined
    store.chain.forget(segment)
    if (!this.#showTables()) return false
    store.chain.dispose(segment)
    store.remover.remove(logFileName(number))
    if (hasValues) store.remover.remove(valueFileName(number))
    this.#told(flush, output)
    return true
  }

  /** False when memory ends: the view stays as it was, and with it the memtable that it shows. */
  #showTables(): boolean {
    try {
      this.#store.refreshView()
      return true
    } catch (error) {
      this.#store.fail(asSedgeError(error))
      return false
    }
  }

  #told(flush: Flush, output: Output): void {
    const [table] = output.tables
    if (table === undefined) return
    const { number, entries, size } = table
    const ms = this.#store.env.monotonic() - flush.startedAt
    this.#store.emit({ type: 'flush', table: number, entries, bytes: size, ms })
  }

  #installFailed(error: SedgeError): void {
    this.#store.flushFailure = error
    if (isRetriable(error)) {
      this.#store.reportError(error)
      const wait = isOutOfHandles(error) ? RETRY_MS_LEAST : RETRY_MS_MOST / 5
      this.#store.env.delay(wait, () => {
        if (!this.#isStopped) this.#store.guarded(() => this.#install())
      })
      return
    }
    this.#store.fail(error)
  }

  // -------------------------------------------------------------------------------------------------
  // Waiting

  /** Resolves when every segment that is sealed now has become a table. What has failed before is tried again at once. */
  async waitForFlushes(): Promise<void> {
    const waiting = new Set(this.sealed)
    this.#store.flushFailure = undefined
    this.#endWaits()
    this.flushSealed()
    for (;;) {
      const isDone = !this.#store.chain.segments.some((segment) => waiting.has(segment))
      if (isDone) return
      if (this.#isStopped) throw new SedgeError('CLOSED', 'the store is closed')
      if (this.#store.state === 'failed') throw this.#store.failure
      if (this.#store.flushFailure !== undefined) throw this.#store.flushFailure
      await new Promise<void>((resolve) => this.#watchers.push(resolve))
    }
  }

  #notify(): void {
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
    this.backpressure.release()
  }

  // -------------------------------------------------------------------------------------------------
  // Order in idle time

  /** Sorts memtables a little at a time, when the event loop has nothing better to do. */
  sortWhenIdle(): void {
    if (this.#isSorting || this.#isStopped) return
    this.#isSorting = true
    this.#store.env.delay(SORT_MS, () => {
      this.#isSorting = false
      if (this.#isStopped || this.#store.kernel.trapped) return
      try {
        if (this.#sortForAWhile()) this.sortWhenIdle()
      } catch (error) {
        // Out of memory: the scan that needs the order will say so to its caller.
        this.#store.reportError(asSedgeError(error))
      }
    })
  }

  /** True when there is more to sort. */
  #sortForAWhile(): boolean {
    const start = this.#store.env.monotonic()
    for (const { memtable } of this.#store.chain.segments) {
      while (memtable.sortStep()) if (this.#store.env.monotonic() - start >= SORT_MS) return true
    }
    return false
  }

  /** Starts nothing new, cancels what runs, and wakes who waits. */
  stop(): void {
    this.#isStopped = true
    for (const ticket of this.#tickets) ticket.cancel()
    this.#compactor.stop()
    this.backpressure.stop()
    this.#notify()
  }

  /** Resolves when no job touches a file any more, and nothing is left of those that were cancelled. Requires `stop`. */
  async ended(): Promise<void> {
    while (this.#tickets.size > 0 || this.#compactor.isRunning) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve))
    }
    // An edit that failed may be in the manifest all the same, and then names tables.
    if (this.#store.state === 'failed') return
    for (const { output } of this.#flushes.values()) {
      for (const { number } of output?.tables ?? []) {
        this.#store.remover.remove(tableFileName(number))
      }
    }
    this.#flushes.clear()
  }
}

/** Whether the log cannot be read back: it is damaged, or the system does not give it. */
function isUnreadable(error: SedgeError, { number }: LiveSegment): boolean {
  return error.code === 'CORRUPTION' || (error.code === 'IO' && error.file === logFileName(number))
}
