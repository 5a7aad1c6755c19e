/**
 * The view: what a store consists of right now, newest first, and point lookups through all of it.
 *
 *   memtables (active, immutable…) -> level 0 tables, newest first -> level 1 -> level 2 …
 *
 * The caller sets the lists anew whenever they change: `viewBegin viewMemtable* viewTable* viewEnd`. Lookups start from
 * the top each time they are resumed, so nothing is kept between calls.
 */
import { compareBytes, copyWords } from './bytes'
import { xxh64 } from './xxh64'
import { reallocate } from './memory'
import {
  COPY_BYTES_MAX,
  FIND_AGAIN,
  FIND_COPY,
  FIND_NEWEST,
  KIND_DELETE,
  NOT_FOUND,
  NO_MEMORY,
  OK,
  RESULT_ADDRESS,
  RESULT_BYTES,
  RESULT_EXTRA_1,
  RESULT_KIND,
  RESULT_SEQUENCE,
  RESULT_TABLE,
  RESULT_TIMESTAMP,
  copyAddress,
  setResult,
} from './abi'
import { entryKind, entrySequence, entryTimestamp, entryValue, entryValueBytes } from './block'
import { memtableFind } from './memtable-index'
import {
  Memtable,
  recordKind,
  recordSequenceDelta,
  recordTimestampDelta,
  recordValue,
  recordValueBytes,
} from './memtable-state'
import { hit, lookupAgain, lookupBegin } from './block-cache'
import { Card } from './card'
import { Frame } from './frame'
import { shortcutFind, shortcutPut, shortcutVoid } from './shortcut'
import { Table, countFilters, tableCovers, tableFind, tableFrame } from './table'

const LEVELS_MAX: u32 = 16
/** After so many lookups in a row that found their key in tables the next one is likely to find its own. */
const LIKELY: u32 = 4

let memtables: usize = 0
let memtableCount: u32 = 0
/** Table addresses, level by level. */
let tables: usize = 0
let tableCount: u32 = 0
/** Where each level begins in `tables`; one more word than levels. */
const levelStarts: usize = memory.data(17 * 4, 4)
let levelNow: u32 = 0
/** The deepest level that has tables, and one. */
let levelCount: u32 = 0
let hashSeed: u64 = 0
/** Of the list of tables: the shortcut holds while it is the same. */
let fingerprint: u64 = 0
/** The value found last. */
let foundValue: usize = 0
let foundBytes: u32 = 0

export function viewSetSeed(low: u32, high: u32): void {
  hashSeed = (<u64>high << 32) | low
}

export function viewHashSeed(): u64 {
  return hashSeed
}

/** Begins anew, with room for so many memtables and tables. NO_MEMORY leaves the view as it was. May grow. */
export function viewBegin(memtablesMax: u32, tablesMax: u32): i32 {
  const memtableList = reallocate(memtables, memtableCount << 2, (memtablesMax + 1) << 2)
  if (memtableList == 0) return NO_MEMORY
  memtables = memtableList
  const tableList = reallocate(tables, tableCount << 2, (tablesMax + 1) << 2)
  if (tableList == 0) return NO_MEMORY
  tables = tableList
  memtableCount = 0
  tableCount = 0
  levelNow = 0
  levelCount = 1
  memory.fill(levelStarts, 0, 17 * 4)
  return OK
}

/** The next older memtable. */
export function viewMemtable(address: usize): void {
  store<u32>(memtables + ((<usize>memtableCount) << 2), address as u32)
  memtableCount++
}

/** The next table; levels must not descend, level 0 comes newest first, others in key order. */
export function viewTable(address: usize, level: u32): void {
  assert(level < LEVELS_MAX, 'a level that there is not')
  while (levelNow < level) store<u32>(levelStarts + ((<usize>++levelNow) << 2), tableCount)
  store<u32>(tables + ((<usize>tableCount) << 2), address as u32)
  tableCount++
  levelCount = level + 1
}

export function viewEnd(): void {
  while (levelNow < LEVELS_MAX) store<u32>(levelStarts + ((<usize>++levelNow) << 2), tableCount)
  const now = xxh64(tables, tableCount << 2, xxh64(levelStarts, 17 * 4, 0))
  if (now != fingerprint) shortcutVoid()
  fingerprint = now
}

// @ts-ignore: decorator
@inline
export function viewMemtableCount(): u32 {
  return memtableCount
}
// @ts-ignore: decorator
@inline
export function viewMemtableAt(i: u32): usize {
  return load<u32>(memtables + ((<usize>i) << 2))
}
/** Address of the list of a level's tables. */
export function viewLevelTables(level: u32): usize {
  return tables + ((<usize>load<u32>(levelStarts + ((<usize>level) << 2))) << 2)
}
export function viewLevelCount(level: u32): u32 {
  const at = levelStarts + ((<usize>level) << 2)
  return load<u32>(at, 4) - load<u32>(at)
}
export function viewLevels(): u32 {
  return LEVELS_MAX
}

