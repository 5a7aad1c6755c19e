/**
 * Builds the content of one block (TBL-5 of docs/table-format.md). Entries are kept as they come, because the prefix and the bases that
 * all of them share are known only at the end.
 *
 *   kept    | key bytes u32 | value bytes u32 | kind u32 | pad u32 | sequence u64 | timestamp i64 | key | value | pad to 8 | …
 *
 * Call protocol: create ((add)+ finish)* free. Keys come in internal order.
 */
import { commonPrefix, copyBytes } from './bytes'
import { allocate, enlarge, free } from './memory'
import { putVarint } from './varint'
import { BLOCK_HEADER } from './frame'

const KEPT_HEADER: u32 = 32
/** Kind and four varints at their longest. */
const ENTRY_OVERHEAD_MAX: u32 = 33

@unmanaged
export class BlockBuilder {
  kept: usize
  keptBytes: u32
  count: u32
  /** Sum of key + value + 8: what decides when the block is closed. */
  weight: u32
  prefixBytes: u32
  lastKey: u32
  minSequence: u64
  minTimestamp: i64
}

export function blockBuilderCreate(): usize {
  const address = allocate(offsetof<BlockBuilder>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<BlockBuilder>())
  return address
}

export function blockBuilderFree(address: usize): void {
  free(changetype<BlockBuilder>(address).kept)
  free(address)
}

/** Adds an entry; false when memory is exhausted. The key may be split in two: `prefix` bytes, then `key`. May grow. */
export function blockBuilderAdd(
  b: BlockBuilder,
  key: usize,
  keyBytes: u32,
  kind: u32,
  sequence: u64,
  timestamp: i64,
  value: usize,
  valueBytes: u32,
): bool {
  const bytes = (KEPT_HEADER + keyBytes + valueBytes + 7) & ~7
  const room = enlarge(b.kept, b.keptBytes, b.keptBytes + bytes)
  if (room == 0) return false
  b.kept = room
  const at = room + b.keptBytes
  store<u32>(at, keyBytes)
  store<u32>(at, valueBytes, 4)
  store<u32>(at, kind, 8)
  store<u64>(at, sequence, 16)
  store<i64>(at, timestamp, 24)
  copyBytes(at + KEPT_HEADER, key, keyBytes)
  copyBytes(at + KEPT_HEADER + keyBytes, value, valueBytes)
  if (b.count == 0) {
    b.prefixBytes = keyBytes
    b.minSequence = sequence
    b.minTimestamp = timestamp
  } else {
    b.prefixBytes = commonPrefix(room + KEPT_HEADER, b.prefixBytes, key, keyBytes)
    if (sequence < b.minSequence) b.minSequence = sequence
    if (timestamp < b.minTimestamp) b.minTimestamp = timestamp
  }
  b.lastKey = b.keptBytes
  b.keptBytes += bytes
  b.weight += keyBytes + valueBytes + 8
  b.count++
  return true
}

/** Address of the key added last; valid until the next add or finish. */
export function blockBuilderLastKey(b: BlockBuilder): usize {
  return b.kept + b.lastKey + KEPT_HEADER
}
export function blockBuilderLastKeyBytes(b: BlockBuilder): u32 {
  return load<u32>(b.kept + b.lastKey)
}

/** At most this many bytes come out of `blockBuilderFinish`. */
export function blockBuilderBytesMax(b: BlockBuilder): u32 {
  return BLOCK_HEADER + b.keptBytes + b.count * ENTRY_OVERHEAD_MAX
}

/** Writes the content to `to`, returns its size, and starts anew. Requires at least one entry. */
export function blockBuilderFinish(b: BlockBuilder, to: usize): u32 {
  store<u32>(to, b.count)
  store<u32>(to, b.prefixBytes, 4)
  store<u64>(to, b.minSequence, 8)
  store<i64>(to, b.minTimestamp, 16)
  copyBytes(to + BLOCK_HEADER, b.kept + KEPT_HEADER, b.prefixBytes)
  let p = to + BLOCK_HEADER + b.prefixBytes
  let at = b.kept
  for (let i: u32 = 0; i < b.count; i++) {
    const keyBytes = load<u32>(at)
    const valueBytes = load<u32>(at, 4)
    const suffixBytes = keyBytes - b.prefixBytes
    store<u8>(p++, load<u32>(at, 8) as u8)
    p = putVarint(p, suffixBytes)
    p = putVarint(p, valueBytes)
    p = putVarint(p, load<u64>(at, 16) - b.minSequence)
    p = putVarint(p, (load<i64>(at, 24) - b.minTimestamp) as u64)
    copyBytes(p, at + KEPT_HEADER + b.prefixBytes, suffixBytes + valueBytes)
    p += suffixBytes + valueBytes
    at += (KEPT_HEADER + keyBytes + valueBytes + 7) & ~7
  }
  b.count = 0
  b.keptBytes = 0
  b.weight = 0
  return (p - to) as u32
}
