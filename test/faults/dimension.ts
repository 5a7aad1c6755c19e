/**
 * What a dimension of the fault suites is: many cases of one kind, numbered from 0, each of which follows from the seed and
 * its number alone, so that any of them can be run again.
 *
 *     export const lockRaces: Dimension = {
 *       name: 'lock-races', ids: 'F5, F6', unit: 'races', floor: 20, seconds: 30,
 *       title: 'of many processes that open at once one holds the lock',
 *       async run(run) {
 *         for (let index = 0; index < 20 && !run.isOver; index++) {
 *           await run.check(index, () => race(seededRandom(run.seed + index)))
 *         }
 *       },
 *     }
 */

export interface Dimension {
  /** For the command line, in kebab-case. */
  readonly name: string
  /** The statements of the plan that it proves, for instance `A1-A5, B1`. */
  readonly ids: string
  /** What a case that passed has shown. */
  readonly title: string
  /** What is counted, in the plural. */
  readonly unit: string
  /** A full run that counts fewer units has failed. */
  readonly floor: number
  /** How many cases a full run has; the floor where a case is one unit. */
  readonly cases?: number
  /** About what a full run takes on one core: for sharing out time and work. */
  readonly seconds: number
  /** Cases in a quick run; by default as many as fit its share of the time. */
  readonly quickCases?: number
  /** Into how many pieces a full run may be cut, which run apart; by default as the time suggests. */
  readonly shardsMax?: number
  run(run: Run): Promise<void>
}

/** One run of a dimension, or of its share. */
export interface Run {
  readonly seed: number
  /** Soak runs are repeated with new seeds until their time is over; 0 for the first and for all others. */
  readonly round: number
  /** No further case will be run: the time is over, or enough has failed. */
  readonly isOver: boolean
  /** Whether `check` would run this case. Needed only where preparing one is dear. */
  wants(index: number): boolean
  /**
   * Runs a case if this run wants it. It passes as one unit, or as many as `test` returns or resolves to if that is a
   * number; what it throws is a failure, is told, and goes no further.
   */
  check(index: number, test: () => unknown): Promise<void>
}
