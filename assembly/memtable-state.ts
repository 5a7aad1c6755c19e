/**
 * What a memtable consists of, and the fields of its records.
 *
 *   arena   | segment header 80 | frame header 32 | record | record | … | frame header | …
 *   record  | kind 8, key bytes 24 | value bytes | sequence delta | timestamp delta | previous | key | value | pad |
 *
 * `previous` is the distance back to the version before, 0 for none. The byte layout is LOG-1 to LOG-8 of docs/log-format.md.
 */
export const SEGMENT_HEADER: u32 = 80
export const FRAME_HEADER: u32 = 32
export const RECORD_HEADER: u32 = 20
export const FRAME_RECORDS: u32 = 1
export const FRAME_SEAL: u32 = 2

@unmanaged
export class Memtable {
  arena: usize
  capacity: u32
  /** End of the last record or frame. */
  tail: u32
  /** Offset of the header of the frame that is open, 0 if none is. */
  openFrame: u32
  openCount: u32
  openFirst: u32
  slots: usize
  slotMask: u32
  slotsUsed: u32
  /** Records of the open frame that are not in the table yet, and the first of them. */
  waiting: u32
  waitingFrom: u32
  /** Record offsets in the order of appending, sorted run by run. */
  order: usize
  orderCapacity: u32
  count: u32
  /** Pairs (start, count) of sorted runs in `order`, back to back from 0. */
  runs: usize
  runsCapacity: u32
  runCount: u32
  /** How many entries of `order` belong to runs. */
  sorted: u32
  firstSequence: u64
  baseTimestamp: i64
  identity: u64
  hashSeed: u64
  segment: f64
}

// @ts-ignore: decorator
@inline
export function recordKind(r: usize): u32 {
  return load<u32>(r) & 0xff
}
// @ts-ignore: decorator
@inline
export function recordKeyBytes(r: usize): u32 {
  return load<u32>(r) >> 8
}
// @ts-ignore: decorator
@inline
export function recordValueBytes(r: usize): u32 {
  return load<u32>(r, 4)
}
// @ts-ignore: decorator
@inline
export function recordSequenceDelta(r: usize): u32 {
  return load<u32>(r, 8)
}
// @ts-ignore: decorator
@inline
export function recordTimestampDelta(r: usize): i32 {
  return load<i32>(r, 12)
}
// @ts-ignore: decorator
@inline
export function recordPrevious(r: usize): u32 {
  return load<u32>(r, 16)
}
// @ts-ignore: decorator
@inline
export function recordKey(r: usize): usize {
  return r + RECORD_HEADER
}
// @ts-ignore: decorator
@inline
export function recordValue(r: usize): usize {
  return r + RECORD_HEADER + (load<u32>(r) >> 8)
}
// @ts-ignore: decorator
@inline
export function recordBytes(keyBytes: u32, valueBytes: u32): u32 {
  return (RECORD_HEADER + keyBytes + valueBytes + 3) & ~3
}
