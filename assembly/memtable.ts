/**
 * Memtable: an append-only arena whose bytes are the log segment's, a hash table over its records, and
 * the order array from which sorted runs are made (`memtable-order.ts`).
 *
 *   arena   | segment header 80 | frame header 32 | record | record | … | frame header | …
 *   record  | kind 8, key bytes 24 | value bytes | sequence delta | timestamp delta | previous | key | value | pad |
 *   slots   | hash u32 | record offset u32 |   offset 0 = empty, 1 = a dropped key; linear probing
 *
 * Call protocol: create (append* | sealFrame | find | order…)* free, or create replay … for a segment that was read.
 * The byte layout is LOG-1 to LOG-8 of docs/log-format.md.
 */
import { compareBytes, copyBytes } from './bytes'
import { xxh64 } from './xxh64'
import { allocate, free, reallocate } from './memory'
import { NO_MEMORY, OK } from './abi'

export const SEGMENT_HEADER: u32 = 80
export const FRAME_HEADER: u32 = 32
export const RECORD_HEADER: u32 = 20
export const FRAME_RECORDS: u32 = 1
export const FRAME_SEAL: u32 = 2
const EMPTY: u32 = 0
const DROPPED: u32 = 1

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

/** An index begins small: it counts against the budget of memtables, and the smallest have room for a handful of entries. */
const SLOTS_FIRST: u32 = 32
const RUNS_FIRST: u32 = 32

/** A memtable whose arena holds `capacity` bytes, nothing in it; 0 when memory is exhausted. May grow. */
export function memtableCreate(capacity: u32): usize {
  const address = allocate(offsetof<Memtable>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<Memtable>())
  const m = changetype<Memtable>(address)
  m.arena = allocate(capacity)
  m.slots = allocate(SLOTS_FIRST << 3)
  m.order = allocate(SLOTS_FIRST << 2)
  m.runs = allocate(RUNS_FIRST << 3)
  if (m.arena == 0 || m.slots == 0 || m.order == 0 || m.runs == 0) {
    memtableFree(address)
    return 0
  }
  m.capacity = capacity
  m.orderCapacity = SLOTS_FIRST
  m.runsCapacity = RUNS_FIRST
  m.slotMask = SLOTS_FIRST - 1
  memory.fill(m.slots, 0, SLOTS_FIRST << 3)
  m.tail = SEGMENT_HEADER
  return address
}

export function memtableFree(address: usize): void {
  const m = changetype<Memtable>(address)
  free(m.arena)
  free(m.slots)
  free(m.order)
  free(m.runs)
  free(address)
}

/** Says what segment the arena is; the caller writes the 80 bytes of its header itself. */
export function memtableBind(
  address: usize,
  segment: f64,
  identityLow: u32,
  identityHigh: u32,
  seedLow: u32,
  seedHigh: u32,
  firstSequence: f64,
  baseTimestamp: f64,
): void {
  const m = changetype<Memtable>(address)
  m.segment = segment
  m.identity = (<u64>identityHigh << 32) | identityLow
  m.hashSeed = (<u64>seedHigh << 32) | seedLow
  m.firstSequence = <u64>firstSequence
  m.baseTimestamp = <i64>baseTimestamp
}

function growSlots(m: Memtable): bool {
  const mask = (m.slotMask << 1) | 1
  const bytes = (mask + 1) << 3
  const slots = allocate(bytes)
  if (slots == 0) return false
  memory.fill(slots, 0, bytes)
  const end = m.slots + ((<usize>(m.slotMask + 1)) << 3)
  for (let p = m.slots; p < end; p += 8) {
    const offset = load<u32>(p, 4)
    if (offset <= DROPPED) continue
    const hash = load<u32>(p)
    let i = hash & mask
    while (load<u32>(slots + ((<usize>i) << 3), 4) != EMPTY) i = (i + 1) & mask
    store<u32>(slots + ((<usize>i) << 3), hash)
    store<u32>(slots + ((<usize>i) << 3), offset, 4)
  }
  free(m.slots)
  m.slots = slots
  m.slotMask = mask
  return true
}

