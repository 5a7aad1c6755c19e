/**
 * Runs jobs: in the process's background worker, or in slices on this thread. A writer that has to wait without giving way to
 * the event loop calls `waitSync`.
 *
 * Call protocol of a job: run cancel?, and `onDone` exactly once, never before `run` has returned.
 */
import { type Job, runJob } from '../compaction/run-job.ts'
import type { Output } from '../compaction/table-output.ts'
import type { Environment } from '../env/environment.ts'
import type { WorkerPool, WorkerResult } from '../env/worker-pool.ts'
import { SedgeError } from '../errors.ts'

export type JobResult =
  | { readonly ok: true; readonly output: Output }
  | { readonly ok: false; readonly error: unknown; readonly cancelled: boolean }

export type JobDone = (result: JobResult) => void

export interface Ticket {
  /** Ends the job at its next step; `onDone` comes with `cancelled`, unless the job was faster. */
  cancel(): void
}

interface Task {
  readonly isUrgent: boolean
  readonly steps: Generator<void, Output, void>
  readonly onDone: JobDone
  isCancelled: boolean
}

/** How long a slice may hold the event loop, in milliseconds. */
const SLICE_MS = 3
const WAIT_MS = 50
/** A job whose worker died is run again so many times, then here; one whose worker got stuck is not run here. */
const RETRIES = 2

/** What has become of a job so far. */
interface Attempt {
  readonly makeJob: () => Job
  readonly onDone: JobDone
  readonly retries: number
  readonly wasStuck: boolean
}

/** Slices between turns of the event loop. */
export class InlineExecutor {
  readonly #env: Environment
  #tasks: Task[] = []
  #isScheduled = false
  #isRunning = false

  constructor(env: Environment) {
    this.#env = env
  }

  get pending(): number {
    return this.#tasks.length
  }

  run(isUrgent: boolean, steps: Generator<void, Output, void>, onDone: JobDone): Ticket {
    const task: Task = { isUrgent, steps, onDone, isCancelled: false }
    this.#tasks.push(task)
    this.#schedule()
    return {
      cancel: () => {
        task.isCancelled = true
      },
    }
  }

  /** Runs until one job is done. False when there is none. */
  waitSync(): boolean {
    while (this.#tasks.length > 0 && !this.#isRunning) if (this.#step()) return true
    return false
  }

  #schedule(): void {
    if (this.#isScheduled || this.#tasks.length === 0) return
    this.#isScheduled = true
    this.#env.defer(() => {
      this.#isScheduled = false
      const start = this.#env.monotonic()
      while (this.#tasks.length > 0 && this.#env.monotonic() - start < SLICE_MS) this.#step()
      this.#schedule()
    })
  }

  /** One step of the most urgent job; true if that ended it. */
  #step(): boolean {
    const task = this.#tasks.find(({ isUrgent }) => isUrgent) ?? this.#tasks[0]
    if (task === undefined) return false
    const result = this.#advance(task)
    if (result === undefined) return false
    this.#tasks = this.#tasks.filter((one) => one !== task)
    task.onDone(result)
    return true
  }

  #advance(task: Task): JobResult | undefined {
    this.#isRunning = true
    try {
      if (task.isCancelled) {
        // The generator's own clean-up runs here.
        task.steps.return(undefined as never)
        return { ok: false, error: cancelledJob(), cancelled: true }
      }
      const { done, value } = task.steps.next()
      return done ? { ok: true, output: value } : undefined
    } catch (error) {
      return { ok: false, error, cancelled: false }
    } finally {
      this.#isRunning = false
    }
  }
}

function cancelledJob(): SedgeError {
  return new SedgeError('CLOSED', 'the job was cancelled')
}

export class Executor {
  readonly #env: Environment
  readonly inline: InlineExecutor
  readonly #workers: boolean
  /** Jobs in the worker. */
  #remote = 0
  #pool: WorkerPool | undefined

  constructor(env: Environment, workers: boolean) {
    this.#env = env
    this.inline = new InlineExecutor(env)
    this.#workers = workers
  }

  /**
   * Runs a job. `makeJob` is called again when the worker is lost: what it has begun to write may still be written to, so
   * that the job must write elsewhere. The first time it may throw.
   */
  run(makeJob: () => Job, onDone: JobDone): Ticket {
    return this.#submit({ makeJob, onDone, retries: RETRIES, wasStuck: false }, makeJob())
  }

  #submit(attempt: Attempt, job: Job): Ticket {
    const { onDone, retries, wasStuck } = attempt
    const pool = this.#workers && retries >= 0 ? this.#env.workerPool() : undefined
    if (pool === undefined) {
      const steps = wasStuck ? refuseStuck() : runJob(this.#env.fs, job)
      return this.inline.run(job.priority === 'high', steps, onDone)
    }
    this.#remote++
    this.#pool = pool
    const ticket: { current: Ticket } = { current: { cancel: () => {} } }
    let isCancelled = false
    const settle = (result: WorkerResult): void => {
      this.#remote--
      if (result.ok) onDone({ ok: true, output: result.value as Output })
      else if ((result.reason === 'lost' || result.reason === 'stuck') && !isCancelled) {
        const isStuck = wasStuck || result.reason === 'stuck'
        const next = { ...attempt, retries: retries - 1, wasStuck: isStuck }
        ticket.current = this.#again(next)
      } else {
        onDone({ ok: false, error: result.error, cancelled: isCancelled })
      }
    }
    ticket.current = pool.run(job, settle, { priority: job.priority, keepAlive: true })
    return {
      cancel: () => {
        isCancelled = true
        ticket.current.cancel()
      },
    }
  }

  #again(attempt: Attempt): Ticket {
    try {
      return this.#submit(attempt, attempt.makeJob())
    } catch (error) {
      attempt.onDone({ ok: false, error, cancelled: false })
      return { cancel: () => {} }
    }
  }

  /** Blocks until some job is done and has been told. False when there is nothing to wait for. */
  waitSync(): boolean {
    if (this.inline.pending > 0 && this.inline.waitSync()) return true
    const pool = this.#pool
    if (pool === undefined || this.#remote === 0) return false
    // What a worker that does not start has lost is run here.
    if (pool.drain()) return true
    while (this.#remote > 0 && pool.pending > 0) if (pool.waitSync(WAIT_MS)) return true
    return this.inline.waitSync()
  }
}

/** Whatever it was that kept worker after worker from answering must not keep this thread from it. */
// biome-ignore lint/correctness/useYield: a job that fails at its first step
function* refuseStuck(): Generator<void, Output, void> {
  throw new SedgeError('FAILED', 'the background worker does not answer')
}
