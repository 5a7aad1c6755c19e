/**
 * A background thread that is none: the worker's host, run a step at a time by whoever holds it, with messages that get lost,
 * doubled and out of order, and an end that comes at any moment.
 *
 *     pool ─ post ─► inbox ─► WorkerHost ─► outbox ─ deliver, receive ─► pool
 *
 * Nothing happens by itself: `step`, `deliver` and `tellEnd` are called by a scheduler, `wait` by a pool that blocks.
 */
import { type HostPort, type JobHandler, WorkerHost } from '../../src/env/worker-host.ts'
import type { FromWorker, ToWorker } from '../../src/env/worker-protocol.ts'
import type { Thread, ThreadEvents } from '../../src/env/worker-thread.ts'
import type { Random } from './seed.ts'

/** How probable each fault is: for a message, or for a step. */
export interface WorkerFaults {
  readonly drop: number
  readonly double: number
  readonly swap: number
  readonly kill: number
  readonly hang: number
}

export const NO_FAULTS: WorkerFaults = { drop: 0, double: 0, swap: 0, kill: 0, hang: 0 }

export interface SimulatedWorkerOptions {
  readonly random: Random
  readonly faults: WorkerFaults
  /** Lets time pass, in milliseconds. */
  readonly pass: (ms: number) => void
  /** Steps that a terminated thread goes on with: not every runtime ends one at once. */
  readonly afterlife: number
  /** Told when the thread is dead for good. */
  readonly onDeath?: () => void
}

export class SimulatedWorker implements Thread {
  readonly #host: WorkerHost
  readonly #events: ThreadEvents
  readonly #options: SimulatedWorkerOptions
  readonly #inbox: ToWorker[] = []
  readonly #outbox: FromWorker[] = []
  #state: 'alive' | 'hung' | 'dying' | 'dead' = 'alive'
  #isEndTold = false
  #sent = 0
  #steps = 0
  #afterlife: number
  #isIdle = true

  constructor(handler: JobHandler, events: ThreadEvents, options: SimulatedWorkerOptions) {
    this.#events = events
    this.#options = options
    this.#afterlife = options.afterlife
    const port: HostPort = {
      receive: () => this.#inbox.shift(),
      // Only what can be cloned crosses.
      send: (message) => {
        this.#sent++
        this.#enqueue(this.#outbox, structuredClone(message))
      },
      stepping: () => {
        this.#steps++
      },
    }
    this.#host = new WorkerHost(handler, port, undefined)
    this.#host.start()
  }

  get canStep(): boolean {
    const isRunning = this.#state === 'alive' || this.#state === 'dying'
    return isRunning && (!this.#isIdle || this.#inbox.length > 0)
  }

  get canDeliver(): boolean {
    return this.#outbox.length > 0
  }

  get canTellEnd(): boolean {
    return this.#state === 'dead' && !this.#isEndTold && this.#outbox.length === 0
  }

  /** It has been spared so far. */
  get isSound(): boolean {
    return this.#state === 'alive'
  }

  /** One step of the worker, unless this is where it dies or hangs. */
  step(): void {
    const { random, faults } = this.#options
    const isSpent = this.#state === 'dying' && this.#afterlife-- <= 0
    if (isSpent || (this.#state === 'alive' && random.chance(faults.kill))) this.#die()
    else if (this.#state === 'alive' && random.chance(faults.hang)) this.#state = 'hung'
    else this.#isIdle = !this.#host.step()
  }

  /** Hands the pool a message by its event loop. */
  deliver(): void {
    const message = this.#outbox.shift()
    if (message !== undefined) this.#events.onMessage(message)
  }

  tellEnd(): void {
    this.#isEndTold = true
    this.#events.onEnd(undefined)
  }

  post(message: ToWorker): void {
    this.#enqueue(this.#inbox, structuredClone(message))
  }

  receive(): FromWorker | undefined {
    return this.#outbox.shift()
  }

  messageCount(): number {
    return this.#sent
  }

  stepCount(): number {
    return this.#steps
  }

  wait(messageCount: number, ms: number): void {
    for (let left = ms; left > 0 && this.#sent <= messageCount; left--) {
      if (!this.canStep) {
        this.#options.pass(left)
        return
      }
      this.step()
      this.#options.pass(1)
    }
  }

  keepAlive(): void {}

  async terminate(): Promise<void> {
    if (this.#state === 'dead') return
    // A thread that hangs does so in the kernel or in a loop, and ends where it is.
    if (this.#state === 'hung' || this.#afterlife === 0) this.#die()
    else this.#state = 'dying'
  }

  #die(): void {
    this.#state = 'dead'
    this.#options.onDeath?.()
  }

  #enqueue<T>(queue: T[], message: T): void {
    const { random, faults } = this.#options
    if (random.chance(faults.drop)) return
    const at = random.chance(faults.swap) ? random.int(queue.length + 1) : queue.length
    queue.splice(at, 0, message)
    if (random.chance(faults.double)) queue.push(structuredClone(message))
  }
}
