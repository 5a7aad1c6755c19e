import { expect } from 'chai'
import type { Job } from '../../src/compaction/run-job.ts'
import type { Output } from '../../src/compaction/table-output.ts'
import { Executor, InlineExecutor, type JobResult } from '../../src/engine/executor.ts'
import { nodeEnvironment } from '../../src/env/environment.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { WorkerPool } from '../../src/env/worker-pool.ts'
import { SimulatedPool } from '../support/simulated-pool.ts'
import type { WorkerFaults } from '../support/simulated-worker.ts'

const OUTPUT: Output = { tables: [], bytesWritten: 7, dropped: 0 }

/** A flush of a segment that is not there. Each has the next number for its table. */
function makeJob(numbers: number[]): Job {
  numbers.push(numbers.length + 1)
  return {
    type: 'flush',
    priority: 'high',
    directory: '/store',
    storeId: new Uint8Array(16),
    hashSeed: 0n,
    segment: 2,
    length: 100,
    snapshots: [],
    tableNumber: numbers.length,
    bitsPerKey: 10,
  }
}

/** An executor whose workers have these faults. */
function remoteExecutor(faults: Partial<WorkerFaults>): {
  simulated: SimulatedPool
  remote: Executor
  numbers: number[]
  results: JobResult[]
} {
  const simulated = new SimulatedPool(() => faults)
  const fs = new MemoryFileSystem()
  fs.makeDirectory('/store')
  const { pool } = simulated
  const workerPool = (): WorkerPool | undefined => (pool.isUsable ? pool : undefined)
  const remote = new Executor(nodeEnvironment({ fs, workerPool }), true)
  return { simulated, remote, numbers: [], results: [] }
}

