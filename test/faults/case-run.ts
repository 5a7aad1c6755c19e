/**
 * Runs the cases of one piece of a dimension, counts those that pass, and tells those that fail.
 */
import type { Run } from './dimension.ts'
import { chooser, type Shard } from './plan.ts'

/** After so many failures a piece says no more that is new. */
const FAILURES_MAX = 5

export interface Failure {
  /** Undefined when it is not one case that failed. */
  readonly index: number | undefined
  readonly message: string
}

export class CaseRun implements Run {
  readonly seed: number
  readonly round: number
  /** Units. */
  count = 0
  current: number | undefined
  readonly failures: Failure[] = []
  readonly #deadline: number
  readonly #isChosen: (index: number) => boolean
  readonly #tell: (failure: Failure) => void

  constructor(shard: Shard, tell: (failure: Failure) => void) {
    this.seed = shard.seed
    this.round = shard.round
    this.#deadline = performance.now() + (shard.secondsMax ?? Number.POSITIVE_INFINITY) * 1000
    this.#isChosen = chooser(shard)
    this.#tell = tell
  }

  get isOver(): boolean {
    return this.failures.length >= FAILURES_MAX || performance.now() >= this.#deadline
  }

  wants(index: number): boolean {
    return !this.isOver && this.#isChosen(index)
  }

  async check(index: number, test: () => unknown): Promise<void> {
    if (!this.wants(index)) return
    this.current = index
    try {
      const units = await test()
      this.count += typeof units === 'number' ? units : 1
    } catch (error) {
      this.fail(index, error)
    }
  }

  fail(index: number | undefined, error: unknown): void {
    const failure = { index, message: explain(error) }
    this.failures.push(failure)
    this.#tell(failure)
  }
}

/** An error with its causes, and where the innermost came from. */
function explain(error: unknown): string {
  const parts: string[] = []
  let at: unknown = error
  for (; at instanceof Error; at = at.cause) {
    parts.push(`${at.name === 'Error' ? '' : `${at.name}: `}${at.message}`)
    if (at.cause === undefined)
      parts.push(`\n${(at.stack ?? '').split('\n').slice(1, 9).join('\n')}`)
  }
  if (at !== undefined) parts.push(String(at))
  return parts.join(' <- ')
}