/** Makes sure that one more record can be indexed. May grow. */
export function reserveIndex(m: Memtable): bool {
  if (m.slotsUsed * 5 >= (m.slotMask + 1) * 3 && !growSlots(m)) return false
  return reserveOrder(m)
}

/** Makes sure that there is room for one more in `order`. May grow. */
export function reserveOrder(m: Memtable): bool {
  if (m.count < m.orderCapacity) return true
  const order = reallocate(m.order, m.count << 2, m.orderCapacity << 3)
  if (order == 0) return false
  m.order = order
  m.orderCapacity <<= 1
  return true
}

/** The record at `offset` is the next in the order of appending. Requires room. */
// @ts-ignore: decorator
@inline
export function putInOrder(m: Memtable, offset: u32): void {
  store<u32>(m.order + ((<usize>m.count) << 2), offset)
  m.count++
}

/** Makes sure that `records` more can be appended without NO_MEMORY. May grow. */
export function memtableReserve(address: usize, records: u32): i32 {
  const m = changetype<Memtable>(address)
  while ((m.slotsUsed + records) * 5 >= (m.slotMask + 1) * 3) {
    if (!growSlots(m)) return NO_MEMORY
  }
  while (m.count + records > m.orderCapacity) {
    const order = reallocate(m.order, m.count << 2, m.orderCapacity << 3)
    if (order == 0) return NO_MEMORY
    m.order = order
    m.orderCapacity <<= 1
  }
  return OK
}

/** The slot that holds the key, or the empty one where it belongs. */
function findSlot(m: Memtable, key: usize, keyBytes: u32, hash: u32): usize {
  const mask = m.slotMask
  let i = hash & mask
  while (true) {
    const slot = m.slots + ((<usize>i) << 3)
    const offset = load<u32>(slot, 4)
    if (offset == EMPTY) return slot
    if (load<u32>(slot) == hash && offset != DROPPED) {
      const record = m.arena + offset
      if (
        recordKeyBytes(record) == keyBytes &&
        compareBytes(recordKey(record), keyBytes, key, keyBytes) == 0
      ) {
        return slot
      }
    }
    i = (i + 1) & mask
  }
}

/** Points the key's slot at the record and returns the distance back to the version before it. */
export function index(m: Memtable, offset: u32, key: usize, keyBytes: u32): u32 {
  const hash = xxh64(key, keyBytes, m.hashSeed) as u32
  const slot = findSlot(m, key, keyBytes, hash)
  const before = load<u32>(slot, 4)
  if (before == EMPTY) {
    store<u32>(slot, hash)
    m.slotsUsed++
  }
  store<u32>(slot, offset, 4)
  putInOrder(m, offset)
  return before == EMPTY ? 0 : offset - before
}

/**
 * Appends one record to the open frame, opening one if there is none. Requires room in the arena, which the
 * caller's accounting guarantees (56 + key + value an entry). Returns where the key of the next record will be if that is of the
 * same frame: a caller who writes it there, and its value behind it, saves a copy. 0 without memory: all is as it was. May grow.
 */
export function memtableAppend(
  address: usize,
  kind: u32,
  key: usize,
  keyBytes: u32,
  value: usize,
  valueBytes: u32,
  sequenceDelta: u32,
  timestampDelta: i32,
): usize {
  const m = changetype<Memtable>(address)
  if (!reserveIndex(m)) return 0
  if (m.openFrame == 0) {
    m.openFrame = m.tail
    m.openCount = 0
    m.openFirst = sequenceDelta
    m.tail += FRAME_HEADER
  }
  const offset = m.tail
  const bytes = recordBytes(keyBytes, valueBytes)
  assert(offset + bytes <= m.capacity, 'arena overflow')
  const record = m.arena + offset
  const to = recordKey(record)
  if (key != to || value != to + keyBytes) {
    // They may lie where they would be in an open frame, a little lower: what is higher goes first.
    copyBytes(to + keyBytes, value, valueBytes)
    copyBytes(to, key, keyBytes)
  }
  for (let p = to + keyBytes + valueBytes; p < record + bytes; p++) store<u8>(p, 0)
  store<u32>(record, kind | (keyBytes << 8))
  store<u32>(record, valueBytes, 4)
  store<u32>(record, sequenceDelta, 8)
  store<i32>(record, timestampDelta, 12)
  store<u32>(record, index(m, offset, to, keyBytes), 16)
  m.openCount++
  m.tail = offset + bytes
  return recordKey(record + bytes)
}

