/**
 * A flush or a compaction, one per instance: merges its inputs, keeps what survives, builds tables.
 *
 * Which entries survive: live snapshots cut the sequences into stripes; of each key the newest version of every stripe is kept. A
 * tombstone in the oldest stripe is dropped where nothing older can lie below.
 *
 * Call protocol: jobBegin (jobAddMemtable | jobAddTables)* (jobStep …)* jobEnd, where each answer of jobStep other than DONE asks for
 * something: install a block, drain the output, copy a value, compress a block, start the next table, or just to be called again.
 */
import { allocate, free } from './memory'
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
import { CODE_END, Input, inputSource, sharedOf } from './input'
import { runInputCreate } from './input-run'
import { tablesInputCreate } from './input-tables'
import { lookupEnd } from './block-cache'
import { Memtable } from './memtable-state'
import {
  TableBuilder,
  tableBuilderAdd,
  tableBuilderCloseBlock,
  tableBuilderCreate,
  tableBuilderEnd,
  tableBuilderFree,
} from './table-builder'
import { tableBuilderFinish } from './table-finish'
import {
  Tournament,
  tournamentAdd,
  tournamentAdvance,
  tournamentCreate,
  tournamentFree,
  tournamentPrepare,
} from './tournament'

const OUTPUT_BYTES: u32 = 256 * 1024

let tournament: usize = 0
let builder: usize = 0
let snapshots: usize = 0
let snapshotCount: u32 = 0
let bottommost: bool = false
let tableBytes: u64 = 0
let tablesLeft: u32 = 0
let lists: usize = 0

/** Of the entry before the current one. */
let lastKeyBytes: u32 = 0
let lastStripe: u32 = 0
/** Bytes that the current key shares with the one that was kept last. */
let shared: u32 = 0
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
  tournament = tournamentCreate()
  builder = tableBuilderCreate()
  if (snapshots == 0 || tournament == 0 || builder == 0) return NO_MEMORY
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
  if (tournament != 0) tournamentFree(tournament)
  if (builder != 0) tableBuilderFree(builder)
  free(snapshots)
  free(lists)
  tournament = 0
  builder = 0
  snapshots = 0
  lists = 0
  lastKeyBytes = 0
  shared = 0
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
    const input = runInputCreate(address, load<u32>(run), load<u32>(run, 4))
    const status = tournamentAdd(changetype<Tournament>(tournament), input)
    if (status != OK) return status
  }
  return OK
}

/** `count` disjoint tables in key order, whose addresses (u32) are at `list`, which must stay in place until `jobEnd`. */
export function jobAddTables(list: usize, count: u32): i32 {
  return tournamentAdd(changetype<Tournament>(tournament), tablesInputCreate(list, count))
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
 * Decides on the current entry, which its code tells from the one before. One that two inputs share counts once: a repair may read a
 * table together with what it was made from.
 */
function decide(entry: Input, code: u64): void {
  const common = sharedOf(code)
  fresh = common != entry.keyBytes || common != lastKeyBytes
  lastKeyBytes = entry.keyBytes
  shared = min(shared, common)
  const stripe = snapshotCount == 0 ? 0 : stripeOf(entry.sequence)
  keeping = fresh || stripe != lastStripe
  lastStripe = stripe
  if (keeping && bottommost && stripe == 0 && entry.kind == KIND_DELETE) keeping = false
  if (!keeping) dropped += 1
  decided = true
}

/** Adds the entry that is kept. OK, COMPRESS, VALUE or NO_MEMORY. */
function keep(b: TableBuilder, c: Input): i32 {
  let value = c.value
  if (c.kind == KIND_CHUNKS) {
    if (valueOffset == 0) {
      setResult(RESULT_TABLE, <f64>inputSource(c))
      setResult(RESULT_BYTES, <f64>load<u64>(c.value))
      setResult(RESULT_OFFSET, <f64>load<u64>(c.value, 8))
      return VALUE
    }
    store<u64>(reference, load<u64>(c.value))
    store<u64>(reference, valueOffset, 8)
    value = reference
  }
  if (!fresh) shadowed++
  const common = shared
  shared = u32.MAX_VALUE
  return tableBuilderAdd(
    b,
    c.key,
    c.keyBytes,
    common,
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
  const t = changetype<Tournament>(tournament)
  const b = changetype<TableBuilder>(builder)
  lookupEnd()
  if (closing) return closeTable(b)
  for (let n: u32 = 0; n < entries; n++) {
    if (consumed) {
      consumed = false
      decided = false
      valueOffset = 0
      const moved = tournamentAdvance(t)
      if (moved != OK) return moved
      if (b.outputBytes >= OUTPUT_BYTES) return OUTPUT
    } else {
      const ready = tournamentPrepare(t)
      if (ready != OK) return ready
    }
    if (t.code == CODE_END) return isOpen && b.entries > 0 ? closeTable(b) : DONE
    const c = changetype<Input>(t.winner)
    if (!decided) decide(c, t.code)
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