describe('engine/executor', () => {
  /** What was put off to the next turn. */
  let turns: (() => void)[]
  /** Milliseconds, which pass only where a test says so. */
  let now: number
  let log: string[]
  let executor: InlineExecutor

  beforeEach(() => {
    turns = []
    now = 0
    log = []
    const defer = (fn: () => void): void => void turns.push(fn)
    executor = new InlineExecutor(nodeEnvironment({ defer, monotonic: () => now }))
  })

  /** A job of so many steps that each take some milliseconds. */
  function* steps(name: string, count: number, ms = 0): Generator<void, Output, void> {
    try {
      for (let i = 1; i <= count; i++) {
        now += ms
        log.push(`${name}${i}`)
        yield
      }
      return OUTPUT
    } finally {
      log.push(`${name} ends`)
    }
  }

  const done = (name: string) => (result: JobResult) => {
    log.push(result.ok ? `${name} done` : result.cancelled ? `${name} cancelled` : `${name} failed`)
  }

  it('runs nothing before the next turn, and then in slices that give way', () => {
    executor.run(false, steps('a', 4, 2), done('a'))
    expect(log).to.deep.equal([])
    expect(turns).to.have.length(1)
    turns.shift()?.()
    expect(log).to.deep.equal(['a1', 'a2'])
    turns.shift()?.()
    turns.shift()?.()
    expect(log).to.deep.equal(['a1', 'a2', 'a3', 'a4', 'a ends', 'a done'])
    expect(turns).to.have.length(0)
    expect(executor.pending).to.equal(0)
  })

  it('prefers urgent jobs, from their next step on', () => {
    executor.run(false, steps('slow', 2, 3), done('slow'))
    turns.shift()?.()
    executor.run(true, steps('quick', 1), done('quick'))
    while (turns.length > 0) turns.shift()?.()
    const quick = ['quick1', 'quick ends', 'quick done']
    expect(log).to.deep.equal(['slow1', ...quick, 'slow2', 'slow ends', 'slow done'])
  })

  it('ends a cancelled job at its next step, through its own clean-up', () => {
    const ticket = executor.run(false, steps('a', 100, 3), done('a'))
    turns.shift()?.()
    ticket.cancel()
    expect(log).to.deep.equal(['a1'])
    turns.shift()?.()
    expect(log).to.deep.equal(['a1', 'a ends', 'a cancelled'])
    ticket.cancel()
    expect(executor.pending).to.equal(0)
  })

  it('tells the failure of a job, and goes on with the others', () => {
    const reason = new Error('no')
    const results: JobResult[] = []
    function* failing(): Generator<void, Output, void> {
      yield
      throw reason
    }
    executor.run(true, failing(), (result) => results.push(result))
    executor.run(false, steps('b', 1), done('b'))
    while (turns.length > 0) turns.shift()?.()
    expect(results).to.deep.equal([{ ok: false, error: reason, cancelled: false }])
    expect(log).to.deep.equal(['b1', 'b ends', 'b done'])
  })

  it('blocks until one job is done, and says when there is none', () => {
    executor.run(false, steps('a', 50, 10), done('a'))
    executor.run(false, steps('b', 1), done('b'))
    expect(executor.waitSync()).to.equal(true)
    expect(log.at(-1)).to.equal('a done')
    expect(executor.pending).to.equal(1)
    expect(executor.waitSync()).to.equal(true)
    expect(log.at(-1)).to.equal('b done')
    expect(executor.waitSync()).to.equal(false)
  })

  it('does not wait for a job from within that job', () => {
    const waits: boolean[] = []
    function* waiting(): Generator<void, Output, void> {
      waits.push(executor.waitSync())
      yield
      return OUTPUT
    }
    executor.run(false, waiting(), done('a'))
    expect(executor.waitSync()).to.equal(true)
    expect(waits).to.deep.equal([false])
    expect(log).to.deep.equal(['a done'])
  })

  it('makes a job anew whose worker was lost, and runs it here in the end [ENV-28, CMP-15]', async () => {
    const { simulated, remote, numbers, results } = remoteExecutor({ kill: 1 })
    remote.run(
      () => makeJob(numbers),
      (result) => results.push(result),
    )
    for (let thread = 0; thread < 3; thread++) {
      simulated.work()
      simulated.workers[thread]?.tellEnd()
      await simulated.pass(6000)
    }
    expect(numbers).to.deep.equal([1, 2, 3, 4])
    expect(simulated.workers).to.have.length(3)
    expect(remote.inline.pending).to.equal(1)
    expect(remote.waitSync()).to.equal(true)
    // The segment is not there.
    expect(results[0]).to.have.nested.property('error.code', 'IO')
  })

  it('never runs a job here that has kept workers from answering [ENV-28]', async () => {
    const { simulated, remote, numbers, results } = remoteExecutor({ hang: 1 })
    remote.run(
      () => makeJob(numbers),
      (result) => results.push(result),
    )
    for (let thread = 0; thread < 3; thread++) {
      simulated.work()
      await simulated.pass(70_000)
    }
    expect(numbers).to.deep.equal([1, 2, 3, 4])
    expect(remote.waitSync()).to.equal(true)
    expect(results).to.have.length(1)
    expect(results[0]).to.have.nested.property('error.code', 'FAILED')
  })

  it('tells what keeps a job from being made anew, and lets go of one that was cancelled [ENV-28]', async () => {
    const { simulated, remote, numbers, results } = remoteExecutor({ kill: 1 })
    const reason = new Error('no number')
    const once = (): Job => {
      if (numbers.length > 0) throw reason
      return makeJob(numbers)
    }
    remote.run(once, (result) => results.push(result))
    const ticket = remote.run(
      () => makeJob(numbers),
      (result) => results.push(result),
    )
    ticket.cancel()
    simulated.work()
    simulated.workers[0]?.tellEnd()
    await simulated.pass(0)
    expect(results[0]).to.deep.equal({ ok: false, error: reason, cancelled: false })
    expect(results[1]).to.include({ ok: false, cancelled: true })
    expect(remote.waitSync()).to.equal(false)
  })

  it('runs jobs on this thread where there are no workers, and tells what the system says', () => {
    const fs = new MemoryFileSystem()
    fs.makeDirectory('/store')
    const inline = new Executor(nodeEnvironment({ fs, defer: (fn) => void turns.push(fn) }), false)
    const results: JobResult[] = []
    inline.run(
      () => makeJob([]),
      (result) => results.push(result),
    )
    expect(results).to.have.length(0)
    expect(inline.inline.pending).to.equal(1)
    expect(inline.waitSync()).to.equal(true)
    expect(results).to.have.length(1)
    expect(results[0]).to.include({ ok: false, cancelled: false })
    expect(results[0]).to.have.nested.property('error.code', 'IO')
    expect(fs.list('/store')).to.deep.equal([])
    expect(inline.waitSync()).to.equal(false)
  })
})
