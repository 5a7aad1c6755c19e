/**
 * A process that uses a worker pool, for the tests of the pool. Runs on every runtime. The worker's text, where one is
 * to be used instead of its file, is in the file that the second argument names.
 *
 *     pool-child.js all [text]  order, priority, waiting, cancelling, death; prints `ok`
 *     pool-child.js idle        runs a job and has nothing more to do
 *     pool-child.js busy        leaves the worker at work
 *     pool-child.js shared      the one pool of a process; prints `ok`
 *     pool-child.js hung        a job that never ends, on a clock that goes a hundred times too fast; prints `ok`
 *     pool-child.js alive       leaves a job that keeps the process alive; prints its result
 */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { clearTimeout, setTimeout } from 'node:timers'
import {
  configureWorker,
  type PoolMachine,
  WorkerPool,
  type WorkerResult,
} from '../../src/env/worker-pool.ts'
import { WorkerThread } from '../../src/env/worker-thread.ts'
import type { ToyJob } from './toy-worker.ts'

const [mode, text] = process.argv.slice(2)
const configuration = {
  url: text === undefined ? new URL('./toy-worker.js', import.meta.url) : undefined,
  source: text === undefined ? '' : readFileSync(text, 'utf8'),
  setup: () => ({ answer: 42 }),
}
const pool = new WorkerPool(configuration)

function ask(job: ToyJob, options = {}): Promise<WorkerResult> {
  return askOf(pool, job, options)
}

function askOf(asked: WorkerPool, job: ToyJob, options = {}): Promise<WorkerResult> {
  return new Promise((resolve) => asked.run(job, resolve, { keepAlive: true, ...options }))
}

/** The watch over a worker gives up within a second instead of a minute. */
function fastMachine(): PoolMachine {
  return {
    startThread: (given, events) => new WorkerThread(given, events),
    monotonic: () => performance.now() * 100,
    delay: (ms, fn) => {
      const timer = setTimeout(fn, ms / 100)
      return {
        ref: () => void timer.ref(),
        unref: () => void timer.unref(),
        cancel: () => clearTimeout(timer),
      }
    },
    sleep: () => {},
  }
}

/** Without returning to the event loop, from the very start of the thread. */
function waits(): void {
  const told: unknown[] = []
  const tell = (result: WorkerResult): void => void told.push(result.ok ? result.value : result)
  pool.run({ do: 'steps', steps: 20, value: 'long' }, tell)
  pool.run({ do: 'echo', value: 'urgent' }, tell, { priority: 'high' })
  pool.run({ do: 'setup' }, tell)
  while (told.length < 3) assert(pool.waitSync(10_000), 'nothing arrived')
  assert.deepEqual(told, ['urgent', 'long', { answer: 42 }])
  assert.equal(pool.waitSync(10), false)
}

async function cancels(): Promise<void> {
  const before = pool.progress
  const result = await new Promise<WorkerResult>((resolve) => {
    const handle = pool.run({ do: 'steps', steps: 10_000, value: 'x' }, resolve, {
      keepAlive: true,
    })
    const timer = setInterval(() => {
      if (pool.progress < before + 5) return
      clearInterval(timer)
      handle.cancel()
    }, 2)
  })
  assert.equal(!result.ok && result.reason, 'cancelled')
  assert.deepEqual(await ask({ do: 'finished' }), {
    ok: true,
    value: ['long', 'long left', 'x left'],
  })
}

async function dies(): Promise<void> {
  const lost = await Promise.all([ask({ do: 'exit' }), ask({ do: 'echo' })])
  assert.deepEqual(
    lost.map((result) => !result.ok && result.reason),
    ['lost', 'lost'],
  )
  assert.deepEqual(await ask({ do: 'echo', value: 'again' }), { ok: true, value: 'again' })

  const told: WorkerResult[] = []
  pool.run({ do: 'exit' }, (result) => void told.push(result))
  assert(pool.waitSync(10_000), 'the death was not noticed')
  assert.equal(told[0]?.ok, false)
  pool.run({ do: 'echo', value: 'once more' }, (result) => void told.push(result))
  assert(pool.waitSync(10_000), 'the replacement did not answer')
  assert.deepEqual(told[1], { ok: true, value: 'once more' })
}

if (mode === 'all') {
  waits()
  await cancels()
  await dies()
  console.log('ok')
} else if (mode === 'idle') {
  const result = await ask({ do: 'echo', value: 'ok' })
  console.log(result.ok ? result.value : result.error)
} else if (mode === 'shared') {
  assert.equal(WorkerPool.shared(), undefined)
  configureWorker(configuration)
  const shared = WorkerPool.shared()
  assert(shared !== undefined)
  configureWorker({ ...configuration, setup: () => 'too late' })
  assert.equal(WorkerPool.shared(), shared)
  shared.run({ do: 'setup' }, (result) => {
    assert.deepEqual(result, { ok: true, value: { answer: 42 } })
    console.log('ok')
  })
  assert(shared.waitSync(10_000))
} else if (mode === 'busy') {
  pool.run({ do: 'steps', steps: 100_000 }, () => undefined)
  pool.run({ do: 'echo' }, () => console.log('ok'), { priority: 'high', keepAlive: true })
} else if (mode === 'hung') {
  const fast = new WorkerPool(configuration, fastMachine())
  const lost = await askOf(fast, { do: 'hang' })
  assert.equal(!lost.ok && lost.reason, 'stuck')
  const again = await askOf(fast, { do: 'echo', value: 'ok' })
  console.log(again.ok ? again.value : again.error)
} else if (mode === 'alive') {
  pool.run(
    { do: 'steps', steps: 100, value: 'ok' },
    (result) => console.log(result.ok && result.value),
    {
      keepAlive: true,
    },
  )
}
