/** Small damage of the kind that finds the bugs of decoders: numbers at their bounds, pieces cut, doubled, moved. */
import type { Random } from './seed.ts'

const NUMBERS: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 7n, 8n, 15n, 16n, 24n, 127n, 128n, 255n, 256n, 4096n, 65_535n, 65_536n],
  ...[2n ** 20n, 2n ** 20n + 1n, 2n ** 24n - 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 5n],
  ...[2n ** 32n - 1n, 2n ** 32n, 2n ** 47n, 2n ** 48n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n],
  2n ** 64n - 1n,
]

/** A copy with one to four changes, in the bytes from `from` up to `to`. Lengths change rarely. */
export function mutated(
  random: Random,
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): Uint8Array {
  let changed: Uint8Array = bytes.slice()
  for (let left = random.pick([1, 1, 1, 2, 4]); left > 0; left--) {
    changed = mutatedOnce(random, changed, from, Math.min(to, changed.length))
  }
  return changed
}

function mutatedOnce(random: Random, bytes: Uint8Array, from: number, to: number): Uint8Array {
  if (to <= from) return bytes
  const at = random.int(from, to)
  const kind = random.int(12)
  if (kind < 3) bytes[at]! ^= 1 << random.int(8)
  else if (kind < 5) bytes[at] = random.pick([0, 1, 2, 3, 4, 5, 6, 7, 15, 0x7f, 0x80, 0xf0, 0xff])
  else if (kind < 8) number(random, bytes, at, to)
  else if (kind === 8) bytes.fill(0, at, Math.min(to, at + random.int(1, 40)))
  else if (kind === 9) bytes.copyWithin(at, random.int(from, to), to)
  else if (kind === 10) return bytes.slice(0, at)
  else return inserted(bytes, at, random.bytes(random.int(1, 12)))
  return bytes
}

/** A number at a bound, or one that is a little more or less than what was there. */
function number(random: Random, bytes: Uint8Array, at: number, to: number): void {
  const width = random.pick([2, 4, 4, 8])
  if (at + width > to) return
  let value = random.pick(NUMBERS)
  if (random.chance(0.4)) {
    value = BigInt(random.pick([-8, -4, -1, 1, 4, 8]))
    for (let i = 0; i < width; i++) value += BigInt(bytes[at + i]!) << BigInt(8 * i)
  }
  for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn)
}

function inserted(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  const longer = new Uint8Array(bytes.length + piece.length)
  longer.set(bytes.subarray(0, at))
  longer.set(piece, at)
  longer.set(bytes.subarray(at), at + piece.length)
  return longer
}
