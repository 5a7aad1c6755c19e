/**
 * The one error class of the store and its stable codes [ERR-1].
 *
 * Wrong use by the caller is a `TypeError` or `RangeError` naming the argument; everything that the
 * store itself reports is a `SedgeError`. Messages carry files, offsets and sizes, never keys or values.
 */

export type SedgeErrorCode =
  | 'LOCKED'
  | 'CLOSED'
  | 'CORRUPTION'
  | 'FORMAT'
  | 'LIMIT'
  | 'IO'
  | 'FULL'
  | 'FAILED'
  | 'UNSUPPORTED'
  | 'NOT_FOUND'
  | 'EXISTS'

/** What a `SedgeError` may carry besides its code and message. Absent fields are `undefined`. */
export interface SedgeErrorDetails {
  readonly cause?: unknown
  /** Base name of the file concerned. */
  readonly file?: string | undefined
  /** Byte offset in `file`. */
  readonly offset?: number | undefined
  /** What should have been there: a checksum, a size, a number. */
  readonly expected?: string | number | undefined
  /** What was there. */
  readonly actual?: string | number | undefined
  /** `'unknown'`: the write may or may not survive; read it back after re-opening. */
  readonly outcome?: 'unknown' | undefined
  /** Who holds the lock, when `code` is `LOCKED`. */
  readonly holder?: LockHolder | undefined
}

/** Details of the process that holds a store's lock, as far as it is known. */
export interface LockHolder {
  readonly pid?: number | undefined
  readonly hostname?: string | undefined
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined
  /** The file that carries the claim. */
  readonly file?: string | undefined
}

/** Every failure that the store reports. Switch on `code`; the message is for people. */
export class SedgeError extends Error {
  override readonly name = 'SedgeError'
  readonly code: SedgeErrorCode
  readonly file: string | undefined
  readonly offset: number | undefined
  readonly expected: string | number | undefined
  readonly actual: string | number | undefined
  readonly outcome: 'unknown' | undefined
  readonly holder: LockHolder | undefined

  constructor(code: SedgeErrorCode, message: string, details: SedgeErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.file = details.file
    this.offset = details.offset
    this.expected = details.expected
    this.actual = details.actual
    this.outcome = details.outcome
    this.holder = details.holder
  }
}

/** A damaged file: names the file and, where known, the offset and what was expected there. */
export function corruption(
  file: string,
  offset: number | undefined,
  what: string,
  details: { expected?: string | number; actual?: string | number; cause?: unknown } = {},
): SedgeError {
  const where = offset === undefined ? file : `${file} at offset ${offset}`
  return new SedgeError('CORRUPTION', `${where}: ${what}`, { ...details, file, offset })
}
