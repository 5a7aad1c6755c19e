/** Validating a block's content, once, when it enters memory (TBL-5, TBL-10). What has passed is trusted ever after. */
import { compareBytes, head64, isReference } from './bytes'
import { readVarint, varintValue } from './varint'
import {
  BLOCK_INDEX,
  CORRUPT,
  KEY_BYTES_MAX,
  KIND_CHUNKS,
  KIND_DELETE,
  KIND_RESERVED_MAX,
  OK,
  UNKNOWN_FORMAT,
} from './abi'
import { BLOCK_HEADER, Frame, HANDLE_BYTES, offsetAt } from './frame'

/** Validates a whole block and fills its directory. What passes needs no check ever after. */
export function parse(frame: Frame): i32 {
  const content = frame.content
  const end = content + frame.contentBytes
  const prefixBytes = load<u32>(content, 4)
  if (prefixBytes > KEY_BYTES_MAX || prefixBytes > frame.contentBytes - BLOCK_HEADER) return CORRUPT
  frame.prefixBytes = prefixBytes
  frame.prefix = content + BLOCK_HEADER
  frame.baseSequence = load<u64>(content, 8)
  frame.baseTimestamp = load<i64>(content, 16)
  if (frame.baseSequence >> 53 != 0 || !isWhole(frame.baseTimestamp)) return CORRUPT
  let p = frame.prefix + prefixBytes
  let previousHead: u64 = 0
  for (let i: u32 = 0; i < frame.count; i++) {
    const status = parseEntry(frame, p, end, i)
    if (status != OK) return status
    p = parsedEnd
    if (frame.kind == BLOCK_INDEX && !isIndexEntry(parsedStart)) return CORRUPT
    store<u32>(offsetAt(frame, i), (parsedStart - content) as u32)
    const head = head64(parsedSuffix, parsedSuffixBytes)
    store<u64>(frame.heads + ((<usize>i) << 3), head)
    if (i > 0 && head <= previousHead && !ascends(frame)) return CORRUPT
    previousHead = head
    previousSuffix = parsedSuffix
    previousSuffixBytes = parsedSuffixBytes
    previousSequence = parsedSequence
  }
  return p == end ? OK : CORRUPT
}

/** Whether JavaScript can have this number: it lies between -2^53 and 2^53. */
// @ts-ignore: decorator
@inline
function isWhole(value: i64): bool {
  return value > -0x20000000000000 && value < 0x20000000000000
}

let parsedStart: usize = 0
let parsedEnd: usize = 0
let parsedSuffix: usize = 0
let parsedSuffixBytes: u32 = 0
let parsedSequence: u64 = 0
let previousSuffix: usize = 0
let previousSuffixBytes: u32 = 0
let previousSequence: u64 = 0

function ascends(frame: Frame): bool {
  const order = compareBytes(previousSuffix, previousSuffixBytes, parsedSuffix, parsedSuffixBytes)
  if (order != 0) return order < 0
  // The versions of one key may end several blocks, which then have the same index key.
  return frame.kind == BLOCK_INDEX || previousSequence > parsedSequence
}

/** True if the entry parsed last is one of an index: a put of one handle, or of two. */
function isIndexEntry(start: usize): bool {
  const valueBytes = parsedEnd - parsedSuffix - (parsedSuffixBytes as usize)
  return load<u8>(start) == 1 && (valueBytes == HANDLE_BYTES || valueBytes == 2 * HANDLE_BYTES)
}

// @ts-ignore: decorator
@inline
function parseEntry(frame: Frame, start: usize, end: usize, i: u32): i32 {
  if (start >= end) return CORRUPT
  const kind = <u32>load<u8>(start)
  if (kind == 0 || kind > KIND_RESERVED_MAX) return CORRUPT
  if (kind > KIND_CHUNKS) return UNKNOWN_FORMAT
  let p = readVarint(start + 1, end)
  if (p == 0) return CORRUPT
  const suffixBytes = varintValue
  p = readVarint(p, end)
  if (p == 0) return CORRUPT
  const valueBytes = varintValue
  p = readVarint(p, end)
  if (p == 0 || (frame.baseSequence + varintValue) >> 53 != 0) return CORRUPT
  parsedSequence = frame.baseSequence + varintValue
  p = readVarint(p, end)
  if (p == 0 || !isWhole(frame.baseTimestamp + <i64>varintValue)) return CORRUPT
  const room = <u64>(end - p)
  if (suffixBytes > KEY_BYTES_MAX) return CORRUPT
  if (suffixBytes + <u64>frame.prefixBytes > KEY_BYTES_MAX) return CORRUPT
  if (suffixBytes + <u64>frame.prefixBytes == 0) return CORRUPT
  if (suffixBytes > room || valueBytes > room - suffixBytes) return CORRUPT
  if (kind == KIND_CHUNKS) {
    if (valueBytes != 16 || !isReference(p + (suffixBytes as usize))) return CORRUPT
  }
  if (kind == KIND_DELETE && valueBytes != 0) return CORRUPT
  parsedStart = start
  parsedSuffix = p
  parsedSuffixBytes = suffixBytes as u32
  parsedEnd = p + (suffixBytes as usize) + (valueBytes as usize)
  return OK
}
