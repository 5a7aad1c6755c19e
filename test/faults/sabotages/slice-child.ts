/**
 * The process that runs one slice, on the build that it is part of, and tells its parent what came of it.
 *
 *     slice-child.js <slice> <seed>
 */
import type { Outcome } from './sabotage.ts'

let isTold = false

function tell(outcome: Outcome): void {
  if (isTold) return
  isTold = true
  process.send?.(outcome, () => process.exit(0))
}

/** An error with its causes, on one line each. */
function complain(error: unknown): void {
  const parts: string[] = []
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    parts.push(String(at instanceof Error ? `${at.name}: ${at.message}` : at).slice(0, 1000))
  }
  tell({ kind: 'complained', message: parts.join('\n') })
}

const [slice = '', seed] = process.argv.slice(2)
try {
  // A module that cannot be loaded says nothing about the store.
  const { SLICES } = await import('./slices.js')
  process.on('unhandledRejection', complain)
  process.on('uncaughtException', complain)
  const run = SLICES[slice]
  if (run === undefined) throw new RangeError(`no slice ${slice}`)
  await run(Number(seed)).then(() => tell({ kind: 'passed' }), complain)
} catch (error) {
  tell({ kind: 'broken', message: String(error) })
}
