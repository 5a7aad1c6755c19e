/**
 * Builds the content of one block (TBL-5 of docs/table-format.md). Values, and of each key what it does not share with the one
 * before, go to buffers of their own as they come. The rows are made last: the bases and widths of their fields, and the prefix that
 * all keys share, are known only at the end.
 *
 *   kept    | key bytes u32 | shared u32 | value bytes u32 | kind u32 | sequence u64 | timestamp i64 |    of each entry
 *
 * Call protocol: create ((add)+ finish)* free. Keys come in internal order.
 */
import { copyBytes, copyOver } from './bytes'
import { allocate, capacityOf, enlarge, free } from './memory'
import { putVarint } from './varint'
import {
  bitsOf,
  packWidths,
  predicted,
  putField,
  rowBits,
  sequenceBits,
  spanMax,
  suffixBits,
  timestampBits,
  valueBits,
  sharedBits,
  kindBits,
} from './rows'

const KEPT: u32 = 32
/** Bytes that may be written behind what is copied. */
const OVER: u32 = 16
/** Seven varints and the widths. */
const HEADER_BYTES_MAX: u32 = 60
/** Bits of a row, in bytes. */
const ROW_BYTES_MAX: u32 = 24
/** Bytes that the keys of a block may share with those before them, prefix and all. */
const SHARED_MAX: u32 = 65536
/** Below all timestamps that JavaScript can have. */
const TIMESTAMP_BELOW: i64 = -0x20000000000000

@unmanaged
export class BlockBuilder {
  kept: usize
  count: u32
  values: usize
  valuesBytes: u32
  keys: usize
  keysBytes: u32
  lastKey: usize
  lastKeyBytes: u32
  /** For how many entries, and for how many bytes of each part there is room. */
  keptMax: u32
  keysMax: u32
  valuesMax: u32
  lastKeyMax: u32
  /** Sum of value bytes, key bytes that are not shared and 8: what decides when a data block is closed. */
  weight: u32
  /** Sum of the key bytes that are shared with the key before. */
  shared: u32
  sharedMost: u32
  prefixBytes: u32
  keyBytesLeast: u32
  keyBytesMost: u32
  valueBytesLeast: u32
  valueBytesMost: u32
  kindLeast: u32
  kindMost: u32
  minSequence: u64
  maxSequence: u64
  minTimestamp: i64
  maxTimestamp: i64
  /** Timestamps of the entries with the smallest and the largest sequence. */
  firstTimestamp: i64
  lastTimestamp: i64
}

export function blockBuilderCreate(): usize {
  const address = allocate(offsetof<BlockBuilder>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<BlockBuilder>())
  return address
}

export function blockBuilderFree(address: usize): void {
  const b = changetype<BlockBuilder>(address)
  free(b.kept)
  free(b.values)
  free(b.keys)
  free(b.lastKey)
  free(address)
}

/**
 * Adds an entry, whose key shares `common` bytes, and no more, with the one added before; of the first in a block that says nothing. Up
 * to 15 bytes behind key and value are read. False when memory is exhausted. May grow.
 */
export function blockBuilderAdd(
  b: BlockBuilder,
  key: usize,
  keyBytes: u32,
  common: u32,
  kind: u32,
  sequence: u64,
  timestamp: i64,
  value: usize,
  valueBytes: u32,
): bool {
  if (b.count == 0) common = 0
  const shared: u32 = b.shared + common <= SHARED_MAX ? common : 0
  const rest = keyBytes - shared
  if (
    b.count == b.keptMax ||
    b.keysBytes + rest > b.keysMax ||
    b.valuesBytes + valueBytes > b.valuesMax ||
    keyBytes > b.lastKeyMax
  ) {
    if (!reserve(b, rest, valueBytes, keyBytes)) return false
  }
  copyOver(b.keys + b.keysBytes, key + shared, rest)
  copyOver(b.values + b.valuesBytes, value, valueBytes)
  copyOver(b.lastKey + common, key + common, keyBytes - common)
  const at = b.kept + b.count * KEPT
  store<u32>(at, keyBytes)
  store<u32>(at, shared, 4)
  store<u32>(at, valueBytes, 8)
  store<u32>(at, kind, 12)
  store<u64>(at, sequence, 16)
  store<i64>(at, timestamp, 24)
  if (b.count == 0) begin(b, keyBytes, kind, sequence, timestamp, valueBytes)
  else widen(b, common, keyBytes, kind, sequence, timestamp, valueBytes)
  b.lastKeyBytes = keyBytes
  b.keysBytes += rest
  b.valuesBytes += valueBytes
  b.shared += shared
  if (shared > b.sharedMost) b.sharedMost = shared
  b.weight += rest + valueBytes + 8
  b.count++
  return true
}

