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
  /** Milliseconds since the epoch. No case begins later. */
  readonly deadline: number | undefined
  /** Seconds that it may take, for the order of work. */
  readonly cost: number
}

/** Long pieces waste the end of a run, short ones the start of a process. */
const SHARD_SECONDS = 20
/** Of a budget, what the starts of processes and wrong estimates may take. */
const RESERVE = 0.15
export const QUICK_SECONDS = 70

export function planOf(
  dimensions: readonly Dimension[],
  request: Request,
  now: number,
): readonly Shard[] {
  const { mode, processes } = request
  const seconds = mode === 'quick' ? QUICK_SECONDS : request.seconds
  const isLimited = mode === 'quick' || mode === 'budget'
  const total = dimensions.reduce((sum, one) => sum + one.seconds, 0)
  const share = isLimited ? Math.min(1, (seconds * processes * (1 - RESERVE)) / total) : 1
  const deadline = isLimited ? now + seconds * 1000 : undefined
  const shards = dimensions.flatMap((dimension) => shardsOf(dimension, request, share, deadline))
  return shards.sort((a, b) => b.cost - a.cost)
}

function shardsOf(
  dimension: Dimension,
  request: Request,
  share: number,
  deadline: number | undefined,
): Shard[] {
  const { mode, seed, round, caseIndex } = request
  const { name, floor, cases = floor, seconds, shardsMax = Number.POSITIVE_INFINITY } = dimension
  const slice = Math.ceil(cases * share)
  const wanted = mode === 'quick' ? (dimension.quickCases ?? slice) : slice
  const chosen = Math.max(1, Math.min(cases, wanted))
  const cost = (seconds * chosen) / cases
  const pieces = Math.min(shardsMax, chosen, Math.ceil(cost / SHARD_SECONDS))
  const shards = mode === 'case' ? 1 : Math.max(1, pieces)
  return Array.from({ length: shards }, (_, shard) => ({
    ...{ name, seed, round, shard, shards, chosen, cases, deadline },
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
