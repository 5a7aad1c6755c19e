/**
 * The rows of a block (TBL-5 of docs/table-format.md): one for each entry, all of the same width, one behind the other without
 * regard to bytes. Low bits come first.
 *
 *   row      | kind | shared | suffix bytes | value bytes | sequence | timestamp |    each less the block's base
 *   widths   | kind base 3 | kind 2 | shared 5 | suffix 5 | value 5 | sequence 6 | timestamp 6 |    bits, in one u32
 *
 * Accessors read whole words: up to 7 bytes behind a row must be readable.
 */

// @ts-ignore: decorator
@inline
export function kindBase(widths: u32): u32 {
  return widths & 7
}
// @ts-ignore: decorator
@inline
export function kindBits(widths: u32): u32 {
  return (widths >> 3) & 3
}
// @ts-ignore: decorator
@inline
export function sharedBits(widths: u32): u32 {
  return (widths >> 5) & 31
}
// @ts-ignore: decorator
@inline
export function suffixBits(widths: u32): u32 {
  return (widths >> 10) & 31
}
// @ts-ignore: decorator
@inline
export function valueBits(widths: u32): u32 {
  return (widths >> 15) & 31
}
// @ts-ignore: decorator
@inline
export function sequenceBits(widths: u32): u32 {
  return (widths >> 20) & 63
}
// @ts-ignore: decorator
@inline
export function timestampBits(widths: u32): u32 {
  return widths >> 26
}

/** The last base and all widths in one word. Requires that each fits its place. */
export function packWidths(
  base: u32,
  kind: u32,
  shared: u32,
  suffix: u32,
  value: u32,
  sequence: u32,
  timestamp: u32,
): u32 {
  const lengths = (shared << 5) | (suffix << 10) | (value << 15)
  return base | (kind << 3) | lengths | (sequence << 20) | (timestamp << 26)
}

/** Bits of a row. */
export function rowBits(widths: u32): u32 {
  const lengths = sharedBits(widths) + suffixBits(widths) + valueBits(widths)
  return kindBits(widths) + lengths + sequenceBits(widths) + timestampBits(widths)
}

/** Bytes of a row that stands alone. */
// @ts-ignore: decorator
@inline
export function rowBytes(widths: u32): u32 {
  return (rowBits(widths) + 7) >> 3
}

/** Bits that a number needs. */
// @ts-ignore: decorator
@inline
export function bitsOf(value: u64): u32 {
  return 64 - (clz(value) as u32)
}

// @ts-ignore: decorator
@inline
export function lowBits(word: u64, bits: u32): u64 {
  return word & ((<u64>1 << (<u64>bits)) - 1)
}

/** The field of `bits` bits, at most 57, that begins `bit` bits behind `at`. */
// @ts-ignore: decorator
@inline
export function fieldAt(at: usize, bit: u64, bits: u32): u64 {
  return lowBits(load<u64>(at + ((bit >> 3) as usize)) >> (bit & 7), bits)
}

/** Writes a field into bits that are zero. */
// @ts-ignore: decorator
@inline
export function putField(at: usize, bit: u64, value: u64): void {
  const p = at + ((bit >> 3) as usize)
  store<u64>(p, load<u64>(p) | (value << (bit & 7)))
}

/** Copies a row to a place of its own, with up to 7 bytes behind it. Returns its first 57 bits, and more. */
// @ts-ignore: decorator
@inline
export function copyRow(to: usize, at: usize, bit: u64, bits: u32): u64 {
  const word = load<u64>(at + ((bit >> 3) as usize)) >> (bit & 7)
  store<u64>(to, word)
  for (let done: u32 = 56; done < bits; done += 56) {
    store<u64>(to + (done >> 3), fieldAt(at, bit + <u64>done, 57))
  }
  return word
}

/**
 * How far timestamps have come, by a line, `delta` behind the block's smallest sequence: `span` at the sequence that its field is
 * too narrow for.
 */
// @ts-ignore: decorator
@inline
export function predicted(delta: u64, span: u64, bits: u32): u64 {
  return (delta * span) >> (<u64>bits)
}

/** The largest span for sequences of so many bits: no product is 2^63 or more. */
// @ts-ignore: decorator
@inline
export function spanMax(bits: u32): u64 {
  return (<u64>1 << (<u64>(63 - bits))) - 1
}
