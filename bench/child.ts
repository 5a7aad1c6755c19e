/**
 * One process for one engine: does what the task in its argument says, and prints the answer as the last line.
 *
 *     node --expose-gc build/bench/child.js '{"job": "measure", …}'
 */
import { perform } from './perform.ts'
import type { Task } from './task.ts'

const answer = await perform(JSON.parse(process.argv[2]!) as Task)
// Nothing that an engine has left running keeps the process.
process.stdout.write(`\n${JSON.stringify(answer)}\n`, () => process.exit())
