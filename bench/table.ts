/** The results as a table in a terminal: a row for each workload, a column for each engine, and who is ahead. */
import type { Gap, Summary } from './statistics.ts'
import type { Workload } from './workload.ts'

export interface TableOptions {
  /** The engine that the others are compared with. */
  readonly ours: string
  /** Engines that are shown and are no rivals. */
  readonly bounds: readonly string[]
  readonly isColoured: boolean
}

const GREEN = '\u001b[32m'
const RED = '\u001b[31m'
const DIM = '\u001b[2m'
const RESET = '\u001b[0m'

export interface Cell {
  readonly text: string
  readonly colour?: string
}

/** A box of lines, with a row for each workload. */
export function renderTable(
  workloads: readonly Workload[],
  engines: readonly string[],
  results: readonly (Summary | Gap)[],
  options: TableOptions,
): string {
  const head = ['workload', ...engines, ratioTitle(options)]
  return renderBox(head, resultRows(workloads, engines, results, options), options.isColoured)
}

export function ratioTitle({ ours }: TableOptions): string {
  return `best rival ÷ ${ours}`
}

/** For each workload its name, a cell for each engine, and how the best rival compares. */
export function resultRows(
  workloads: readonly Workload[],
  engines: readonly string[],
  results: readonly (Summary | Gap)[],
  options: TableOptions,
): Cell[][] {
  return workloads.map(({ name }) => rowOf(name, engines, results, options))
}

export function textsOf(row: readonly Cell[]): string[] {
  return row.map(({ text }) => text)
}

function rowOf(
  workload: string,
  engines: readonly string[],
  results: readonly (Summary | Gap)[],
  { ours, bounds }: TableOptions,
): Cell[] {
  const found = results.filter((one) => one.workload === workload)
  const own = found.find((one) => one.engine === ours)
  const best = bestRival(found, [ours, ...bounds])
  const cells = engines.map((engine) => cellOf(found.find((one) => one.engine === engine)))
  return [{ text: workload }, ...cells, ratioCell(own, best)]
}

/** The fastest of those that are not left out. */
export function bestRival(
  results: readonly (Summary | Gap)[],
  leftOut: readonly string[],
): Summary | undefined {
  const rivals = results.filter((one): one is Summary => 'ns' in one)
  return rivals
    .filter(({ engine }) => !leftOut.includes(engine))
    .sort((left, right) => left.ns - right.ns)[0]
}

function cellOf(result: Summary | Gap | undefined): Cell {
  if (result === undefined || !('ns' in result)) return { text: '–', colour: DIM }
  const spread = ((result.nsMost - result.nsLeast) / 2 / result.ns) * 100
  const around = result.rounds > 1 ? ` ±${spread.toFixed(0)}%`.padStart(6) : ''
  return { text: `${duration(result.ns)}${around}` }
}

function ratioCell(own: Summary | Gap | undefined, best: Summary | undefined): Cell {
  if (own === undefined || !('ns' in own) || best === undefined) return { text: '–', colour: DIM }
  const ratio = best.ns / own.ns
  const text = `${ratio.toFixed(2)} × ${best.engine}`
  return { text, colour: ratio >= 1 ? GREEN : RED }
}

/** Three digits and a unit, from nanoseconds. */
export function duration(ns: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ]
  for (const [size, unit] of units) if (ns >= size * 0.9995) return `${digits(ns / size)} ${unit}`
  return `${digits(ns)} ns`
}

function digits(number: number): string {
  return number.toFixed(number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2)
}

export function renderBox(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  colours: boolean,
): string {
  const widths = head.map((text, column) =>
    Math.max(text.length, ...rows.map((row) => row[column]!.text.length)),
  )
  const line = (left: string, middle: string, right: string): string =>
    `${left}${widths.map((width) => '─'.repeat(width + 2)).join(middle)}${right}`
  const row = (cells: readonly Cell[]): string => {
    const texts = cells.map((cell, column) => padded(cell, widths[column]!, column, colours))
    return `│ ${texts.join(' │ ')} │`
  }
  return [
    line('┌', '┬', '┐'),
    row(head.map((text) => ({ text }))),
    line('├', '┼', '┤'),
    ...rows.map(row),
    line('└', '┴', '┘'),
  ].join('\n')
}

function padded({ text, colour }: Cell, width: number, column: number, colours: boolean): string {
  const whole = column === 0 ? text.padEnd(width) : text.padStart(width)
  return colours && colour !== undefined ? `${colour}${whole}${RESET}` : whole
}
