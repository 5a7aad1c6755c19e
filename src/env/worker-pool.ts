/**
 * The background worker that all stores of a process share [ENV-18 … ENV-27].
 *
 * Results come by the event loop; a caller that cannot return to it takes them with `waitSync`, which blocks. A
 * thread that dies or hangs fails its jobs as `lost` or `stuck` and is replaced when the next job comes.
 *
 * Call protocol of a job: run cancel?, and `onDone` exactly once.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { SedgeError } from '../errors.ts'
import { reviveError } from './error-transfer.ts'
import type { FromWorker, JobPriority, ToWorker } from './worker-protocol.ts'
import {
  areWorkersAllowed,
  type Thread,
  type ThreadEvents,
  type WorkerConfiguration,
  WorkerThread,
} from './worker-thread.ts'
import { LOOK_MS, WorkerWatch } from './worker-watch.ts'

export interface WorkerJobHandle {
  readonly id: number
  /** Ends the job at its next step: `onDone` comes with reason `cancelled`, unless the job was faster. */
  cancel(): void
}

/**
 * `failed`: the job threw. `cancelled`: it was cancelled. `lost`: the worker is gone or could not be started, and
 * the job may be run again or elsewhere. `stuck`: the worker did not answer any more, and this job may be why.
 */
export type WorkerResult =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false
      readonly reason: 'failed' | 'cancelled' | 'lost' | 'stuck'
      readonly error: unknown
    }

export interface WorkerJobOptions {
  /** Default `'low'`. */
  readonly priority?: JobPriority | undefined
  /** Whether the process stays alive until the job is done. Default false. */
  readonly keepAlive?: boolean | undefined
}

/** A call that has been put off. While it waits the process stays alive after `ref`, and not after `unref`. */
export interface PoolTimer {
  ref(): void
  unref(): void
  cancel(): void
}

/** What the pool takes from the machine. */
export interface PoolMachine {
  startThread(configuration: WorkerConfiguration, events: ThreadEvents): Thread
  /** Milliseconds, never going back. */
  monotonic(): number
  delay(ms: number, fn: () => void): PoolTimer
  /** Blocks this thread. */
  sleep(ms: number): void
}

interface PendingJob {
  readonly onDone: (result: WorkerResult) => void
  readonly priority: JobPriority
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
  readonly #machine: PoolMachine
  readonly #watch = new WorkerWatch()
  #watchTimer: PoolTimer | undefined
  readonly #jobs = new Map<number, PendingJob>()
  /** Results that were settled on this side and wait to be told. */
  #settled: (() => void)[] = []
  #thread: Thread | undefined
  #nextId = 1
  #isRefused = false
  #isReady = false
  /** The thread has said that it ends, and the event that says why is on its way. */
  #isEnding = false
  #failedStarts = 0
  /** Threads that died in a row without finishing a job. */
  #deaths = 0
  #restartAt = 0
  #restartTimer: PoolTimer | undefined

