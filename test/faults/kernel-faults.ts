/**
 * Kernels that trap at any of their calls, and whose memory ends at any size: every promise settles with a typed error, a kernel that has
 * trapped is never called again, and after the next open everything is there that was acknowledged.
 */
import { expect } from 'chai'
import { MemoryFileSystem, open, SedgeError } from '../../src/index.ts'
import { HostileKernels, type KernelFault } from '../support/hostile-kernel.ts'
import { seededRandom } from '../support/seed.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions, Workload } from '../support/store-workload.ts'
import type { Dimension } from './dimension.ts'

const TRAPS = 1500
const SIZES = 500
const SIZE_STEP = 1536
const CODES = ['FAILED', 'LIMIT', 'CLOSED', 'IO']

export const kernelFaults: Dimension = {
  name: 'kernel-faults',
  ids: 'G4, G5',
  title: 'a kernel that traps is never called again, one without memory goes on when it has some',
  unit: 'lives',
  floor: TRAPS + SIZES,
  seconds: 60,
  async run(run) {
    const whole = new HostileKernels({})
    await live(whole, run.seed)
    const step = whole.calls / TRAPS
    for (let index = 0; index < TRAPS + SIZES && !run.isOver; index++) {
      // Traps in another place each round, and each of them in the first calls.
      const trapAt = index < 250 ? index + 1 : 1 + Math.floor((index + run.round / 7) * step)
      const roomBytes = (index - TRAPS) * SIZE_STEP
      const fault = index < TRAPS ? { trapAt } : { roomBytes }
      await run.check(index, () => runKernelFault(fault, run.seed))
    }
  },
}

/** Throws what is wrong, and the fault. */
export async function runKernelFault(fault: KernelFault, seed: number): Promise<void> {
  const hostile = new HostileKernels(fault)
  try {
    await live(hostile, seed)
  } catch (cause) {
    throw new Error(JSON.stringify(fault), { cause })
  }
}

/** A life of a store on hostile kernels, and what a sound one finds afterwards. */
async function live(hostile: HostileKernels, seed: number): Promise<void> {
  const fs = new MemoryFileSystem()
  let least = 0
  const workload = new Workload(storeOptions(fs, 1), seededRandom(seed), {
    onError: (error) => expectTyped(error),
    onNote: ({ commit, what }) => {
      if (what !== 'issued') least = Math.max(least, commit)
    },
  })
  await hostile.during(async () => {
    await workload.open()
    await workload.some(30)
    await workload.read()
    await workload.flush()
    await workload.some(10)
    await workload.large()
    await workload.compact()
    await workload.read()
    if (hostile.traps === 0) {
      hostile.heal()
      await workload.some(5)
    }
    await workload.read()
    await workload.close()
  })
  expect(hostile.wrongs, 'calls after a trap').to.deep.equal([])
  const db = await open(STORE, storeOptions(fs, 2))
  try {
    workload.model.match(await readStore(db, workload.model.keys), least, workload.model.length)
    expect((await db.verify()).problems).to.deep.equal([])
    await db.put('after', 'it')
  } finally {
    await db.close()
  }
}

function expectTyped(error: unknown): void {
  if (error instanceof SedgeError && CODES.includes(error.code)) return
  throw new Error('an error of no type', { cause: error })
}
