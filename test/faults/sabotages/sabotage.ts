/**
 * What a sabotage is: a store that is broken on purpose, in one place, and the slice of a suite that must complain of it.
 * And what becomes of one:
 *
 *   caught          the slice complains of the broken store, and not of the sound one
 *   survived        the slice has no complaint: the suite has a hole
 *   not measured    the slice complains of the sound store too
 *   harness broken  the text to be replaced is not there once, does not compile, the slice did not run, or it complains of
 *                   something else than what is broken
 */
/** One piece of source text and what stands in its place. White space counts as white space, however much of it. */
export interface Edit {
  /** From the root of the project: of the kernel, too. */
  readonly file: string
  /** Is in the file exactly once. */
  readonly text: string
  readonly by: string
}

export interface Sabotage {
  /** As in the plan, or `S` and a number. */
  readonly id: string
  /** What the broken store does. */
  readonly what: string
  /** Its name in `SLICES`. */
  readonly slice: string
  /** What the slice says of it: the words of an oracle, or the title of the test that fails. */
  readonly complaint: RegExp
  readonly edits: readonly Edit[]
  /** The harness is broken as well, so that it must not see what it would. */
  readonly isBlind?: boolean
}

export type Outcome =
  | { readonly kind: 'passed' }
  | { readonly kind: 'complained'; readonly message: string }
  | { readonly kind: 'broken'; readonly message: string }

export interface Verdict {
  readonly name: 'caught' | 'survived' | 'not measured' | 'harness broken'
  readonly why: string
}

/** What the oracle of crash images says of content that no legal number of commits leaves. */
export const WRONG_CONTENT: RegExp = /no \d+ to \d+ commits leave this/

/** A broken edit, not a broken store: no oracle says these. */
const NO_COMPLAINT = /\b(TypeError|ReferenceError|SyntaxError)\b/

/** `sound`: what the same slice says of the store as it is. */
export function verdictOf(
  { isBlind, complaint }: Sabotage,
  sound: Outcome,
  broken: Outcome,
): Verdict {
  for (const outcome of [sound, broken]) {
    if (outcome.kind === 'broken') return { name: 'harness broken', why: outcome.message }
  }
  if (sound.kind === 'complained') return { name: 'not measured', why: sound.message }
  if (broken.kind === 'complained') {
    const isOurs = complaint.test(broken.message) && !NO_COMPLAINT.test(broken.message)
    return { name: isOurs && !isBlind ? 'caught' : 'harness broken', why: broken.message }
  }
  return { name: isBlind ? 'caught' : 'survived', why: 'there is no complaint' }
}

/** The source with the edit. Throws unless its text is there exactly once. */
export function replaced(source: string, { file, text, by }: Edit): string {
  const words = text.trim().split(/\s+/)
  const pattern = new RegExp(words.map(escaped).join('\\s+'), 'g')
  const found = [...source.matchAll(pattern)]
  const [only] = found
  if (only === undefined || found.length > 1) {
    throw new Error(`${file} has ${found.length} times, not once: ${text.trim().slice(0, 80)}`)
  }
  return source.slice(0, only.index) + by + source.slice(only.index + only[0].length)
}

function escaped(word: string): string {
  return word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
