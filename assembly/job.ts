/**
 * A flush or a compaction, one per instance: merges its inputs, keeps what survives, builds tables.
 *
 * Which entries survive: live snapshots cut the sequences into stripes; of each key the newest version of every stripe is kept. A
 * tombstone in the oldest stripe is dropped where nothing older can lie below.
 *
 * Call protocol: jobBegin (jobAddMemtable | jobAddTables)* jobStart (jobStep …)* jobEnd, where each answer of jobStep other than DONE asks for
 * something: install a block, drain the output, copy a value, compress a block, start the next table, or just to be called again.
 */
import { compareBytes, copyBytes } from './bytes'
import { allocate, free, reallocate } from './memory'
import {
  COMPRESS,
  DONE,
  KIND_CHUNKS,
  KIND_DELETE,
  MORE,
  NO_MEMORY,
  OK,
  OUTPUT,
  RESULT_BYTES,
  RESULT_OFFSET,
  RESULT_TABLE,
  TABLE_DONE,
  VALUE,
  setResult,
} from './abi'
import { cursorCreateLevel, cursorCreateRun, cursorSource } from './cursor'
import { Cursor } from './cursor-state'
import { lookupEnd } from './block-cache'
import { Memtable } from './memtable-state'
import {
  Merge,
  mergeAdd,
  mergeAdvance,
  mergeCreate,
  mergeCurrent,
  mergeFree,
  mergePrepare,
  mergeToEnds,
} from './merge'
import { corrupt } from './table'
import {
  TableBuilder,
  tableBuilderAdd,
  tableBuilderCloseBlock,
  tableBuilderCreate,
  tableBuilderEnd,
  tableBuilderFree,
} from './table-builder'
import { tableBuilderFinish } from './table-finish'

const OUTPUT_BYTES: u32 = 256 * 1024

let merge: usize = 0
let builder: usize = 0
let snapshots: usize = 0
let snapshotCount: u32 = 0
let bottommost: bool = false
let tableBytes: u64 = 0
let tablesLeft: u32 = 0
let lists: usize = 0

let lastKey: usize = 0
let lastKeyBytes: u32 = 0
let hasKey: bool = false
let lastStripe: u32 = 0
let lastSequence: u64 = 0
/** The current entry: decided on, and what was decided. */
let decided: bool = false
let keeping: bool = false
let fresh: bool = false
/** The current entry is done with; the merge has to advance. */
let consumed: bool = false
/** Where the current value's chunks were copied to; 0 before. */
let valueOffset: u64 = 0
const reference: usize = memory.data(16, 8)
/** The table is being closed: its last block has been asked for. */
let closing: bool = false
/** A table has been started and not been closed. */
let isOpen: bool = false
export let shadowed: u32 = 0
export let dropped: f64 = 0

/** Begins a job that makes at most `tables` tables of about `bytes` bytes. `list` holds `count` live sequences (f64), ascending. May grow. */
export function jobBegin(
  list: usize,
  count: u32,
  dropTombstones: u32,
  bytes: f64,
  tables: u32,
): i32 {
  jobEnd()
  snapshots = allocate((count + 1) << 3)
  merge = mergeCreate(0)
  builder = tableBuilderCreate()
  if (snapshots == 0 || merge == 0 || builder == 0) return NO_MEMORY
  for (let i: u32 = 0; i < count; i++) {
    store<u64>(snapshots + ((<usize>i) << 3), <u64>load<f64>(list + ((<usize>i) << 3)))
  }
  snapshotCount = count
  bottommost = dropTombstones != 0
  tableBytes = <u64>bytes
  tablesLeft = tables
  return OK
}

export function jobEnd(): void {
  if (merge != 0) mergeFree(merge)
  if (builder != 0) tableBuilderFree(builder)
  free(snapshots)
  free(lists)
  free(lastKey)
  merge = 0
  builder = 0
  snapshots = 0
  lists = 0
  lastKey = 0
  lastKeyBytes = 0
  hasKey = false
  decided = false
  consumed = false
  closing = false
  isOpen = false
  valueOffset = 0
  shadowed = 0
  dropped = 0
}

/** A region for the lists of `jobAddTables` that stays in place until `jobEnd`; 0 when memory is exhausted. May grow. */
export function jobLists(bytes: u32): usize {
  lists = allocate(bytes)
  return lists
}

/** Every run of a sorted memtable. */
export function jobAddMemtable(address: usize): i32 {
  const t = changetype<Memtable>(address)
  for (let r: u32 = 0; r < t.runCount; r++) {
    const run = t.runs + ((<usize>r) << 3)
    const cursor = cursorCreateRun(address, load<u32>(run), load<u32>(run, 4))
    const status = mergeAdd(changetype<Merge>(merge), cursor)
    if (status != OK) return status
  }
  return OK
}

