/**
 * One background thread: starting it, and the port and signal between it and us [ENV-18, ENV-21, ENV-23].
 *
 * Call protocol: (post | receive | wait | keepAlive)* terminate?. A thread that has ended is told once.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import {
  type FromWorker,
  SIGNAL_BYTES,
  SIGNAL_MESSAGES,
  SIGNAL_STEPS,
  type ToWorker,
  type WorkerStart,
} from './worker-protocol.ts'

export interface WorkerConfiguration {
  /** The worker's own file. Used where it exists. */
  readonly url: URL | undefined
  /** The same program in one text, for where a bundler has swallowed the file. A module or a script. */
  readonly source: string
  /** Called at each start; its result, which must be cloneable, reaches the jobs as `context.setup`. */
  readonly setup: () => unknown
}

export interface ThreadEvents {
  onMessage(message: FromWorker): void
  /** `error` is what ended the thread, if it told. */
  onEnd(error: unknown): void
}

/** What the pool needs of a thread; the documentation is at `WorkerThread`. */
export interface Thread {
  post(message: ToWorker): void
  receive(): FromWorker | undefined
  messageCount(): number
  stepCount(): number
  wait(messageCount: number, ms: number): void
  keepAlive(isNeeded: boolean): void
  terminate(): Promise<void>
}

/** Neither the thread nor its port keeps the process alive, unless told to. */
export class WorkerThread implements Thread {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #signal: Int32Array

  /** Throws where workers are refused. */
  constructor(configuration: WorkerConfiguration, events: ThreadEvents) {
    const signal = new SharedArrayBuffer(SIGNAL_BYTES)
    const { port1, port2 } = new MessageChannel()
    this.#signal = new Int32Array(signal)
    this.#port = port1
    try {
      const start: WorkerStart = { port: port2, signal, setup: configuration.setup() }
      this.#worker = startWorker(configuration, start)
    } catch (error) {
      port1.close()
      throw error
    }
    let failure: unknown
    this.#worker.on('error', (error) => {
      failure = error
    })
    this.#worker.on('exit', () => {
      port1.close()
      events.onEnd(failure)
    })
    port1.on('message', (message: FromWorker) => events.onMessage(message))
    this.keepAlive(false)
  }

  post(message: ToWorker): void {
    this.#port.postMessage(message)
  }

  /** The next message that has arrived, without waiting for the event loop. */
  receive(): FromWorker | undefined {
    return receiveMessageOnPort(this.#port)?.message as FromWorker | undefined
  }

  /** How many messages the worker has sent so far. Load it before `receive`, pass it to `wait`. */
  messageCount(): number {
    return Atomics.load(this.#signal, SIGNAL_MESSAGES)
  }

  /** Changes as long as the worker is at work. */
  stepCount(): number {
    return Atomics.load(this.#signal, SIGNAL_STEPS)
  }

  /** Blocks this thread until the worker has sent more than `messageCount`, for at most `ms` milliseconds. */
  wait(messageCount: number, ms: number): void {
    Atomics.wait(this.#signal, SIGNAL_MESSAGES, messageCount, ms)
  }

  /** Whether the process stays alive for this thread. */
  keepAlive(isNeeded: boolean): void {
    const change = isNeeded ? 'ref' : 'unref'
    this.#worker[change]()
    this.#port[change]()
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Whether this runtime lets us try at all. */
export function areWorkersAllowed(): boolean {
  const { permission } = process as { permission?: { has(scope: string): boolean } }
  return typeof Worker === 'function' && permission?.has('worker') !== false
}

function startWorker({ url, source }: WorkerConfiguration, start: WorkerStart): Worker {
  const options = {
    workerData: start,
    transferList: [start.port],
    // The flags of the program (loaders, inspectors, `--input-type`) are not the worker's.
    execArgv: [],
  }
  if (url !== undefined && isPresent(url)) return new Worker(url, options)
  // Deno evaluates scripts only, and everywhere a module can be had from its text by URL.
  if (!isModule(source)) return new Worker(source, { ...options, eval: true })
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), options)
}

function isPresent(url: URL): boolean {
  try {
    return url.protocol === 'file:' && existsSync(fileURLToPath(url))
  } catch {
    return false
  }
}

function isModule(source: string): boolean {
  return /^\s*(?:import|export)\b/m.test(source)
}
