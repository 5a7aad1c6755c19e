/**
 * A worker pool on a simulated thread, for tests that say themselves what happens next.
 *
 *     const pool = new SimulatedPool()
 *     pool.run({ steps: 3 })
 *     pool.work()
 *     pool.pass(70_000)
 */
import { WorkerPool, type WorkerResult } from '../../src/env/worker-pool.ts'
import { seededRandom } from './seed.ts'
import { NO_FAULTS, SimulatedWorker, type WorkerFaults } from './simulated-worker.ts'

/** Throws, or takes so many steps and returns its value. */
export interface SimulatedJob {
  readonly value?: unknown
  readonly steps?: number
}

export class SimulatedPool {
  readonly workers: SimulatedWorker[] = []
  readonly pool: WorkerPool
  /** The value of each job that has ended, or why there is none, in the order in which they were told. */
  readonly told: unknown[] = []
  /** How often each job was begun. */
  readonly begun: unknown[] = []
  now = 0
  #timers: { at: number; fn: () => void }[] = []

  constructor(faults: (worker: number) => Partial<WorkerFaults> = () => ({})) {
    const random = seededRandom(1)
    this.pool = new WorkerPool(
      { url: undefined, source: '', setup: () => undefined },
      {
        startThread: (_, events) => {
          const { begun } = this
          const number = this.workers.length
          const worker = new SimulatedWorker(
            function* (job): Generator<void, unknown, void> {
              const { value, steps = 0 } = job as SimulatedJob
              begun.push(value)
              for (let step = 0; step < steps; step++) yield
              return value
            },
            events,
            {
              random,
              get faults() {
                return { ...NO_FAULTS, ...faults(number) }
              },
              pass: (ms) => {
                this.now += ms
              },
              afterlife: 0,
            },
          )
          this.workers.push(worker)
          return worker
        },
        monotonic: () => this.now,
        delay: (ms, fn) => {
          const timer = { at: this.now + ms, fn }
          this.#timers.push(timer)
          const cancel = (): void => {
            this.#timers = this.#timers.filter((one) => one !== timer)
          }
          return { ref: () => {}, unref: () => {}, cancel }
        },
        sleep: (ms) => {
          this.now += Math.max(0, ms)
        },
      },
    )
  }

  run(job: SimulatedJob, priority: 'high' | 'low' = 'low'): void {
    const tell = (one: WorkerResult): unknown => this.told.push(one.ok ? one.value : one.reason)
    this.pool.run(job, tell, { priority })
  }

  /** Lets the workers do all that they can, and hands over what they send. */
  work(): void {
    for (const worker of this.workers) {
      while (worker.canStep) worker.step()
      while (worker.canDeliver) worker.deliver()
    }
  }

  /** Lets time pass: timers that are due are called. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((one) => one !== due)
      this.now = Math.max(this.now, due.at)
      due.fn()
      await Promise.resolve()
    }
    this.now = Math.max(this.now, end)
  }
}
