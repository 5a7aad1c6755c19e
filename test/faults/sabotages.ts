/**
 * The suites put to the test: stores that are broken on purpose, each in one place, and each to be caught by the slice of a
 * suite that is there for such things, while the sound store passes it. The store's sources know nothing of this.
 *
 *     case = number in the table
 */
import type { Dimension } from './dimension.ts'
import { type Outcome, type Sabotage, verdictOf } from './sabotages/sabotage.ts'
import { SABOTAGES } from './sabotages/table.ts'
import { Workshop } from './sabotages/workshop.ts'

/** Always the same: a slice is small, and another seed might pass what it is there for by. */
const SEED = 1

export const sabotages: Dimension = {
  name: 'sabotages',
  ids: 'M1-M34',
  title: 'a store that is broken on purpose is caught by the suite that is there for it',
  unit: 'sabotages caught',
  floor: SABOTAGES.length,
  seconds: 130,
  quickCases: 3,
  shardsMax: 1,
  async run(run) {
    const workshop = new Workshop()
    const sound = new Map<string, Promise<Outcome>>()
    for (const [index, sabotage] of SABOTAGES.entries()) {
      if (run.isOver) return
      await run.check(index, async () => {
        const { slice, edits } = sabotage
        if (!sound.has(slice)) sound.set(slice, workshop.run(slice, SEED, []))
        judge(sabotage, (await sound.get(slice))!, await workshop.run(slice, SEED, edits))
      })
    }
  },
}

/** Throws unless it is caught. */
function judge(sabotage: Sabotage, sound: Outcome, broken: Outcome): void {
  const { name, why } = verdictOf(sabotage, sound, broken)
  if (name !== 'caught') throw new Error(`${sabotage.id}, ${sabotage.what}: ${name}, ${why}`)
}
