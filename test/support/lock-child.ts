/**
 * A process that takes a store's lock, for the tests of locking. Runs on every runtime.
 *
 *     lock-child.js hold <directory>    takes the lock, prints the outcome, lives until it is killed
 *     lock-child.js once <directory>    takes the lock, prints the outcome, and has nothing more to do
 *     lock-child.js holder <directory>  prints who holds the lock
 *     lock-child.js race <directory>    for each byte of input: contends, and prints the outcome
 *
 * An outcome is one line: `held`, `violation` or the JSON of an error.
 */
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { findLockHolder, lockDirectory } from '../../src/env/directory-lock.ts'
import type { DirectoryLock } from '../../src/env/file-system.ts'
import { processEvidence, processIdentity } from '../../src/env/process-identity.ts'
import { SedgeError } from '../../src/errors.ts'

const HOLD_MS = 20

const [mode, directory = ''] = process.argv.slice(2)

/** Prints the outcome; returns the lock if there is one. */
async function take(): Promise<DirectoryLock | undefined> {
  try {
    const lock = await lockDirectory(directory)
    if (mode !== 'race') console.log('held')
    return lock
  } catch (error) {
    if (!(error instanceof SedgeError)) throw error
    const { code, message, holder } = error
    console.log(JSON.stringify({ code, message, holder }))
    return undefined
  }
}

/** Creates the file that only one process at a time may have, whole or not at all. False when somebody else has it. */
function bearWitness(witness: string): boolean {
  const { pid, startTime } = processIdentity()
  const draft = `${witness}-${pid}`
  writeFileSync(draft, JSON.stringify({ pid, startTime }))
  try {
    linkSync(draft, witness)
    return true
  } catch {
    return false
  } finally {
    unlinkSync(draft)
  }
}

/** Whether whoever made the witness was killed before it could remove it; its parent may not have noticed yet. */
function isLeftBehind(witness: string): boolean {
  try {
    const { pid, startTime } = JSON.parse(readFileSync(witness, 'latin1'))
    return ['gone', 'replaced'].includes(processEvidence(pid, startTime))
  } catch {
    return false
  }
}

/** Two holders at once would both want to create the witness. */
async function race(): Promise<void> {
  const lock = await take()
  if (lock === undefined) return
  const witness = `${directory}/witness`
  if (isLeftBehind(witness)) unlinkSync(witness)
  let outcome = bearWitness(witness) ? 'held' : 'violation'
  await new Promise((resolve) => setTimeout(resolve, HOLD_MS))
  if (!lock.isHeld()) outcome = 'violation'
  if (outcome === 'held') unlinkSync(witness)
  lock.release()
  console.log(outcome)
}

if (mode === 'holder') {
  console.log(JSON.stringify((await findLockHolder(directory)) ?? null))
} else if (mode === 'race') {
  console.log('ready')
  for await (const chunk of process.stdin) {
    for (let count = (chunk as Buffer).length; count > 0; count--) await race()
  }
} else {
  await take()
  if (mode === 'hold') setInterval(() => undefined, 60_000)
}
