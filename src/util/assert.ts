/**
 * Checks for our own bugs. They never guard bytes from disk or arguments of callers: those get a
 * `SedgeError`, a `TypeError` or a `RangeError`.
 */

/** Throws an `Error` when `condition` does not hold, which means that the store itself is wrong. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`)
}

/** Marks a place that cannot be reached. Always throws. */
export function unreachable(message: string): never {
  throw new Error(`internal error: ${message} cannot happen`)
}
