/** Does one task, in the process that was started for it. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine, EngineModule, EngineOptions, Level } from './engine.ts'
import { anonymousMemory, directoryBytes, Meter, peakMemory, untilQuiet } from './meter.ts'
import type { Shape } from './shapes.ts'
import type { Answer, Outcome, Task } from './task.ts'
import { type Bench, makeBench, type Workload } from './workload.ts'
import { workloadOf } from './workloads/all.ts'
import { fillBatches } from './workloads/writes.ts'

/** Part of the operations that are done first, again and again, so that nothing is compiled while the clock runs. */
const WARM_PART = 0.2
const WARM_OPERATIONS_MAX = 100_000

/** Part of the write buffers that a killed process leaves in its log. */
const KILLED_PART = 0.75
/** What an entry takes in a log besides its key and value, roughly. */
const ENTRY_BYTES = 16

export async function perform(task: Task): Promise<Answer> {
  const module = task.engine && ((await import(task.engine)) as EngineModule)
  let outcomes: readonly Outcome[] = []
  if (module) outcomes = await new Performer(task, module).perform()
  else {
    const numbers = { entries: task.entries, operations: task.entries, seed: task.seed }
    makeBench({} as Engine, task.shape, { ...numbers, isEmpty: true })
  }
  return {
    description: module ? module.description : undefined,
    outcomes,
    peakBytes: peakMemory(),
    anonymousBytes: anonymousMemory(),
  }
}

class Performer {
  readonly #task: Task
  readonly #module: EngineModule

  constructor(task: Task, module: EngineModule) {
    this.#task = task
    this.#module = module
  }

  async perform(): Promise<readonly Outcome[]> {
    const { job, workloads: names } = this.#task
    const workloads = names.map(workloadOf)
    if (job === 'kill') return await this.#fillAndDie()
    if (job === 'load') return await this.#load(workloads)
    const start = workloads[0]?.start
    if (start === undefined) return []
    if (start === 'loaded') return await this.#onLoaded(workloads)
    const outcomes: Outcome[] = []
    for (const workload of workloads) {
      outcomes.push(
        start === 'empty' ? await this.#intoEmpty(workload) : await this.#opening(workload),
      )
    }
    return outcomes
  }

