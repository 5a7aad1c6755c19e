/**
 * The worker's side of the pool: takes jobs from the port and runs them as generators, a step at a time [ENV-19, ENV-20].
 *
 * Between two steps it looks for messages, so that an urgent job need not wait for a long one to end, and a
 * cancelled job ends at its next step.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { SedgeError } from '../errors.ts'
import { flattenError } from './error-transfer.ts'
import {
  type FromWorker,
  type JobOutcome,
  type JobPriority,
  SIGNAL_MESSAGES,
  SIGNAL_STEPS,
  type ToWorker,
  type WorkerStart,
} from './worker-protocol.ts'

/** What a job may ask while it runs. */
export interface JobContext {
  /** True once the present step has lasted a few milliseconds. */
  shouldYield(): boolean
  /** True once nobody wants the result any more. The host ends a job that goes on yielding. */
  cancelled(): boolean
  /** What the pool's configuration gave. */
  readonly setup: unknown
}

/** Runs one job: yields after every step of a few milliseconds, returns what can be cloned. */
export type JobHandler = (job: unknown, context: JobContext) => Generator<void, unknown, void>

interface Task {
  readonly id: number
  readonly priority: JobPriority
  readonly job: unknown
  steps: Generator<void, unknown, void> | undefined
  isCancelled: boolean
}

/** How long a step should be, in milliseconds. */
const STEP_MS = 4

/** Serves the pool that started this worker, until the thread ends. Call it once, in a worker. */
export function serveJobs(handler: JobHandler): void {
  const host = new WorkerHost(handler, workerData as WorkerStart)
  host.start()
}

class WorkerHost {
  readonly #handler: JobHandler
  readonly #setup: unknown
  readonly #port: MessagePort
  readonly #signal: Int32Array
  /** In order of arrival. */
  #tasks: Task[] = []
  #stepStart = 0

  constructor(handler: JobHandler, { port, signal, setup }: WorkerStart) {
    this.#handler = handler
    this.#setup = setup
    this.#port = port
    this.#signal = new Int32Array(signal)
  }

  start(): void {
    process.once('exit', () => this.#send({ kind: 'ended' }))
    this.#port.on('message', (message: ToWorker) => {
      this.#accept(message)
      this.#runAll()
    })
    this.#send({ kind: 'ready' })
  }

  #runAll(): void {
    for (;;) {
      this.#receive()
      const task = this.#tasks.find(({ priority }) => priority === 'high') ?? this.#tasks[0]
      if (task === undefined) return
      const outcome = this.#step(task)
      if (outcome === undefined) continue
      this.#tasks = this.#tasks.filter((one) => one !== task)
      this.#report(outcome)
    }
  }

  #receive(): void {
    let received: { message: ToWorker } | undefined
    while ((received = receiveMessageOnPort(this.#port))) this.#accept(received.message)
  }

  #accept(message: ToWorker): void {
    if (message.kind === 'cancel') {
      const task = this.#tasks.find(({ id }) => id === message.id)
      if (task !== undefined) task.isCancelled = true
      return
    }
    const { id, priority, job } = message
    this.#tasks.push({ id, priority, job, steps: undefined, isCancelled: false })
  }

  /** Takes one step; returns the outcome once there is one. */
  #step(task: Task): JobOutcome | undefined {
    const { id } = task
    Atomics.add(this.#signal, SIGNAL_STEPS, 1)
    this.#stepStart = performance.now()
    try {
      if (task.isCancelled) {
        task.steps?.return(undefined)
        const error = flattenError(new SedgeError('CLOSED', 'the job was cancelled'))
        return { kind: 'done', id, ok: false, reason: 'cancelled', error }
      }
      task.steps ??= this.#handler(task.job, this.#contextOf(task))
      const { done, value } = task.steps.next()
      return done ? { kind: 'done', id, ok: true, value } : undefined
    } catch (error) {
      return { kind: 'done', id, ok: false, reason: 'failed', error: flattenError(error) }
    }
  }

  #contextOf(task: Task): JobContext {
    return {
      shouldYield: () => performance.now() - this.#stepStart >= STEP_MS,
      cancelled: () => {
        this.#receive()
        return task.isCancelled
      },
      setup: this.#setup,
    }
  }

  #report(outcome: JobOutcome): void {
    try {
      this.#send(outcome)
    } catch (error) {
      // The result holds something that cannot be cloned.
      const { id } = outcome
      this.#send({ kind: 'done', id, ok: false, reason: 'failed', error: flattenError(error) })
    }
  }

  /** The message is there before the count tells of it: who wakes finds it. */
  #send(message: FromWorker): void {
    this.#port.postMessage(message)
    Atomics.add(this.#signal, SIGNAL_MESSAGES, 1)
    Atomics.notify(this.#signal, SIGNAL_MESSAGES)
  }
}
