/**
 * A worker for the tests of the pool: its jobs count, wait, fail or end the thread.
 */

import { serveJobs } from '../../src/env/worker-host.ts'
import { SedgeError } from '../../src/errors.ts'

export interface ToyJob {
  readonly do:
    | 'echo'
    | 'steps'
    | 'spin'
    | 'hang'
    | 'fail'
    | 'exit'
    | 'setup'
    | 'unclonable'
    | 'finished'
  readonly value?: unknown
  /** How many steps, each of 2 ms. */
  readonly steps?: number
}

const STEP_MS = 2
const finished: unknown[] = []

function busy(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

function fail(): never {
  throw new SedgeError('CORRUPTION', 'the file is damaged', {
    file: '000007.sst',
    offset: 512,
    expected: 'a',
    actual: 9,
    cause: Object.assign(new Error('read failed'), { code: 'EIO' }),
  })
}

serveJobs(function* (posted, context): Generator<void, unknown, void> {
  const job = posted as ToyJob
  switch (job.do) {
    case 'echo':
      return job.value
    case 'setup':
      return context.setup
    case 'fail':
      return fail()
    case 'unclonable':
      return () => undefined
    case 'hang':
      for (;;);
    case 'exit':
      return process.exit(3)
    case 'finished':
      return finished.splice(0)
    case 'spin':
      while (!context.cancelled()) busy(STEP_MS)
      return 'told in time'
    case 'steps':
      try {
        for (let step = 0; step < (job.steps ?? 1); step++) {
          busy(STEP_MS)
          yield
        }
        finished.push(job.value)
        return job.value
      } finally {
        finished.push(`${job.value} left`)
      }
  }
})
