/**
 * The process is killed, the system goes on with what it had in memory, the store is opened and takes a synced write, and then
 * the power goes: what the second process has shown is there, although nobody but the first had written it.
 *
 *     case = moment × times + time, the moments of all workloads in a row
 */
import { type Database, open } from '../../src/index.ts'
import { type Random, seededRandom } from '../support/seed.ts'
import { readStore } from '../support/store-model.ts'
import { checkImage } from '../support/store-oracle.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import type { Dimension } from './dimension.ts'
import { type Cut, cutsOf, POLICIES, policyOf, type Recording, record } from './recording.ts'
import { WORKLOADS } from './workloads.ts'

/** After the first, which loses all that was not synced, others in turn. */
const TIMES = 2

export const keptCaches: Dimension = {
  name: 'kept-caches',
  ids: 'A9, D7, E3',
  title: 'what is shown after a kill stays when the power goes behind the next synced write',
  unit: 'cuts',
  floor: 5000,
  seconds: 60,
  async run(run) {
    let index = 0
    for (const workload of WORKLOADS) {
      if (workload.check !== undefined) continue
      const recording = await record(workload, run.seed)
      for (const cut of cutsOf(recording)) {
        if (run.isOver) return
        for (let time = 0; time < TIMES; time++, index++) {
          const random = seededRandom(run.seed * 65_551 + index)
          await run.check(index, () => checkKept(recording, cut, time, random))
        }
      }
    }
  },
}

export async function checkKept(
  { model, options, workload }: Recording,
  cut: Cut,
  time: number,
  random: Random,
): Promise<void> {
  const name = time === 0 ? 'lost' : random.pick(POLICIES)
  try {
    const fs = cut.live()
    const { least, most } = cut.bounds('kept')
    const db = await open(STORE, storeOptions(fs, 2, options))
    const count = model.match(await readStore(db, model.keys), least, most)
    const grown = model.first(count)
    const commit = grown.add([['next', 'process']])
    await write(db, random)
    const image = fs.image(policyOf(name, random))
    await db.close()
    await checkImage(image, grown, { least: commit, most: commit }, random, options)
  } catch (cause) {
    throw new Error(`${workload.name}, step ${cut.step}, ${name}`, { cause })
  }
}

/** In each way in which a write can be on disk. */
async function write(db: Database<string, string>, random: Random): Promise<void> {
  const [key, value] = ['next', 'process']
  switch (random.int(4)) {
    case 0:
      return db.putSync(key, value, { sync: true })
    case 1:
      return db.batch([{ type: 'put', key, value }], { sync: true })
    case 2:
      await db.put(key, value)
      return db.sync()
    default:
      return db.put(key, value, { sync: true })
  }
}
