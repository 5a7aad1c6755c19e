/**
 * Interleavings of writes, reads, flushes, compactions, scans and closing, with a background worker that dies, hangs, traps and whose
 * messages get lost: a slice of what the fault suites run.
 */
import { expect } from 'chai'
import { interleavingOf, runInterleaving } from '../support/interleaving.ts'
import { testSeed } from '../support/seed.ts'

const COUNT = 150

describe('property/interleavings', function () {
  this.timeout(300_000)

  it('keeps every promise in whatever order things happen, and whatever becomes of the worker [ENV-26, ENV-27, ENV-28, CMP-15, API-21, DUR-7, SNAP-2]', async () => {
    let turns = 0
    for (let index = 0; index < COUNT; index++) {
      const what = interleavingOf(testSeed() + index)
      try {
        turns += (await runInterleaving(what)).length
      } catch (cause) {
        throw new Error(`interleaving ${JSON.stringify(what)}`, { cause })
      }
    }
    expect(turns).to.be.greaterThan(COUNT * 20)
  })

  it('repeats itself when the seed does', async () => {
    for (let index = 0; index < 10; index++) {
      const what = interleavingOf(testSeed() + index)
      expect(await runInterleaving(what)).to.deep.equal(await runInterleaving(what))
    }
  })
})