  /** Loads the store; what is volatile stays open for the workloads. */
  async #load(workloads: readonly Workload[]): Promise<Outcome[]> {
    const { directory, shape, entries } = this.#task
    const engine = await this.#open(directory)
    const bench = this.#bench(engine, shape, entries, true)
    const meter = new Meter()
    meter.start()
    await fillBatches(bench)
    meter.stop()
    const cost = await meter.settle()
    await engine.compact?.()
    await untilQuiet()
    const outcomes = await this.#measureAll(engine, workloads)
    await engine.close()
    const givenBytes = entries * (shape.keyBytes + shape.valueBytes)
    const used = { givenBytes, directoryBytes: directoryBytes(directory) }
    return [{ workload: 'load', operations: entries, cost, ...used }, ...outcomes]
  }

  async #onLoaded(workloads: readonly Workload[]): Promise<Outcome[]> {
    const engine = await this.#open(this.#task.directory)
    const outcomes = await this.#measureAll(engine, workloads)
    await engine.close()
    return outcomes
  }

  /** Workloads on a store that is open and loaded. */
  async #measureAll(engine: Engine, workloads: readonly Workload[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (const workload of workloads) {
      const { name, start } = workload
      if (start !== 'loaded') continue
      if (workload.fits(engine)) outcomes.push(await this.#onStore(engine, workload))
      else outcomes.push(lacking(name))
    }
    return outcomes
  }

  /** What fails is told, and does not keep others from being measured. */
  async #onStore(engine: Engine, workload: Workload): Promise<Outcome> {
    const { name } = workload
    try {
      const operations = workload.operations(this.#task.entries)
      const bench = this.#bench(engine, this.#task.shape, operations, false)
      const coldNs = await this.#warmUp(workload, bench)
      return { workload: name, ...(await this.#timed(workload, bench)), coldNs }
    } catch (error) {
      return { workload: name, missing: (error as Error).message, operations: 0 }
    }
  }

  /** A workload on a new store, after a smaller one that is thrown away. */
  async #intoEmpty(workload: Workload): Promise<Outcome> {
    const { name, level, valueBytes } = workload
    if (!this.#module.description.levels.includes(level)) {
      return { ...lacking(name), missing: `has no level '${level}'` }
    }
    const operations = workload.operations(this.#task.entries)
    const shape = { ...this.#task.shape, ...(valueBytes !== undefined && { valueBytes }) }
    const warm = this.#folder(`${name}-warm`)
    const scratch = await this.#open(warm, level)
    const coldNs = workload.fits(scratch)
      ? await this.#warmUp(workload, this.#bench(scratch, shape, operations, true))
      : undefined
    await scratch.close()
    rmSync(warm, { recursive: true, force: true })
    if (coldNs === undefined) return lacking(name)

    const directory = this.#folder(name)
    const engine = await this.#open(directory, level)
    const outcome = await this.#timed(workload, this.#bench(engine, shape, operations, true))
    await engine.close()
    const givenBytes = operations * (shape.keyBytes + shape.valueBytes)
    const used = { givenBytes, directoryBytes: directoryBytes(directory) }
    return { workload: name, ...outcome, coldNs, ...used }
  }

  /** The first opening of this process, cold as it is. */
  async #opening(workload: Workload): Promise<Outcome> {
    const { name } = workload
    const { directory, shape } = this.#task
    if (this.#module.description.isVolatile) return { ...lacking(name), missing: 'keeps nothing' }
    const meter = new Meter()
    meter.start()
    const engine = await this.#open(directory)
    await workload.run(this.#bench(engine, shape, 1, false))
    meter.stop()
    const cost = await meter.settle()
    await engine.close()
    return { workload: name, operations: 1, cost }
  }

  async #fillAndDie(): Promise<never> {
    const { directory, shape, writeBufferBytes } = this.#task
    const engine = await this.#open(directory)
    const entryBytes = shape.keyBytes + shape.valueBytes + ENTRY_BYTES
    const operations = Math.floor((writeBufferBytes * KILLED_PART) / entryBytes)
    await fillBatches(this.#bench(engine, shape, operations, true))
    process.kill(process.pid, 'SIGKILL')
    return await new Promise(() => {})
  }

  /** Does operations until it has been long enough. Returns nanoseconds for one of the first of them. */
  async #warmUp(workload: Workload, bench: Bench): Promise<number> {
    const all = bench.operations
    const part = Math.min(Math.ceil(all * WARM_PART), WARM_OPERATIONS_MAX)
    const operations = workload.isWhole ? all : part
    const warm = { ...bench, operations, order: bench.order.subarray(0, operations) }
    await workload.prepare?.(warm)
    const from = performance.now()
    await workload.run(warm)
    const coldNs = ((performance.now() - from) * 1e6) / operations
    while (performance.now() - from < this.#task.warmMs) await workload.run(warm)
    return coldNs
  }

  async #timed(workload: Workload, bench: Bench): Promise<Omit<Outcome, 'workload' | 'missing'>> {
    bench.histogram.clear()
    await workload.prepare?.(bench)
    globalThis.gc?.()
    const meter = new Meter()
    meter.start()
    await workload.run(bench)
    meter.stop()
    const cost = await meter.settle()
    await workload.latencies?.(bench)
    return { operations: bench.operations, cost, percentiles: bench.histogram.percentiles() }
  }

  #bench(engine: Engine, shape: Shape, operations: number, isEmpty: boolean): Bench {
    const { entries, seed } = this.#task
    return makeBench(engine, shape, { entries, operations, isEmpty, seed })
  }

  #open(directory: string, level: Level = 'process'): Promise<Engine> {
    const { cacheBytes, writeBufferBytes } = this.#task
    const options: EngineOptions = { directory, cacheBytes, writeBufferBytes, level }
    return this.#module.openEngine(options)
  }

  #folder(name: string): string {
    const folder = join(this.#task.directory, name)
    mkdirSync(folder, { recursive: true })
    return folder
  }
}

function lacking(workload: string): Outcome {
  return { workload, missing: 'has no such call', operations: 0 }
}
