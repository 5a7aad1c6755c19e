/**
 * What a run of the fault suites does: which dimensions, which of their cases, in how many pieces, until when. Plain values,
 * sent to the processes that carry them out.
 */
import type { Dimension } from './dimension.ts'

export interface Request {
  readonly seed: number
  readonly only: readonly string[]
  /** `full`: every case. `quick`: a slice. `budget`: as much as fits in `seconds`. `case`: one. */
  readonly mode: 'full' | 'quick' | 'budget' | 'case'
  readonly seconds: number
  readonly caseIndex: number
  readonly round: number
  readonly processes: number
}

/** A piece of a dimension, for one process. */
export interface Shard {
  readonly name: string
  readonly seed: number
  readonly round: number
  readonly shard: number
  readonly shards: number
  /** Of `cases` cases so many are run; a case is one of them, or not, by its number and the seed. */
  readonly chosen: number
  readonly cases: number
  readonly caseIndex: number | undefined
  /** From its start; no case begins later. */
  readonly secondsMax: number | undefined
  /** Seconds that it may take, for the order of work. */
  readonly cost: number
}

/** Long pieces waste the end of a run, short ones the start of a process. */
const SHARD_SECONDS = 30
/** A quick run, or one with a budget, ends so many times later than it should at most. */
const LATEST = 1.4
/** Of a budget, what the starts of processes and wrong estimates may take. */
const RESERVE = 0.15
const QUICK_SECONDS = 70
/** Dimensions of which a quick run has a certain number of cases may take so many times their part. */
const FIXED_PATIENCE = 3

export function planOf(dimensions: readonly Dimension[], request: Request): readonly Shard[] {
  const { mode, processes } = request
  const isLimited = mode === 'quick' || mode === 'budget'
  const seconds = mode === 'quick' ? QUICK_SECONDS : request.seconds
  const budget = seconds * processes * (1 - RESERVE)
  const shares = sharesOf(dimensions, mode, isLimited ? budget : Number.POSITIVE_INFINITY)
  const shards = dimensions.flatMap((one) => shardsOf(one, request, shares.get(one.name) ?? 1))
  shards.sort((a, b) => b.cost - a.cost)
  if (!isLimited) return shards
  // Each has its part of the time, so that the last are not left without any on a slow machine.
  const work = shards.reduce((sum, { cost }) => sum + cost, 0)
  const fixed = new Set(dimensions.filter((one) => quickOf(one, mode)).map(({ name }) => name))
  return shards.map((shard) => {
    const patience = fixed.has(shard.name) ? FIXED_PATIENCE : 1
    return { ...shard, secondsMax: (shard.cost * budget * patience) / work }
  })
}

/** Seconds after which what is not done is left. */
export function latestEnd(request: Request): number {
  const { mode, seconds } = request
  if (mode === 'quick') return QUICK_SECONDS * LATEST
  return mode === 'budget' ? seconds + 10 : Number.POSITIVE_INFINITY
}

/** How many cases a quick run must have, if that is said. */
function quickOf({ quickCases }: Dimension, mode: Request['mode']): number | undefined {
  return mode === 'quick' ? quickCases : undefined
}

/** The part of each dimension's cases that fits the budget, in seconds of one core. */
function sharesOf(
  dimensions: readonly Dimension[],
  mode: Request['mode'],
  budget: number,
): Map<string, number> {
  const shares = new Map<string, number>()
  let left = budget
  let others = 0
  for (const dimension of dimensions) {
    const { name, floor, cases = floor, seconds } = dimension
    const quick = quickOf(dimension, mode)
    if (quick === undefined) others += seconds
    else {
      shares.set(name, quick / cases)
      left -= (seconds * quick) / cases
    }
  }
  for (const { name } of dimensions) {
    if (!shares.has(name)) shares.set(name, Math.max(0, Math.min(1, left / others)))
  }
  return shares
}

function shardsOf(dimension: Dimension, request: Request, share: number): Shard[] {
  const { mode, seed, round, caseIndex } = request
  const { name, floor, cases = floor, seconds, shardsMax = Number.POSITIVE_INFINITY } = dimension
  // Less than a third of a case is not worth the time of a whole one.
  const chosen = Math.min(cases, Math.round(cases * share + 1 / 6))
  if (chosen === 0 && mode !== 'case') return []
  const cost = (seconds * chosen) / cases
  const pieces = Math.min(shardsMax, chosen, Math.ceil(cost / SHARD_SECONDS))
  const shards = mode === 'case' ? 1 : Math.max(1, pieces)
  return Array.from({ length: shards }, (_, shard) => ({
    ...{ name, seed, round, shard, shards, chosen, cases, secondsMax: undefined },
    caseIndex: mode === 'case' ? caseIndex : undefined,
    cost: cost / shards,
  }))
}

/** A test whether a case is among those chosen and in this piece. Of every `cases` numbers in a row `chosen` are. */
export function chooser(shard: Shard): (index: number) => boolean {
  const { cases, chosen, shards } = shard
  if (shard.caseIndex !== undefined) return (index) => index === shard.caseIndex
  const step = coprimeBelow(cases, shard.seed)
  const offset = shard.seed % cases
  return (index) => {
    const place = ((index % cases) * step + offset) % cases
    return place < chosen && place % shards === shard.shard
  }
}

/** A number that has no factor in common with `size`, so that its multiples reach every number below it. */
function coprimeBelow(size: number, seed: number): number {
  let step = 1 + Math.floor(((seed * 0.618_033_988_75) % 1) * size)
  while (divisor(step, size) > 1) step++
  return step
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}
