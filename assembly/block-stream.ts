/**
 * A data block read from front to back, once, without laying it out (TBL-5): a job takes each entry as it comes, and of each key only
 * what it does not share with the one before is written. What is validated is what `block-parse.ts` validates: rows when the
 * block is opened, what keys share and their order on the way.
 *
 *   content   | header | prefix | value × n | rest of key × n | row × n |
 *                                 value ^     rest ^            bit ^
 *
 * Call protocol: (streamOpen streamFirst streamNext*)* streamFree, where `streamNext` is called while `left` is not 0. The entry holds until
 * the next move; its key must stay until the first entry of the next block has been compared with it.
 */
import { commonPrefix, copyBytes, copyOver, isReference } from './bytes'
import { capacityOf, enlarge, free, reallocate } from './memory'
import {
  BLOCK_DATA,
  CORRUPT,
  KEY_BYTES_MAX,
  KIND_CHUNKS,
  KIND_DELETE,
  KIND_RESERVED_MAX,
  NO_MEMORY,
  OK,
  UNKNOWN_FORMAT,
} from './abi'
import {
  baseSequence,
  baseTimestamp,
  isUniform,
  isWhole,
  keys,
  measure,
  measuredCount,
  prefix,
  prefixBytes,
  rowWidths,
  rows,
  span,
  suffixBase,
  valueBase,
  values,
} from './block-header'
import { CONTENT_SLACK, openBlock, opened, openedBuffer, openedBytes } from './block-open'
import { Input, codeOf, headOf } from './input'
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

/** Bytes behind a key that may be read and written. */
const KEY_SLACK: u32 = 24

@unmanaged
export class BlockStream extends Input {
  /** Entries of a block that was opened, until it stands on the first; then those that are still to come. */
  unread: u32
  left: u32
  /** The content, where it had to be kept. */
  buffer: usize
  prefix: usize
  prefixBytes: u32
  suffixBase: u32
  valueBase: u32
  /** Bytes of the key behind the prefix. */
  suffixBytes: u32
  baseSequence: u64
  baseTimestamp: i64
  span: u64
  /** Where the rows are, and where in them the next one begins. */
  rows: usize
  bit: u64
  /** What the next key does not share, and the next value. */
  rest: usize
  nextValue: usize
  /** Bits of a row and of its fields. */
  ofRow: u64
  ofKind: u32
  ofShared: u32
  ofSuffix: u32
  ofValue: u32
  ofSequence: u32
  ofTimestamp: u32
  kindBase: u32
  /** Room for the key of the entry, and for that of the first entry of the next block. */
  keyRoom: usize
  keyRoomBytes: u32
  spare: usize
}

/** Gives back what a stream has taken, but not itself. */
export function streamFree(s: BlockStream): void {
  free(s.buffer)
  free(s.keyRoom)
  free(s.spare)
}

/** Opens the next block: arguments as of `openBlock`. CORRUPT, UNKNOWN_FORMAT and NO_MEMORY leave no entries. May grow. */
export function streamOpen(
  s: BlockStream,
  identity: u64,
  offset: u64,
  address: usize,
  stored: u32,
  decoded: usize,
): i32 {
  let status = openBlock(identity, offset, address, stored, decoded, s.buffer)
  s.buffer = openedBuffer
  if (status != OK) return status
  let content = opened
  if (content != s.buffer) {
    content = reallocate(s.buffer, 0, openedBytes + CONTENT_SLACK)
    if (content == 0) return NO_MEMORY
    s.buffer = content
    memory.copy(content, opened, openedBytes)
  }
  status = measure(content, openedBytes, BLOCK_DATA)
  if (status != OK) return status
  begin(s)
  if (!isUniform()) status = checkRows(s)
  if (status == OK) s.unread = measuredCount
  return status
}

/** Takes over the header that was measured. */
function begin(s: BlockStream): void {
  s.prefix = prefix
  s.prefixBytes = prefixBytes
  s.suffixBase = suffixBase
  s.valueBase = valueBase
  s.suffixBytes = 0
  s.baseSequence = baseSequence
  s.baseTimestamp = baseTimestamp
  s.span = span
  s.rows = rows
  s.bit = 0
  s.rest = keys
  s.nextValue = values
  s.ofRow = <u64>rowBits(rowWidths)
  s.ofKind = kindBits(rowWidths)
  s.ofShared = sharedBits(rowWidths)
  s.ofSuffix = suffixBits(rowWidths)
  s.ofValue = valueBits(rowWidths)
  s.ofSequence = sequenceBits(rowWidths)
  s.ofTimestamp = timestampBits(rowWidths)
  s.kindBase = kindBase(rowWidths)
}

/** Whether all entries are what they may be, keys aside. */
function checkRows(s: BlockStream): i32 {
  const sequence = s.sequence
  for (let i: u32 = 0; i < measuredCount; i++) {
    readRow(s)
    if (s.kind == 0 || s.kind > KIND_RESERVED_MAX) return CORRUPT
    if (s.kind > KIND_CHUNKS) return UNKNOWN_FORMAT
    const keyBytes = s.prefixBytes + rowSuffix
    if (keyBytes == 0 || keyBytes > KEY_BYTES_MAX) return CORRUPT
    if (s.sequence >> 53 != 0 || !isWhole(s.timestamp)) return CORRUPT
    if (s.kind == KIND_DELETE && s.valueBytes != 0) return CORRUPT
    if (s.kind == KIND_CHUNKS && (s.valueBytes != 16 || !isReference(s.value))) return CORRUPT
  }
  s.bit = 0
  s.nextValue = values
  s.sequence = sequence
  return OK
}

