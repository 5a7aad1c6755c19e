/**
 * Byte strings in linear memory: order, common prefix, copy, and the first bytes as a number.
 *
 * Every function reads only the bytes that it is given, wherever they lie: loads may be unaligned,
 * never past the end. Words are loaded little-endian, so the lowest differing byte of two words is
 * the first differing byte of the strings.
 */

/** Compares as unsigned bytes, a prefix before what it begins: less than, equal to or greater than 0. */
export function compareBytes(a: usize, aBytes: u32, b: usize, bBytes: u32): i32 {
  const shorter = aBytes < bBytes ? aBytes : bBytes
  const at = commonPrefixOf(a, b, shorter)
  if (at < shorter) return <i32>load<u8>(a + at) - <i32>load<u8>(b + at)
  return i32(aBytes > bBytes) - i32(aBytes < bBytes)
}

/** True if the first `n` bytes of two strings are equal. */
// @ts-ignore: decorator
@inline
export function equalBytes(a: usize, b: usize, n: u32): bool {
  return commonPrefixOf(a, b, n) == n
}

/** How many leading bytes two strings share. */
export function commonPrefix(a: usize, aBytes: u32, b: usize, bBytes: u32): u32 {
  return commonPrefixOf(a, b, aBytes < bBytes ? aBytes : bBytes)
}

/**
 * Copies `n` bytes; the regions may overlap. Up to 32 bytes are moved with a few words, all loaded
 * before the first is stored, because `memory.copy` costs a call into the runtime.
 */
export function copyBytes(dst: usize, src: usize, n: usize): void {
  if (n > 32) {
    memory.copy(dst, src, n)
  } else if (n > 16) {
    const first = v128.load(src)
    const last = v128.load(src + n - 16)
    v128.store(dst, first)
    v128.store(dst + n - 16, last)
  } else if (n >= 8) {
    const first = load<u64>(src)
    const last = load<u64>(src + n - 8)
    store<u64>(dst, first)
    store<u64>(dst + n - 8, last)
  } else if (n >= 4) {
    const first = load<u32>(src)
    const last = load<u32>(src + n - 4)
    store<u32>(dst, first)
    store<u32>(dst + n - 4, last)
  } else if (n != 0) {
    const first = load<u8>(src)
    const middle = load<u8>(src + (n >> 1))
    const last = load<u8>(src + n - 1)
    store<u8>(dst, first)
    store<u8>(dst + (n >> 1), middle)
    store<u8>(dst + n - 1, last)
  }
}

/** Up to so many bytes a loop over words beats a call into the runtime. */
const WORDS_MAX: usize = 1024

/** Copies `n` bytes between regions that do not overlap, few of them without a call into the runtime. */
export function copyWords(dst: usize, src: usize, n: usize): void {
  if (n <= 16) return copyBytes(dst, src, n)
  if (n > WORDS_MAX) {
    memory.copy(dst, src, n)
    return
  }
  const last = n - 16
  for (let at: usize = 0; at < last; at += 16) v128.store(dst + at, v128.load(src + at))
  v128.store(dst + last, v128.load(src + last))
}

/** Copies `n` bytes and up to 15 more: as many must be there behind both. The regions do not overlap. */
// @ts-ignore: decorator
@inline
export function copyOver(dst: usize, src: usize, n: usize): void {
  for (let at: usize = 0; at < n; at += 16) v128.store(dst + at, v128.load(src + at))
}

/**
 * The first 8 bytes as a big-endian number, zero padded: where two heads differ they order the
 * strings as unsigned numbers; where they are equal nothing is said.
 */
// @ts-ignore: decorator
@inline
export function head64(p: usize, n: u32): u64 {
  return n >= 8 ? swapBytes64(load<u64>(p)) : shortHead64(p, n)
}

/** `head64` of fewer than 8 bytes, from loads that overlap instead of reading past the end. */
function shortHead64(p: usize, n: u32): u64 {
  if (n >= 4) {
    const first = <u64>swapBytes32(load<u32>(p)) << 32
    const last = <u64>swapBytes32(load<u32>(p + n - 4))
    return first | (last << ((8 - n) << 3))
  }
  if (n == 0) return 0
  const first = <u64>load<u8>(p) << 56
  if (n == 1) return first
  const second = <u64>load<u8>(p + 1) << 48
  if (n == 2) return first | second
  return first | second | (<u64>load<u8>(p + 2) << 40)
}

/** The common prefix of two strings of `n` bytes each. */
// @ts-ignore: decorator
@inline
function commonPrefixOf(a: usize, b: usize, n: u32): u32 {
  if (n < 8) return shortCommonPrefix(a, b, n)
  const last = n - 8
  let at: u32 = 0
  while (at < last) {
    const difference = load<u64>(a + at) ^ load<u64>(b + at)
    if (difference != 0) return at + (<u32>ctz(difference) >> 3)
    at += 8
  }
  // The last word may overlap the one before it, whose bytes are known to be equal.
  const difference = load<u64>(a + last) ^ load<u64>(b + last)
  return difference == 0 ? n : last + (<u32>ctz(difference) >> 3)
}

/** `commonPrefixOf` for fewer than 8 bytes. */
function shortCommonPrefix(a: usize, b: usize, n: u32): u32 {
  if (n >= 4) {
    const first = load<u32>(a) ^ load<u32>(b)
    if (first != 0) return <u32>ctz(first) >> 3
    const last = load<u32>(a + n - 4) ^ load<u32>(b + n - 4)
    return last == 0 ? n : n - 4 + (<u32>ctz(last) >> 3)
  }
  let at: u32 = 0
  while (at < n && load<u8>(a + at) == load<u8>(b + at)) at++
  return at
}

/** Reverses the bytes of a word; WebAssembly has no instruction for it. */
// @ts-ignore: decorator
@inline
export function swapBytes64(x: u64): u64 {
  const pairs = ((x & 0x00ff00ff00ff00ff) << 8) | ((x >> 8) & 0x00ff00ff00ff00ff)
  const words = ((pairs & 0x0000ffff0000ffff) << 16) | ((pairs >> 16) & 0x0000ffff0000ffff)
  return rotl(words, 32)
}

/** Reverses the bytes of a 32-bit word. */
// @ts-ignore: decorator
@inline
export function swapBytes32(x: u32): u32 {
  return rotl(x & 0xff00ff00, 8) | rotl(x & 0x00ff00ff, 24)
}

/** True if all bytes are below 128. */
export function isAscii(p: usize, n: u32): bool {
  let at: usize = 0
  for (; at + 16 <= <usize>n; at += 16) {
    if (i8x16.bitmask(v128.load(p + at)) != 0) return false
  }
  for (; at < <usize>n; at++) if (load<u8>(p + at) > 127) return false
  return true
}

/** Whether 16 bytes can be the length and offset of a value in chunks: numbers below 2^48 [LOG-6, TBL-9]. */
// @ts-ignore: decorator
@inline
export function isReference(p: usize): bool {
  return (load<u16>(p, 6) | load<u16>(p, 14)) == 0
}
