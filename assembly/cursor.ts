/**
 * Cursors: an ordered source of entries, either a sorted run of a memtable or a list of disjoint tables in key order
 * (a level; one table is a list of one).
 *
 * Call protocol: (createRun | createLevel) (seek | first | last) resolve (next | previous, resolve)* free. Moving only notes where
 * to go; `resolve` gets there, or says which block is missing and is called again after it was installed. While `valid`,
 * key and value addresses hold until the cursor moves: the blocks under it are pinned.
 */
import { compareBytes, head64 } from './bytes'
import { allocate, capacityOf, free, reallocate } from './memory'
import { BLOCK_DATA, BLOCK_INDEX, NO_MEMORY, OK } from './abi'
import { Frame, pin, unpin } from './block-cache'
import {
  compareEntryKey,
  copyEntryKey,
  entryKeyBytes,
  entryKind,
  entrySequence,
  entryTimestamp,
  entryValue,
  entryValueBytes,
  lowerBound,
  readEntry,
} from './block'
import {
  Memtable,
  recordKey,
  recordKeyBytes,
  recordKind,
  recordSequenceDelta,
  recordTimestampDelta,
  recordValue,
  recordValueBytes,
} from './memtable'
import { SEQUENCE_MAX, Table, found, handle, tableTop } from './table'

const RUN: u32 = 0
const LEVEL: u32 = 1

/** What `resolve` has to do. */
const STAY: u32 = 0
const FIRST: u32 = 1
const LAST: u32 = 2
const SEEK: u32 = 3
const SEEK_BEFORE: u32 = 4
/** Memory ended while an entry was loaded. */
const FAILED: u32 = 5

const END: i32 = 0x7fffffff
/** Not looked up yet: found by the seek key. */
const UNSET: i32 = -2

@unmanaged
export class Cursor {
  type: u32
  valid: u32
  key: usize
  keyBytes: u32
  head: u64
  sequence: u64
  timestamp: i64
  kind: u32
  value: usize
  valueBytes: u32
  /** The memtable or the table under the entry. */
  source: usize
  mode: u32

  // Run
  start: u32
  end: u32
  at: u32

  // Level
  tables: usize
  tableCount: i32
  table: i32
  partition: i32
  block: i32
  entry: i32
  partitionFrame: usize
  dataFrame: usize
  keyBuffer: usize
  seekKey: usize
  seekKeyBytes: u32
  seekSequence: u64
}

function create(type: u32): usize {
  const address = allocate(offsetof<Cursor>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<Cursor>())
  changetype<Cursor>(address).type = type
  return address
}

/** A cursor over the records start…start+count of a memtable's order. */
export function cursorCreateRun(memtable: usize, start: u32, count: u32): usize {
  const address = create(RUN)
  if (address == 0) return 0
  const c = changetype<Cursor>(address)
  c.source = memtable
  c.start = start
  c.end = start + count
  return address
}

/** A cursor over `count` tables whose addresses (u32) lie at `tables`, disjoint and in key order. */
export function cursorCreateLevel(tables: usize, count: u32): usize {
  const address = create(LEVEL)
  if (address == 0) return 0
  const c = changetype<Cursor>(address)
  c.keyBuffer = allocate(64)
  if (c.keyBuffer == 0) {
    free(address)
    return 0
  }
  c.tables = tables
  c.tableCount = count as i32
  return address
}

export function cursorFree(address: usize): void {
  const c = changetype<Cursor>(address)
  if (c.type == LEVEL) {
    unpin(c.partitionFrame)
    unpin(c.dataFrame)
    free(c.keyBuffer)
  }
  free(address)
}

// @ts-ignore: decorator
@inline
function tableAt(c: Cursor, i: i32): usize {
  return load<u32>(c.tables + ((<usize>i) << 2))
}

/** The memtable or table under the entry, with bit 0 set for a memtable. */
export function cursorSource(c: Cursor): u32 {
  return (c.source as u32) | (c.type == RUN ? 1 : 0)
}

// ---------------------------------------------------------------------------------------------------
// Positioning

export function cursorFirst(c: Cursor): void {
  if (c.type == RUN) {
    c.at = c.start
    loadRecord(c)
    return
  }
  c.table = 0
  c.partition = 0
  c.block = 0
  c.mode = FIRST
}

export function cursorLast(c: Cursor): void {
  if (c.type == RUN) {
    c.at = c.end - 1
    loadRecord(c)
    return
  }
  c.table = c.tableCount - 1
  c.partition = END
  c.block = END
  c.mode = LAST
}