/** Of the row read last: what its key shares behind the prefix, and its bytes there. */
let rowShared: u32 = 0
let rowSuffix: u32 = 0

/** Reads the next row, and finds its value. */
// @ts-ignore: decorator
@inline
function readRow(s: BlockStream): void {
  const bit = s.bit
  let word = load<u64>(s.rows + ((bit >> 3) as usize)) >> (bit & 7)
  let delta: u64
  let left: u64
  s.kind = s.kindBase + (lowBits(word, s.ofKind) as u32)
  word >>= <u64>s.ofKind
  rowShared = lowBits(word, s.ofShared) as u32
  word >>= <u64>s.ofShared
  rowSuffix = s.suffixBase + (lowBits(word, s.ofSuffix) as u32)
  if (s.ofRow <= 57) {
    word >>= <u64>s.ofSuffix
    s.valueBytes = s.valueBase + (lowBits(word, s.ofValue) as u32)
    word >>= <u64>s.ofValue
    delta = lowBits(word, s.ofSequence)
    left = word >> <u64>s.ofSequence
    left = lowBits(left, s.ofTimestamp)
  } else {
    let at = bit + <u64>(s.ofKind + s.ofShared + s.ofSuffix)
    s.valueBytes = s.valueBase + (fieldAt(s.rows, at, s.ofValue) as u32)
    at += <u64>s.ofValue
    delta = fieldAt(s.rows, at, s.ofSequence)
    left = fieldAt(s.rows, at + <u64>s.ofSequence, s.ofTimestamp)
  }
  s.bit = bit + s.ofRow
  s.sequence = s.baseSequence + delta
  s.timestamp = s.baseTimestamp + ((predicted(delta, s.span, s.ofSequence) + left) as i64)
  s.value = s.nextValue
  s.nextValue = s.value + s.valueBytes
}

/** Moves to the first entry of the block that was opened. It must stand behind the last one of the block before. OK, CORRUPT or NO_MEMORY. */
export function streamFirst(s: BlockStream): i32 {
  const before = s.sequence
  s.left = s.unread
  s.unread = 0
  readRow(s)
  if (rowShared != 0) return CORRUPT
  const bytes = s.prefixBytes + rowSuffix
  const key = enlarge(s.spare, 0, bytes + KEY_SLACK)
  if (key == 0) return NO_MEMORY
  copyBytes(key, s.prefix, s.prefixBytes)
  copyBytes(key + s.prefixBytes, s.rest, rowSuffix)
  s.rest += rowSuffix
  s.spare = s.keyRoom
  s.keyRoom = key
  s.keyRoomBytes = capacityOf(key) - KEY_SLACK
  const shared = commonPrefix(s.key, s.keyBytes, key, bytes)
  if (shared == bytes) {
    // The versions of one key may run over into the next block.
    if (s.keyBytes != bytes || s.sequence >= before) return CORRUPT
  } else if (shared < s.keyBytes && load<u8>(key + shared) < load<u8>(s.key + shared)) {
    return CORRUPT
  }
  return step(s, key, bytes, rowSuffix, shared)
}

/** Moves to the next entry of the block. OK, CORRUPT or NO_MEMORY. */
export function streamNext(s: BlockStream): i32 {
  const before = s.sequence
  readRow(s)
  const suffixBytes = rowSuffix
  if (rowShared > s.suffixBytes || rowShared > suffixBytes) return CORRUPT
  const from = s.prefixBytes + rowShared
  const rest = suffixBytes - rowShared
  const bytes = s.prefixBytes + suffixBytes
  if (bytes > s.keyRoomBytes && !widen(s, bytes)) return NO_MEMORY
  const key = s.keyRoom
  const at = key + from
  const old = s.keyBytes - from
  const difference = load<u64>(at) ^ load<u64>(s.rest)
  let more: u32 = <u32>ctz(difference) >> 3
  // Keys may share more than their row says: only what they really share orders them.
  if (more >= min(min(old, rest), 8)) {
    more = commonPrefix(at, old, s.rest, rest)
    if (more == rest && (old != rest || s.sequence >= before)) return CORRUPT
  }
  if (more < min(old, rest) && load<u8>(s.rest + more) < load<u8>(at + more)) return CORRUPT
  copyOver(at, s.rest, rest)
  s.rest += rest
  return step(s, key, bytes, suffixBytes, from + more)
}

/** The key is there. */
// @ts-ignore: decorator
@inline
function step(s: BlockStream, key: usize, bytes: u32, suffixBytes: u32, shared: u32): i32 {
  s.key = key
  s.keyBytes = bytes
  s.suffixBytes = suffixBytes
  s.code = codeOf(shared, headOf(key + shared, bytes - shared))
  s.left--
  return OK
}

/** Makes room for a longer key. */
function widen(s: BlockStream, bytes: u32): bool {
  const key = enlarge(s.keyRoom, s.keyBytes, bytes + KEY_SLACK)
  if (key == 0) return false
  s.keyRoom = key
  s.keyRoomBytes = capacityOf(key) - KEY_SLACK
  return true
}
