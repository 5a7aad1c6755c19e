/**
 * The background worker that all stores of a process share [ENV-18 … ENV-25].
 *
 * Results come by the event loop; a caller that cannot return to it takes them with `waitSync`, which blocks. A
 * thread that dies fails its jobs as `lost` and is replaced when the next job comes.
 *
 * Call protocol of a job: run cancel?, and `onDone` exactly once.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { SedgeError } from '../errors.ts'
import { reviveError } from './error-transfer.ts'
import type { FromWorker, JobPriority, ToWorker } from './worker-protocol.ts'
import { areWorkersAllowed, type WorkerConfiguration, WorkerThread } from './worker-thread.ts'

export interface WorkerJobHandle {
  readonly id: number
  /** Ends the job at its next step: `onDone` comes with reason `cancelled`, unless the job was faster. */
  cancel(): void
}

/**
 * `failed`: the job threw. `cancelled`: it was cancelled. `lost`: the worker is gone or could not be started, and
 * the job may be run again or elsewhere.
 */
export type WorkerResult =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false
      readonly reason: 'failed' | 'cancelled' | 'lost'
      readonly error: unknown
    }

export interface WorkerJobOptions {
  /** Default `'low'`. */
  readonly priority?: JobPriority | undefined
  /** Whether the process stays alive until the job is done. Default false. */
  readonly keepAlive?: boolean | undefined
}

interface PendingJob {
  readonly onDone: (result: WorkerResult) => void
  readonly keepAlive: boolean
  /** What is still to be posted. */
  message: ToWorker | undefined
}

/** A thread that never got as far as `ready`, so many times in a row, is not tried again. */
const FAILED_STARTS_MAX = 3
/** Milliseconds before a replacement: none for the first, then doubling from the least to the most. */
const BACK_OFF_MS_LEAST = 100
const BACK_OFF_MS_MOST = 5000

let configured: WorkerConfiguration | undefined
let sharedPool: WorkerPool | undefined

/** Says how the shared pool's worker is started. Takes effect if `shared` has not made the pool yet. */
export function configureWorker(configuration: WorkerConfiguration): void {
  configured = configuration
}

export class WorkerPool {
  readonly #configuration: WorkerConfiguration
  readonly #jobs = new Map<number, PendingJob>()
  /** Results that were settled on this side and wait to be told. */
  #settled: (() => void)[] = []
  #thread: WorkerThread | undefined
  #nextId = 1
  #isRefused = false
  #isReady = false
  /** The thread has said that it ends, and the event that says why is on its way. */
  #isEnding = false
  #failedStarts = 0
  /** Threads that died in a row without finishing a job. */
  #deaths = 0
  #restartAt = 0
  #restartTimer: NodeJS.Timeout | undefined

  constructor(configuration: WorkerConfiguration) {
    this.#configuration = configuration
  }

  /** The process's pool; `undefined` where workers are refused, do not exist, or do not start. */
  static shared(): WorkerPool | undefined {
    if (sharedPool === undefined && configured !== undefined) {
      sharedPool = new WorkerPool(configured)
    }
    return sharedPool?.isUsable ? sharedPool : undefined
  }

  /** False once it is known that no worker can be had here. */
  get isUsable(): boolean {
    return !this.#isRefused && areWorkersAllowed()
  }

  /** Jobs whose result has not been told. */
  get pending(): number {
    return this.#jobs.size + this.#settled.length
  }

  /** A number that changes as long as the worker is at work: a watchdog for those who wait. */
  get progress(): number {
    return this.#thread?.stepCount() ?? 0
  }

