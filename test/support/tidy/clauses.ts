/**
 * Clauses and their proofs. A clause is a paragraph of a page in `docs/` that begins `**FAM-n.**`; a test proves
 * it by carrying `[FAM-n]`, or `[FAM-n, FAM-m]`, in its title.
 */
import { lineAt, matches, type SourceFile, withoutComments } from './source-text.ts'

const ID = '[A-Z][A-Z0-9]*-\\d+'
const CLAUSE = new RegExp(`^\\*\\*(${ID})\\.\\*\\*`, 'gm')
const CITATION = new RegExp(`\\[(${ID}(?:, ${ID})*)\\]`, 'g')

interface Place {
  readonly id: string
  readonly path: string
  readonly line: number
}

/** The clauses that pages define. */
export function clausesOf(pages: readonly SourceFile[]): Place[] {
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(CLAUSE)].map((match) => ({
      id: match[1]!,
      path,
      line: lineAt(text, match.index),
    })),
  )
}

/** The clauses that files cite. */
export function citationsOf(files: readonly SourceFile[]): Place[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(CITATION)].flatMap((match) =>
      match[1]!.split(', ').map((id) => ({ id, path, line: lineAt(text, match.index) })),
    ),
  )
}

/** Clauses that no test cites, clauses defined twice, and citations of clauses that there are not. */
export function clauseProblems(
  pages: readonly SourceFile[],
  tests: readonly SourceFile[],
  others: readonly SourceFile[],
): string[] {
  const clauses = clausesOf(pages)
  const known = new Set(clauses.map(({ id }) => id))
  // A comment in a test proves nothing.
  const proofs = citationsOf(tests.map(({ path, text }) => ({ path, text: withoutComments(text) })))
  const proven = new Set(proofs.map(({ id }) => id))
  const first = new Map<string, Place>()
  for (const clause of clauses) if (!first.has(clause.id)) first.set(clause.id, clause)
  return [
    ...clauses.filter((one) => first.get(one.id) !== one).map(say('is defined a second time')),
    ...clauses.filter(({ id }) => !proven.has(id)).map(say('is cited by no test')),
    ...[...proofs, ...citationsOf(others)]
      .filter(({ id }) => !known.has(id))
      .map(say('is cited but stands in no page')),
  ]
}

function say(what: string): (place: Place) => string {
  return ({ id, path, line }) => `${path}:${line}: ${id} ${what}`
}

/** A page has one title, and begins with it. */
export function titleProblems(pages: readonly SourceFile[]): string[] {
  return pages.flatMap((page) => {
    const prose = page.text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ' '))
    const titles = matches(page, prose, /^# /m, 'a second title').slice(1)
    return prose.startsWith('# ')
      ? titles
      : [`${page.path}:1: does not begin with a title`, ...titles]
  })
}
