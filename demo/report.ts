/**
 * What the demonstration has checked, and the times that it has measured. A check that fails is printed at once, counted, and
 * told again at the end.
 */
import type { Column } from './format.ts'
import { count, duration, plural, quantile, rate } from './format.ts'
import type { Terminal } from './terminal.ts'

interface Section {
  readonly title: string
  readonly checks: number
  readonly ms: number
}

export class Report {
  readonly terminal: Terminal
  readonly failures: string[] = []
  readonly #sections: Section[] = []
  #checks = 0

  constructor(terminal: Terminal) {
    this.terminal = terminal
  }

  /** Runs a part of the demonstration under a heading. */
  async section<T>(title: string, run: () => Promise<T>): Promise<T> {
    const start = performance.now()
    const before = this.#checks
    this.terminal.heading(this.#sections.length + 1, title)
    try {
      return await run()
    } finally {
      const ms = performance.now() - start
      this.#sections.push({ title, checks: this.#checks - before, ms })
    }
  }

  /** Says what is shown, before it is. */
  say(text: string): void {
    this.terminal.say(text)
    this.terminal.line()
  }

  /** Prints the sentence as proven, or as failed together with `found`, what there was instead. */
  check(sentence: string, holds: boolean, found = ''): void {
    this.#checks++
    if (holds) {
      this.terminal.say(sentence, `${this.terminal.style('green', '✓')} `)
      return
    }
    const failure = found === '' ? sentence : `${sentence} Found: ${found}`
    this.failures.push(failure)
    this.terminal.say(`${failure}  FAILED`, `${this.terminal.style('red', '✗')} `)
  }

  /** The last words. True when every check held. */
  conclude(): boolean {
    const number = (title: string): Column => ({ title, align: 'right' })
    const all = this.#sections.reduce((sum, { ms }) => sum + ms, 0)
    this.terminal.table(
      [number('#'), { title: 'shown' }, number('checks'), number('time')],
      [
        ...this.#sections.map(({ title, checks, ms }, index) => [
          ...[String(index + 1), title, count(checks), duration(ms)],
        ]),
        ['', 'together', count(this.#checks), duration(all)],
      ],
    )
    for (const failure of this.failures) {
      this.terminal.say(failure, `${this.terminal.style('red', '✗ failed:')} `)
    }
    return this.failures.length === 0 && this.#checks > 0
  }

  /** How many checks passed, or failed. */
  verdict(): string {
    const checks = plural(this.#checks, 'check')
    const failed = this.failures.length
    if (failed > 0) return this.terminal.style('red', `${count(failed)} of ${checks} failed.`)
    return this.terminal.style('green', `All ${checks} passed.`)
  }
}

/** Calls of one kind, timed one by one, in milliseconds. */
export interface Timing {
  readonly what: string
  readonly times: Float64Array
}

export const TIMING_COLUMNS: readonly Column[] = [
  { title: 'what' },
  { title: 'calls', align: 'right' },
  { title: 'median', align: 'right' },
  { title: '99 of 100', align: 'right' },
  { title: 'rate', align: 'right' },
]

/** A row for `TIMING_COLUMNS`. `perCall` is how many things one call deals with. */
export function timingRow({ what, times }: Timing, perCall = 1): string[] {
  const sorted = times.toSorted()
  const all = times.reduce((sum, ms) => sum + ms, 0)
  return [
    what,
    count(times.length),
    duration(quantile(sorted, 0.5)),
    duration(quantile(sorted, 0.99)),
    rate(times.length * perCall, all),
  ]
}
