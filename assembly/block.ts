/**
 * Searching a block that `block-cache.ts` has validated. In memory an entry is a row of the stored block, in whole bytes, and its
 * key behind the prefix and its value:
 *
 *   entry   | row | suffix | value |
 */
import { compareBytes, copyWords, head64 } from './bytes'
import { Frame, Shape, offsetAt } from './frame'
import {
  fieldAt,
  kindBase,
  kindBits,
  lowBits,
  predicted,
  rowBits,
  sequenceBits,
  sharedBits,
  suffixBits,
  timestampBits,
  valueBits,
} from './rows'

/** The entry read last by `readEntry`. */
export let entryStart: usize = 0
export let entryKind: u32 = 0
export let entrySuffix: usize = 0
export let entrySuffixBytes: u32 = 0
export let entryValue: usize = 0
export let entryValueBytes: u32 = 0
export let entrySequence: u64 = 0
export let entryTimestamp: i64 = 0

/** Decodes entry `i`. Requires i < count. */
// @ts-ignore: decorator
@inline
export function readEntry(frame: Frame, i: u32): void {
  const start = frame.content + load<u32>(offsetAt(frame, i))
  readEntryAt(frame, start)
}

/** Decodes the entry that begins at `start`. */
export function readEntryAt(shape: Shape, start: usize): void {
  entryStart = start
  const widths = shape.widths
  const width = rowBits(widths)
  const sequence = sequenceBits(widths)
  let delta: u64
  let left: u64
  let word = load<u64>(start)
  entryKind = kindBase(widths) + (lowBits(word, kindBits(widths)) as u32)
  if (width <= 64) {
    word >>= <u64>(kindBits(widths) + sharedBits(widths))
    entrySuffixBytes = shape.suffixBase + (lowBits(word, suffixBits(widths)) as u32)
    word >>= <u64>suffixBits(widths)
    entryValueBytes = shape.valueBase + (lowBits(word, valueBits(widths)) as u32)
    word >>= <u64>valueBits(widths)
    delta = lowBits(word, sequence)
    left = lowBits(word >> <u64>sequence, timestampBits(widths))
  } else {
    let bit = <u64>(kindBits(widths) + sharedBits(widths))
    entrySuffixBytes = shape.suffixBase + (fieldAt(start, bit, suffixBits(widths)) as u32)
    bit += <u64>suffixBits(widths)
    entryValueBytes = shape.valueBase + (fieldAt(start, bit, valueBits(widths)) as u32)
    bit += <u64>valueBits(widths)
    delta = fieldAt(start, bit, sequence)
    left = fieldAt(start, bit + <u64>sequence, timestampBits(widths))
  }
  entrySequence = shape.baseSequence + delta
  entryTimestamp = shape.baseTimestamp + ((predicted(delta, shape.span, sequence) + left) as i64)
  entrySuffix = start + ((width + 7) >> 3)
  entryValue = entrySuffix + entrySuffixBytes
}

/** Order of the whole key of the entry read last and another. */
export function compareEntryKey(frame: Frame, key: usize, keyBytes: u32): i32 {
  const shared = min(frame.prefixBytes, keyBytes)
  const order = compareBytes(frame.prefix, frame.prefixBytes, key, shared)
  if (order != 0) return order
  return compareBytes(entrySuffix, entrySuffixBytes, key + shared, keyBytes - shared)
}

/** Bytes of the whole key of the entry read last. */
// @ts-ignore: decorator
@inline
export function entryKeyBytes(frame: Frame): u32 {
  return frame.prefixBytes + entrySuffixBytes
}

/** Writes the whole key of the entry read last to `to`. */
// @ts-ignore: decorator
@inline
export function copyEntryKey(frame: Frame, to: usize): void {
  copyWords(to, frame.prefix, frame.prefixBytes)
  copyWords(to + frame.prefixBytes, entrySuffix, entrySuffixBytes)
}

/** Up to so many heads are counted. */
const COUNTED_MAX: u32 = 64
/** Added to a number, makes signed order what unsigned order was. */
const SIGN: i64 = i64.MIN_VALUE

/** How many heads are below `head`. */
// @ts-ignore: decorator
@inline
function headsBelow(frame: Frame, head: u64): u32 {
  return frame.count <= COUNTED_MAX ? countBelow(frame, head) : searchBelow(frame, head)
}

/** By looking at all: memory brings them together, where a search waits at each step for what it asks next. */
function countBelow(frame: Frame, head: u64): u32 {
  const heads = frame.heads
  const pairs = frame.count >> 1
  const sign = i64x2.splat(SIGN)
  const bound = i64x2.splat((head as i64) ^ SIGN)
  let below = i64x2.splat(0)
  for (let i: u32 = 0; i < pairs; i++) {
    const pair = v128.xor(v128.load(heads + ((<usize>i) << 4)), sign)
    below = i64x2.sub(below, i64x2.lt_s(pair, bound))
  }
  const count = i64x2.extract_lane(below, 0) + i64x2.extract_lane(below, 1)
  if ((frame.count & 1) == 0) return count as u32
  return (count as u32) + u32(load<u64>(heads + ((<usize>pairs) << 4)) < head)
}

/** By a search without branches: which way it goes is nothing that a processor could guess. */
function searchBelow(frame: Frame, head: u64): u32 {
  let at = frame.heads
  let n = <usize>frame.count
  while (n > 1) {
    const half = n >> 1
    const middle = at + (half << 3)
    at = select<usize>(middle, at, load<u64>(middle - 8) < head)
    n -= half
  }
  return <u32>((at - frame.heads) >> 3) + u32(load<u64>(at) < head)
}

/**
 * The first entry at or after (key, sequence) in internal order: a greater key, or the same key with a sequence of at
 * most `sequence`. `count` if there is none.
 */
export function lowerBound(frame: Frame, key: usize, keyBytes: u32, sequence: u64): u32 {
  const shared = min(frame.prefixBytes, keyBytes)
  const order = compareBytes(key, shared, frame.prefix, frame.prefixBytes)
  if (order < 0) return 0
  if (order > 0) return frame.count
  const suffix = key + shared
  const suffixBytes = keyBytes - shared
  const head = head64(suffix, suffixBytes)
  let low = headsBelow(frame, head)
  let high = frame.count
  // Only among equal heads the keys themselves decide.
  while (low < high) {
    const middle = (low + high) >> 1
    if (load<u64>(frame.heads + ((<usize>middle) << 3)) != head) {
      high = middle
      continue
    }
    readEntry(frame, middle)
    const c = compareBytes(entrySuffix, entrySuffixBytes, suffix, suffixBytes)
    if (c < 0 || (c == 0 && entrySequence > sequence)) low = middle + 1
    else high = middle
  }
  return low
}
