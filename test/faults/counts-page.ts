/**
 * The tables of docs/reliability.md: what was tested, from the counts of full runs, and where each case of the plan is shown.
 *
 *     <!-- counts -->
 *     | suite | shown | statements | cases | at least |
 *     …
 *     <!-- end -->
 *
 *     <!-- cases -->
 *     | case | what it is about | shown by |
 *     …
 *     <!-- end of cases -->
 */
import type { Dimension } from './dimension.ts'

const BEGIN = '<!-- counts -->'
const END = '<!-- end -->'
const CASES_BEGIN = '<!-- cases -->'
const CASES_END = '<!-- end of cases -->'
const HEAD = [
  '| suite | shown | statements | cases | at least |',
  '| --- | --- | --- | --- | --- |',
]

export interface Counted {
  readonly dimension: Dimension
  readonly count: number
}

/** The page with the rows of these dimensions replaced; the others stay. Throws where there is no place for a table. */
export function withCounts(
  page: string,
  dimensions: readonly Dimension[],
  counted: readonly Counted[],
): string {
  const [before, rest] = cut(page, BEGIN)
  const [table, after] = cut(rest, END)
  const fresh = new Map(counted.map((one) => [one.dimension.name, row(one)]))
  const old = table.split('\n')
  const rows = dimensions.flatMap(({ name }) => {
    return fresh.get(name) ?? old.filter((line) => line.startsWith(`| \`${name}\` |`))
  })
  return `${before}${BEGIN}\n${[...HEAD, ...rows].join('\n')}\n${END}${after}`
}

/** The page with this table of cases. Throws where there is no place for it. */
export function withCases(page: string, table: string): string {
  const [before, rest] = cut(page, CASES_BEGIN)
  const [, after] = cut(rest, CASES_END)
  return `${before}${CASES_BEGIN}\n${table}\n${CASES_END}${after}`
}

function cut(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  if (at < 0) throw new Error(`the page has no ${mark}`)
  return [text.slice(0, at), text.slice(at + mark.length)]
}

function row({ dimension, count }: Counted): string {
  const { name, title, ids, unit, floor } = dimension
  const [cases, least] = [count, floor].map((number) => number.toLocaleString('en-US'))
  return `| \`${name}\` | ${title} | ${ids} | ${cases} ${unit} | ${least} |`
}
