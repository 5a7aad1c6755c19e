import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import { absolutePath, laterTurn, nodeEnvironment } from '../../src/env/environment.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { NodeFileSystem } from '../../src/env/node-file-system.ts'
import { childEnvironment, eachRuntime } from '../support/runtimes.ts'

const MODULE = new URL('../../src/env/environment.js', import.meta.url).href

describe('env/environment', () => {
  it('is the machine unless it is told otherwise [ENV-14]', () => {
    const environment = nodeEnvironment()
    expect(environment.fs).to.be.instanceOf(NodeFileSystem)
    const before = Date.now()
    expect(environment.clock()).to.be.within(before, Date.now())
    expect(environment.totalMemory()).to.be.above(0)
    expect(environment.parallelism()).to.be.at.least(1)
  })

  it('gives way to the event loop [API-25]', async () => {
    let isTurned = false
    setImmediate(() => {
      isTurned = true
    })
    await laterTurn()
    expect(isTurned).to.equal(true)
  })

  it('takes every member that it is given [ENV-14]', () => {
    const fs = new MemoryFileSystem()
    const calls: string[] = []
    const environment = nodeEnvironment({
      fs,
      clock: () => 1,
      random: () => 0.5,
      monotonic: () => 2,
      defer: () => void calls.push('defer'),
      delay: (ms) => ({ cancel: () => void calls.push(`cancel ${ms}`) }),
      totalMemory: () => undefined,
      parallelism: () => 3,
      zstd: () => undefined,
    })
    environment.defer(() => undefined)
    environment.delay(9, () => undefined).cancel()
    expect(environment.fs).to.equal(fs)
    expect([environment.clock(), environment.random(), environment.monotonic()]).to.deep.equal([
      1, 0.5, 2,
    ])
    expect([environment.totalMemory(), environment.parallelism()]).to.deep.equal([undefined, 3])
    expect(environment.zstd()).to.equal(undefined)
    expect(calls).to.deep.equal(['defer', 'cancel 9'])
    expect(nodeEnvironment({ clock: undefined }).clock()).to.be.above(1)
  })

  it('draws numbers from all of [0, 1) [ENV-15]', () => {
    const { random } = nodeEnvironment()
    const drawn = Array.from({ length: 2000 }, random)
    expect(Math.min(...drawn)).to.be.within(0, 0.02)
    expect(Math.max(...drawn)).to.be.within(0.98, 1 - 2 ** -53)
    expect(new Set(drawn).size).to.equal(2000)
  })

  it('measures time that never goes back [ENV-15]', () => {
    const { monotonic } = nodeEnvironment()
    let last = monotonic()
    for (let count = 0; count < 1000; count++) {
      const now = monotonic()
      expect(now).to.be.at.least(last)
      last = now
    }
  })

  it('defers to a later turn, delays and cancels [ENV-17]', async () => {
    const environment = nodeEnvironment()
    const calls: string[] = []
    const cancelled = environment.delay(1, () => calls.push('cancelled'))
    cancelled.cancel()
    await new Promise<void>((resolve) => {
      environment.defer(() => calls.push('deferred'))
      queueMicrotask(() => calls.push('microtask'))
      const timer = environment.delay(5, () => {
        calls.push('delayed')
        resolve()
      })
      setTimeout(() => timer.cancel(), 200)
    })
    expect(calls).to.deep.equal(['microtask', 'deferred', 'delayed'])
  })

  eachRuntime('stays alive for what is deferred, not for what is delayed [ENV-17]', (runtime) => {
    const script = `
      const { nodeEnvironment } = await import(${JSON.stringify(MODULE)})
      const environment = nodeEnvironment()
      environment.delay(30_000, () => console.log('delayed'))
      environment.defer(() => environment.defer(() => console.log('deferred')))`
    const flags = runtime.name === 'deno' ? ['eval'] : ['--input-type=module', '-e']
    const args = runtime.name === 'bun' ? ['-e', script] : [...flags, script]
    const output = execFileSync(runtime.command, args, {
      encoding: 'utf8',
      env: childEnvironment(),
      timeout: 20_000,
    })
    expect(output).to.equal('deferred\n')
  })

  it('makes paths absolute and leaves links and `..` in them to the system [API-24]', () => {
    const before = process.cwd
    try {
      process.cwd = () => '/here'
      expect(absolutePath('a/../b')).to.equal('/here/a/../b')
      expect(absolutePath('/a/../b')).to.equal('/a/../b')
      process.cwd = () => {
        throw new Error('there is no such directory any more')
      }
      expect(absolutePath('a')).to.equal('a')
    } finally {
      process.cwd = before
    }
  })
})
