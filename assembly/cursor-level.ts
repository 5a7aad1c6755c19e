/**
 * Cursors over a list of disjoint tables: top index, index partition, data block. A move is noted as a mode and a place; `resolve`
 * walks there from the top each time, over blocks that are resident, until it stands or something is missing.
 */
import { head64 } from './bytes'
import { capacityOf, reallocate } from './memory'
import { BLOCK_DATA, BLOCK_INDEX, NO_MEMORY, OK } from './abi'
import { pin, unpin } from './block-cache'
import { Frame } from './frame'
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
import { Cursor, END, FAILED, FIRST, LAST, SEEK_BEFORE, STAY, UNSET } from './cursor-state'
import { SEQUENCE_MAX, Table, found, handle, tableTop } from './table'

// @ts-ignore: decorator
@inline
export function tableAt(c: Cursor, i: i32): usize {
  return load<u32>(c.tables + ((<usize>i) << 2))
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

/** OK once the cursor stands on an entry or has ended, else what is needed first. */
export function resolve(c: Cursor): i32 {
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

/** Loads the entry that the cursor stands on. */
export function loadEntry(c: Cursor): i32 {
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