/** To the first entry at or after (key, sequence) in internal order. The key must stay in place until resolved. */
export function cursorSeek(c: Cursor, key: usize, keyBytes: u32, sequence: u64): void {
  if (c.type == RUN) {
    c.at = seekRun(c, key, keyBytes, sequence)
    loadRecord(c)
    return
  }
  noteSeek(c, key, keyBytes, sequence, SEEK)
  let low = 0
  let high = c.tableCount
  while (low < high) {
    const middle = (low + high) >>> 1
    const t = changetype<Table>(tableAt(c, middle))
    if (compareBytes(t.largest, t.largestBytes, key, keyBytes) < 0) low = middle + 1
    else high = middle
  }
  c.table = low
}

/** To the last entry before (key, sequence) in internal order. The key must stay in place until resolved. */
export function cursorSeekBefore(c: Cursor, key: usize, keyBytes: u32, sequence: u64): void {
  if (c.type == RUN) {
    c.at = seekRun(c, key, keyBytes, sequence) - 1
    loadRecord(c)
    return
  }
  noteSeek(c, key, keyBytes, sequence, SEEK_BEFORE)
  let low = 0
  let high = c.tableCount
  while (low < high) {
    const middle = (low + high) >>> 1
    const t = changetype<Table>(tableAt(c, middle))
    if (compareBytes(t.smallest, t.smallestBytes, key, keyBytes) <= 0) low = middle + 1
    else high = middle
  }
  c.table = low - 1
}

function noteSeek(c: Cursor, key: usize, keyBytes: u32, sequence: u64, mode: u32): void {
  c.seekKey = key
  c.seekKeyBytes = keyBytes
  c.seekSequence = sequence
  c.partition = UNSET
  c.block = UNSET
  c.mode = mode
}

export function cursorNext(c: Cursor): void {
  if (c.type == RUN) {
    c.at++
    loadRecord(c)
    return
  }
  const frame = changetype<Frame>(c.dataFrame)
  if (<u32>(c.entry + 1) < frame.count) {
    c.entry++
    c.mode = STAY
    loadEntry(c)
    return
  }
  c.block++
  c.mode = FIRST
}

export function cursorPrevious(c: Cursor): void {
  if (c.type == RUN) {
    c.at--
    loadRecord(c)
    return
  }
  if (c.entry > 0) {
    c.entry--
    c.mode = STAY
    loadEntry(c)
    return
  }
  c.block--
  c.mode = LAST
}

/** OK once the cursor stands on an entry or has ended, else what is needed first. */
// @ts-ignore: decorator
@inline
export function cursorResolve(c: Cursor): i32 {
  return c.mode == STAY ? OK : resolve(c)
}

/**
 * Where a seek goes down from an index block. Versions of one key may run over into several blocks with the same
 * index key: a seek begins at the first of them, a seek before begins behind the last and walks back.
 */
function childOf(c: Cursor, index: Frame): i32 {
  let i = lowerBound(index, c.seekKey, c.seekKeyBytes, SEQUENCE_MAX)
  if (c.mode == SEEK_BEFORE) {
    while (i < index.count) {
      readEntry(index, i)
      if (compareEntryKey(index, c.seekKey, c.seekKeyBytes) != 0) break
      i++
    }
  }
  return i as i32
}

function resolve(c: Cursor): i32 {
  if (c.mode == FAILED) return NO_MEMORY
  while (true) {
    if (c.table < 0 || c.table >= c.tableCount) return finish(c)
    const table = tableAt(c, c.table)
    let status = tableTop(table)
    if (status != OK) return status
    const top = changetype<Frame>(changetype<Table>(table).top)
    if (c.partition == UNSET) c.partition = childOf(c, top)
    if (c.partition >= (top.count as i32)) {
      if (c.partition == END || c.mode == SEEK_BEFORE) {
        c.partition = (top.count as i32) - 1
        c.block = END
      } else {
        enterTable(c, c.table + 1, 0)
        continue
      }
    }
    if (c.partition < 0) {
      enterTable(c, c.table - 1, END)
      continue
    }
    status = handle(table, top, c.partition as u32, 0, BLOCK_INDEX)
    if (status != OK) return status
    hold(c, found, false)
    const partition = changetype<Frame>(found)
    if (c.block == UNSET) c.block = childOf(c, partition)
    if (c.block >= (partition.count as i32)) {
      if (c.block == END || c.mode == SEEK_BEFORE) {
        c.block = (partition.count as i32) - 1
      } else {
        c.partition++
        c.block = 0
        continue
      }
    }
    if (c.block < 0) {
      c.partition--
      c.block = END
      continue
    }
    status = handle(table, partition, c.block as u32, 0, BLOCK_DATA)
    if (status != OK) return status
    hold(c, found, true)
    if (land(c, changetype<Frame>(found))) {
      c.source = table
      c.mode = STAY
      return loadEntry(c)
    }
  }
}

