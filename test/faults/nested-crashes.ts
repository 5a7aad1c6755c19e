/**
 * The power goes while a store recovers from a loss of power, and again. What the first recovery has shown must come back.
 *
 *     case = moment × DEPTHS + n: the nth recovery from an image of that moment, cut off anywhere
 */
import { type MemoryFileSystem, type OpenOptions, open } from '../../src/index.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import { JournalFileSystem, JournalReplay } from '../support/journal-file-system.ts'
import { type Random, seededRandom } from '../support/seed.ts'
import { readStore } from '../support/store-model.ts'
import { checkImage } from '../support/store-oracle.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import type { Dimension } from './dimension.ts'
import { type Cut, cutsOf, POLICIES, policyOf, type Recording, record } from './recording.ts'
import { WORKLOADS } from './workloads.ts'

const TIMES = 8
const DEPTH_MAX = 3

export const nestedCrashes: Dimension = {
  name: 'nested-crashes',
  ids: 'A9, D2, R10',
  title: 'when the power goes during recovery as well, the next recovery gives the same content',
  unit: 'recoveries',
  floor: 20_000,
  seconds: 190,
  async run(run) {
    let index = 0
    for (const workload of WORKLOADS) {
      if (workload.check !== undefined) continue
      const recording = await record(workload, run.seed)
      for (const cut of cutsOf(recording)) {
        if (run.isOver) return
        for (let time = 0; time < TIMES; time++, index++) {
          const random = seededRandom(run.seed * 65_539 + index)
          await run.check(index, () => checkRecovery(recording, cut, random))
        }
      }
    }
  },
}

/** Cuts recoveries off, and expects what the first would have shown. */
export async function checkRecovery(recording: Recording, cut: Cut, random: Random): Promise<void> {
  const { model, options, workload } = recording
  const name = random.pick(POLICIES)
  const depth = random.int(1, DEPTH_MAX)
  try {
    const image = cut.image(name, random)
    const { least, most } = cut.bounds(name)
    const first = await open(STORE, storeOptions(image.clone(), 2, options))
    const count = model.match(await readStore(first, model.keys), least, most)
    await first.close()
    let start = image
    for (let left = depth; left > 0; left--) start = await cutRecovery(start, random, options)
    await checkImage(start, model, { least: count, most: count }, random, options)
  } catch (cause) {
    throw new Error(`${workload.name}, step ${cut.step}, ${name}, ${depth} deep`, { cause })
  }
}

/** What is left when a recovery is cut off at some step, or the store right after it. */
async function cutRecovery(
  start: MemoryFileSystem,
  random: Random,
  options: OpenOptions<'utf8', 'utf8'>,
): Promise<MemoryFileSystem> {
  const recorded = new JournalFileSystem(CrashFileSystem.of(start, STORE))
  const db = await open(STORE, storeOptions(recorded, 3, options))
  const steps = [...recorded.journal]
  await db.close()
  const replay = new JournalReplay(CrashFileSystem.of(start, STORE))
  for (const entry of steps.slice(0, random.int(steps.length + 1))) replay.apply(entry)
  return replay.fs.image(policyOf(random.pick(POLICIES), random))
}
