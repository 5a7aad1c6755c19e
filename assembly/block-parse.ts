/**
 * Validating a block's content, once, when it enters memory, and laying it out for lookups (TBL-5, TBL-10). What has passed is
 * trusted ever after.
 *
 *   stored      | header | prefix | value × n | rest of key × n | row × n |
 *   in memory   | prefix | (row | suffix | value) × n |
 *
 * Call protocol: measure (lay out a frame of `measuredCount` entries and `measuredBytes` of content) parse.
 */
import { compareBytes, copyBytes, copyWords, isReference, swapBytes64 } from './bytes'
import {
  baseSequence,
  baseTimestamp,
  isUniform,
  isWhole,
  keys,
  prefix,
  prefixBytes,
  rowWidths,
  rows,
  span,
  suffixBase,
  valueBase,
  values,
} from './block-header'
import {
  BLOCK_INDEX,
  CORRUPT,
  KEY_BYTES_MAX,
  KIND_CHUNKS,
  KIND_DELETE,
  KIND_INDEX,
  KIND_RESERVED_MAX,
  OK,
  UNKNOWN_FORMAT,
} from './abi'
import { Frame, HANDLE_BYTES, offsetAt } from './frame'
import {
  copyRow,
  fieldAt,
  kindBits,
  lowBits,
  rowBits,
  rowBytes,
  sharedBits,
  suffixBits,
  valueBits,
} from './rows'
import {
  entryKind,
  entrySequence,
  entrySuffixBytes,
  entryTimestamp,
  entryValueBytes,
  readEntry,
} from './block'

/** Where the value and what is left of the key of the next entry are. */
let nextValue: usize = 0
let nextKey: usize = 0

/** Lays out the content that `measure` has read, fills the directory, and validates every entry. Requires room in the frame. */
export function parse(frame: Frame): i32 {
  const isIndex = frame.kind == BLOCK_INDEX
  frame.prefix = frame.content
  frame.prefixBytes = prefixBytes
  frame.widths = rowWidths
  frame.suffixBase = suffixBase
  frame.valueBase = isIndex ? valueBase + (HANDLE_BYTES as u32) : valueBase
  frame.baseSequence = baseSequence
  frame.baseTimestamp = baseTimestamp
  frame.span = span
  memory.copy(frame.content, prefix, prefixBytes)
  const width = rowBits(rowWidths)
  const bytes = rowBytes(rowWidths)
  const ofShared = sharedBits(rowWidths)
  const ofSuffix = suffixBits(rowWidths)
  const beforeSuffix = <u64>(kindBits(rowWidths) + ofShared)
  const beforeValue = beforeSuffix + <u64>ofSuffix
  const isPlain = !isIndex && isUniform()
  const content = frame.content
  const kinds = <u64>kindBits(rowWidths)
  const ofValue = valueBits(rowWidths)
  let p = content + prefixBytes
  let bit: u64 = 0
  let heads = frame.heads
  let previousHead: u64 = 0
  nextValue = values
  nextKey = keys
  previousSuffix = p
  previousSuffixBytes = 0
  for (let i: u32 = 0; i < frame.count; i++) {
    const word = copyRow(p, rows, bit, width)
    store<u32>(offsetAt(frame, i), (p - content) as u32)
    const shared = lowBits(word >> kinds, ofShared) as u32
    const suffixBytes = suffixBase + (lowBits(word >> beforeSuffix, ofSuffix) as u32)
    let valueBytes = valueBase
    if (ofValue != 0) valueBytes += fieldAt(p, beforeValue, ofValue) as u32
    if (shared > previousSuffixBytes || shared > suffixBytes) return CORRUPT
    if (!isPlain) {
      const status = checkEntry(frame, i)
      if (status != OK) return status
    }
    const suffix = p + bytes
    putSuffix(suffix, shared, suffixBytes - shared)
    let end = suffix + suffixBytes
    if (isIndex) {
      store<u64>(end, entrySequence)
      store<u32>(end, entryTimestamp as u32, 8)
      end += HANDLE_BYTES
    }
    copyWords(end, nextValue, valueBytes)
    nextValue += valueBytes
    const head = headAt(suffix, suffixBytes)
    store<u64>(heads, head)
    if (i > 0 && head <= previousHead && !ascends(frame, i, suffix, suffixBytes)) return CORRUPT
    heads += 8
    previousHead = head
    previousSuffix = suffix
    previousSuffixBytes = suffixBytes
    p = end + valueBytes
    bit += <u64>width
  }
  return OK
}

let previousSuffix: usize = 0
let previousSuffixBytes: u32 = 0

/** Whether entry `i`, of which the row is in its place and the value is next, is what it may be. */
function checkEntry(frame: Frame, i: u32): i32 {
  readEntry(frame, i)
  if (frame.kind == BLOCK_INDEX) {
    if (!isIndexEntry()) return CORRUPT
  } else {
    if (entryKind == 0 || entryKind > KIND_RESERVED_MAX) return CORRUPT
    if (entryKind > KIND_CHUNKS) return UNKNOWN_FORMAT
  }
  const keyBytes = prefixBytes + entrySuffixBytes
  if (keyBytes == 0 || keyBytes > KEY_BYTES_MAX) return CORRUPT
  if (entrySequence >> 53 != 0 || !isWhole(entryTimestamp)) return CORRUPT
  if (entryKind == KIND_DELETE && entryValueBytes != 0) return CORRUPT
  if (entryKind == KIND_CHUNKS && (entryValueBytes != 16 || !isReference(nextValue))) return CORRUPT
  return OK
}

/** Whether the entry read last is one of an index, with one handle or two. */
function isIndexEntry(): bool {
  if (entryKind != KIND_INDEX) return false
  if (entryTimestamp <= 0 || entryTimestamp > <i64>u32.MAX_VALUE) return false
  const bytes = <usize>entryValueBytes
  return bytes == HANDLE_BYTES || bytes == 2 * HANDLE_BYTES
}

/** Puts a key behind the prefix in its place. What follows it is written later. */
// @ts-ignore: decorator
@inline
function putSuffix(suffix: usize, shared: u32, rest: u32): void {
  if (shared <= 8 && rest <= 8) {
    store<u64>(suffix, load<u64>(previousSuffix))
    store<u64>(suffix + shared, load<u64>(nextKey))
  } else {
    copyBytes(suffix, previousSuffix, shared)
    copyBytes(suffix + shared, nextKey, rest)
  }
  nextKey += rest
}

/** `head64` where 8 bytes can be loaded. */
// @ts-ignore: decorator
@inline
function headAt(suffix: usize, suffixBytes: u32): u64 {
  const word = swapBytes64(load<u64>(suffix))
  if (suffixBytes >= 8) return word
  const unused = <u64>((8 - suffixBytes) << 3)
  return suffixBytes == 0 ? 0 : (word >> unused) << unused
}

/** Whether entry `i` stands behind the one before. */
function ascends(frame: Frame, i: u32, suffix: usize, suffixBytes: u32): bool {
  const order = compareBytes(previousSuffix, previousSuffixBytes, suffix, suffixBytes)
  if (order != 0) return order < 0
  // The versions of one key may end several blocks, which then have the same index key.
  if (frame.kind == BLOCK_INDEX) return true
  readEntry(frame, i)
  const sequence = entrySequence
  readEntry(frame, i - 1)
  return entrySequence > sequence
}
