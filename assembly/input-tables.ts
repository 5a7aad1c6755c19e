/**
 * A list of disjoint tables in key order as an input of a job, read from front to back: top index, index partition, data blocks. Index
 * blocks are in the cache while it stands on them; data blocks come in runs, as many as lie one behind the other in the *window*, and are
 * opened one after the other. Blocks of zstd come one by one: they have to be decompressed outside.
 *
 * Call protocol: create next* free, where `next` is called again after what it said was missing is there.
 */
import { allocate, free, reallocate } from './memory'
import {
  BLOCK_INDEX,
  BLOCK_STREAM,
  CODEC_ZSTD,
  CORRUPT,
  NEED_RUN,
  NO_MEMORY,
  OK,
  RESULT_ADDRESS,
  RESULT_BYTES,
  RESULT_OFFSET,
  RESULT_TABLE,
  UNKNOWN_FORMAT,
  setResult,
} from './abi'
import { pin, unpin } from './block-cache'
import { entryValue, readEntry } from './block'
import { BlockStream, streamFirst, streamFree, streamNext, streamOpen } from './block-stream'
import { Frame, TRAILER } from './frame'
import { CODE_END, INPUT_TABLES } from './input'
import { Table, corrupt, found, handle, isInside, need, tableTop } from './table'

/** A read of so many blocks costs little more than one of a block. */
const WINDOW_BYTES: u32 = 64 * 1024

@unmanaged
export class TablesInput extends BlockStream {
  /** Addresses of the tables (u32). */
  tables: usize
  tableCount: u32
  /** Where the next block is: table, entry of its top index, entry of the partition. */
  table: u32
  partition: u32
  block: u32
  /** The partition, pinned. */
  frame: usize
  /** Where the block begins that was opened last, or is asked for. */
  offset: u64
  /** Bytes of a run of the table, from `windowOffset` on; what was asked for is `windowWanted`. */
  window: usize
  windowOffset: u64
  windowBytes: u32
  windowWanted: u32
}

/** The input that waits for a block or a run; 0 when none does. */
let waiting: usize = 0

/** An input of `count` tables whose addresses (u32) lie at `tables`; 0 when memory is exhausted. */
export function tablesInputCreate(tables: usize, count: u32): usize {
  const address = allocate(offsetof<TablesInput>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<TablesInput>())
  const t = changetype<TablesInput>(address)
  t.type = INPUT_TABLES
  t.tables = tables
  t.tableCount = count
  return address
}

export function tablesInputFree(address: usize): void {
  const t = changetype<TablesInput>(address)
  if (waiting == address) waiting = 0
  unpin(t.frame)
  streamFree(t)
  free(t.window)
  free(address)
}

/** Moves to the next entry, or behind the last. OK, CORRUPT, NO_MEMORY, or what is needed first. */
// @ts-ignore: decorator
@inline
export function tablesInputNext(t: TablesInput): i32 {
  return t.left == 0 ? nextBlock(t) : checked(t, streamNext(t))
}

/** What a stream cannot go on with is the fault of its block, unless it is memory that is missing. */
// @ts-ignore: decorator
@inline
function checked(t: TablesInput, status: i32): i32 {
  if (status == CORRUPT || status == UNKNOWN_FORMAT) corrupt(t.source, t.offset)
  return status
}

function nextBlock(t: TablesInput): i32 {
  if (t.unread != 0) return checked(t, streamFirst(t))
  while (t.table < t.tableCount) {
    const table = <usize>load<u32>(t.tables + ((<usize>t.table) << 2))
    let status = tableTop(table)
    if (status != OK) return status
    const top = changetype<Frame>(changetype<Table>(table).top)
    if (t.partition == top.count) {
      t.table++
      t.partition = 0
      t.windowBytes = 0
      continue
    }
    status = handle(table, top, t.partition, 0, BLOCK_INDEX)
    if (status != OK) return status
    hold(t, found)
    const partition = changetype<Frame>(found)
    if (t.block == partition.count) {
      t.partition++
      t.block = 0
      continue
    }
    readEntry(partition, t.block)
    const offset = load<u64>(entryValue)
    const bytes = load<u32>(entryValue, 8)
    if (!isInside(table, offset, bytes)) return corrupt(table, partition.offset)
    t.source = table
    t.offset = offset
    const from = offset - t.windowOffset
    const isRead = from <= <u64>t.windowBytes && from + <u64>bytes <= <u64>t.windowBytes
    if (isRead && !isZstd(t.window + (from as usize), bytes)) {
      status = open(t, t.window + (from as usize), bytes, 0)
      return checked(t, status == OK ? streamFirst(t) : status)
    }
    waiting = changetype<usize>(t)
    const isAlone = isRead || changetype<Table>(table).codec == CODEC_ZSTD
    return isAlone ? need(table, offset, bytes, BLOCK_STREAM) : needRun(t, partition, bytes)
  }
  hold(t, 0)
  t.code = CODE_END
  return OK
}

/** Whether a stored block says that it is of zstd, as one of a table whose header says otherwise may. */
function isZstd(stored: usize, bytes: u32): bool {
  return bytes > TRAILER && load<u8>(stored + (bytes - TRAILER)) == CODEC_ZSTD
}

/** Pins the partition that the input now stands on and lets the one before go. */
function hold(t: TablesInput, frame: usize): void {
  if (t.frame == frame) return
  pin(frame)
  unpin(t.frame)
  t.frame = frame
}

/** Asks for the next block, and for those that follow it at once, as long as they are in the same partition and fit in the window. */
function needRun(t: TablesInput, partition: Frame, bytes: u32): i32 {
  let wanted = bytes
  for (let i = t.block + 1; i < partition.count; i++) {
    readEntry(partition, i)
    const more = load<u32>(entryValue, 8)
    const end = t.offset + <u64>wanted
    if (load<u64>(entryValue) != end || <u64>wanted + <u64>more > <u64>WINDOW_BYTES) break
    if (!isInside(t.source, end, more)) break
    wanted += more
  }
  t.windowBytes = 0
  const window = reallocate(t.window, 0, max(wanted, WINDOW_BYTES))
  if (window == 0) return NO_MEMORY
  t.window = window
  t.windowOffset = t.offset
  t.windowWanted = wanted
  setResult(RESULT_TABLE, <f64>t.source)
  setResult(RESULT_OFFSET, <f64>t.offset)
  setResult(RESULT_BYTES, <f64>wanted)
  setResult(RESULT_ADDRESS, <f64>window)
  return NEED_RUN
}

/** The run that an input waits for is in its window. */
export function tablesInputRun(): void {
  if (waiting == 0) return
  const t = changetype<TablesInput>(waiting)
  t.windowBytes = t.windowWanted
  waiting = 0
}

/** The block that an input waits for is there, if one waits: arguments as of `openBlock`. OK, CORRUPT, UNKNOWN_FORMAT or NO_MEMORY. May grow. */
export function tablesInputOpen(
  table: usize,
  offset: u64,
  address: usize,
  stored: u32,
  decoded: usize,
): i32 {
  const t = changetype<TablesInput>(waiting)
  if (waiting == 0 || t.source != table || t.offset != offset) return OK
  waiting = 0
  return open(t, address, stored, decoded)
}

function open(t: TablesInput, address: usize, stored: u32, decoded: usize): i32 {
  t.block++
  const identity = changetype<Table>(t.source).identity
  return streamOpen(t, identity, t.offset, address, stored, decoded)
}
