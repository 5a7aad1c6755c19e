/**
 * A list of disjoint tables in key order as an input of a job, read from front to back: top index, index partition, data block. Index
 * blocks are in the cache while it stands on them; a data block is read once, and goes to the stream of the input that asked for it.
 *
 * Call protocol: create next* free, where `next` is called again after what it said was missing was installed.
 */
import { allocate, free } from './memory'
import { BLOCK_INDEX, BLOCK_STREAM, CORRUPT, OK } from './abi'
import { pin, unpin } from './block-cache'
import { entryValue, readEntry } from './block'
import { BlockStream, streamFirst, streamFree, streamNext, streamOpen } from './block-stream'
import { Frame } from './frame'
import { CODE_END, INPUT_TABLES } from './input'
import { Table, corrupt, found, handle, isInside, need, tableTop } from './table'

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
  /** Where the block was that the entries are from. */
  offset: u64
}

/** The input that waits for a block; 0 when none does. */
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
  free(address)
}

/** Moves to the next entry, or behind the last. OK, CORRUPT, NO_MEMORY, or what is needed first. */
// @ts-ignore: decorator
@inline
export function tablesInputNext(t: TablesInput): i32 {
  return t.left == 0 ? nextBlock(t) : checked(t, streamNext(t))
}

/** What a stream cannot go on with is damage in its block, unless it is memory that is missing. */
// @ts-ignore: decorator
@inline
function checked(t: TablesInput, status: i32): i32 {
  return status == CORRUPT ? corrupt(t.source, t.offset) : status
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
    waiting = changetype<usize>(t)
    return need(table, offset, bytes, BLOCK_STREAM)
  }
  hold(t, 0)
  t.code = CODE_END
  return OK
}

/** Pins the partition that the input now stands on and lets the one before go. */
function hold(t: TablesInput, frame: usize): void {
  if (t.frame == frame) return
  pin(frame)
  unpin(t.frame)
  t.frame = frame
}

/**
 * The block that an input waits for is there, if one waits: arguments as of `openBlock`. OK, CORRUPT,
 * UNKNOWN_FORMAT or NO_MEMORY. May grow.
 */
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
  t.block++
  return streamOpen(t, changetype<Table>(table).identity, offset, address, stored, decoded)
}