function writeFrame(
  m: Memtable,
  offset: u32,
  kind: u32,
  count: u32,
  first: u32,
  distance: u32,
  synced: u32,
  values: u32,
): void {
  const header = m.arena + offset
  const payload = m.tail - offset - FRAME_HEADER
  const seed = m.identity + <u64>offset
  store<u32>(header, xxh64(header + FRAME_HEADER, payload, seed + 1) as u32, 4)
  store<u32>(header, payload, 8)
  store<u32>(header, kind | (count << 8), 12)
  store<u32>(header, first, 16)
  store<u32>(header, distance, 20)
  store<u32>(header, synced, 24)
  store<u32>(header, values, 28)
  store<u32>(header, xxh64(header + 4, FRAME_HEADER - 4, seed) as u32)
}

/** Closes the open frame, if any, with its checksums, and returns the arena's tail. */
export function memtableSealFrame(address: usize, distance: u32, synced: u32, values: u32): u32 {
  const m = changetype<Memtable>(address)
  if (m.openFrame != 0) {
    writeFrame(m, m.openFrame, FRAME_RECORDS, m.openCount, m.openFirst, distance, synced, values)
    m.openFrame = 0
  }
  return m.tail
}

/** Appends the seal frame that ends the segment. Requires no open frame. Returns the arena's tail. */
export function memtableSealSegment(address: usize, distance: u32, synced: u32, values: u32): u32 {
  const m = changetype<Memtable>(address)
  assert(m.openFrame == 0, 'a frame is open')
  const offset = m.tail
  assert(offset + FRAME_HEADER <= m.capacity, 'arena overflow')
  m.tail += FRAME_HEADER
  writeFrame(m, offset, FRAME_SEAL, 0, 0, distance, synced, values)
  return m.tail
}

/**
 * Takes every record at or behind `from`, the offset of a frame, out of the view, as if never written.
 * The arena must be left alone (not appended to) afterwards.
 */
export function memtableDrop(address: usize, from: u32): void {
  const m = changetype<Memtable>(address)
  const end = m.slots + ((<usize>(m.slotMask + 1)) << 3)
  for (let p = m.slots; p < end; p += 8) {
    let offset = load<u32>(p, 4)
    if (offset < from) continue
    while (offset >= from) {
      const distance = recordPrevious(m.arena + offset)
      offset = distance == 0 ? DROPPED : offset - distance
    }
    store<u32>(p, offset, 4)
  }
  let kept: u32 = 0
  for (let i: u32 = 0; i < m.count; i++) {
    const offset = load<u32>(m.order + ((<usize>i) << 2))
    if (offset >= from) continue
    store<u32>(m.order + ((<usize>kept) << 2), offset)
    kept++
  }
  m.count = kept
  m.runCount = 0
  m.sorted = 0
  m.openFrame = 0
  m.tail = from
}

/** The newest record of the key with a sequence of at most `sequence`, 0 if there is none. */
export function memtableFind(
  m: Memtable,
  key: usize,
  keyBytes: u32,
  hash: u64,
  sequence: u64,
): usize {
  const offset = load<u32>(findSlot(m, key, keyBytes, hash as u32), 4)
  if (offset <= DROPPED || sequence < m.firstSequence) return 0
  const newest = sequence - m.firstSequence
  let record = m.arena + offset
  while (<u64>recordSequenceDelta(record) > newest) {
    const distance = recordPrevious(record)
    if (distance == 0) return 0
    record -= distance
  }
  return record
}