  /** Hands `job` to the worker; one that cannot be cloned fails. `onDone` is never called before this returns. */
  run(
    job: unknown,
    onDone: (result: WorkerResult) => void,
    options: WorkerJobOptions = {},
  ): WorkerJobHandle {
    const { priority = 'low', keepAlive = false } = options
    const id = this.#nextId++
    this.#jobs.set(id, { onDone, keepAlive, message: { kind: 'run', id, priority, job } })
    this.#startAndPost()
    return { id, cancel: () => this.#cancel(id) }
  }

  /** Tells the results that have arrived. True if there were any. */
  drain(): boolean {
    let isTold = this.#tellSettled()
    for (;;) {
      const message = this.#thread?.receive()
      if (message === undefined) return this.#tellSettled() || isTold
      if (message.kind === 'ended') this.#end(undefined)
      else isTold = this.#deliver(message) || isTold
    }
  }

  /**
   * Blocks this thread until a result has arrived, tells it and all others that are there, and returns true; false after
   * `timeoutMs` milliseconds or when there is nothing to wait for. A thread that is killed outright is not
   * noticed here: wait in short spells and watch `progress`.
   */
  waitSync(timeoutMs: number): boolean {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const thread = this.#thread
      const seen = thread?.messageCount() ?? 0
      if (this.drain()) return true
      const rest = deadline - performance.now()
      if (this.#jobs.size === 0 || rest <= 0) return false
      if (this.#isEnding) this.#end(undefined)
      else if (thread === undefined) {
        sleep(Math.min(rest, this.#restartAt - performance.now()))
        this.#startAndPost()
      } else if (thread === this.#thread) thread.wait(seen, rest)
    }
  }

  /** Stops the worker; its jobs are lost. A later job starts another. */
  async terminate(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    this.#lose(undefined)
    await thread?.terminate()
  }

  #startAndPost(): void {
    if (this.#thread === undefined) this.#start()
    this.#postAll()
    this.#updateKeepAlive()
  }

  #start(): void {
    const rest = this.#restartAt - performance.now()
    if (!this.isUsable) {
      this.#lose(new SedgeError('UNSUPPORTED', 'there are no workers here'))
    } else if (rest > 0) {
      this.#restartTimer ??= setTimeout(() => {
        this.#restartTimer = undefined
        this.#startAndPost()
      }, Math.ceil(rest))
    } else {
      clearTimeout(this.#restartTimer)
      this.#restartTimer = undefined
      this.#startNow()
    }
  }

  #startNow(): void {
    this.#isReady = false
    this.#isEnding = false
    try {
      const thread: WorkerThread = new WorkerThread(this.#configuration, {
        onMessage: (message) => {
          if (thread !== this.#thread) return
          // The end itself follows, and says why.
          if (message.kind === 'ended') this.#isEnding = true
          else this.#deliver(message)
        },
        onEnd: (error) => {
          if (thread === this.#thread) this.drain()
          if (thread === this.#thread) this.#end(error)
        },
      })
      this.#thread = thread
    } catch (error) {
      this.#isRefused = true
      this.#lose(error)
    }
  }

  #postAll(): void {
    if (this.#thread === undefined) return
    for (const [id, pending] of this.#jobs) {
      const { message } = pending
      if (message === undefined) continue
      try {
        this.#thread.post(message)
        pending.message = undefined
      } catch (error) {
        // The job holds something that cannot be cloned.
        this.#settle(id, { ok: false, reason: 'failed', error })
      }
    }
  }

  #cancel(id: number): void {
    const pending = this.#jobs.get(id)
    if (pending === undefined) return
    if (pending.message === undefined) {
      this.#thread?.post({ kind: 'cancel', id })
    } else {
      const error = new SedgeError('CLOSED', 'the job was cancelled')
      this.#settle(id, { ok: false, reason: 'cancelled', error })
    }
  }

  /** Takes a message in; true if it was a result and has been told. */
  #deliver(message: FromWorker): boolean {
    if (message.kind === 'ready') {
      this.#isReady = true
      this.#failedStarts = 0
    }
    if (message.kind !== 'done') return false
    this.#deaths = 0
    const pending = this.#jobs.get(message.id)
    if (pending === undefined) return false
    this.#jobs.delete(message.id)
    this.#updateKeepAlive()
    if (message.ok) pending.onDone({ ok: true, value: message.value })
    else {
      const { reason, error } = message
      pending.onDone({ ok: false, reason, error: reviveError(error) })
    }
    return true
  }

  /** The thread is gone: its jobs are lost, and the next start may have to wait. */
  #end(error: unknown): void {
    if (this.#thread === undefined) return
    this.#thread = undefined
    this.#deaths++
    if (!this.#isReady && ++this.#failedStarts >= FAILED_STARTS_MAX) this.#isRefused = true
    const doublings = this.#deaths - 2
    const wait = doublings < 0 ? 0 : BACK_OFF_MS_LEAST * 2 ** doublings
    this.#restartAt = performance.now() + Math.min(wait, BACK_OFF_MS_MOST)
    this.#lose(error)
  }

  #lose(cause: unknown): void {
    const error = new SedgeError('FAILED', 'the background worker has ended', { cause })
    for (const id of [...this.#jobs.keys()]) this.#settle(id, { ok: false, reason: 'lost', error })
  }

  /** Tells a result that did not come from the worker: soon, and not from within a call of the user's. */
  #settle(id: number, result: WorkerResult): void {
    const pending = this.#jobs.get(id)
    if (pending === undefined) return
    this.#jobs.delete(id)
    this.#updateKeepAlive()
    this.#settled.push(() => pending.onDone(result))
    queueMicrotask(() => this.#tellSettled())
  }

  #tellSettled(): boolean {
    const isAny = this.#settled.length > 0
    for (let tell = this.#settled.shift(); tell; tell = this.#settled.shift()) tell()
    return isAny
  }

  #updateKeepAlive(): void {
    let isNeeded = false
    for (const { keepAlive } of this.#jobs.values()) isNeeded ||= keepAlive
    this.#thread?.keepAlive(isNeeded)
    if (isNeeded) this.#restartTimer?.ref()
    else this.#restartTimer?.unref()
  }
}

function sleep(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
