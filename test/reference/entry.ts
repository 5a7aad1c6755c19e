/** Entries as plain objects, and their order: what all twins of the kernel speak. */

/** Kinds of entries [LOG-5]. */
export const PUT = 1
export const DELETE = 2
export const CHUNKS = 3
/** Of the entries of an index [TBL-7]. */
export const INDEX = 7

export interface Entry {
  readonly key: Uint8Array
  readonly kind: number
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  /** As stored: for kind CHUNKS the 16 bytes of the reference. */
  readonly value: Uint8Array
}

/** Unsigned bytes, a prefix before what it begins. */
export function compareKeys(left: Uint8Array, right: Uint8Array): number {
  for (let i = 0; i < left.length && i < right.length; i++) {
    if (left[i] !== right[i]) return left[i]! - right[i]!
  }
  return left.length - right.length
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return compareKeys(left, right) === 0
}

/** Internal order: key ascending, then sequence descending. */
export function compareEntries(left: Entry, right: Entry): number {
  return compareKeys(left.key, right.key) || right.sequence - left.sequence
}
