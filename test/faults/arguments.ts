/** The command line of the fault suites. */
import { cpus } from 'node:os'
import { testSeed } from '../support/seed.ts'
import type { Request } from './plan.ts'

export const USAGE = `npm run test:faults -- [options]
  --quick           a slice of each dimension, chosen by the seed, in under two minutes
  --seconds N       as much as fits in N seconds; floors are not asserted
  --soak HOURS      everything, again and again with new seeds, until the time is over
  --only A,B        only these dimensions
  --seed N          where all randomness starts; from the clock, or SEDGE_SEED
  --case K          only this case, of the dimension named by --only
  --processes N     so many at a time; 2, or 1 on a single core
  --write-docs      puts the counts of a full run that failed at nothing into docs/reliability.md
  --list            the dimensions, and nothing is run; with --write-docs, writes the cases`

export interface Arguments extends Request {
  readonly soakHours: number
  readonly isList: boolean
  readonly isWriting: boolean
}

/** Throws a `RangeError` that says what is wrong. */
export function parseArguments(words: readonly string[], names: readonly string[]): Arguments {
  const given = new Map<string, string>()
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    const takes = VALUED.includes(word)
    if (!takes && !FLAGS.includes(word)) throw new RangeError(`unknown: ${word}\n\n${USAGE}`)
    given.set(word, takes ? (words[++at] ?? '') : 'yes')
  }
  const number = (word: string, otherwise: number): number => {
    const value = Number(given.get(word) ?? otherwise)
    if (given.get(word) === '' || !(value >= 0)) throw new RangeError(`${word} takes a number`)
    return value
  }
  const only = given.get('--only')?.split(',') ?? []
  const unknown = only.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new RangeError(`no dimension ${unknown.join(', ')}`)
  const caseIndex = number('--case', -1 >>> 0)
  if (given.has('--case') && only.length !== 1) throw new RangeError('--case needs one --only')
  return {
    seed: number('--seed', given.has('--seed') ? 0 : testSeed()),
    ...{ only, caseIndex, round: 0 },
    mode: modeOf(given),
    seconds: number('--seconds', 0),
    processes: Math.max(1, number('--processes', Math.min(2, cpus().length))),
    soakHours: number('--soak', 0),
    isList: given.has('--list'),
    isWriting: given.has('--write-docs'),
  }
}

const VALUED = ['--seconds', '--soak', '--only', '--seed', '--case', '--processes']
const FLAGS = ['--quick', '--list', '--write-docs']

function modeOf(given: ReadonlyMap<string, string>): Request['mode'] {
  if (given.has('--case')) return 'case'
  if (given.has('--quick')) return 'quick'
  return given.has('--seconds') ? 'budget' : 'full'
}
