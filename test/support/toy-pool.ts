/** Pools of the toy worker, for the tests of the pool and its parts. */
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { WorkerPool, type WorkerResult } from '../../src/env/worker-pool.ts'
import type { WorkerConfiguration } from '../../src/env/worker-thread.ts'
import type { ToyJob } from './toy-worker.ts'

/** The toy worker's file. */
export const TOY_WORKER: URL = new URL('./toy-worker.js', import.meta.url)

const pools: WorkerPool[] = []

/** The toy worker as one text. */
export function toyWorkerText(format: 'esm' | 'cjs'): string {
  const built = buildSync({
    entryPoints: [fileURLToPath(TOY_WORKER)],
    bundle: true,
    write: false,
    platform: 'node',
    format,
  })
  return built.outputFiles[0]!.text
}

/** Starts the toy worker from its file, or from a text. */
export function toyConfiguration(source = ''): WorkerConfiguration {
  return { url: source === '' ? TOY_WORKER : undefined, source, setup: () => 'setup' }
}

/** A pool that `stopPools` stops. */
export function makePool(source?: string): WorkerPool {
  const pool = new WorkerPool(toyConfiguration(source))
  pools.push(pool)
  return pool
}

/** Stops the pools that were made. For an `afterEach` hook. */
export async function stopPools(): Promise<void> {
  await Promise.all(pools.splice(0).map((pool) => pool.terminate()))
}

/** Runs one job and gives its result. */
export function ask(pool: WorkerPool, job: ToyJob, options = {}): Promise<WorkerResult> {
  return new Promise((resolve) => pool.run(job, resolve, { keepAlive: true, ...options }))
}

/** Runs jobs at once and gives their values, or why there are none, in the order in which they came back. */
export async function askAll(pool: WorkerPool, jobs: [ToyJob, object?][]): Promise<unknown[]> {
  const told: unknown[] = []
  const asked = jobs.map(async ([job, options]) => {
    const result = await ask(pool, job, options)
    told.push(result.ok ? result.value : result.reason)
  })
  await Promise.all(asked)
  return told
}

/** Resolves once the worker has taken so many steps in all. */
export async function stepsTaken(pool: WorkerPool, count: number): Promise<void> {
  while (pool.progress < count) await new Promise((resolve) => setTimeout(resolve, 2))
}
