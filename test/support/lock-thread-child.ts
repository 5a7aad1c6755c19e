/**
 * A process one of whose threads ends with a lock in its hands, for the tests of locking. Runs on every runtime.
 *
 *     lock-thread-child.js <directory>    makes it, prints what another thread gets while it lives, by the directory and by a link
 *                                         to it, and what when it has ended
 */
import { mkdirSync, symlinkSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { lockDirectory } from '../../src/env/directory-lock.ts'
import type { SedgeErrorCode } from '../../src/errors.ts'

const PATIENCE_MS = 20_000

async function outcome(directory: string): Promise<SedgeErrorCode | 'held'> {
  return lockDirectory(directory).then(
    () => 'held',
    (error: { code: SedgeErrorCode }) => error.code,
  )
}

async function main(directory: string): Promise<void> {
  mkdirSync(directory)
  const thread = new Worker(new URL(import.meta.url), { workerData: directory })
  const taken = await new Promise<string>((resolve) => thread.once('message', resolve))
  const beside = await outcome(directory)
  symlinkSync(directory, `${directory}.link`)
  const byLink = await outcome(`${directory}.link`)
  await thread.terminate()
  const end = performance.now() + PATIENCE_MS
  let after = await outcome(directory)
  while (after === 'LOCKED' && performance.now() < end) after = await outcome(directory)
  console.log(taken, beside, byLink, after)
  process.exit(0)
}

async function hold(directory: string): Promise<void> {
  parentPort?.postMessage(await outcome(directory))
  // A port with a listener keeps the thread alive.
  parentPort?.on('message', () => undefined)
}

if (isMainThread) await main(process.argv[2] ?? '')
else await hold(String(workerData))
