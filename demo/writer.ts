/**
 * The process that is killed: `writer.js <directory> <first step>`, started by `crash.ts` with a channel for messages.
 *
 * It writes step after step, some of them at a time, and tells its parent each step that the store has acknowledged. It never
 * ends by itself, but for a failure or a parent that has gone.
 */
import { open } from '../src/index.ts'
import { type Acknowledgement, CRASH_OPTIONS, isBatch, operationsOf } from './crash-plan.ts'

const STEPS_AT_A_TIME = 16
/** Now and then a write asks for the disk, so that it does not die with everything at one level. */
const SYNC_STEPS = 64

async function main(path: string, firstStep: number): Promise<void> {
  process.once('disconnect', () => process.exit(1))
  const db = await open(path, CRASH_OPTIONS)
  for (let step = firstStep; ; step += STEPS_AT_A_TIME) {
    const writes: Promise<void>[] = []
    const acknowledged: number[] = []
    for (let next = step; next < step + STEPS_AT_A_TIME; next++) {
      const operations = operationsOf(next)
      const options = next % SYNC_STEPS === 0 ? { sync: true } : {}
      const [first] = operations
      const written =
        isBatch(next) || first?.type !== 'put'
          ? db.batch(operations, options)
          : db.put(first.key, first.value, options)
      writes.push(written.then(() => void acknowledged.push(next)))
    }
    await Promise.all(writes)
    await send({ steps: acknowledged })
  }
}

function send(message: Acknowledgement): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)))
  })
}

main(process.argv[2]!, Number(process.argv[3])).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exit(1)
})