/** Makes room for one more entry, and for what `copyOver` writes behind its parts. */
function reserve(b: BlockBuilder, rest: u32, valueBytes: u32, keyBytes: u32): bool {
  const kept = enlarge(b.kept, b.count * KEPT, (b.count + 1) * KEPT)
  if (kept == 0) return false
  b.kept = kept
  b.keptMax = capacityOf(kept) / KEPT
  const keys = enlarge(b.keys, b.keysBytes, b.keysBytes + rest + OVER)
  if (keys == 0) return false
  b.keys = keys
  b.keysMax = capacityOf(keys) - OVER
  const values = enlarge(b.values, b.valuesBytes, b.valuesBytes + valueBytes + OVER)
  if (values == 0) return false
  b.values = values
  b.valuesMax = capacityOf(values) - OVER
  const lastKey = enlarge(b.lastKey, b.lastKeyBytes, keyBytes + OVER)
  if (lastKey == 0) return false
  b.lastKey = lastKey
  b.lastKeyMax = capacityOf(lastKey) - OVER
  return true
}

/** The first entry. */
function begin(
  b: BlockBuilder,
  keyBytes: u32,
  kind: u32,
  sequence: u64,
  timestamp: i64,
  valueBytes: u32,
): void {
  b.prefixBytes = keyBytes
  b.keyBytesLeast = keyBytes
  b.keyBytesMost = keyBytes
  b.valueBytesLeast = valueBytes
  b.valueBytesMost = valueBytes
  b.kindLeast = kind
  b.kindMost = kind
  b.minSequence = sequence
  b.maxSequence = sequence
  b.minTimestamp = timestamp
  b.maxTimestamp = timestamp
  b.firstTimestamp = timestamp
  b.lastTimestamp = timestamp
}

/** A further one. */
function widen(
  b: BlockBuilder,
  common: u32,
  keyBytes: u32,
  kind: u32,
  sequence: u64,
  timestamp: i64,
  valueBytes: u32,
): void {
  b.prefixBytes = min(b.prefixBytes, common)
  b.keyBytesLeast = min(b.keyBytesLeast, keyBytes)
  b.keyBytesMost = max(b.keyBytesMost, keyBytes)
  b.valueBytesLeast = min(b.valueBytesLeast, valueBytes)
  b.valueBytesMost = max(b.valueBytesMost, valueBytes)
  b.kindLeast = min(b.kindLeast, kind)
  b.kindMost = max(b.kindMost, kind)
  b.minTimestamp = min(b.minTimestamp, timestamp)
  b.maxTimestamp = max(b.maxTimestamp, timestamp)
  if (sequence < b.minSequence) {
    b.minSequence = sequence
    b.firstTimestamp = timestamp
  } else if (sequence > b.maxSequence) {
    b.maxSequence = sequence
    b.lastTimestamp = timestamp
  }
}

/** Address of the key added last; valid until the next add. */
// @ts-ignore: decorator
@inline
export function blockBuilderLastKey(b: BlockBuilder): usize {
  return b.lastKey
}
// @ts-ignore: decorator
@inline
export function blockBuilderLastKeyBytes(b: BlockBuilder): u32 {
  return b.lastKeyBytes
}

/** `blockBuilderFinish` writes to at most so many bytes. */
export function blockBuilderBytesMax(b: BlockBuilder): u32 {
  return HEADER_BYTES_MAX + b.keysBytes + b.valuesBytes + b.count * ROW_BYTES_MAX
}

/** The span of the line and the base of the timestamps, found by `chooseLine`, and the bits that they leave. */
let span: u64 = 0
let baseTimestamp: i64 = 0
let bitsOfTimestamp: u32 = 0

/**
 * Timestamps grow with sequences, more or less: what is left of them above the line through the entries with the smallest and the
 * largest sequence, or above the smallest timestamp if that is no worse.
 */
