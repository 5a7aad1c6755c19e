/**
 * Every call that a store makes to the file system fails, in every way in which calls fail, once and from then on.
 *
 *     case = call × faults × 2, the calls of all lives in a row
 */
import { CALLS, runFaultyCall } from '../support/faulty-call.ts'
import { LIVES, type LifeFault, NO_FAULT, runFaulty } from '../support/faulty-life.ts'
import type { Dimension } from './dimension.ts'

const CODES = [
  ...['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EACCES'],
  ...['EPERM', 'EROFS', 'EINTR', 'EAGAIN', 'ENOENT', 'EBUSY'],
]
const FAULTS = [...CODES, 'short', 'lost', 'late', 'reverted']

export const ioErrors: Dimension = {
  name: 'io-errors',
  ids: 'A10, A11, E1-E4, E6, E8-E10, R4, R6',
  title: 'whatever call fails, however, every promise settles with a typed error and is kept',
  unit: 'faults',
  floor: 45_000,
  cases: 60_000,
  seconds: 290,
  async run(run) {
    let index = 0
    const each = async (name: string, test: Test): Promise<void> => {
      const calls = await test(NO_FAULT)
      for (const [at, call] of calls.entries()) {
        for (const code of FAULTS) {
          for (const isSticky of [false, true]) {
            if (run.isOver) return
            const fault = { call: at + 1, code, isSticky }
            if (canMeet(call, code)) await run.check(index, () => told(name, fault, test))
            index++
          }
        }
      }
    }
    for (const name of Object.keys(LIVES)) {
      await each(name, async (fault) => (await runFaulty(name, fault, run.seed)).calls)
    }
    for (const name of Object.keys(CALLS)) await each(name, (fault) => runFaultyCall(name, fault))
  },
}

/** Throws what is wrong; returns the names of the calls to the file system. */
type Test = (fault: LifeFault) => Promise<readonly string[]>

function canMeet(call: string, code: string): boolean {
  if (code === 'short') return call === 'write' || call === 'read'
  return CODES.includes(code) || call === 'sync'
}

async function told(name: string, fault: LifeFault, test: Test): Promise<void> {
  try {
    await test(fault)
  } catch (cause) {
    throw new Error(`${name}, ${JSON.stringify(fault)}`, { cause })
  }
}
