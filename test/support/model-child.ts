/**
 * A script of its own: runs of random operations on disk, on whatever runtime it is started with.
 *
 *     model-child.js <seed> <runs> <steps>      prints 'agreed', or the failure, and then exits with 1
 */
import { OPTION_SETS, runModel } from './model-run.ts'

const [seed = 0, runs = 1, steps = 1000] = process.argv.slice(2).map(Number)

try {
  for (let run = 0; run < runs; run++) {
    const workers = run % 2 === 0 ? 1 : 0
    const options = { ...OPTION_SETS[run % OPTION_SETS.length]!, workers } as const
    await runModel({ seed: seed + run, steps, options, place: 'disk' })
  }
  console.log('agreed')
} catch (error) {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
}
