/**
 * Varints of blocks [TBL-5]: 7 bits a byte, low bits first, at most 8 bytes, never padded, so that
 * every number below 2^56 has exactly one encoding.
 *
 *   300 = 0b10_0101100  ->  ac 02
 *
 * Part of the file format. Do not change.
 */

/** A varint has at most this many bytes. */
export const VARINT_BYTES_MAX: u32 = 8

/** What the last successful `readVarint` read. Good until the next call. */
export let varintValue: u64 = 0

/** Bytes of the encoding of `v`, 1 to 8. Requires: v < 2^56. */
// @ts-ignore: decorator
@inline
export function varintBytes(v: u64): u32 {
  // (bits + 6) / 7 with bits from 1 to 56, as a multiplication.
  return ((70 - <u32>clz(v | 1)) * 37) >> 8
}

/** Writes `v` at `p` and returns the address behind it. Requires: v < 2^56. */
// @ts-ignore: decorator
@inline
export function putVarint(p: usize, v: u64): usize {
  if (v < 0x80) {
    store<u8>(p, v)
    return p + 1
  }
  return putLongVarint(p, v)
}

/**
 * Reads a varint that ends before `end` into `varintValue` and returns the address behind it, or 0
 * if it is cut off, longer than 8 bytes, or padded. Reads nothing at or behind `end`.
 */
// @ts-ignore: decorator
@inline
export function readVarint(p: usize, end: usize): usize {
  if (p < end) {
    const byte = <u64>load<u8>(p)
    if (byte < 0x80) {
      varintValue = byte
      return p + 1
    }
  }
  return readLongVarint(p, end)
}

/** `readVarint` where 8 bytes can be loaded: all at once, without a loop. */
function readWholeVarint(p: usize): usize {
  const word = load<u64>(p)
  const ends = ~word & 0x8080808080808080
  if (ends == 0) return 0
  const last = <usize>ctz(ends) >> 3
  // The 7 bits of each byte up to the last one; then pairs are pushed together, and pairs of those.
  let value = word & (ends ^ (ends - 1)) & 0x7f7f7f7f7f7f7f7f
  value = (value & 0x007f007f007f007f) | ((value & 0x7f007f007f007f00) >> 1)
  value = (value & 0x00003fff00003fff) | ((value & 0x3fff00003fff0000) >> 2)
  value = (value & 0x000000000fffffff) | ((value & 0x0fffffff00000000) >> 4)
  // A last byte of 0 adds nothing: the same number has a shorter encoding.
  if (last != 0 && load<u8>(p + last) == 0) return 0
  varintValue = value
  return p + last + 1
}

function putLongVarint(p: usize, v: u64): usize {
  assert(v >> 56 == 0, 'varint: the number needs more than 8 bytes')
  while (v >= 0x80) {
    store<u8>(p++, v | 0x80)
    v >>= 7
  }
  store<u8>(p, v)
  return p + 1
}

function readLongVarint(p: usize, end: usize): usize {
  if (p + 8 <= end) return readWholeVarint(p)
  let value: u64 = 0
  for (let shift: u64 = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
    if (p >= end) return 0
    const byte = <u64>load<u8>(p++)
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      // A last byte of 0 adds nothing: the same number has a shorter encoding.
      if (byte == 0 && shift != 0) return 0
      varintValue = value
      return p
    }
  }
  return 0
}
