/**
 * Memtable: an append-only arena whose bytes are the log segment's (`memtable-state.ts`), a hash table over its records
 * (`memtable-index.ts`), and the order array from which sorted runs are made (`memtable-order.ts`).
 *
 * Call protocol: create (append* | sealFrame | find | order…)* free, or create replay … for a segment that was read.
 */
import { copyBytes } from './bytes'
import { xxh64 } from './xxh64'
import { allocate, free } from './memory'
import { dropFromIndex, indexWaiting, putWaiting, reserveIndex } from './memtable-index'
import {
  FRAME_HEADER,
  FRAME_RECORDS,
  FRAME_SEAL,
  Memtable,
  SEGMENT_HEADER,
  recordBytes,
  recordKey,
} from './memtable-state'

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
  putWaiting(m, offset)
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
    indexWaiting(m)
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
  dropFromIndex(m, from)
  m.runCount = 0
  m.sorted = 0
  m.openFrame = 0
  m.tail = from
}
