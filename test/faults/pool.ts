/**
 * Runs pieces in processes of their own, a few at a time: what crashes, hangs or runs out of memory takes only its piece
 * with it, and is a failure of the case it was at.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Failure } from './case-run.ts'
import type { Shard } from './plan.ts'

/** What a piece tells its parent. */
export type Message =
  | { readonly kind: 'failure'; readonly failure: Failure }
  | { readonly kind: 'progress'; readonly count: number; readonly current: number | undefined }
  | { readonly kind: 'done'; readonly count: number }

export interface Outcome {
  readonly count: number
  readonly failures: readonly Failure[]
  readonly seconds: number
}

/** A case of the suites takes milliseconds, or seconds. One that takes so long on a busy machine hangs. */
const CASE_MS_MAX = 240_000
/** A case that is under way when the time of its piece is over may end. */
const GRACE_SECONDS = 15
const SHARD = fileURLToPath(new URL('./shard.js', import.meta.url))

/** Runs all pieces in their order, those that begin within `seconds`; `onDone` gets each as it ends, and those that are left out. */
export async function runShards(
  shards: readonly Shard[],
  { processes, seconds }: { readonly processes: number; readonly seconds: number },
  onFailure: (shard: Shard, failure: Failure) => void,
  onDone: (shard: Shard, outcome: Outcome) => void,
): Promise<void> {
  const left = [...shards]
  const end = performance.now() + seconds * 1000
  const work = async (): Promise<void> => {
    for (let shard = left.shift(); shard !== undefined; shard = left.shift()) {
      const piece = shard
      const latest = (end - performance.now()) / 1000
      if (latest <= 0) onDone(piece, { count: 0, failures: [], seconds: 0 })
      else onDone(piece, await runShard(piece, latest, (failure) => onFailure(piece, failure)))
    }
  }
  await Promise.all(Array.from({ length: processes }, work))
}

function runShard(
  shard: Shard,
  secondsMax: number,
  onFailure: (failure: Failure) => void,
): Promise<Outcome> {
  const start = performance.now()
  const failures: Failure[] = []
  const state = { count: 0, current: undefined as number | undefined, isDone: false }
  const fail = (failure: Failure): void => {
    failures.push(failure)
    onFailure(failure)
  }
  const child = fork(SHARD, [JSON.stringify(shard)], { execArgv: ['--enable-source-maps'] })
  let lastStep = performance.now()
  child.on('message', (message: Message) => {
    if (message.kind === 'failure') return fail(message.failure)
    if (message.kind === 'done') state.isDone = true
    else {
      if (message.current !== state.current) lastStep = performance.now()
      state.current = message.current
    }
    state.count = message.count
  })
  const own = (shard.secondsMax ?? Number.POSITIVE_INFINITY) + GRACE_SECONDS
  const latest = start + Math.min(own, secondsMax) * 1000
  const watch = setInterval(() => {
    // What does not end with its time is cut off, and has failed at nothing.
    if (performance.now() > latest) end()
    else if (performance.now() - lastStep >= CASE_MS_MAX) hangs()
  }, 1000)
  const hangs = (): void => {
    fail({ index: state.current, message: `no case ended for ${CASE_MS_MAX} ms` })
    end()
  }
  const end = (): void => {
    state.isDone = true
    child.kill('SIGKILL')
  }
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearInterval(watch)
      if (!state.isDone) {
        const message = `the process ended with ${signal ?? code}, at this case or soon after`
        fail({ index: state.current, message })
      }
      const seconds = (performance.now() - start) / 1000
      resolve({ count: state.count, failures, seconds })
    })
  })
}
