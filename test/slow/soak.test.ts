/**
 * Random operations against the model for as long as is wished: SEDGE_SOAK_SECONDS, 60 by default. Longer runs and larger stores than
 * those of test/property/model.test.ts, in memory and on disk.
 */
import { expect } from 'chai'
import { type ModelRun, OPTION_SETS, runModel } from '../support/model-run.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const SECONDS: number = Number(process.env['SEDGE_SOAK_SECONDS'] ?? 60)
const MIB = 1024 * 1024
const STEPS = 20_000

/** Some run; everything about it follows from `random`. */
function randomRun(random: Random): ModelRun {
  const place = random.pick(['memory', 'disk'] as const)
  const isLarge = random.chance(0.3)
  return {
    seed: random.int(2 ** 31),
    steps: STEPS,
    place,
    options: {
      ...random.pick(OPTION_SETS),
      ...(place === 'disk' ? { workers: random.pick([0, 1] as const) } : {}),
      ...(isLarge ? { memtableSize: random.pick([256 * 1024, MIB, 4 * MIB]) } : {}),
    },
    ...(isLarge ? { operations: { preload: 14 * MIB, filling: 0.05 } } : {}),
  }
}

describe('slow/soak', function () {
  this.timeout(SECONDS * 1000 + 3_600_000)

  it(`agrees with the model for ${SECONDS} s [API-8, API-9, DUR-7, SNAP-2, ORD-1]`, async () => {
    const random = seededRandom(testSeed())
    const end = performance.now() + SECONDS * 1000
    let runs = 0
    let steps = 0
    while (performance.now() < end) {
      steps += await runModel(randomRun(random))
      runs++
    }
    console.log(`        ${steps} operations in ${runs} runs, from SEDGE_SEED=${testSeed()}`)
    expect(steps).to.equal(runs * STEPS)
  })
})
