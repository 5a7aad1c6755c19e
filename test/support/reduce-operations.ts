/**
 * Delta debugging: the fewest operations of a list that still fail, as far as that can be found in the time given.
 *
 *   | keep | cut | keep |     a cut after which the rest still fails stays cut; pieces get smaller and smaller
 */

/** Requires that `list` fails. The result fails too. */
export async function reduceOperations<T>(
  list: readonly T[],
  milliseconds: number,
  fails: (fewer: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  const end = performance.now() + milliseconds
  let left = list
  for (let size = left.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < left.length; ) {
      if (performance.now() > end) return left
      const fewer = [...left.slice(0, at), ...left.slice(at + size)]
      if (fewer.length > 0 && (await fails(fewer))) left = fewer
      else at += size
    }
  }
  return left
}
