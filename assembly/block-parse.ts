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
import { readVarint, varintValue } from './varint'
import {
  BLOCK_INDEX,
  CORRUPT,
  KEY_BYTES_MAX,
  KIND_CHUNKS,
  KIND_DELETE,
  KIND_INDEX,
  KIND_PUT,
  KIND_RESERVED_MAX,
  OK,
  UNKNOWN_FORMAT,
} from './abi'
import { Frame, HANDLE_BYTES, offsetAt } from './frame'
import {
  bitsOf,
  copyRow,
  fieldAt,
  kindBase,
  kindBits,
  lowBits,
  predicted,
  rowBits,
  rowBytes,
  sequenceBits,
  sharedBits,
  suffixBits,
  timestampBits,
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

/** A block of more entries is a top index, each of whose values has so many bytes. */
const COUNT_FREE: u32 = 1024
const ENTRY_BYTES_LEAST: u64 = 12
/** Bytes behind the prefix that the keys of a block may share with those before them. */
const SHARED_MAX: u64 = 65536
/** Widths of the fields with numbers up to `SHARED_MAX` and `KEY_BYTES_MAX`. */
const SHARED_BITS_MAX: u32 = 17
const SUFFIX_BITS_MAX: u32 = 21

export let measuredCount: u32 = 0
/** Bytes of the content in memory. */
export let measuredBytes: u32 = 0

let prefixBytes: u32 = 0
let rowWidths: u32 = 0
let suffixBase: u32 = 0
let valueBase: u32 = 0
let baseSequence: u64 = 0
let baseTimestamp: i64 = 0
let span: u64 = 0
/** Where the parts behind the header begin. */
let prefix: usize = 0
let values: usize = 0
let keys: usize = 0
let rows: usize = 0

/** Reads the header, and how large the content will be in memory. Up to 7 bytes behind the content are readable. */
export function measure(content: usize, bytes: u32, kind: u32): i32 {
  const end = content + bytes
  if (!readHeader(content, end)) return CORRUPT
  const count = <u64>measuredCount
  if (count == 0) return CORRUPT
  if (measuredCount > COUNT_FREE && count * ENTRY_BYTES_LEAST > <u64>bytes) return CORRUPT
  if (<u64>prefixBytes > <u64>(end - prefix)) return CORRUPT
  values = prefix + prefixBytes
  const width = rowBits(rowWidths)
  const bits = count * <u64>width
  const room = <u64>(end - values)
  if ((bits + 7) >> 3 > room) return CORRUPT
  rows = end - (((bits + 7) >> 3) as usize)
  // What fills the last byte is zero.
  if ((bits & 7) != 0 && load<u8>(end - 1) >> ((bits & 7) as u8) != 0) return CORRUPT
  let suffixes = count * <u64>suffixBase
  let valuesBytes = count * <u64>valueBase
  let shared: u64 = 0
  const ofShared = sharedBits(rowWidths)
  const ofSuffix = suffixBits(rowWidths)
  const ofValue = valueBits(rowWidths)
  if (ofShared + ofSuffix + ofValue != 0) {
    const at = <u64>kindBits(rowWidths)
    for (let bit: u64 = at; bit < bits; bit += <u64>width) {
      let word = load<u64>(rows + ((bit >> 3) as usize)) >> (bit & 7)
      shared += lowBits(word, ofShared)
      word >>= <u64>ofShared
      suffixes += lowBits(word, ofSuffix)
      if (ofValue == 0) continue
      valuesBytes += fieldAt(rows, bit + <u64>(ofShared + ofSuffix), ofValue)
    }
  }
  const parts = <u64>(rows - values)
  if (shared > SHARED_MAX || shared > suffixes || valuesBytes > parts) return CORRUPT
  if (suffixes - shared != parts - valuesBytes) return CORRUPT
  keys = values + (valuesBytes as usize)
  if (kind == BLOCK_INDEX) suffixes += count * <u64>HANDLE_BYTES
  const held = (suffixes + valuesBytes) as u32
  measuredBytes = prefixBytes + measuredCount * rowBytes(rowWidths) + held
  return OK
}

function readHeader(content: usize, end: usize): bool {
  let p = readVarint(content, end)
  if (p == 0 || varintValue > u32.MAX_VALUE) return false
  measuredCount = varintValue as u32
  p = readVarint(p, end)
  if (p == 0 || varintValue > KEY_BYTES_MAX || end - p < 4) return false
  prefixBytes = varintValue as u32
  rowWidths = load<u32>(p)
  p = readVarint(p + 4, end)
  if (p == 0 || varintValue > KEY_BYTES_MAX) return false
  suffixBase = varintValue as u32
  p = readVarint(p, end)
  if (p == 0 || varintValue >> 31 != 0) return false
  valueBase = varintValue as u32
  p = readVarint(p, end)
  if (p == 0 || varintValue >> 53 != 0) return false
  baseSequence = varintValue
  p = readVarint(p, end)
  if (p == 0) return false
  baseTimestamp = ((varintValue >> 1) as i64) ^ -((varintValue & 1) as i64)
  p = readVarint(p, end)
  if (p == 0 || varintValue >> 53 != 0) return false
  span = varintValue
  prefix = p
  const bits = sequenceBits(rowWidths)
  // What measure and parse take from one word lies in its first 57 bits.
  const ofShared = sharedBits(rowWidths)
  if (ofShared > SHARED_BITS_MAX || suffixBits(rowWidths) > SUFFIX_BITS_MAX) return false
  const fits = bits <= 53 && timestampBits(rowWidths) <= 54
  return fits && isWhole(baseTimestamp) && (span == 0 || bits + bitsOf(span) <= 63)
}

/** Whether JavaScript can have this number: it lies between -2^53 and 2^53. */
// @ts-ignore: decorator
@inline
function isWhole(value: i64): bool {
  return value > -0x20000000000000 && value < 0x20000000000000
}

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
    copyWords(end, values, valueBytes)
    values += valueBytes
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

/** Whether nothing that the rows of a data block may say breaks a rule about kinds, sizes of keys, sequences and timestamps. */
function isUniform(): bool {
  if (kindBase(rowWidths) != KIND_PUT || kindBits(rowWidths) != 0) return false
  const keyBytes = <u64>(prefixBytes + suffixBase)
  if (keyBytes == 0 || keyBytes + highest(suffixBits(rowWidths)) > KEY_BYTES_MAX) return false
  const delta = highest(sequenceBits(rowWidths))
  const left = highest(timestampBits(rowWidths)) + predicted(delta, span, sequenceBits(rowWidths))
  return (baseSequence + delta) >> 53 == 0 && isWhole(baseTimestamp + (left as i64))
}

/** The highest number of so many bits. */
// @ts-ignore: decorator
@inline
function highest(bits: u32): u64 {
  return (<u64>1 << <u64>bits) - 1
}

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
  if (entryKind == KIND_CHUNKS && (entryValueBytes != 16 || !isReference(values))) return CORRUPT
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
    store<u64>(suffix + shared, load<u64>(keys))
  } else {
    copyBytes(suffix, previousSuffix, shared)
    copyBytes(suffix + shared, keys, rest)
  }
  keys += rest
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
