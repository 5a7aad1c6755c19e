/** What repair found wrong, and what was lost by it (REP-6 in `docs/spec.md`). */
import type { SedgeError } from '../errors.ts'

/** A stretch of a file whose content could not be saved. */
export interface LostStretch {
  /** Base name. */
  readonly file: string
  readonly offset: number
  /** `undefined`: nobody can tell how much. */
  readonly bytes: number | undefined
}

export class SalvageLog {
  readonly problems: SedgeError[] = []
  readonly #lost: LostStretch[] = []

  /** What was lost, neighbouring stretches as one. */
  get losses(): readonly LostStretch[] {
    return this.#lost
  }

  /** Damage by which nothing was lost. */
  problem(problem: SedgeError): void {
    this.problems.push(problem)
  }

  /** Damage by which `bytes` were lost from `offset` on; where the problem is, unless that is told. */
  lost(problem: SedgeError, bytes: number | undefined, offset: number = problem.offset ?? 0): void {
    this.problems.push(problem)
    const file = problem.file ?? ''
    const before = this.#lost.at(-1)
    const isNext =
      before?.file === file && before.bytes !== undefined && before.offset + before.bytes === offset
    if (!isNext || bytes === undefined) this.#lost.push({ file, offset, bytes })
    else this.#lost[this.#lost.length - 1] = { ...before, bytes: before.bytes + bytes }
  }
}
