/**
 * Random operations over all of the public face, compared with the model after every one, under thirty sets of options; every tenth case
 * on disk, with the background worker. What fails is cut down to the few operations that it takes.
 */
import { manyOptionSets, runModel } from '../support/model-run.ts'
import type { Dimension } from './dimension.ts'

const STEPS = 2500
const CASES = 420

export const modelOperations: Dimension = {
  name: 'model',
  ids: 'A12, A13, D4, F12, G1, G2, G3, G8',
  title: 'after every operation the store is what the model is, under every option',
  unit: 'operations',
  floor: 1_000_000,
  cases: CASES,
  seconds: 150,
  async run(run) {
    const sets = manyOptionSets()
    for (let index = 0; index < CASES && !run.isOver; index++) {
      await run.check(index, () => {
        const seed = run.seed * CASES + index
        const options = sets[index % sets.length]!
        const isOnDisk = index % 10 === 9
        const place = isOnDisk ? 'disk' : 'memory'
        return runModel({ seed, steps: STEPS, options, place })
      })
    }
  },
}
