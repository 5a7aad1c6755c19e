/**
 * System calls that fail: each call of several lives in turn, once or from then on, in a way that the seed picks. The fault
 * suites (`test/faults/io-errors.ts`) fail each in every way.
 */
import { expect } from 'chai'
import { CALLS, runFaultyCall } from '../support/faulty-call.ts'
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
        const fault = { call: at + 1, code: random.pick(codes), isSticky }
        await told(fault, runFaulty(name, fault, seed))
      }
    })
  }

  for (const name of Object.keys(CALLS)) {
    it(`takes no failing disk for damage, leaves no file open and the store whole: ${name} [ERR-1, REC-5, REC-8, VER-1, REP-1, DES-3]`, async () => {
      const random = seededRandom(testSeed())
      const { length } = await runFaultyCall(name, NO_FAULT)
      expect(length).to.be.greaterThan(10)
      for (let call = 1; call <= length; call++) {
        const fault = { call, code: random.pick(CODES), isSticky: random.chance(0.5) }
        await told(fault, runFaultyCall(name, fault))
      }
    })
  }
})

async function told(fault: LifeFault, run: Promise<unknown>): Promise<void> {
  try {
    await run
  } catch (cause) {
    throw new Error(`with ${JSON.stringify(fault)}`, { cause })
  }
}
