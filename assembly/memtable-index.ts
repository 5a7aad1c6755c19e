/**
 * The index of a memtable: a hash table over its records, and their order of appending.
 *
 *   slots   | hash u32 | record offset u32 |   offset 0 = empty, 1 = a dropped key; linear probing
 *   order   | record offset u32 |
 *
 * Records go into the table late, several at once: at the end of their frame, or when a key is looked for. Each has a place of
 * its own there, which memory takes long to bring; those of several come in the time of one.
 *
 * Call protocol: for each record reserveIndex putWaiting; indexWaiting before a frame is closed.
 */
import { compareBytes } from './bytes'
import { xxh64 } from './xxh64'
import { allocate, free, reallocate } from './memory'
import { NO_MEMORY, OK } from './abi'
import {
  Memtable,
  recordBytes,
  recordKey,
  recordKeyBytes,
  recordPrevious,
  recordSequenceDelta,
  recordValueBytes,
} from './memtable-state'

const EMPTY: u32 = 0
const DROPPED: u32 = 1

/** Records that are indexed at once, and of each its hash and what was in its slot: reading it is what brings it. */
const TOGETHER: u32 = 16
const together: usize = memory.data(16 * 8, 8)

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

/** Whether the table is too full for so many more. */
// @ts-ignore: decorator
@inline
function isFull(m: Memtable, more: u32): bool {
  return (m.slotsUsed + more) * 5 >= (m.slotMask + 1) * 3
}

/** Makes sure that one more record can be indexed. May grow. */
export function reserveIndex(m: Memtable): bool {
  if (isFull(m, m.waiting)) {
    indexWaiting(m)
    if (isFull(m, 0) && !growSlots(m)) return false
  }
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

/** The record at `offset` is the next, and in the table when `indexWaiting` is called. Requires `reserveIndex`. */
// @ts-ignore: decorator
@inline
export function putWaiting(m: Memtable, offset: u32): void {
  if (m.waiting == 0) m.waitingFrom = offset
  m.waiting++
  putInOrder(m, offset)
}

/** Makes sure that `records` more can be appended without NO_MEMORY. May grow. */
export function memtableReserve(address: usize, records: u32): i32 {
  const m = changetype<Memtable>(address)
  while (isFull(m, m.waiting + records)) {
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

/** Puts the records that wait into the table. */
export function indexWaiting(m: Memtable): void {
  let offset = m.waitingFrom
  for (let left = m.waiting; left > 0; ) {
    const count = min(left, TOGETHER)
    let next = offset
    for (let i: u32 = 0; i < count; i++) {
      const record = m.arena + next
      const hash = xxh64(recordKey(record), recordKeyBytes(record), m.hashSeed) as u32
      const place = together + ((<usize>i) << 3)
      store<u32>(place, hash)
      store<u32>(place, load<u32>(m.slots + ((<usize>(hash & m.slotMask)) << 3), 4), 4)
      next += recordBytes(recordKeyBytes(record), recordValueBytes(record))
    }
    for (let i: u32 = 0; i < count; i++) {
      const record = m.arena + offset
      indexRecord(m, record, load<u32>(together + ((<usize>i) << 3)))
      offset += recordBytes(recordKeyBytes(record), recordValueBytes(record))
    }
    left -= count
  }
  m.waiting = 0
}

/** Points the key's slot at the record, and the record at the one before it. */
// @ts-ignore: decorator
@inline
function indexRecord(m: Memtable, record: usize, hash: u32): void {
  const offset = (record - m.arena) as u32
  const slot = findSlot(m, recordKey(record), recordKeyBytes(record), hash)
  const before = load<u32>(slot, 4)
  if (before == EMPTY) {
    store<u32>(slot, hash)
    m.slotsUsed++
  }
  store<u32>(slot, offset, 4)
  store<u32>(record, before == EMPTY ? 0 : offset - before, 16)
}

/** The newest record of the key with a sequence of at most `sequence`, 0 if there is none. */
export function memtableFind(
  m: Memtable,
  key: usize,
  keyBytes: u32,
  hash: u64,
  sequence: u64,
): usize {
  if (m.waiting != 0) indexWaiting(m)
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

/** Forgets every record at or behind `from`, the offset of a frame. */
export function dropFromIndex(m: Memtable, from: u32): void {
  indexWaiting(m)
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
}