/** Picks the entry in the block by mode; false when it lies in the next or the previous block. */
function land(c: Cursor, block: Frame): bool {
  if (c.mode == FIRST) {
    c.entry = 0
  } else if (c.mode == LAST) {
    c.entry = (block.count as i32) - 1
  } else {
    c.entry = lowerBound(block, c.seekKey, c.seekKeyBytes, c.seekSequence) as i32
    if (c.mode == SEEK_BEFORE) {
      c.entry--
      if (c.entry < 0) {
        c.block--
        return false
      }
    } else if (c.entry == (block.count as i32)) {
      // The versions of the key may run over into the next block, so the seek goes on there.
      c.block++
      return false
    }
  }
  return true
}

function enterTable(c: Cursor, table: i32, position: i32): void {
  c.table = table
  c.partition = position
  c.block = position
  c.mode = position == 0 ? FIRST : LAST
}

function finish(c: Cursor): i32 {
  c.valid = 0
  c.mode = STAY
  hold(c, 0, false)
  hold(c, 0, true)
  return OK
}

/** Pins the block that the cursor now stands on and lets the one before go. */
function hold(c: Cursor, frame: usize, data: bool): void {
  if (data) {
    if (c.dataFrame == frame) return
    pin(frame)
    unpin(c.dataFrame)
    c.dataFrame = frame
  } else {
    if (c.partitionFrame == frame) return
    pin(frame)
    unpin(c.partitionFrame)
    c.partitionFrame = frame
  }
}

// ---------------------------------------------------------------------------------------------------
// Loading

function loadEntry(c: Cursor): i32 {
  const frame = changetype<Frame>(c.dataFrame)
  readEntry(frame, c.entry as u32)
  const bytes = entryKeyBytes(frame)
  if (capacityOf(c.keyBuffer) < bytes) {
    const bigger = reallocate(c.keyBuffer, 0, bytes << 1)
    if (bigger == 0) {
      c.mode = FAILED
      return NO_MEMORY
    }
    c.keyBuffer = bigger
  }
  copyEntryKey(frame, c.keyBuffer)
  c.key = c.keyBuffer
  c.keyBytes = bytes
  c.head = head64(c.key, bytes)
  c.kind = entryKind
  c.sequence = entrySequence
  c.timestamp = entryTimestamp
  c.value = entryValue
  c.valueBytes = entryValueBytes
  c.valid = 1
  return OK
}

function loadRecord(c: Cursor): void {
  if (c.at < c.start || c.at >= c.end || c.at == 0xffffffff) {
    c.valid = 0
    return
  }
  const m = changetype<Memtable>(c.source)
  const record = m.arena + load<u32>(m.order + ((<usize>c.at) << 2))
  c.key = recordKey(record)
  c.keyBytes = recordKeyBytes(record)
  c.head = head64(c.key, c.keyBytes)
  c.kind = recordKind(record)
  c.sequence = m.firstSequence + <u64>recordSequenceDelta(record)
  c.timestamp = m.baseTimestamp + <i64>recordTimestampDelta(record)
  c.value = recordValue(record)
  c.valueBytes = recordValueBytes(record)
  c.valid = 1
}

function seekRun(c: Cursor, key: usize, keyBytes: u32, sequence: u64): u32 {
  const m = changetype<Memtable>(c.source)
  let low = c.start
  let high = c.end
  while (low < high) {
    const middle = (low + high) >> 1
    const record = m.arena + load<u32>(m.order + ((<usize>middle) << 2))
    const order = compareBytes(recordKey(record), recordKeyBytes(record), key, keyBytes)
    if (order < 0 || (order == 0 && m.firstSequence + <u64>recordSequenceDelta(record) > sequence)) low = middle + 1
    else high = middle
  }
  return low
}

/** Internal order of the entries under two cursors: key ascending, then sequence descending. */
// @ts-ignore: decorator
@inline
export function compareCursors(a: Cursor, b: Cursor): i32 {
  if (a.head != b.head) return a.head < b.head ? -1 : 1
  const order = compareBytes(a.key, a.keyBytes, b.key, b.keyBytes)
  if (order != 0) return order
  return a.sequence > b.sequence ? -1 : a.sequence < b.sequence ? 1 : 0
}
