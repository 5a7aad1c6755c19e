/**
 * Removes files that the store has no use for any more, one in a turn of the event loop: removing a file of 16 MiB takes
 * milliseconds, and a compaction leaves dozens of them.
 *
 * Call protocol: (remove | settle)*. What is not removed before the process ends is removed at the next open.
 */
import type { Environment } from '../env/environment.ts'
import { ioError } from '../env/file-io.ts'
import type { SedgeError } from '../errors.ts'

/** Beyond so many, files are removed at once: a caller who never gives way must not keep their space. */
const WAITING_MAX = 32

export class Remover {
  readonly #env: Environment
  readonly #directory: string
  readonly #report: (error: SedgeError) => void
  readonly #names: string[] = []
  #isScheduled = false
  /** Files so far. */
  #added = 0
  #removed = 0

  /** `report` is told of what cannot be removed; it stays until the next open. */
  constructor(env: Environment, directory: string, report: (error: SedgeError) => void) {
    this.#env = env
    this.#directory = directory
    this.#report = report
  }

  /** Removes a file, in the order of calls, soon. */
  remove(name: string): void {
    this.#names.push(name)
    this.#added++
    while (this.#names.length > WAITING_MAX) this.#removeFirst()
    this.#schedule()
  }

  /** Resolves when what waits now has been removed. */
  async settle(): Promise<void> {
    const added = this.#added
    while (this.#removed < added) {
      await new Promise<void>((resolve) => this.#env.defer(resolve))
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#names.length === 0) return
    this.#isScheduled = true
    this.#env.defer(() => {
      this.#isScheduled = false
      this.#removeFirst()
      this.#schedule()
    })
  }

  #removeFirst(): void {
    const name = this.#names.shift()
    if (name === undefined) return
    this.#removed++
    try {
      this.#env.fs.remove(`${this.#directory}/${name}`)
    } catch (error) {
      this.#report(ioError(error, 'cannot remove', name))
    }
  }
}
