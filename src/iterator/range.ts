/**
 * Ranges of keys [ORD-2]: from the bounds that a caller gives to at most one lower and one upper bound.
 *
 *            gt k        gte k         lt k        lte k         prefix p
 *   lower    k, out      k, in                                   p, in
 *   upper                              k, out      k, in         successor of p, out
 *
 * A prefix and bounds intersect. A range that no key can lie in encodes to `undefined`.
 */
import { Buffer } from 'node:buffer'
import { SedgeError } from '../errors.ts'
import type { Codec, Encoded } from '../key/encoding.ts'
import { encodePlain } from '../key/encoding.ts'
import { compareBytes } from '../util/bytes.ts'
import { ownValue } from '../util/own-option.ts'

/** Bounds of a range of keys, in the form that keys go in. All are optional and they intersect. */
export interface RangeBounds<K> {
  /** Keys after this one. Not together with `gte`. */
  readonly gt?: K | undefined
  /** This key and those after it. Not together with `gt`. */
  readonly gte?: K | undefined
  /** Keys before this one. Not together with `lte`. */
  readonly lt?: K | undefined
  /** This key and those before it. Not together with `lt`. */
  readonly lte?: K | undefined
  /** Keys whose bytes begin with these; a string stands for its UTF-8 bytes, whatever the encoding. */
  readonly prefix?: string | Uint8Array | undefined
}

/** An encoded range. At most one lower and one upper bound. */
export interface EncodedRange {
  readonly lower: Uint8Array | undefined
  readonly lowerInclusive: boolean
  readonly upper: Uint8Array | undefined
  readonly upperInclusive: boolean
}

/** The range of all keys. */
export const ALL_KEYS: EncodedRange = {
  lower: undefined,
  lowerInclusive: true,
  upper: undefined,
  upperInclusive: true,
}

/** Most bytes in a bound: those of the longest key. */
const BOUND_BYTES_MAX = 1024 * 1024

interface Bound {
  readonly bytes: Uint8Array
  readonly inclusive: boolean
}

/**
 * Encodes the bounds among `options`; other properties are not looked at. `undefined`: no key is in the range.
 *
 * Throws `RangeError` for both `gt` and `gte` or both `lt` and `lte`, `LIMIT` for a bound of more than 1 MiB,
 * `TypeError` for wrong types, and whatever the key's encoder throws.
 */
export function encodeRange(options: object, keys: Codec): EncodedRange | undefined {
  const { gt, gte, lt, lte, prefix: start } = options as RangeBounds<unknown>
  const given = {
    lower: bound('gt', ownValue(options, 'gt', gt), 'gte', ownValue(options, 'gte', gte), keys),
    upper: bound('lt', ownValue(options, 'lt', lt), 'lte', ownValue(options, 'lte', lte), keys),
  }
  const prefix = prefixBytes(ownValue(options, 'prefix', start))
  if (given.lower === undefined && given.upper === undefined && prefix === undefined) {
    return ALL_KEYS
  }
  const lower = tighter(given.lower, prefix && { bytes: prefix, inclusive: true }, 1)
  const upper = tighter(given.upper, prefix && prefixEnd(prefix), -1)
  if (isEmpty(lower, upper)) return undefined
  return {
    // No key is empty, so an empty lower bound bounds nothing.
    lower: lower?.bytes.length === 0 ? undefined : lower?.bytes,
    lowerInclusive: lower?.inclusive ?? true,
    upper: upper?.bytes,
    upperInclusive: upper?.inclusive ?? true,
  }
}

/** The bytes of a bound or of a key to seek, which may be empty. Throws as `encodeRange` does, naming `name`. */
export function encodeBound(key: unknown, name: string, keys: Codec): Uint8Array {
  return limited(keys.encode(key, name), name)
}

/** The option `limit`: a whole number or Infinity; -1, as in Level, stands for Infinity, and so does absence. */
export function limitOption(options: object): number {
  const limit = ownValue(options, 'limit', (options as { limit?: unknown }).limit)
  if (limit === undefined || limit === -1) return Number.POSITIVE_INFINITY
  if (typeof limit !== 'number') throw new TypeError('limit must be a number')
  if (limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0))
    return limit
  throw new RangeError('limit must be a whole number, Infinity or -1')
}

/** The first byte string after all that begin with `prefix`; `undefined` when it is empty or all 0xff. */
export function prefixSuccessor(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  if (length === 0) return undefined
  const successor = new Uint8Array(prefix.subarray(0, length))
  successor[length - 1]!++
  return successor
}

function bound(
  open: string,
  exclusive: unknown,
  closed: string,
  inclusive: unknown,
  keys: Codec,
): Bound | undefined {
  if (exclusive !== undefined && inclusive !== undefined) {
    throw new RangeError(`${open} and ${closed} must not be given together`)
  }
  if (exclusive !== undefined)
    return { bytes: encodeBound(exclusive, open, keys), inclusive: false }
  if (inclusive !== undefined)
    return { bytes: encodeBound(inclusive, closed, keys), inclusive: true }
  return undefined
}

function prefixBytes(prefix: unknown): Uint8Array | undefined {
  if (prefix === undefined) return undefined
  return limited(encodePlain(prefix, 'prefix'), 'prefix')
}

/** The bytes as the range's own: the caller's may change while an iterator lives. */
function limited(encoded: Encoded, name: string): Uint8Array {
  // A short string's come from the pool of `Buffer`: to allocate them takes as long as a few entries.
  const bytes = typeof encoded === 'string' ? Buffer.from(encoded, 'utf8') : new Uint8Array(encoded)
  if (bytes.length <= BOUND_BYTES_MAX) return bytes
  throw new SedgeError('LIMIT', `${name} is longer than a key may be`, {
    expected: BOUND_BYTES_MAX,
    actual: bytes.length,
  })
}

function prefixEnd(prefix: Uint8Array): Bound | undefined {
  const bytes = prefixSuccessor(prefix)
  return bytes && { bytes, inclusive: false }
}

/** The bound that lets fewer keys in. `side`: 1 for lower bounds, -1 for upper ones. */
function tighter(a: Bound | undefined, b: Bound | undefined, side: 1 | -1): Bound | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const order = compareBytes(a.bytes, b.bytes) * side
  if (order !== 0) return order > 0 ? a : b
  return a.inclusive ? b : a
}

function isEmpty(lower: Bound | undefined, upper: Bound | undefined): boolean {
  if (upper === undefined) return false
  if (upper.bytes.length === 0) return true
  if (lower === undefined) return false
  const order = compareBytes(lower.bytes, upper.bytes)
  return order > 0 || (order === 0 && !(lower.inclusive && upper.inclusive))
}
