/**
 * Where the demonstration writes: colours and a progress bar on a terminal, plain lines anywhere else.
 *
 * `NO_COLOR` takes the colours away and leaves the bar; `TERM=dumb` takes both.
 */
import { bar, type Column, count, displayWidth, duration, percent, table, wrap } from './format.ts'

/** What is needed of `process.stdout`. */
export interface Output {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  write(text: string): unknown
}

export interface Progress {
  update(done: number): void
  /** Takes the bar away. */
  finish(): void
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'cyan'

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  red: [31, 39],
  cyan: [36, 39],
}

const INDENT = '  '
const WIDTH_MAX = 96
/** Where there is no terminal. */
const PLAIN_COLUMNS = 80
const BAR_COLUMNS = 32
const BAR_PAUSE_MS = 60

export class Terminal {
  readonly #output: Output
  readonly #hasBar: boolean
  readonly #hasColour: boolean
  /** True while the cursor is at the end of a bar. */
  #onBar = false
  #afterBlank = false

  constructor(output: Output, env: Readonly<Record<string, string | undefined>>) {
    this.#output = output
    this.#hasBar = output.isTTY === true && env['TERM'] !== 'dumb'
    this.#hasColour = this.#hasBar && (env['NO_COLOR'] ?? '') === ''
  }

  style(style: Style, text: string): string {
    if (!this.#hasColour) return text
    const [on, off] = CODES[style]
    return `\x1b[${on}m${text}\x1b[${off}m`
  }

  /** Writes a line; an empty one only where there is none yet. */
  line(text = ''): void {
    this.#eraseBar()
    if (text === '' && this.#afterBlank) return
    this.#afterBlank = text === ''
    this.#output.write(text === '' ? '\n' : `${INDENT}${text}\n`)
  }

  /** Text that is broken to fit, the lines after the first under the first letter behind `mark`. */
  say(text: string, mark = ''): void {
    const hang = ' '.repeat(displayWidth(mark))
    for (const [index, line] of wrap(text, this.#width() - hang.length).entries()) {
      this.line((index === 0 ? mark : hang) + line)
    }
  }

  heading(number: number, title: string): void {
    const text = `${number} · ${title}`
    const rule = '─'.repeat(Math.max(4, this.#width() - displayWidth(text) - 4))
    this.line()
    this.line(
      `${this.style('dim', '──')} ${this.style('bold', text)} ${this.style('dim', rule)}`.trimEnd(),
    )
    this.line()
  }

  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    this.line()
    for (const [index, text] of table(columns, rows).entries()) {
      this.line(index === 1 ? this.style('bold', text) : text)
    }
    this.line()
  }

  /** A bar that moves, or a line for every quarter where there is no terminal. */
  progress(label: string, total: number): Progress {
    const start = performance.now()
    let shown = 0
    let quarters = 0
    return {
      update: (done) => {
        const now = performance.now()
        if (this.#hasBar) {
          if (now - shown < BAR_PAUSE_MS) return
          shown = now
          this.#drawBar(label, done, total)
        } else {
          const quarter = Math.floor((done / total) * 4)
          if (quarter === quarters) return
          quarters = quarter
          const time = duration(now - start)
          this.line(`${label}: ${percent(done / total)} (${count(done)}) after ${time}`)
        }
      },
      finish: () => this.#eraseBar(),
    }
  }

  #drawBar(label: string, done: number, total: number): void {
    const text = `${label} ${this.style('cyan', bar(done / total, BAR_COLUMNS))}`
    this.#output.write(`\r\x1b[2K${INDENT}${text} ${percent(done / total)} · ${count(done)}`)
    this.#onBar = true
  }

  #eraseBar(): void {
    if (!this.#onBar) return
    this.#onBar = false
    this.#output.write('\r\x1b[2K')
  }

  /** Columns for text. */
  #width(): number {
    return Math.min(WIDTH_MAX, Math.max(40, (this.#output.columns ?? PLAIN_COLUMNS) - 4))
  }
}
