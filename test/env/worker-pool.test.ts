import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { WorkerPool, type WorkerResult } from '../../src/env/worker-pool.ts'
import { eachRuntime, runScript, runtimes } from '../support/runtimes.ts'
import { SimulatedPool } from '../support/simulated-pool.ts'
import { tempDirectory } from '../support/temp.ts'
import {
  ask,
  askAll,
  makePool,
  stopPools,
  toyConfiguration,
  toyWorkerText,
} from '../support/toy-pool.ts'
import type { ToyJob } from '../support/toy-worker.ts'

const CHILD = fileURLToPath(new URL('../support/pool-child.js', import.meta.url))

describe('env/worker-pool', () => {
  afterEach(stopPools)

  it('runs jobs in order, each to its end [ENV-18]', async () => {
    const pool = makePool()
    const jobs = [5, 1, 3].map((steps): [ToyJob] => [{ do: 'steps', steps, value: steps }])
    expect(await askAll(pool, jobs)).to.deep.equal([5, 1, 3])
    expect(pool.pending).to.equal(0)
    expect(await ask(pool, { do: 'setup' })).to.deep.equal({ ok: true, value: 'setup' })
  })

  it('waits without the event loop, and tells each result once [ENV-21]', async () => {
    const pool = makePool()
    const told: unknown[] = []
    for (const value of [1, 2, 3]) {
      pool.run({ do: 'steps', steps: 3, value }, (one) => told.push(one.ok && one.value))
    }
    const before = pool.progress
    while (told.length < 3) expect(pool.waitSync(10_000)).to.equal(true)
    expect(pool.progress).not.to.equal(before)
    expect(told).to.deep.equal([1, 2, 3])
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(told).to.have.length(3)
    expect(pool.waitSync(10_000)).to.equal(false)
    expect(pool.drain()).to.equal(false)
  })

  it('gives up waiting when the time is over [ENV-21]', () => {
    const pool = makePool()
    pool.run({ do: 'steps', steps: 100_000 }, () => undefined)
    const began = performance.now()
    expect(pool.waitSync(60)).to.equal(false)
    expect(performance.now() - began).to.be.above(55)
    expect(pool.pending).to.equal(1)
  })

  it('loses the jobs of a dead worker and replaces it [ENV-22]', async () => {
    const pool = makePool()
    for (let round = 0; round < 2; round++) {
      const [first, second] = await Promise.all([
        ask(pool, { do: 'exit' }),
        ask(pool, { do: 'echo', value: 'behind it' }),
      ])
      expect(first).to.deep.include({ ok: false, reason: 'lost' })
      expect(second).to.deep.include({ ok: false, reason: 'lost' })
      expect(await ask(pool, { do: 'echo', value: 7 })).to.deep.equal({ ok: true, value: 7 })
    }
    expect(pool.isUsable).to.equal(true)
  })

  it('waits longer from death to death [ENV-22]', async () => {
    const pool = makePool()
    for (let death = 0; death < 2; death++) await ask(pool, { do: 'exit' })
    const began = performance.now()
    const result = ask(pool, { do: 'echo', value: 'later' })
    let isTold = false
    pool.run({ do: 'echo', value: 'cancelled' }, () => (isTold = true)).cancel()
    expect(await result).to.deep.equal({ ok: true, value: 'later' })
    expect(performance.now() - began).to.be.above(90)
    expect(isTold).to.equal(true)
  })

  it('notices a death while it waits, and waits for the replacement [ENV-22]', () => {
    const pool = makePool()
    const told: WorkerResult[] = []
    for (let death = 0; death < 3; death++) {
      pool.run({ do: 'exit' }, (one) => told.push(one))
      expect(pool.waitSync(10_000)).to.equal(true)
    }
    pool.run({ do: 'echo', value: 'back' }, (one) => told.push(one))
    expect(pool.waitSync(10_000)).to.equal(true)
    expect(told.map((one) => (one.ok ? one.value : one.reason))).to.deep.equal([
      'lost',
      'lost',
      'lost',
      'back',
    ])
  })

  it('gives up on a worker that does not start [ENV-25]', async () => {
    const pool = makePool('export const broken = undefined.property')
    let attempts = 0
    while (pool.isUsable && attempts < 10) {
      expect(await ask(pool, { do: 'echo' })).to.deep.include({ ok: false, reason: 'lost' })
      attempts++
    }
    expect(attempts).to.equal(3)
    expect(await ask(pool, { do: 'echo' })).to.deep.include({ ok: false, reason: 'lost' })
  })

  it('loses its jobs when the setup fails [ENV-25]', async () => {
    const setup = (): never => {
      throw new Error('no setup')
    }
    const pool = new WorkerPool({ ...toyConfiguration(), setup })
    const result = await ask(pool, { do: 'echo' })
    expect(result).to.deep.include({ ok: false, reason: 'lost' })
    expect(result).to.have.nested.property('error.cause.message', 'no setup')
    expect(pool.isUsable).to.equal(false)
  })

  it('ends a worker that gives no sign of life, and starts another [ENV-26]', async () => {
    const simulated = new SimulatedPool((worker) => ({ hang: worker === 0 ? 1 : 0 }))
    simulated.run({ value: 'a' })
    simulated.run({ value: 'b' }, 'high')
    simulated.work()
    await simulated.pass(55_000)
    expect(simulated.told).to.deep.equal([])
    await simulated.pass(10_000)
    expect(simulated.told).to.deep.equal(['stuck', 'stuck'])
    simulated.run({ value: 'c' })
    simulated.work()
    expect(simulated.told.at(-1)).to.equal('c')
    expect(simulated.workers).to.have.length(2)
    await simulated.pass(1_000_000)
    expect(simulated.told).to.have.length(3)
  })

  it('gives no job up while the worker takes steps, however long it takes [ENV-26]', async () => {
    const simulated = new SimulatedPool()
    simulated.run({ value: 'long', steps: 100 })
    for (let step = 0; step < 100; step++) {
      simulated.workers[0]?.step()
      await simulated.pass(40_000)
    }
    simulated.work()
    expect(simulated.told).to.deep.equal(['long'])
  })

  it('notices while it blocks that the worker does not answer [ENV-26]', () => {
    const simulated = new SimulatedPool((worker) => ({ kill: worker === 0 ? 1 : 0 }))
    simulated.run({ value: 'a' })
    let waits = 0
    while (simulated.told.length === 0) {
      simulated.pool.waitSync(50)
      waits++
    }
    expect(simulated.told).to.deep.equal(['stuck'])
    expect(waits).to.be.within(1000, 1500)
    simulated.run({ value: 'b' })
    expect(simulated.pool.waitSync(50)).to.equal(true)
    expect(simulated.told).to.deep.equal(['stuck', 'b'])
  })

  it('loses the jobs of workers that never come up, and then tries no more [ENV-25, ENV-26]', async () => {
    const simulated = new SimulatedPool(() => ({ drop: 1 }))
    for (let start = 0; start < 4; start++) {
      simulated.run({ value: start })
      await simulated.pass(80_000)
    }
    expect(simulated.told).to.deep.equal(['lost', 'lost', 'lost', 'lost'])
    expect(simulated.workers).to.have.length(3)
    expect(simulated.pool.isUsable).to.equal(false)
  })

  it('runs a job once and tells it once when messages come twice: H8 [ENV-27]', () => {
    const simulated = new SimulatedPool(() => ({ double: 1 }))
    for (const value of [1, 2, 3]) simulated.run({ value, steps: value })
    simulated.work()
    expect(simulated.told).to.deep.equal([1, 2, 3])
    expect(simulated.begun).to.deep.equal([1, 2, 3])
  })

  it('loses a job whose message is lost as soon as a later one is done [ENV-27]', async () => {
    const faults = { drop: 0 }
    const simulated = new SimulatedPool(() => faults)
    simulated.run({ value: 'first' })
    faults.drop = 1
    simulated.run({ value: 'lost' })
    simulated.run({ value: 'urgent and lost' }, 'high')
    faults.drop = 0
    simulated.run({ value: 'last' })
    simulated.work()
    await simulated.pass(1)
    expect(simulated.told).to.deep.equal(['first', 'last', 'lost'])
    simulated.run({ value: 'urgent' }, 'high')
    simulated.work()
    await simulated.pass(1)
    expect(simulated.told.slice(3)).to.deep.equal(['urgent', 'lost'])
    expect(simulated.pool.pending).to.equal(0)
  })

  it('has one pool for the process, once a worker is configured [ENV-18]', () => {
    // In a process of its own: this one's pool is the engine's.
    expect(runScript(runtimes()[0]!, CHILD, { args: ['shared'] })).to.equal('ok\n')
  })

  eachRuntime(
    'keeps order, priority, waiting, cancelling and replacement [ENV-18, ENV-20, ENV-22]',
    (runtime) => {
      expect(runScript(runtime, CHILD, { args: ['all'] })).to.equal('ok\n')
    },
  )

  eachRuntime('does the same from a text [ENV-18]', (runtime) => {
    for (const format of ['esm', 'cjs'] as const) {
      const path = `${tempDirectory()}/worker.txt`
      writeFileSync(path, toyWorkerText(format))
      expect(runScript(runtime, CHILD, { args: ['all', path] })).to.equal('ok\n')
    }
  })

  eachRuntime(
    'lets the process end, idle, busy or hung, unless a job keeps it [ENV-23, ENV-26]',
    (runtime) => {
      for (const mode of ['idle', 'busy', 'alive', 'hung']) {
        expect(runScript(runtime, CHILD, { args: [mode] }), mode).to.equal('ok\n')
      }
    },
  )

  it('has no shared pool where workers are refused [ENV-25]', function () {
    const node26 = runtimes().find(({ name }) => name === 'node26')
    if (node26 === undefined) return this.skip()
    this.timeout(60_000)
    const script = `${tempDirectory()}/refused.mjs`
    const module = new URL('../../src/env/worker-pool.js', import.meta.url).href
    writeFileSync(
      script,
      `const { configureWorker, WorkerPool } = await import(${JSON.stringify(module)})
      const configuration = { url: undefined, source: ' ', setup: () => undefined }
      configureWorker(configuration)
      console.log(WorkerPool.shared())
      new WorkerPool(configuration).run(1, (result) => console.log(result.reason))`,
    )
    const args = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*']
    expect(runScript({ ...node26, args }, script)).to.equal('undefined\nlost\n')
  })
})