  constructor(configuration: WorkerConfiguration, machine: PoolMachine = thisMachine) {
    this.#configuration = configuration
    this.#machine = machine
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

  /** Steps that the worker has taken. */
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
    if (this.#jobs.size === 0) this.#startWatch()
    const message: ToWorker = { kind: 'run', id, priority, job }
    this.#jobs.set(id, { onDone, priority, keepAlive, message })
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
   * `timeoutMs` milliseconds or when there is nothing to wait for.
   */
  waitSync(timeoutMs: number): boolean {
    const deadline = this.#machine.monotonic() + timeoutMs
    for (;;) {
      const thread = this.#thread
      const seen = thread?.messageCount() ?? 0
      if (this.drain()) return true
      const now = this.#machine.monotonic()
      const rest = deadline - now
      if (this.#jobs.size === 0 || rest <= 0) return false
      if (this.#isEnding) this.#end(undefined)
      else if (thread === undefined) {
        this.#machine.sleep(Math.min(rest, this.#restartAt - now))
        this.#startAndPost()
      } else if (thread === this.#thread) {
        thread.wait(seen, Math.min(rest, LOOK_MS))
        this.#look()
      }
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
    this.#watchOn()
  }

  #start(): void {
    const rest = this.#restartAt - this.#machine.monotonic()
    if (!this.isUsable) {
      this.#lose(new SedgeError('UNSUPPORTED', 'there are no workers here'))
    } else if (rest > 0) {
      this.#restartTimer ??= this.#machine.delay(Math.ceil(rest), () => {
        this.#restartTimer = undefined
        this.#startAndPost()
      })
    } else {
      this.#restartTimer?.cancel()
      this.#restartTimer = undefined
      this.#startNow()
    }
  }

  #startNow(): void {
    this.#isReady = false
    this.#isEnding = false
    try {
      const thread: Thread = this.#machine.startThread(this.#configuration, {
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
      this.#startWatch()
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

  /** Takes a message in; true if it was a result and has been told. A result that nobody waits for is ignored. */
  #deliver(message: FromWorker): boolean {
    this.#isReady = true
    this.#failedStarts = 0
    if (message.kind !== 'done') return false
    const pending = this.#jobs.get(message.id)
    if (pending === undefined) return false
    this.#deaths = 0
    this.#jobs.delete(message.id)
    this.#loseOvertaken(message.id, pending.priority)
    this.#updateKeepAlive()
    if (message.ok) pending.onDone({ ok: true, value: message.value })
    else {
      const { reason, error } = message
      pending.onDone({ ok: false, reason, error: reviveError(error) })
    }
    return true
  }

  /** Jobs of one priority end in their order: one that is overtaken, or its result, has got lost on the way. */
  #loseOvertaken(id: number, priority: JobPriority): void {
    for (const [earlier, pending] of this.#jobs) {
      if (earlier > id) return
      if (pending.priority !== priority || pending.message !== undefined) continue
      const error = new SedgeError('FAILED', 'the background worker has lost a job')
      this.#settle(earlier, { ok: false, reason: 'lost', error })
    }
  }

  /** The thread is gone: its jobs are lost, and the next start may have to wait. */
  #end(error: unknown): void {
    if (this.#thread === undefined) return
    this.#forgetThread()
    this.#lose(error)
  }

  #forgetThread(): void {
    this.#thread = undefined
    this.#deaths++
    if (!this.#isReady && ++this.#failedStarts >= FAILED_STARTS_MAX) this.#isRefused = true
    const doublings = this.#deaths - 2
    const wait = doublings < 0 ? 0 : BACK_OFF_MS_LEAST * 2 ** doublings
    this.#restartAt = this.#machine.monotonic() + Math.min(wait, BACK_OFF_MS_MOST)
  }

  #lose(cause: unknown): void {
    const error = new SedgeError('FAILED', 'the background worker has ended', { cause })
    for (const id of [...this.#jobs.keys()]) this.#settle(id, { ok: false, reason: 'lost', error })
  }

  /** Looks at the worker now and then, as long as it has something to do. */
  #watchOn(): void {
    if (this.#watchTimer !== undefined || this.#jobs.size === 0) return
    this.#watchTimer = this.#machine.delay(LOOK_MS, () => {
      this.#watchTimer = undefined
      this.#look()
      this.#watchOn()
    })
    this.#watchTimer.unref()
  }

  #startWatch(): void {
    this.#watch.start(this.#signs, this.#machine.monotonic())
  }

  #look(): void {
    const thread = this.#thread
    if (!this.#watch.look(this.#signs, this.#machine.monotonic())) return
    if (thread === undefined || this.#jobs.size === 0) return
    // A result that waits to be heard is a sign of life too.
    if (this.drain() || thread !== this.#thread) return
    const reason = this.#isReady ? 'stuck' : 'lost'
    this.#forgetThread()
    void thread.terminate()
    const error = new SedgeError('FAILED', 'the background worker does not answer')
    for (const id of [...this.#jobs.keys()]) this.#settle(id, { ok: false, reason, error })
  }

  /** A number that changes as long as the worker is at work. */
  get #signs(): number {
    return this.#thread === undefined ? -1 : this.#thread.stepCount() + this.#thread.messageCount()
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

const thisMachine: PoolMachine = {
  startThread: (configuration, events) => new WorkerThread(configuration, events),
  monotonic: () => performance.now(),
  delay: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return {
      ref: () => void timer.ref(),
      unref: () => void timer.unref(),
      cancel: () => clearTimeout(timer),
    }
  },
  sleep: (ms) => {
    if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  },
}
