/**
 * Reads TypeScript just well enough for the tidy checks: which characters are code, which are comments,
 * which are the contents of strings; and which modules a file imports.
 */

/** A file as the checks see it; `path` is relative to the project's root, with `/`. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export interface Import {
  readonly specifier: string
  /** From 1. */
  readonly line: number
}

/** The text with all comments blanked; line and column of everything else stay. */
export function withoutComments(text: string): string {
  return blank(text, (kind) => kind === 'comment')
}

/** The text with comments and the contents of strings, templates and regular expressions blanked. */
export function codeOnly(text: string): string {
  return blank(text, (kind) => kind !== 'code')
}

/** The modules that a file imports or re-exports from, types included. */
export function importsOf(text: string): Import[] {
  const source = withoutComments(text)
  const pattern =
    /^\s*(?:import|export)\b[^'"`;]*?from\s*(['"])(.+?)\1|\bimport\s*\(?\s*(['"])(.+?)\3/gm
  return [...source.matchAll(pattern)].map((match) => ({
    specifier: match[2] ?? match[4] ?? '',
    line: lineAt(source, match.index + match[0].search(/\S/)),
  }))
}

/** The line, from 1, of a position in a text. */
export function lineAt(text: string, position: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1))
    line++
  return line
}

/** Where a pattern matches, as `path:line: message`. */
export function matches(
  file: SourceFile,
  text: string,
  pattern: RegExp,
  message: string,
): string[] {
  const all = pattern.flags.includes('g') ? pattern : new RegExp(pattern, `${pattern.flags}g`)
  return [...text.matchAll(all)].map(
    (match) => `${file.path}:${lineAt(text, match.index)}: ${message}`,
  )
}

type Kind = 'code' | 'comment' | 'string'

interface Piece {
  readonly kind: Kind
  readonly start: number
  readonly end: number
}

function blank(text: string, isBlanked: (kind: Kind) => boolean): string {
  return pieces(text)
    .map(({ kind, start, end }) => {
      const piece = text.slice(start, end)
      return isBlanked(kind) ? piece.replace(/[^\n]/g, ' ') : piece
    })
    .join('')
}

/** After one of these, a slash begins a regular expression; after anything else it divides. */
const BEFORE_REGEXP = /(?:^|[-(,=:[!&|?{};+*%<>~^]|\b(?:return|typeof|case|in|of|yield|await))\s*$/

/** How many characters before a slash are looked at. */
const LOOK_BACK = 40

const STRING = {
  "'": /(?:[^'\\\n]|\\[\s\S])*/y,
  '"': /(?:[^"\\\n]|\\[\s\S])*/y,
  '/': /(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])*/y,
} as const

/** Cuts a text into code, comments and contents of strings; together the pieces are the text. */
function pieces(text: string): Piece[] {
  const found: Piece[] = []
  /** For every template we are inside of, how many braces are open in its current `${`. */
  const templates: number[] = []
  let codeStart = 0
  let at = 0
  const cut = (kind: Kind, start: number, end: number): void => {
    found.push({ kind: 'code', start: codeStart, end: start }, { kind, start, end })
    codeStart = end
    at = end
  }
  const cutTemplate = (start: number): void => {
    const pattern = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y
    pattern.lastIndex = start
    pattern.exec(text)
    cut('string', start, pattern.lastIndex)
    const interpolated = text.startsWith('${', at)
    if (interpolated) templates.push(0)
    at += interpolated ? 2 : 1
  }

  while (at < text.length) {
    const character = text[at]!
    if (text.startsWith('//', at)) {
      cut('comment', at, endOr(text.indexOf('\n', at), text))
    } else if (text.startsWith('/*', at)) {
      cut('comment', at, endOr(text.indexOf('*/', at) + 1, text, 1))
    } else if (character === '`') {
      cutTemplate(at + 1)
    } else if (character === '}' && templates.at(-1) === 0) {
      templates.pop()
      cutTemplate(at + 1)
    } else if (isQuote(character) && (character !== '/' || startsRegExp(text, at))) {
      const pattern = STRING[character]
      pattern.lastIndex = at + 1
      pattern.exec(text)
      cut('string', at + 1, pattern.lastIndex)
      at++
    } else {
      if (character === '{' && templates.length > 0) templates[templates.length - 1]!++
      if (character === '}' && templates.length > 0) templates[templates.length - 1]!--
      at++
    }
  }
  found.push({ kind: 'code', start: codeStart, end: text.length })
  return found
}

function isQuote(character: string): character is keyof typeof STRING {
  return character in STRING
}

function startsRegExp(text: string, at: number): boolean {
  return BEFORE_REGEXP.test(text.slice(Math.max(0, at - LOOK_BACK), at))
}

/** `found + more`, or the end of the text when nothing was found. */
function endOr(found: number, text: string, more = 0): number {
  return found <= 0 ? text.length : found + more
}