/** `count` disjoint tables in key order, whose addresses (u32) are at `list`, which must stay in place until `jobEnd`. */
export function jobAddTables(list: usize, count: u32): i32 {
  return mergeAdd(changetype<Merge>(merge), cursorCreateLevel(list, count))
}

export function jobStart(): void {
  mergeToEnds(changetype<Merge>(merge))
}

/** Notes that the builder has begun another table. */
export function jobTableStarted(): void {
  isOpen = true
}

export function jobBuilder(): TableBuilder {
  return changetype<TableBuilder>(builder)
}

/** Index of the oldest live sequence that sees `sequence`: 0 for the oldest stripe. */
function stripeOf(sequence: u64): u32 {
  let low: u32 = 0
  let high = snapshotCount
  while (low < high) {
    const middle = (low + high) >> 1
    if (load<u64>(snapshots + ((<usize>middle) << 3)) < sequence) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Decides on the current entry. OK, NO_MEMORY, or CORRUPT for entries that are not in order. An entry that two inputs share counts once:
 * a repair may read a table together with what it was made from.
 */
function decide(c: Cursor): i32 {
  const order = hasKey ? compareBytes(c.key, c.keyBytes, lastKey, lastKeyBytes) : 1
  if (order < 0 || (order == 0 && c.sequence > lastSequence)) return corrupt(c.source, 0)
  fresh = order != 0
  lastSequence = c.sequence
  const stripe = stripeOf(c.sequence)
  if (fresh) {
    const room = reallocate(lastKey, 0, c.keyBytes)
    if (room == 0) return NO_MEMORY
    lastKey = room
    copyBytes(lastKey, c.key, c.keyBytes)
    lastKeyBytes = c.keyBytes
    hasKey = true
  }
  keeping = fresh || stripe != lastStripe
  lastStripe = stripe
  if (keeping && bottommost && stripe == 0 && c.kind == KIND_DELETE) keeping = false
  if (!keeping) dropped += 1
  decided = true
  return OK
}

/** Adds the entry that is kept. OK, COMPRESS, VALUE or NO_MEMORY. */
function keep(b: TableBuilder, c: Cursor): i32 {
  let value = c.value
  if (c.kind == KIND_CHUNKS) {
    if (valueOffset == 0) {
      setResult(RESULT_TABLE, <f64>cursorSource(c))
      setResult(RESULT_BYTES, <f64>load<u64>(c.value))
      setResult(RESULT_OFFSET, <f64>load<u64>(c.value, 8))
      return VALUE
    }
    store<u64>(reference, load<u64>(c.value))
    store<u64>(reference, valueOffset, 8)
    value = reference
  }
  if (!fresh) shadowed++
  return tableBuilderAdd(
    b,
    c.key,
    c.keyBytes,
    c.kind,
    c.sequence,
    c.timestamp,
    value,
    c.valueBytes,
    fresh,
  )
}

/** Ends the table that is being built. TABLE_DONE, COMPRESS (call again) or NO_MEMORY. */
function closeTable(b: TableBuilder): i32 {
  closing = true
  let status = tableBuilderCloseBlock(b)
  if (status != OK) return status
  status = tableBuilderFinish(b)
  if (status != OK) return status
  closing = false
  isOpen = false
  if (tablesLeft > 0) tablesLeft--
  return TABLE_DONE
}

/** True if the current entry should begin a new table. Chunks that were copied for it have decided: they are in this one. */
function wantsTable(b: TableBuilder): bool {
  if (!fresh || valueOffset != 0 || b.entries == 0 || tablesLeft <= 1) return false
  return tableBuilderEnd(b) >= tableBytes
}

/** Goes on for at most `entries` entries. May grow. */
export function jobStep(entries: u32): i32 {
  const m = changetype<Merge>(merge)
  const b = changetype<TableBuilder>(builder)
  lookupEnd()
  if (closing) return closeTable(b)
  for (let n: u32 = 0; n < entries; n++) {
    if (consumed) {
      consumed = false
      decided = false
      valueOffset = 0
      const moved = mergeAdvance(m)
      if (moved != OK) return moved
      if (b.outputBytes >= OUTPUT_BYTES) return OUTPUT
    } else {
      const ready = mergePrepare(m)
      if (ready != OK) return ready
    }
    const current = mergeCurrent(m)
    if (current == 0) return isOpen && b.entries > 0 ? closeTable(b) : DONE
    const c = changetype<Cursor>(current)
    if (!decided) {
      const status = decide(c)
      if (status != OK) return status
    }
    if (keeping) {
      if (wantsTable(b)) return closeTable(b)
      const status = keep(b, c)
      if (status == COMPRESS) {
        consumed = true
        return COMPRESS
      }
      if (status != OK) return status
    }
    consumed = true
  }
  return MORE
}

/** Answers VALUE: the chunks of the current value now begin at `offset` of the table. */
export function jobValueAt(offset: f64): void {
  valueOffset = <u64>offset
}