function chooseLine(b: BlockBuilder, bits: u32): void {
  span = 0
  baseTimestamp = b.minTimestamp
  bitsOfTimestamp = bitsOf((b.maxTimestamp - b.minTimestamp) as u64)
  const come = b.lastTimestamp - b.firstTimestamp
  if (bits == 0 || come <= 0 || come >= 0x100000000 || bits > 31) return
  const line = ((come as u64) << (<u64>bits)) / (b.maxSequence - b.minSequence)
  if (line > spanMax(bits)) return
  let least = i64.MAX_VALUE
  let most = i64.MIN_VALUE
  const end = b.kept + b.count * KEPT
  for (let at = b.kept; at < end; at += KEPT) {
    const delta = load<u64>(at, 16) - b.minSequence
    const left = load<i64>(at, 24) - (predicted(delta, line, bits) as i64)
    least = min(least, left)
    most = max(most, left)
  }
  const bitsLeft = bitsOf((most - least) as u64)
  if (bitsLeft >= bitsOfTimestamp || least <= TIMESTAMP_BELOW) return
  span = line
  baseTimestamp = least
  bitsOfTimestamp = bitsLeft
}

/** Writes the content to `to`, returns its size, and starts anew. Requires at least one entry. */
export function blockBuilderFinish(b: BlockBuilder, to: usize): u32 {
  const prefixBytes = b.prefixBytes
  const bits = bitsOf(b.maxSequence - b.minSequence)
  chooseLine(b, bits)
  const widths = packWidths(
    b.kindLeast,
    bitsOf(b.kindMost - b.kindLeast),
    b.sharedMost == 0 ? 0 : bitsOf(b.sharedMost - prefixBytes),
    bitsOf(b.keyBytesMost - b.keyBytesLeast),
    bitsOf(b.valueBytesMost - b.valueBytesLeast),
    bits,
    bitsOfTimestamp,
  )
  let p = putVarint(to, b.count)
  p = putVarint(p, prefixBytes)
  store<u32>(p, widths)
  p = putVarint(p + 4, b.keyBytesLeast - prefixBytes)
  p = putVarint(p, b.valueBytesLeast)
  p = putVarint(p, b.minSequence)
  p = putVarint(p, ((baseTimestamp << 1) ^ (baseTimestamp >> 63)) as u64)
  p = putVarint(p, span)
  copyBytes(p, b.keys, prefixBytes)
  p += prefixBytes
  memory.copy(p, b.values, b.valuesBytes)
  p = putKeys(b, p + b.valuesBytes)
  p = putRows(b, p, widths)
  b.count = 0
  b.valuesBytes = 0
  b.keysBytes = 0
  b.shared = 0
  b.sharedMost = 0
  b.weight = 0
  return (p - to) as u32
}

/** Writes what follows the prefix and what is shared, of each key: as it was kept, but a key that shares nothing was kept with the prefix. */
function putKeys(b: BlockBuilder, to: usize): usize {
  if (b.prefixBytes == 0) {
    memory.copy(to, b.keys, b.keysBytes)
    return to + b.keysBytes
  }
  let p = to
  let from = b.keys
  let next = from
  const end = b.kept + b.count * KEPT
  for (let at = b.kept; at < end; at += KEPT) {
    const shared = load<u32>(at, 4)
    if (shared == 0) {
      memory.copy(p, from, next - from)
      p += next - from
      from = next + b.prefixBytes
    }
    next += load<u32>(at) - shared
  }
  memory.copy(p, from, next - from)
  return p + (next - from)
}

function putRows(b: BlockBuilder, to: usize, widths: u32): usize {
  const width = rowBits(widths)
  const bytes = ((<u64>b.count * <u64>width + 7) >> 3) as usize
  memory.fill(to, 0, bytes + 8)
  const second = <u64>kindBits(widths)
  const third = second + <u64>sharedBits(widths)
  const fourth = third + <u64>suffixBits(widths)
  const fifth = fourth + <u64>valueBits(widths)
  const bits = sequenceBits(widths)
  const sixth = fifth + <u64>bits
  let bit: u64 = 0
  for (let i: u32 = 0, at = b.kept; i < b.count; i++, at += KEPT) {
    const shared = load<u32>(at, 4)
    const delta = load<u64>(at, 16) - b.minSequence
    const left = (load<i64>(at, 24) - (predicted(delta, span, bits) as i64) - baseTimestamp) as u64
    const lengths =
      (<u64>(load<u32>(at, 12) - b.kindLeast)) |
      ((shared == 0 ? 0 : <u64>(shared - b.prefixBytes)) << second) |
      (<u64>(load<u32>(at) - b.keyBytesLeast) << third) |
      (<u64>(load<u32>(at, 8) - b.valueBytesLeast) << fourth)
    if (width <= 57) {
      putField(to, bit, lengths | (delta << fifth) | (left << sixth))
    } else {
      putField(to, bit, lengths & 0x3ffffff)
      putField(to, bit + 26, lengths >> 26)
      putField(to, bit + fifth, delta)
      putField(to, bit + sixth, left)
    }
    bit += <u64>width
  }
  return to + bytes
}
