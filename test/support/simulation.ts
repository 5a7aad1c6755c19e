/**
 * A machine of its own for a store: time, turns of the event loop and the background worker, in an order that follows from a
 * seed. Nothing happens but by `step`.
 *
 *     const simulation = new Simulation(seededRandom(seed), faults)
 *     const db = await openWith((path, options) =>
 *       Engine.open(path, { ...options, workers: 1 }, simulation.overrides))(STORE, { fs })
 *     while (!isDone) await simulation.turn()
 */
import { type Job, runJob } from '../../src/compaction/run-job.ts'
import type { EnvironmentOverrides } from '../../src/env/environment.ts'
import type { JobHandler } from '../../src/env/worker-host.ts'
import { WorkerPool } from '../../src/env/worker-pool.ts'
import type { Random } from './seed.ts'
import { SimulatedWorker, type WorkerFaults } from './simulated-worker.ts'
import type { FileView, WatchedFiles } from './watched-files.ts'

interface Waiting {
  readonly at: number
  readonly fn: () => void
}

export interface SimulationFaults extends WorkerFaults {
  /** A job meets a trap of the kernel at this step, with this probability. */
  readonly trap: number
}

/** How often each kind of thing is next, if there is one. */
const WEIGHTS = { turn: 30, work: 30, deliver: 20, end: 5, timer: 2 }

export class Simulation {
  readonly overrides: EnvironmentOverrides
  readonly pool: WorkerPool
  readonly workers: SimulatedWorker[] = []
  /** What each of them sees of the files. */
  readonly views: FileView[] = []
  /** The order of all that happened, for telling two runs apart. */
  readonly trace: string[] = []
  readonly #random: Random
  readonly #faults: SimulationFaults
  readonly #files: WatchedFiles
  #now = 0
  #timers: Waiting[] = []
  #turns: (() => void)[] = []

  constructor(random: Random, faults: SimulationFaults, files: WatchedFiles) {
    this.#random = random
    this.#faults = faults
    this.#files = files
    const monotonic = (): number => this.#read()
    this.pool = new WorkerPool(
      { url: undefined, source: '', setup: () => undefined },
      {
        startThread: (_, events) => this.#start(events),
        monotonic,
        delay: (ms, fn) => ({ ref: () => {}, unref: () => {}, ...this.#delay(ms, fn) }),
        sleep: (ms) => this.#pass(ms),
      },
    )
    this.overrides = {
      monotonic,
      defer: (fn) => void this.#turns.push(fn),
      delay: (ms, fn) => this.#delay(ms, fn),
      pause: (ms, fn) => void this.#delay(ms, fn),
      workerPool: () => (this.pool.isUsable ? this.pool : undefined),
    }
  }

  get now(): number {
    return this.#now
  }

  /** Lets one thing happen, and everything that follows from it at once. False when there is nothing that could. */
  async turn(): Promise<boolean> {
    const isAny = this.#step()
    await new Promise((resolve) => setImmediate(resolve))
    return isAny
  }

  #step(): boolean {
    const kinds: [keyof typeof WEIGHTS, () => void][] = []
    if (this.#turns.length > 0) kinds.push(['turn', () => this.#turns.shift()?.()])
    if (this.#timers.length > 0) kinds.push(['timer', () => this.#fireTimer()])
    for (const worker of this.workers) {
      if (worker.canStep) kinds.push(['work', () => worker.step()])
      if (worker.canDeliver) kinds.push(['deliver', () => worker.deliver()])
      if (worker.canTellEnd) kinds.push(['end', () => worker.tellEnd()])
    }
    const sum = kinds.reduce((all, [kind]) => all + WEIGHTS[kind], 0)
    let at = this.#random.float() * sum
    for (const [kind, act] of kinds) {
      at -= WEIGHTS[kind]
      if (at >= 0) continue
      this.trace.push(kind)
      act()
      return true
    }
    return false
  }

  /** Reading a clock takes time, and now and then somebody else has the processor meanwhile. */
  #read(): number {
    this.#now += this.#random.chance(0.05) ? this.#random.int(1, 5) : 0.05
    return this.#now
  }

  #pass(ms: number): void {
    this.#now += Math.max(0, ms)
  }

  #delay(ms: number, fn: () => void): { cancel(): void } {
    const waiting = { at: this.#now + ms, fn }
    this.#timers.push(waiting)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== waiting)
      },
    }
  }

  #fireTimer(): void {
    const next = this.#timers.reduce((first, one) => (one.at < first.at ? one : first))
    this.#timers = this.#timers.filter((one) => one !== next)
    this.#now = Math.max(this.#now, next.at)
    next.fn()
  }

  #start(events: ConstructorParameters<typeof SimulatedWorker>[1]): SimulatedWorker {
    const view = this.#files.view()
    const running = new Set<Generator>()
    const handler: JobHandler = (job) => this.#trapped(runJob(view, job as Job), running)
    const worker = new SimulatedWorker(handler, events, {
      random: this.#random,
      faults: this.#faults,
      pass: (ms) => this.#pass(ms),
      afterlife: this.#random.chance(0.3) ? this.#random.int(30) : 0,
      // What a dead thread leaves behind stays as it is; only its memory is given back.
      onDeath: () => {
        view.die()
        for (const job of running) job.return(undefined)
      },
    })
    this.workers.push(worker)
    this.views.push(view)
    return worker
  }

  /** Runs a job that may meet a trap between two steps, and lets go of it when the thread dies. */
  *#trapped(steps: Generator<void, unknown, void>, running: Set<Generator>): Generator<void> {
    running.add(steps)
    try {
      for (;;) {
        const { done, value } = this.#random.chance(this.#faults.trap)
          ? steps.throw(new WebAssembly.RuntimeError('unreachable'))
          : steps.next()
        if (done) return value as undefined
        yield
      }
    } finally {
      running.delete(steps)
      steps.return(undefined)
    }
  }
}
