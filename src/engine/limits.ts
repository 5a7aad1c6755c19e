/** The limits of keys, values and batches, and the errors that name them (LIM-1 to LIM-3 in `docs/spec.md`). */
import { SedgeError } from '../errors.ts'

export const KEY_BYTES_MAX: number = 1024 * 1024
export const VALUE_BYTES_MAX: number = 100 * 1024 * 1024
export const BATCH_BYTES_MAX: number = 256 * 1024 * 1024
/** Values of this many bytes and more are stored in chunks, out of line. */
export const LARGE_VALUE_BYTES = 65_536

export function keyLimit(): SedgeError {
  return new SedgeError('LIMIT', `a key has 1 to ${KEY_BYTES_MAX} bytes`)
}

export function valueLimit(): SedgeError {
  return new SedgeError('LIMIT', `a value has at most ${VALUE_BYTES_MAX} bytes`)
}

export function batchLimit(): SedgeError {
  return new SedgeError('LIMIT', `a batch has at most ${BATCH_BYTES_MAX} bytes`)
}
