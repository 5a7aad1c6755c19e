/** YCSB's distributions: few entries are asked for often, and they lie anywhere, or are the newest. */
import { generator } from './workload.ts'

/** YCSB's constant: how uneven. */
const THETA = 0.99

/** `count` ranks below `items`; rank r is drawn in proportion to 1 / (r + 1)^0.99, by the method of Gray and others. */
export function zipf(count: number, items: number, seed: number): Uint32Array {
  const next = generator(seed)
  const zetaOfTwo = 1 + 0.5 ** THETA
  const zeta = zetaOf(items)
  const alpha = 1 / (1 - THETA)
  const eta = (1 - (2 / items) ** (1 - THETA)) / (1 - zetaOfTwo / zeta)
  return Uint32Array.from({ length: count }, () => {
    const part = next() / 2 ** 32
    const scaled = part * zeta
    if (scaled < 1 || items === 1) return 0
    if (scaled < zetaOfTwo) return 1
    return Math.min(items - 1, Math.floor(items * (eta * part - eta + 1) ** alpha))
  })
}

function zetaOf(items: number): number {
  let sum = 0
  for (let item = 1; item <= items; item++) sum += item ** -THETA
  return sum
}

/** The entry of a rank, so that entries of neighbouring ranks lie far apart. */
export function scrambled(rank: number, entries: number): number {
  let hash = Math.imul(rank ^ (rank >>> 15), 0x2c1b3c6d)
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39)
  return ((hash ^ (hash >>> 15)) >>> 0) % entries
}

/** The entry of a rank when the newest of `stored` entries are asked for most. */
export function latest(rank: number, stored: number): number {
  return stored - 1 - (rank % stored)
}
