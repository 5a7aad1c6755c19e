/**
 * System calls that fail: each call of several lives in turn, once or from then on, in a way that the seed picks. The fault
 * suites (`test/faults/io-errors.ts`) fail each in every way.
 */
import { expect } from 'chai'
import { LIVES, type LifeFault, NO_FAULT, runFaulty } from '../support/faulty-life.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const CODES = ['EIO', 'ENOSPC', 'EMFILE', 'EACCES', 'short']

/** Those whose calls are too many to fail all of them here. */
const LONG = ['compaction of level 0', 'manifest rotation']

describe('engine/faults', function () {
  this.timeout(200_000)

  for (const name of Object.keys(LIVES)) {
    if (LONG.includes(name)) continue
    it(`settles every call with a typed error, and keeps its word, whatever call fails: ${name} [DUR-1, DUR-2, DUR-9, DUR-10, ERR-1, API-9]`, async () => {
      const seed = testSeed()
      const random = seededRandom(seed)
      const { calls } = await runFaulty(name, NO_FAULT, seed)
      expect(calls.length).to.be.greaterThan(20)
      for (const [at, call] of calls.entries()) {
        const codes = call === 'sync' ? [...CODES, 'lost', 'reverted'] : CODES
        const isSticky = random.chance(0.5)
        await told({ call: at + 1, code: random.pick(codes), isSticky }, name, seed)
      }
    })
  }
})

async function told(fault: LifeFault, name: string, seed: number): Promise<void> {
  try {
    await runFaulty(name, fault, seed)
  } catch (cause) {
    throw new Error(`with ${JSON.stringify(fault)}`, { cause })
  }
}
