/**
 * Fuzzing of everything that reads a file: inputs that are nearly right, with checksums that are, so that the checks behind the
 * checksums are what is tested. Where two decoders of one format exist they must agree. A case is a thousand inputs.
 */
import { loadChecksums } from '../../src/util/checksum.ts'
import { seededRandom } from '../support/seed.ts'
import {
  claimTarget,
  closedTarget,
  editTarget,
  foreignTarget,
  manifestTarget,
} from './decoders/cold.ts'
import { logTarget } from './decoders/log.ts'
import { lz4Target } from './decoders/lz4.ts'
import { blockTarget, tableTarget } from './decoders/table.ts'
import type { Target } from './decoders/target.ts'
import type { Dimension } from './dimension.ts'

const INPUTS = 1000
const CASES = 1000

export const decoderInputs: Dimension = {
  name: 'decoders',
  ids: 'A6, A7, B6, H1, H2, H3',
  title: 'a hostile file is refused with a typed error, in bounded memory, by every decoder alike',
  unit: 'inputs',
  floor: CASES * INPUTS,
  cases: CASES,
  seconds: 120,
  async run(run) {
    const targets = await allTargets()
    const deck = targets.flatMap((target) => Array<Target>(target.weight).fill(target))
    for (let index = 0; index < CASES && !run.isOver; index++) {
      await run.check(index, () => {
        const target = deck[index % deck.length]!
        const seed = (run.seed * CASES + index) * 4096
        for (let input = 0; input < INPUTS; input++) fuzz(target, seed + input)
        return INPUTS
      })
    }
  },
}

export async function allTargets(): Promise<Target[]> {
  await loadChecksums()
  return [
    ...[logTarget(), blockTarget(), tableTarget(), await lz4Target(), editTarget()],
    ...[manifestTarget(), closedTarget(), claimTarget(), foreignTarget()],
  ]
}

function fuzz(target: Target, seed: number): void {
  try {
    target.run(seededRandom(seed))
  } catch (cause) {
    throw new Error(`${target.name}, input ${seed}`, { cause })
  }
}
