/**
 * One process for one engine: does what the task in its argument says, and prints the answer as the last line.
 *
 *     node --expose-gc build/bench/child.js '{"engine": …}'
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine, EngineModule, EngineOptions } from './engine.ts'
import { anonymousMemory, directoryBytes, Meter, peakMemory, untilQuiet } from './meter.ts'
import type { Answer, Outcome, Task } from './task.ts'
import { type Bench, makeBench, type Workload } from './workload.ts'
import { workloadOf } from './workloads/all.ts'
import { fillBatches } from './workloads/writes.ts'

/** Part of the operations that are done first, so that nothing is compiled while the clock runs. */
const WARM_PART = 0.2
const WARM_OPERATIONS_MAX = 100_000

const task = JSON.parse(process.argv[2]!) as Task
const answer = await perform(task)
// Nothing that an engine has left running keeps the process.
process.stdout.write(`\n${JSON.stringify(answer)}\n`, () => process.exit())

async function perform(task: Task): Promise<Answer> {
  const module = task.engine && ((await import(task.engine)) as EngineModule)
  const workloads = task.workloads.map(workloadOf)
  const outcomes: Outcome[] = []
  if (module) {
    if (task.load) outcomes.push(...(await loaded(module, workloads)))
    else if (workloads[0]?.start === 'empty') {
      for (const workload of workloads) outcomes.push(await intoEmpty(module, workload))
    } else outcomes.push(...(await onLoaded(module, workloads)))
  } else makeBench({} as Engine, task.shape, numbersOf(task.entries, 'empty'))
  return {
    description: module ? module.description : undefined,
    outcomes,
    peakBytes: peakMemory(),
    anonymousBytes: anonymousMemory(),
  }
}

function numbersOf(
  operations: number,
  start: 'empty' | 'loaded',
): { entries: number; operations: number; start: 'empty' | 'loaded'; seed: number } {
  return { entries: task.entries, operations, start, seed: task.seed }
}

function optionsOf(directory: string, level: EngineOptions['level'] = 'process'): EngineOptions {
  const { cacheBytes, writeBufferBytes } = task
  return { directory, cacheBytes, writeBufferBytes, level }
}

/** Loads the store; what is volatile stays open for the workloads. */
async function loaded(module: EngineModule, workloads: readonly Workload[]): Promise<Outcome[]> {
  const { description } = module
  const engine = await module.openEngine(optionsOf(task.directory))
  const bench = makeBench(engine, task.shape, numbersOf(task.entries, 'empty'))
  const meter = new Meter()
  meter.start()
  await fillBatches(bench)
  meter.stop()
  const cost = await meter.settle()
  await engine.compact?.()
  await untilQuiet()
  const outcomes: Outcome[] = []
  if (description.isVolatile) {
    for (const workload of workloads) outcomes.push(await measured(engine, workload))
  }
  await engine.close()
  const load = {
    workload: 'load',
    operations: task.entries,
    cost,
    directoryBytes: directoryBytes(task.directory),
  }
  return [load, ...outcomes]
}

async function onLoaded(module: EngineModule, workloads: readonly Workload[]): Promise<Outcome[]> {
  const engine = await module.openEngine(optionsOf(task.directory))
  const outcomes: Outcome[] = []
  for (const workload of workloads) outcomes.push(await measured(engine, workload))
  await engine.close()
  return outcomes
}

/** A workload on a store that is open and loaded. */
async function measured(engine: Engine, workload: Workload): Promise<Outcome> {
  const { name } = workload
  const operations = workload.operations(task.entries)
  if (!workload.fits(engine)) return { workload: name, missing: 'has no such call', operations: 0 }
  const bench = makeBench(engine, task.shape, numbersOf(operations, 'loaded'))
  const coldNs = await warmUp(workload, bench)
  return { workload: name, ...(await timed(workload, bench)), coldNs }
}

/** A workload on a new store, after a smaller one that is thrown away. */
async function intoEmpty(module: EngineModule, workload: Workload): Promise<Outcome> {
  const { name, level } = workload
  if (!module.description.levels.includes(level)) {
    return { workload: name, missing: `has no level '${level}'`, operations: 0 }
  }
  const at = (folder: string): string => {
    const directory = join(task.directory, folder)
    mkdirSync(directory, { recursive: true })
    return directory
  }
  const operations = workload.operations(task.entries)
  const scratch = await module.openEngine(optionsOf(at(`${name}-warm`), level))
  if (!workload.fits(scratch)) {
    await scratch.close()
    return { workload: name, missing: 'has no such call', operations: 0 }
  }
  const coldNs = await warmUp(
    workload,
    makeBench(scratch, task.shape, numbersOf(operations, 'empty')),
  )
  await scratch.close()
  rmSync(join(task.directory, `${name}-warm`), { recursive: true, force: true })

  const directory = at(name)
  const engine = await module.openEngine(optionsOf(directory, level))
  const bench = makeBench(engine, task.shape, numbersOf(operations, 'empty'))
  const outcome = await timed(workload, bench)
  await engine.close()
  return { workload: name, ...outcome, coldNs, directoryBytes: directoryBytes(directory) }
}

function warmOperations(operations: number): number {
  return Math.max(1, Math.min(Math.floor(operations * WARM_PART), WARM_OPERATIONS_MAX))
}

/** Does operations until it has been long enough. Returns nanoseconds for one of the first of them. */
async function warmUp(workload: Workload, bench: Bench): Promise<number> {
  const all = bench.operations
  const operations = workload.isWhole ? all : warmOperations(all)
  const warm = { ...bench, operations, order: bench.order.subarray(0, operations) }
  const from = performance.now()
  await workload.run(warm)
  const coldNs = ((performance.now() - from) * 1e6) / operations
  while (performance.now() - from < task.warmMs) await workload.run(warm)
  return coldNs
}

async function timed(
  workload: Workload,
  given: Bench,
): Promise<Omit<Outcome, 'workload' | 'missing'>> {
  const bench = makeBench(given.engine, task.shape, numbersOf(given.operations, workload.start))
  globalThis.gc?.()
  const meter = new Meter()
  meter.start()
  await workload.run(bench)
  meter.stop()
  const cost = await meter.settle()
  await workload.latencies?.(bench)
  return { operations: bench.operations, cost, percentiles: bench.histogram.percentiles() }
}
