/**
 * The names of a store's files and what they say: MAN-1 in `docs/manifest-format.md`, "Files of a store" in
 * `docs/architecture.md`. Part of the file format. Do not change.
 *
 *     <number>.log <number>.val <number>.sst <number>.tmp
 *     MANIFEST-<number>   CURRENT-<epoch>-<manifest>   CLOSED   LOCK-…
 */

const DIGITS_MIN = 6
/** 2^53 - 1 has 16 digits. */
const DIGITS_MAX = 16

const EXTENSIONS = { log: 'log', values: 'val', table: 'sst', temporary: 'tmp' } as const

/** Files that are `<number>.<extension>`. */
export type NumberedType = keyof typeof EXTENSIONS

export type FileName =
  | { readonly type: NumberedType | 'manifest'; readonly number: number }
  /** `number` is the manifest's. */
  | { readonly type: 'marker'; readonly epoch: number; readonly number: number }
  | { readonly type: 'closed' }
  | { readonly type: 'lock' }

export const CLOSED_FILE_NAME = 'CLOSED'
const LOCK_PREFIX = 'LOCK-'
const MANIFEST_PREFIX = 'MANIFEST-'
const MARKER_PREFIX = 'CURRENT-'

const TYPES: ReadonlyMap<string, NumberedType> = new Map([
  ['log', 'log'],
  ['val', 'values'],
  ['sst', 'table'],
  ['tmp', 'temporary'],
])

export function logFileName(number: number): string {
  return numberedFileName('log', number)
}

/** The file of a log segment's large values. */
export function valueFileName(number: number): string {
  return numberedFileName('values', number)
}

export function tableFileName(number: number): string {
  return numberedFileName('table', number)
}

export function temporaryFileName(number: number): string {
  return numberedFileName('temporary', number)
}

export function manifestFileName(number: number): string {
  return MANIFEST_PREFIX + digits(number)
}

export function markerFileName(epoch: number, manifest: number): string {
  return `${MARKER_PREFIX}${digits(epoch)}-${digits(manifest)}`
}

/** What a base name means, or `undefined` when it is not a name of the store's. */
export function parseFileName(name: string): FileName | undefined {
  if (name === CLOSED_FILE_NAME) return { type: 'closed' }
  if (name.startsWith(LOCK_PREFIX)) return { type: 'lock' }
  if (name.startsWith(MARKER_PREFIX)) return parseMarkerName(name.slice(MARKER_PREFIX.length))
  const isManifest = name.startsWith(MANIFEST_PREFIX)
  const dot = name.indexOf('.')
  const type = isManifest ? 'manifest' : TYPES.get(name.slice(dot + 1))
  const number = wholeNumber(isManifest ? name.slice(MANIFEST_PREFIX.length) : name.slice(0, dot))
  return type === undefined || number === undefined ? undefined : { type, number }
}

function parseMarkerName(numbers: string): FileName | undefined {
  const dash = numbers.indexOf('-')
  if (dash < 0) return undefined
  const epoch = wholeNumber(numbers.slice(0, dash))
  const number = wholeNumber(numbers.slice(dash + 1))
  return epoch === undefined || number === undefined ? undefined : { type: 'marker', epoch, number }
}

function numberedFileName(type: NumberedType, number: number): string {
  return `${digits(number)}.${EXTENSIONS[type]}`
}

function digits(number: number): string {
  return String(number).padStart(DIGITS_MIN, '0')
}

/** The number that `digits` would write this way. */
function wholeNumber(text: string): number | undefined {
  if (text.length > DIGITS_MAX) return undefined
  const number = Number(text)
  return Number.isSafeInteger(number) && number >= 1 && digits(number) === text ? number : undefined
}
