/**
 * Errors between threads, as plain objects: a structured clone of an `Error` loses its class and its fields [ENV-24].
 */
import { SedgeError, type SedgeErrorCode } from '../errors.ts'

/** The wire form. Fields that an error does not have are undefined. */
export interface ErrorRecord {
  readonly name: string
  readonly message: string
  readonly code?: string | undefined
  readonly stack?: string | undefined
  readonly file?: string | undefined
  readonly offset?: number | undefined
  readonly expected?: string | number | undefined
  readonly actual?: string | number | undefined
  readonly outcome?: 'unknown' | undefined
  readonly cause?: ErrorRecord | undefined
}

/** Chains of causes are cut off here. */
const CAUSES_MAX = 4

/** Any thrown value in a form that can be posted. */
export function flattenError(error: unknown, depth = 0): ErrorRecord {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { code } = error as { code?: unknown }
  const base: ErrorRecord = {
    name: error.name,
    message: error.message,
    code: typeof code === 'string' ? code : undefined,
    stack: error.stack,
    cause:
      error.cause === undefined || depth >= CAUSES_MAX
        ? undefined
        : flattenError(error.cause, depth + 1),
  }
  if (!(error instanceof SedgeError)) return base
  const { file, offset, expected, actual, outcome } = error
  return { ...base, file, offset, expected, actual, outcome }
}

/** The error that a record came from: a `SedgeError` where it was one, else an `Error` with its name and code. */
export function reviveError(record: ErrorRecord): Error {
  const cause = record.cause === undefined ? undefined : reviveError(record.cause)
  if (record.name === 'SedgeError' && record.code !== undefined) {
    const { file, offset, expected, actual, outcome } = record
    const details = { cause, file, offset, expected, actual, outcome }
    const error = new SedgeError(record.code as SedgeErrorCode, record.message, details)
    if (record.stack !== undefined) error.stack = record.stack
    return error
  }
  const error = new Error(record.message, cause === undefined ? undefined : { cause })
  error.name = record.name
  if (record.stack !== undefined) error.stack = record.stack
  return record.code === undefined ? error : Object.assign(error, { code: record.code })
}
