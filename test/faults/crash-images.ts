/**
 * The power goes at every change that a store makes to its files, and leaves each kind of image.
 *
 *     case = moment × policies + policy, the moments of all workloads in a row
 */
import { seededRandom } from '../support/seed.ts'
import { checkImage } from '../support/store-oracle.ts'
import type { Dimension, Run } from './dimension.ts'
import { type Cut, cutsOf, POLICIES, type Recording, record } from './recording.ts'
import { WORKLOADS } from './workloads.ts'

export const crashImages: Dimension = {
  name: 'crash-images',
  ids: 'A3, A5, A6, A14, C3, C4, D1, D3, D4-D6, R1-R3, R5, R7, R8, R12',
  title:
    'whenever the power goes, and whatever the disk forgets, a store is there with all it promised',
  unit: 'images',
  floor: 25_000,
  seconds: 160,
  async run(run) {
    let index = 0
    for (const workload of WORKLOADS) {
      const recording = await record(workload, run.seed)
      for (const cut of cutsOf(recording)) {
        if (run.isOver) return
        for (const [offset] of POLICIES.entries()) {
          await run.check(index + offset, () => checkCut(run, recording, cut, index + offset))
        }
        index += POLICIES.length
      }
    }
  },
}

export async function checkCut(
  run: Run,
  recording: Recording,
  cut: Cut,
  index: number,
): Promise<void> {
  const name = POLICIES[index % POLICIES.length]!
  const random = seededRandom(run.seed * 65_537 + index)
  const { workload, model, options } = recording
  try {
    const image = cut.image(name, random)
    if (workload.check !== undefined) await workload.check(image, model, cut.isLast)
    else await checkImage(image, model, cut.bounds(name), random, options)
  } catch (cause) {
    throw new Error(`${workload.name}, step ${cut.step}, ${name}`, { cause })
  }
}
