/**
 * The process that runs one piece of a dimension. It is given the piece as JSON, tells its parent what fails and how far it is,
 * and ends.
 */
import { CaseRun } from './case-run.ts'
import { DIMENSIONS } from './dimensions.ts'
import type { Shard } from './plan.ts'
import type { Message } from './pool.ts'

const PROGRESS_MS = 1000

const shard = JSON.parse(process.argv[2] ?? '') as Shard
const send = (message: Message): unknown => process.send?.(message)
const run = new CaseRun(shard, (failure) => send({ kind: 'failure', failure }))

// Without its parent nobody waits for it.
process.on('disconnect', () => process.exit(1))
process.on('unhandledRejection', (error) => run.fail(run.current, error))
process.on('uncaughtException', (error) => run.fail(run.current, error))
const progress = (): unknown => send({ kind: 'progress', count: run.count, current: run.current })
const timer = setInterval(progress, PROGRESS_MS)

try {
  const dimension = DIMENSIONS.find(({ name }) => name === shard.name)
  if (dimension === undefined) throw new Error(`there is no dimension ${shard.name}`)
  await dimension.run(run)
  // What a case left behind may still reject.
  await new Promise((resolve) => setTimeout(resolve, 20))
} catch (error) {
  run.fail(undefined, error)
}
clearInterval(timer)
process.send?.({ kind: 'done', count: run.count } satisfies Message, () => process.exit(0))
