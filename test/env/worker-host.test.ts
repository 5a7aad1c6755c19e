import { expect } from 'chai'
import type { WorkerResult } from '../../src/env/worker-pool.ts'
import { SedgeError } from '../../src/errors.ts'
import { ask, askAll, makePool, stepsTaken, stopPools } from '../support/toy-pool.ts'

describe('env/worker-host', () => {
  afterEach(stopPools)

  it('runs urgent jobs between the steps of others [ENV-19]', async () => {
    const pool = makePool()
    const low = ask(pool, { do: 'steps', steps: 100, value: 'low' })
    await ask(pool, { do: 'echo' }, { priority: 'high' })
    const urgent = { priority: 'high' }
    const told = await askAll(pool, [
      [{ do: 'echo', value: 'next' }],
      [{ do: 'steps', steps: 10, value: 'first' }, urgent],
      [{ do: 'echo', value: 'second' }, urgent],
      [{ do: 'finished' }],
    ])
    await low
    const finished = ['first', 'first left', 'low', 'low left']
    expect(told).to.deep.equal(['first', 'second', 'next', finished])
  })

  it('runs jobs of middle priority between the steps of low ones, and urgent ones between theirs [ENV-19]', async () => {
    const pool = makePool()
    const low = ask(pool, { do: 'steps', steps: 100, value: 'low' })
    const told = await askAll(pool, [
      [{ do: 'echo', value: 'last' }],
      [{ do: 'steps', steps: 10, value: 'first' }, { priority: 'middle' }],
      [{ do: 'echo', value: 'second' }, { priority: 'middle' }],
      [{ do: 'echo', value: 'urgent' }, { priority: 'high' }],
    ])
    await low
    expect(told).to.deep.equal(['urgent', 'first', 'second', 'last'])
  })

  it('ends a cancelled job at its next step [ENV-20]', async () => {
    const pool = makePool()
    const results: WorkerResult[] = []
    const running = pool.run({ do: 'steps', steps: 100_000, value: 'x' }, (one) =>
      results.push(one),
    )
    const queued = pool.run({ do: 'echo' }, (one) => results.push(one))
    await stepsTaken(pool, 5)
    queued.cancel()
    running.cancel()
    const left = await ask(pool, { do: 'finished' })
    expect(results.map((one) => !one.ok && one.reason)).to.deep.equal(['cancelled', 'cancelled'])
    expect(left).to.deep.equal({ ok: true, value: ['x left'] })
    running.cancel()
    expect(results).to.have.length(2)
  })

  it('tells a job that asks that it is cancelled [ENV-20]', async () => {
    const pool = makePool()
    await ask(pool, { do: 'echo' })
    const result = await new Promise<WorkerResult>((resolve) => {
      const handle = pool.run({ do: 'spin' }, resolve, { keepAlive: true })
      handle.cancel()
    })
    // Cancelled before it began, or told while it ran.
    expect(result.ok ? result.value : result.reason).to.be.oneOf(['told in time', 'cancelled'])
    const before = pool.progress
    const second = await new Promise<WorkerResult>((resolve) => {
      const handle = pool.run({ do: 'spin' }, resolve, { keepAlive: true })
      void stepsTaken(pool, before + 1).then(() => handle.cancel())
    })
    expect(second).to.deep.equal({ ok: true, value: 'told in time' })
  })

  it('brings errors across [ENV-24]', async () => {
    const result = await ask(makePool(), { do: 'fail' })
    expect(result).to.deep.include({ ok: false, reason: 'failed' })
    const error = (result as { error: unknown }).error
    expect(error).to.be.instanceOf(SedgeError)
    expect(error).to.include({
      code: 'CORRUPTION',
      file: '000007.sst',
      offset: 512,
      expected: 'a',
      actual: 9,
    })
    expect(error).to.have.nested.property('cause.code', 'EIO')
    expect((error as Error).stack).to.contain('toy-worker')
  })

  it('fails what cannot be cloned, either way [ENV-24]', async () => {
    const pool = makePool()
    const there = await ask(pool, { do: 'echo', value: () => undefined })
    expect(there).to.deep.include({ ok: false, reason: 'failed' })
    const back = await ask(pool, { do: 'unclonable' })
    expect(back).to.deep.include({ ok: false, reason: 'failed' })
    expect(await ask(pool, { do: 'echo', value: 1 })).to.deep.equal({ ok: true, value: 1 })
  })
})
