/**
 * The statements of the plan that no loop over steps, calls or bytes proves, each on stores that the seed makes.
 *
 *     case = time × statements + statement
 */
import { type Random, seededRandom } from '../support/seed.ts'
import type { Dimension } from './dimension.ts'
import { LOG_STATEMENTS } from './statements-log.ts'
import { STORE_STATEMENTS } from './statements-store.ts'

export interface Statement {
  readonly id: string
  readonly title: string
  test(random: Random): Promise<void>
}

const TIMES = 40
export const STATEMENTS: readonly Statement[] = [...LOG_STATEMENTS, ...STORE_STATEMENTS]

export const statements: Dimension = {
  name: 'statements',
  ids: [...new Set(STATEMENTS.map(({ id }) => id))].join(', '),
  title: 'what is stated of log, tables, manifest, directory and full disks',
  unit: 'trials',
  floor: TIMES * STATEMENTS.length,
  seconds: 6,
  async run(run) {
    for (let index = 0; index < TIMES * STATEMENTS.length && !run.isOver; index++) {
      const { id, title, test } = STATEMENTS[index % STATEMENTS.length]!
      await run.check(index, async () => {
        try {
          await test(seededRandom(run.seed * 65_543 + index))
        } catch (cause) {
          throw new Error(`${id} ${title}`, { cause })
        }
      })
    }
  },
}
