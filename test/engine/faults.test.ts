/**
 * System calls that fail: each call of several workloads in turn, in several ways, once or from then on. Whatever
 * happens, every call of the store settles with a typed error or a result, and what was promised is there.
 */
import { expect } from 'chai'
import type { FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem, open, SedgeError } from '../../src/index.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions, Workload } from '../support/store-workload.ts'

/** Milliseconds that a run may take whatever fails: none waits for more than the first retries. */
const RUN_MS_MAX = 8000

interface Fault {
  /** The number of the call that fails, from 1; 0 for none. */
  readonly call: number
  readonly code: string
  readonly isSticky: boolean
}

const CODES = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'short']

/** Lives that each touch other calls; short, because each of their calls gets its turns. */
const LIVES: Readonly<Record<string, (life: Workload) => Promise<void>>> = {
  'puts, batches and rotation': async (life) => {
    await life.open()
    await life.some(40)
    await life.close()
  },
  'flush, compaction and clear': async (life) => {
    await life.open()
    for (let round = 0; round < 3; round++) {
      await life.some(6)
      await life.flush()
    }
    await life.compact()
    await life.clear()
    await life.compact()
    await life.close()
  },
  'large values': async (life) => {
    await life.open()
    await life.large()
    await life.flush()
    await life.large()
    await life.close()
  },
  'closing and opening': async (life) => {
    await life.open()
    await life.some(4)
    await life.sync()
    await life.close()
    await life.open()
    await life.some(4)
    await life.close()
    await life.open()
    await life.close()
  },
}

/** Runs a life with a fault, then checks everything. Returns the number of calls that were made. */
async function runWith(
  run: (life: Workload) => Promise<void>,
  fault: Fault,
  random: Random,
): Promise<number> {
  const inner = new MemoryFileSystem()
  let calls = 0
  let isOver = false
  const fs = faultFileSystem(inner, (call, path) => {
    if (isOver) return undefined
    calls++
    const isHit = fault.isSticky ? calls >= fault.call && fault.call > 0 : calls === fault.call
    if (process.env['TRACE'] && isHit) console.log(calls, call, path, fault.code)
    return isHit ? fault.code : undefined
  })
  let acknowledged = 0
  const errors: unknown[] = []
  const life = new Workload(storeOptions(fs), random, {
    onNote: ({ commit, what }) => {
      if (what !== 'issued') acknowledged = Math.max(acknowledged, commit)
    },
    onError: (error) => errors.push(error),
  })
  await within(RUN_MS_MAX, run(life))
  isOver = true
  for (const error of errors) {
    expect(error, 'a typed error').to.be.instanceOf(SedgeError)
    expect((error as SedgeError).message).to.not.equal('')
  }
  if (life.isOpen) {
    const found = await readStore(life.db, life.model.keys)
    life.model.match(found, life.model.length, life.model.length)
    await life.db.close().catch((error: unknown) => errors.push(error))
  }
  await checkAfter(inner, life, acknowledged)
  return calls
}

/** Without the fault the store opens, holds what it must, and goes on. */
async function checkAfter(fs: FileSystem, life: Workload, acknowledged: number): Promise<void> {
  const db = await open(STORE, storeOptions(fs, 2))
  const found = await readStore(db, life.model.keys)
  life.model.match(found, acknowledged, life.model.length)
  expect((await db.verify()).problems).to.deep.equal([])
  await db.put('k1', 'after')
  await db.flush()
  await db.close()
  const again = await open(STORE, storeOptions(fs, 3))
  expect(again.stats().recovery.cleanClose).to.equal(true)
  expect(await readStore(again)).to.deep.equal(found.set('k1', 'after'))
  await again.close()
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

describe('engine/faults', function () {
  this.timeout(200_000)

  for (const [name, run] of Object.entries(LIVES)) {
    it(`settles every call with a typed error, and keeps its word, whatever call fails: ${name} [DUR-1, DUR-9, DUR-10, ERR-1, API-9]`, async () => {
      const seed = testSeed()
      const random = seededRandom(seed)
      const none = { call: 0, code: '', isSticky: false }
      const calls = await runWith(run, none, seededRandom(seed))
      expect(calls).to.be.greaterThan(20)
      for (let call = 1; call <= calls; call++) {
        for (const isSticky of [false, true]) {
          const fault = { call, code: random.pick(CODES), isSticky }
          try {
            await runWith(run, fault, seededRandom(seed))
          } catch (cause) {
            throw new Error(`with ${JSON.stringify(fault)}`, { cause })
          }
        }
      }
    })
  }
})
