/** Random operations over all of the public face, compared with a model that shares nothing with the engine. */
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { OPTION_SETS, runModel } from '../support/model-run.ts'
import type { AnyDatabase } from '../support/operation-reads.ts'
import { eachRuntime, runScript } from '../support/runtimes.ts'
import { testSeed } from '../support/seed.ts'

const CHILD = fileURLToPath(new URL('../support/model-child.js', import.meta.url))
const MIB = 1024 * 1024

/** A million operations in all. */
const RUNS = 25
const STEPS = 10_000

/** Every run proves all of them. */
const CLAUSES: readonly string[] = [
  '[API-2, API-5, API-7, API-8, API-11, API-12, API-14, API-16, API-17, API-19]',
  '[API-9, API-10, API-13, API-15, API-18, API-20, DUR-4, LIM-1, LIM-2, LIM-5]',
  '[ORD-1, ORD-2, ORD-3, ORD-4, ORD-6, ORD-7]',
  '[DUR-6, DUR-7, SNAP-2, SNAP-3]',
]

describe('property/model', () => {
  for (const [index, options] of OPTION_SETS.entries()) {
    const { compression, bloomBitsPerKey, maxLevels, durability } = options
    const what = `${compression}, ${bloomBitsPerKey} bits, ${maxLevels} levels, '${durability}'`
    it(`agrees with the store after every operation: ${what} ${CLAUSES[index]}`, async function () {
      this.timeout(600_000)
      for (let run = 0; run < RUNS; run++) {
        const seed = testSeed() + index * RUNS + run
        expect(await runModel({ seed, steps: STEPS, options, place: 'memory' })).to.equal(STEPS)
      }
    })
  }

  it('agrees when tables reach the deeper levels [API-23, SNAP-1, SNAP-2, SNAP-4, SNAP-5]', async function () {
    this.timeout(300_000)
    for (const [index, set] of [OPTION_SETS[0]!, OPTION_SETS[2]!].entries()) {
      const run = {
        ...{ seed: testSeed() + index, steps: 5000, place: 'memory' as const },
        options: { ...set, memtableSize: MIB },
        operations: { preload: 14 * MIB, filling: 0.05 },
      }
      expect(await runModel(run)).to.equal(5000)
    }
  })

  it('sees a store that loses a value, and shows the few operations that it takes', async () => {
    const options = OPTION_SETS[0]!
    const run = { seed: 5, steps: 3000, options, place: 'memory' as const, wrap: forgetful }
    let message = ''
    try {
      await runModel(run)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).to.match(
      /^seed=5 place=memory options=\{"compression.* step=\d+ of 3000: Error/,
    )
    expect(Number(/fails with (\d+) operations/.exec(message)?.[1])).to.be.at.most(8)
  })

  eachRuntime('agrees on disk, with the worker and without [API-8, DUR-7]', (runtime) => {
    const args = [testSeed(), 4, 5000].map(String)
    expect(runScript(runtime, CHILD, { args })).to.equal('agreed\n')
  })
})

/** A store in which a key of five bytes is never found by `getSync`. */
function forgetful(db: AnyDatabase): AnyDatabase {
  return new Proxy(db, {
    get(target, name: keyof AnyDatabase) {
      const member: unknown = target[name]
      if (typeof member !== 'function') return member
      const call = member.bind(target) as (...given: unknown[]) => unknown
      if (name !== 'getSync') return call
      return (...given: unknown[]) => {
        return (given[0] as string | Uint8Array).length === 5 ? undefined : call(...given)
      }
    },
  })
}
