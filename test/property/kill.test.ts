/**
 * `kill -9` at random moments, several times in a row on one store: what is there afterwards is what some prefix of all operations
 * leaves, with everything in it that was acknowledged.
 */
import { expect } from 'chai'
import { Victim } from '../support/kill-victim.ts'
import { eachRuntime } from '../support/runtimes.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

/** Kills in a row of each store; with four runtimes these are a hundred. */
const KILLS = [9, 8, 8]

describe('property/kill', () => {
  eachRuntime(
    'loses nothing that was acknowledged and leaves no half of a batch when the process is killed [DUR-1, DUR-4, DUR-5, API-9, REC-5, REC-7, REC-8, ORD-7]',
    async (runtime) => {
      const random = seededRandom(testSeed())
      for (const kills of KILLS) {
        const victim = new Victim(random.int(2 ** 20))
        for (let kill = 0; kill < kills; kill++)
          await victim.kill(runtime, { ms: random.int(5, 300) })
        expect(victim.tables, 'tables').to.be.greaterThan(kills / 2)
        expect(victim.segments, 'segments').to.be.greaterThan(kills / 2)
      }
    },
  )
})
