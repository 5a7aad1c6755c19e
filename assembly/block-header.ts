/**
 * The header of a block's content (TBL-5 of docs/table-format.md), and whether its parts can be as long as the rows say.
 *
 *   stored   | header | prefix | value × n | rest of key × n | row × n |
 *
 * After `measure` has returned OK all parts lie within the content, and those that rows tell the lengths of are together exactly as long
 * as there is room. What the entries are is for `block-parse.ts` and `block-stream.ts` to check.
 */
import { readVarint, varintValue } from './varint'
import { BLOCK_DATA, BLOCK_INDEX, CORRUPT, KEY_BYTES_MAX, KIND_PUT, OK } from './abi'
import { HANDLE_BYTES } from './frame'
import {
  bitsOf,
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

/** A block of more entries is a top index, each of whose values has so many bytes. */
const COUNT_FREE: u32 = 1024
const ENTRY_BYTES_LEAST: u64 = 12
/** Bytes behind the prefix that the keys of a block may share with those before them. */
const SHARED_MAX: u64 = 65536
/** What the keys of a data block take from its prefix is no more: `SHARED_MAX`, and what a block may weigh before its last entry. */
const PREFIXES_MAX: u64 = SHARED_MAX + 4096
/** Widths of the fields with numbers up to `SHARED_MAX` and `KEY_BYTES_MAX`. */
const SHARED_BITS_MAX: u32 = 17
const SUFFIX_BITS_MAX: u32 = 21

export let measuredCount: u32 = 0
/** Bytes of the content in memory. */
export let measuredBytes: u32 = 0

export let prefixBytes: u32 = 0
export let rowWidths: u32 = 0
export let suffixBase: u32 = 0
export let valueBase: u32 = 0
export let baseSequence: u64 = 0
export let baseTimestamp: i64 = 0
export let span: u64 = 0
/** Where the parts behind the header begin. */
export let prefix: usize = 0
export let values: usize = 0
export let keys: usize = 0
export let rows: usize = 0

/** Reads the header, and how large the content will be in memory. Up to 7 bytes behind the content are readable. */
export function measure(content: usize, bytes: u32, kind: u32): i32 {
  const end = content + bytes
  if (!readHeader(content, end)) return CORRUPT
  const count = <u64>measuredCount
  if (count == 0) return CORRUPT
  if (measuredCount > COUNT_FREE && count * ENTRY_BYTES_LEAST > <u64>bytes) return CORRUPT
  if (<u64>prefixBytes > <u64>(end - prefix)) return CORRUPT
  if (kind == BLOCK_DATA && <u64>prefixBytes * (count - 1) > PREFIXES_MAX) return CORRUPT
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
  // What `measure` and its readers take from one word lies in its first 57 bits.
  const ofShared = sharedBits(rowWidths)
  if (ofShared > SHARED_BITS_MAX || suffixBits(rowWidths) > SUFFIX_BITS_MAX) return false
  const fits = bits <= 53 && timestampBits(rowWidths) <= 54
  return fits && isWhole(baseTimestamp) && (span == 0 || bits + bitsOf(span) <= 63)
}

/** Whether JavaScript can have this number: it lies between -2^53 and 2^53. */
// @ts-ignore: decorator
@inline
export function isWhole(value: i64): bool {
  return value > -0x20000000000000 && value < 0x20000000000000
}

/** Whether nothing that the rows of a data block may say breaks a rule about kinds, sizes of keys, sequences and timestamps. */
export function isUniform(): bool {
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
