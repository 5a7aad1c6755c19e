/**
 * `kill -9` on real files, on every runtime: each case is a store whose writers are killed one after the other, half of them at a
 * random moment and half at a call that changes a file. Says nothing about power cuts: the page cache survives.
 */
import { rmSync } from 'node:fs'
import { type Death, Victim } from '../support/kill-victim.ts'
import { runtimes } from '../support/runtimes.ts'
import { type Random, seededRandom } from '../support/seed.ts'
import type { Dimension } from './dimension.ts'

const KILLS = 8
const STORES = 28

export const kills: Dimension = {
  name: 'kills',
  ids: 'F1, D7, R10',
  title: 'what was acknowledged survives kill -9 at any moment, on Node, Deno and Bun',
  unit: 'kills',
  floor: 200,
  cases: STORES,
  seconds: 150,
  quickCases: 2,
  async run(run) {
    const found = runtimes()
    for (let index = 0; index < STORES && !run.isOver; index++) {
      await run.check(index, async () => {
        const random = seededRandom(run.seed * 1000 + index)
        const victim = new Victim(random.int(2 ** 20))
        const runtime = found[index % found.length]!
        for (let kill = 0; kill < KILLS; kill++) await victim.kill(runtime, deathOf(random))
        rmSync(victim.directory, { recursive: true, force: true })
        return KILLS
      })
    }
  },
}

/** Many of the calls are those of opening: the first few dozen. */
function deathOf(random: Random): Death {
  if (random.chance(0.5)) return { ms: random.int(1, 250) }
  const nth = random.chance(0.5) ? random.int(1, 60) : random.int(60, 1200)
  return { nth, moment: random.pick(['before', 'after', 'within'] as const) }
}
