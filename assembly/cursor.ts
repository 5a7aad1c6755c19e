/**
 * Cursors: an ordered source of entries, either a sorted run of a memtable or a list of disjoint tables in key order
 * (a level; one table is a list of one).
 *
 * Call protocol: (createRun | createLevel) (seek | first | last) resolve (next | previous, resolve)* free. Moving only notes where
 * to go; `resolve` gets there, or says which block is missing and is called again after it was installed. While `valid`,
 * key and value addresses hold until the cursor moves: the blocks under it are pinned.
 */
import { compareBytes } from './bytes'
import { allocate, free } from './memory'
import { OK } from './abi'
import { unpin } from './block-cache'
import { Frame } from './frame'
import { loadEntry, resolve, tableAt } from './cursor-level'
import { loadRecord, seekRun } from './cursor-run'
import {
  Cursor,
  END,
  FIRST,
  LAST,
  LEVEL,
  RUN,
  SEEK,
  SEEK_BEFORE,
  STAY,
  UNSET,
} from './cursor-state'
import { Table } from './table'

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
