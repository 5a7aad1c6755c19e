/**
 * Numbers and tables for people: pure functions from values to text.
 *
 *     count(171075)  '171,075'      bytes(1536)  '1.5 KiB'      duration(0.0123)  '12 µs'
 *
 * `table` draws boxes around columns; texts are on the left, numbers on the right. Widths are columns of a terminal.
 */

export interface Column {
  readonly title: string
  /** Default `'left'`. */
  readonly align?: 'left' | 'right'
}

/** A whole number with commas between thousands. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, ',')
}

/** A size in bytes, in the largest unit that leaves a number of at least 1. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let unit = 0
  let scaled = value
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1024
    unit++
  }
  return `${unit === 0 ? count(scaled) : significant(scaled)} ${units[unit]}`
}

/** A time span given in milliseconds: microseconds, milliseconds or seconds. */
export function duration(ms: number): string {
  if (ms < 1) return `${significant(ms * 1000)} µs`
  if (ms < 1000) return `${significant(ms)} ms`
  return `${(ms / 1000).toFixed(2)} s`
}

/** A part of 1 in hundredths. A share that is not quite all, or not quite nothing, never reads as if it were. */
export function percent(part: number): string {
  const digits = part > 0 && part < 1 && (part > 0.99 || part < 0.01) ? 2 : 1
  const limit = 1 / 10 ** (digits + 2)
  const shown = part >= 1 || part <= 0 ? part : Math.min(1 - limit, Math.max(limit, part))
  return `${(shown * 100).toFixed(digits)} %`
}

/** How many a second, rounded to what a measurement of this length can tell. */
export function rate(items: number, ms: number): string {
  const perSecond = (items / ms) * 1000
  const step = 10 ** Math.max(0, Math.floor(Math.log10(perSecond)) - 2)
  return `${count(Math.round(perSecond / step) * step)} /s`
}

/** `3 tables`, `1 table`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** Lines of a table with a frame. Every row has as many cells as there are columns. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  )
  const rule = (left: string, middle: string, right: string): string =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right
  const line = (cells: readonly string[]): string => {
    const padded = columns.map(({ align }, index) => pad(cells[index] ?? '', widths[index]!, align))
    return `│ ${padded.join(' │ ')} │`
  }
  return [
    rule('╭', '┬', '╮'),
    line(columns.map(({ title }) => title)),
    rule('├', '┼', '┤'),
    ...rows.map(line),
    rule('╰', '┴', '╯'),
  ]
}

/** Fills a text up with spaces. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + space : space + text
}

/** A bar of `width` columns, of which `part` (0 to 1) is full, in steps of half a column. */
export function bar(part: number, width: number): string {
  const halves = Math.floor(Math.min(1, Math.max(0, part)) * width * 2)
  const full = '━'.repeat(halves >> 1) + (halves % 2 === 1 ? '╸' : '')
  return full + ' '.repeat(width - full.length)
}

/** Columns that a text takes in a terminal: none for marks that combine and for colours, two for wide letters. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text.replace(COLOUR, '')) {
    if (ZERO_WIDTH.test(character)) continue
    width += WIDE.test(character) ? 2 : 1
  }
  return width
}

/** Breaks a text into lines of at most `width` columns, between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && displayWidth(longer) > width) {
      lines.push(line)
      line = word
    } else {
      line = longer
    }
  }
  return [...lines, line]
}

/** The value below which the given part of sorted numbers lies; 0 when there are none. */
export function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const COLOUR = /\x1b\[[\d;]*m/g
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u
const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\uFF01-\uFF60]$/u

/** Three digits that matter, no more. */
function significant(value: number): string {
  if (value >= 100) return count(value)
  return value.toFixed(value >= 10 ? 1 : 2)
}