/**
 * The newest version of the key with a sequence of at most `sequence`. OK: RESULT_ADDRESS, RESULT_BYTES, RESULT_KIND,
 * RESULT_SEQUENCE, RESULT_TIMESTAMP, and RESULT_EXTRA_1: 1 when it lies in a memtable; RESULT_TABLE: the memtable or table. NOT_FOUND, also
 * for a tombstone. Or what is needed to go on: then the call is made again, with FIND_AGAIN. The address holds until the next call that
 * may grow or install.
 */
export function viewFind(key: usize, keyBytes: u32, sequence: f64, ways: u32): i32 {
  const status = find(key, keyBytes, <u64>sequence, ways)
  // In one place behind both kinds of answers; `memory.copy` would be a call into the runtime.
  if (status == OK && (ways & FIND_COPY) != 0 && foundBytes <= COPY_BYTES_MAX) {
    copyWords(copyAddress(), foundValue, foundBytes)
  }
  return status
}

function find(key: usize, keyBytes: u32, at: u64, ways: u32): i32 {
  const hash = xxh64(key, keyBytes, hashSeed)
  for (let i: u32 = 0; i < memtableCount; i++) {
    const m = changetype<Memtable>(viewMemtableAt(i))
    const record = memtableFind(m, key, keyBytes, hash, at)
    if (record != 0) return foundRecord(m, record)
  }
  const again = ways & FIND_AGAIN
  if (again == 0) lookupBegin()
  else lookupAgain()
  const near = foundInRow == LIKELY ? shortcutFind(key, keyBytes, hash, at) : 0
  if (near != 0) {
    hit()
    return foundEntry(changetype<Card>(near).table)
  }
  countFilters(again)
  const status = findInTables(key, keyBytes, hash, at)
  if (status != OK) {
    if (status == NOT_FOUND) foundInRow = 0
    return status
  }
  if (foundInRow < LIKELY) foundInRow++
  if ((ways & FIND_NEWEST) != 0) shortcutPut(hash, changetype<Frame>(tableFrame))
  return foundEntry(foundTable)
}

let foundTable: usize = 0
/** Lookups in a row that found their key in tables, up to LIKELY. */
let foundInRow: u32 = 0

function findInTables(key: usize, keyBytes: u32, hash: u64, at: u64): i32 {
  for (let i: u32 = 0, n = viewLevelCount(0); i < n; i++) {
    foundTable = <usize>load<u32>(tables + ((<usize>i) << 2))
    if (!tableCovers(foundTable, key, keyBytes)) continue
    const status = tableFind(foundTable, key, keyBytes, hash, at)
    if (status != NOT_FOUND) return status
  }
  for (let level: u32 = 1; level < levelCount; level++) {
    foundTable = tableFor(level, key, keyBytes)
    if (foundTable == 0) continue
    const status = tableFind(foundTable, key, keyBytes, hash, at)
    if (status != NOT_FOUND) return status
  }
  return NOT_FOUND
}

/** The table of a level whose range holds the key, 0 if there is none. */
function tableFor(level: u32, key: usize, keyBytes: u32): usize {
  const list = viewLevelTables(level)
  const count = viewLevelCount(level)
  let low: u32 = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >> 1
    const t = changetype<Table>(<usize>load<u32>(list + ((<usize>middle) << 2)))
    if (compareBytes(t.largest, t.largestBytes, key, keyBytes) < 0) low = middle + 1
    else high = middle
  }
  if (low == count) return 0
  const table = <usize>load<u32>(list + ((<usize>low) << 2))
  const t = changetype<Table>(table)
  return compareBytes(t.smallest, t.smallestBytes, key, keyBytes) <= 0 ? table : 0
}

function foundRecord(m: Memtable, record: usize): i32 {
  if (recordKind(record) == KIND_DELETE) return NOT_FOUND
  foundValue = recordValue(record)
  foundBytes = recordValueBytes(record)
  setResult(RESULT_ADDRESS, foundValue as f64)
  setResult(RESULT_BYTES, <f64>foundBytes)
  setResult(RESULT_KIND, <f64>recordKind(record))
  setResult(RESULT_SEQUENCE, <f64>(m.firstSequence + <u64>recordSequenceDelta(record)))
  setResult(RESULT_TIMESTAMP, <f64>(m.baseTimestamp + <i64>recordTimestampDelta(record)))
  setResult(RESULT_EXTRA_1, 1)
  setResult(RESULT_TABLE, changetype<usize>(m) as f64)
  return OK
}

function foundEntry(table: usize): i32 {
  if (entryKind == KIND_DELETE) return NOT_FOUND
  foundValue = entryValue
  foundBytes = entryValueBytes
  setResult(RESULT_ADDRESS, entryValue as f64)
  setResult(RESULT_BYTES, <f64>entryValueBytes)
  setResult(RESULT_KIND, <f64>entryKind)
  setResult(RESULT_SEQUENCE, <f64>entrySequence)
  setResult(RESULT_TIMESTAMP, <f64>entryTimestamp)
  setResult(RESULT_EXTRA_1, 0)
  setResult(RESULT_TABLE, table as f64)
  return OK
}
