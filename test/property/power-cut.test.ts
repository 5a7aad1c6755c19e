/**
 * Power cuts in random lives of a store, at every other step, in each of the ways in which a disk may forget. The fault suites
 * (`test/faults/crash-images.ts`, `nested-crashes.ts`) take every step of lives of every kind.
 */
import { expect } from 'chai'
import { checkRecovery } from '../faults/nested-crashes.ts'
import { cutsOf, POLICIES, type Recording, record } from '../faults/recording.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { checkImage } from '../support/store-oracle.ts'

/** How much of what can be tried is. */
const SHARE = 0.5

/** A life that does everything, under options that the seed picks. */
function randomLife(random: Random): Promise<Recording> {
  const options = {
    durability: random.pick(['none', 'process', 'disk'] as const),
    compression: random.pick(['none', 'lz4'] as const),
    bloomBitsPerKey: random.pick([0, 10]),
    maxLevels: random.pick([2, 3, 7]),
  }
  const life = { name: 'everything', options, run: (one: { run(): Promise<void> }) => one.run() }
  return record(life, random.int(2 ** 30))
}

describe('property/power-cut', function () {
  this.timeout(300_000)

  for (const name of POLICIES) {
    it(`leaves a prefix with all that was acknowledged, whatever the step, policy ${name} [DUR-2, DUR-5, DUR-6, DUR-7, API-9, LOG-7, LOG-10, REC-1]`, async () => {
      const random = seededRandom(testSeed())
      const { model, options, ...recording } = await randomLife(random)
      let images = 0
      for (const cut of cutsOf({ model, options, ...recording })) {
        if (!random.chance(SHARE)) continue
        images++
        const image = cut.image(name, random)
        await told(cut.step, checkImage(image, model, cut.bounds(name), random, options))
      }
      expect(images).to.be.greaterThan(50)
    })
  }

  it('gives the same content when recovery is cut off and repeated [REC-5, DUR-5]', async () => {
    const random = seededRandom(testSeed())
    const recording = await randomLife(random)
    let images = 0
    for (const cut of cutsOf(recording)) {
      if (!random.chance(SHARE)) continue
      images++
      await checkRecovery(recording, cut, random)
    }
    expect(images).to.be.greaterThan(50)
  })
})

async function told<T>(step: number, check: Promise<T>): Promise<T> {
  try {
    return await check
  } catch (cause) {
    throw new Error(`the power went before step ${step}`, { cause })
  }
}
