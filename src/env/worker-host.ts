/**
 * The worker's side of the pool: takes jobs from the port and runs them as generators, a step at a time [ENV-19, ENV-20].
 *
 * Between two steps it looks for messages, so that an urgent job need not wait for a long one to end, and a
 * cancelled job ends at its next step.
 *
 * Call protocol of a host: start step*, until step says that there is nothing to do; again when a message has come.
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

/** How a host hears of its pool and answers it. */
export interface HostPort {
  /** The next message that has arrived. */
  receive(): ToWorker | undefined
  /** Throws when the message cannot be cloned. */
  send(message: FromWorker): void
  /** A step begins. */
  stepping(): void
}

/** How long a step should be, in milliseconds. */
const STEP_MS = 4

/** Serves the pool that started this worker, until the thread ends. Call it once, in a worker. */
export function serveJobs(handler: JobHandler): void {
  const { port, signal, setup } = workerData as WorkerStart
  const hostPort = new ThreadPort(port, new Int32Array(signal))
  const host = new WorkerHost(handler, hostPort, setup)
  process.once('exit', () => hostPort.send({ kind: 'ended' }))
  port.on('message', (message: ToWorker) => {
    host.accept(message)
    while (host.step());
  })
  host.start()
}

class ThreadPort implements HostPort {
  readonly #port: MessagePort
  readonly #signal: Int32Array

  constructor(port: MessagePort, signal: Int32Array) {
    this.#port = port
    this.#signal = signal
  }

  receive(): ToWorker | undefined {
    return receiveMessageOnPort(this.#port)?.message as ToWorker | undefined
  }

  /** The message is there before the count tells of it: who wakes finds it. */
  send(message: FromWorker): void {
    this.#port.postMessage(message)
    Atomics.add(this.#signal, SIGNAL_MESSAGES, 1)
    Atomics.notify(this.#signal, SIGNAL_MESSAGES)
  }

  stepping(): void {
    Atomics.add(this.#signal, SIGNAL_STEPS, 1)
  }
}

/** Takes jobs and runs them, wherever it is that it runs. */
export class WorkerHost {
  readonly #handler: JobHandler
  readonly #setup: unknown
  readonly #port: HostPort
  /** In order of arrival. */
  #tasks: Task[] = []
  /** The last job that was accepted. */
  #lastId = 0
  #stepStart = 0

  constructor(handler: JobHandler, port: HostPort, setup: unknown) {
    this.#handler = handler
    this.#port = port
    this.#setup = setup
  }

  start(): void {
    this.#port.send({ kind: 'ready' })
  }

  /** Receives what has come and takes a step of the most urgent job. False when there was none. */
  step(): boolean {
    this.#receive()
    const first = (wanted: JobPriority): Task | undefined =>
      this.#tasks.find(({ priority }) => priority === wanted)
    const task = first('high') ?? first('middle') ?? this.#tasks[0]
    if (task === undefined) return false
    const outcome = this.#stepOf(task)
    if (outcome === undefined) return true
    this.#tasks = this.#tasks.filter((one) => one !== task)
    this.#report(outcome)
    return true
  }

  /** Takes a message in. A job runs once, however often its message comes. */
  accept(message: ToWorker): void {
    if (message.kind === 'cancel') {
      const task = this.#tasks.find(({ id }) => id === message.id)
      if (task !== undefined) task.isCancelled = true
      return
    }
    const { id, priority, job } = message
    if (id <= this.#lastId) return
    this.#lastId = id
    this.#tasks.push({ id, priority, job, steps: undefined, isCancelled: false })
  }

  #receive(): void {
    for (let message = this.#port.receive(); message; message = this.#port.receive()) {
      this.accept(message)
    }
  }

  /** Takes one step; returns the outcome once there is one. */
  #stepOf(task: Task): JobOutcome | undefined {
    const { id } = task
    this.#port.stepping()
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
      this.#port.send(outcome)
    } catch (error) {
      // The result holds something that cannot be cloned.
      const { id } = outcome
      this.#port.send({ kind: 'done', id, ok: false, reason: 'failed', error: flattenError(error) })
    }
  }
}
