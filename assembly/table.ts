/**
 * Tables as the kernel knows them, and point lookups in one table.
 *
 *   top index (pinned while the table is open) -> filter block, index partition -> data block
 *
 * Nothing here reads files: a block that is not resident is named in the result words and NEED_BLOCK returned;
 * the caller installs it and asks again.
 */
import { compareBytes } from './bytes'
import { allocate, free } from './memory'
import { bloomFilterMayContain, bloomFilterProbes } from './bloom-filter'
import {
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_INDEX,
  CORRUPT,
  NEED_BLOCK,
  NEED_TABLE,
  NOT_FOUND,
  OK,
  RESULT_BYTES,
  RESULT_KIND,
  RESULT_OFFSET,
  RESULT_TABLE,
  setResult,
} from './abi'
import {
  blockCacheForget,
  blockCacheGet,
  blockCacheHas,
  blockInstall,
  fillSlot,
  lastInstalled,
  pin,
  touch,
  unpin,
} from './block-cache'
import { Frame } from './frame'
import { compareEntryKey, entryValue, entryValueBytes, lowerBound, readEntry } from './block'
import { findEntry } from './block-tags'

/** Greater than any sequence: seeks to the first version of a key. */
export const SEQUENCE_MAX: u64 = 1 << 53

@unmanaged
export class Table {
  number: f64
  identity: u64
  /** End of the bytes that block handles may point into: the footer's offset. */
  limit: u64
  topOffset: u64
  topBytes: u32
  /** As its header says; blocks may be stored as they are all the same. */
  codec: u32
  /** The pinned top index block, 0 until it is installed. */
  top: usize
  probes: u32
  smallest: usize
  smallestBytes: u32
  largest: usize
  largestBytes: u32
}

export let filterChecks: f64 = 0
export let filterNegatives: f64 = 0
export let filterFalsePositives: f64 = 0
let checksBefore: f64 = 0
let negativesBefore: f64 = 0
let falsePositivesBefore: f64 = 0

/** A lookup begins, or begins again: what filters say to it is counted once. */
export function countFilters(again: u32): void {
  if (again == 0) {
    checksBefore = filterChecks
    negativesBefore = filterNegatives
    falsePositivesBefore = filterFalsePositives
  } else {
    filterChecks = checksBefore
    filterNegatives = negativesBefore
    filterFalsePositives = falsePositivesBefore
  }
}

/** A table whose smallest and largest keys lie one after the other at `keys`; 0 when memory is exhausted. May grow. */
export function tableCreate(
  number: f64,
  identityLow: u32,
  identityHigh: u32,
  keys: usize,
  smallestBytes: u32,
  largestBytes: u32,
): usize {
  const address = allocate(offsetof<Table>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<Table>())
  const t = changetype<Table>(address)
  t.number = number
  t.identity = (<u64>identityHigh << 32) | identityLow
  t.smallest = allocate(smallestBytes + largestBytes + 1)
  if (t.smallest == 0) {
    free(address)
    return 0
  }
  memory.copy(t.smallest, keys, smallestBytes + largestBytes)
  t.smallestBytes = smallestBytes
  t.largest = t.smallest + smallestBytes
  t.largestBytes = largestBytes
  return address
}

/** What the verified header and footer say. */
export function tableSetTop(
  address: usize,
  offset: f64,
  bytes: u32,
  limit: f64,
  bitsPerKey: u32,
  codec: u32,
): void {
  const t = changetype<Table>(address)
  t.codec = codec
  t.probes = bloomFilterProbes(bitsPerKey)
  t.topOffset = <u64>offset
  t.topBytes = bytes
  t.limit = <u64>limit
}

export function tableFree(address: usize): void {
  const t = changetype<Table>(address)
  unpin(t.top)
  blockCacheForget(address)
  free(t.smallest)
  free(address)
}

/** Installs a block of a table; the top index stays pinned. `decoded` as in `blockInstall`. May grow. */
export function tableInstall(
  address: usize,
  at: u64,
  kind: u32,
  bytes: usize,
  stored: u32,
  decoded: usize,
): i32 {
  const t = changetype<Table>(address)
  // Asked for twice, by two callers that missed it at the same time.
  if (blockCacheHas(address, at)) return OK
  const stride: u32 = at == t.topOffset ? 2 : 1
  const status = blockInstall(address, t.identity, at, kind, stride, bytes, stored, decoded)
  if (status == OK && at == t.topOffset) {
    t.top = lastInstalled()
    pin(t.top)
  }
  return status
}

export function need(table: usize, offset: u64, bytes: u32, kind: u32): i32 {
  setResult(RESULT_TABLE, table as f64)
  setResult(RESULT_OFFSET, <f64>offset)
  setResult(RESULT_BYTES, <f64>bytes)
  setResult(RESULT_KIND, <f64>kind)
  return NEED_BLOCK
}

export function corrupt(table: usize, offset: u64): i32 {
  setResult(RESULT_TABLE, table as f64)
  setResult(RESULT_OFFSET, <f64>offset)
  return CORRUPT
}

/** OK with the top index in memory, or what is needed for it. */
// @ts-ignore: decorator
@inline
export function tableTop(address: usize): i32 {
  const t = changetype<Table>(address)
  if (t.top != 0) return OK
  return missingTop(t, address)
}

function missingTop(t: Table, address: usize): i32 {
  if (t.topBytes == 0) {
    setResult(RESULT_TABLE, address as f64)
    return NEED_TABLE
  }
  return need(address, t.topOffset, t.topBytes, BLOCK_INDEX)
}

/** The block found last by `handle`. */
export let found: usize = 0
/** The block of the entry found last by `tableFind`. */
export let tableFrame: usize = 0

/**
 * The block that entry `i` of an index block points to: `at` 0 for its first handle, 12 for its second. Two entries that
 * point to one block as different things contradict each other; an index may even point to itself.
 */
// @ts-ignore: decorator
@inline
export function handle(table: usize, index: Frame, i: u32, at: u32, kind: u32): i32 {
  found = <usize>load<u32>(slotOf(index, i, at))
  if (found == 0) return handleUnknown(table, index, i, at, kind)
  if (changetype<Frame>(found).kind != kind) return corrupt(table, index.offset)
  touch(changetype<Frame>(found))
  return OK
}

/** The slot of the first or the second handle of an entry; a second one is only in a top index. */
// @ts-ignore: decorator
@inline
function slotOf(index: Frame, i: u32, at: u32): usize {
  return index.slots + ((<usize>(i * index.stride + u32(at != 0))) << 2)
}

/** `handle` of a block that no slot points to. */
function handleUnknown(table: usize, index: Frame, i: u32, at: u32, kind: u32): i32 {
  readEntry(index, i)
  if (entryValueBytes < at + 12) return corrupt(table, index.offset)
  const offset = load<u64>(entryValue + at)
  const bytes = load<u32>(entryValue + at, 8)
  found = blockCacheGet(table, offset)
  if (found != 0) {
    if (changetype<Frame>(found).kind != kind) return corrupt(table, index.offset)
    fillSlot(slotOf(index, i, at), found)
    return OK
  }
  if (!isInside(table, offset, bytes)) return corrupt(table, index.offset)
  return need(table, offset, bytes, kind)
}

/** Whether a table can have a block there. */
export function isInside(table: usize, offset: u64, bytes: u32): bool {
  const limit = changetype<Table>(table).limit
  return offset >= 72 && offset <= limit && <u64>bytes <= limit - offset
}

/** True if entry `i` of a top index has a filter. */
// @ts-ignore: decorator
@inline
function hasFilter(top: Frame, i: u32): bool {
  // The slot alone tells once the filter is there.
  return load<u32>(slotOf(top, i, 12)) != 0 || namesFilter(top, i)
}

function namesFilter(top: Frame, i: u32): bool {
  readEntry(top, i)
  return entryValueBytes >= 24 && load<u32>(entryValue, 20) != 0
}

/** True if the key lies in the table's range. */
export function tableCovers(address: usize, key: usize, keyBytes: u32): bool {
  const t = changetype<Table>(address)
  return (
    compareBytes(key, keyBytes, t.smallest, t.smallestBytes) >= 0 &&
    compareBytes(key, keyBytes, t.largest, t.largestBytes) <= 0
  )
}

/**
 * The newest entry of the key with a sequence of at most `sequence`: OK and the entry in block.ts's variables, NOT_FOUND,
 * or what is needed to go on.
 */
export function tableFind(
  address: usize,
  key: usize,
  keyBytes: u32,
  hash: u64,
  sequence: u64,
): i32 {
  let status = tableTop(address)
  if (status != OK) return status
  const t = changetype<Table>(address)
  const top = changetype<Frame>(t.top)
  let p = lowerBound(top, key, keyBytes, SEQUENCE_MAX)
  if (p == top.count) return NOT_FOUND
  const filtered = hasFilter(top, p)
  if (filtered) {
    status = handle(address, top, p, 12, BLOCK_FILTER)
    if (status != OK) return status
    const filter = changetype<Frame>(found)
    filterChecks += 1
    if (!bloomFilterMayContain(filter.content, filter.contentBytes >> 6, t.probes, hash)) {
      filterNegatives += 1
      return NOT_FOUND
    }
  }
  // Versions of one key may run over into the next blocks, hence the loops.
  for (; p < top.count; p++) {
    status = handle(address, top, p, 0, BLOCK_INDEX)
    if (status != OK) return status
    const partition = changetype<Frame>(found)
    let i = lowerBound(partition, key, keyBytes, SEQUENCE_MAX)
    for (; i < partition.count; i++) {
      status = handle(address, partition, i, 0, BLOCK_DATA)
      if (status != OK) return status
      if (findEntry(changetype<Frame>(found), key, keyBytes, sequence)) {
        tableFrame = found
        return OK
      }
      readEntry(partition, i)
      if (compareEntryKey(partition, key, keyBytes) == 0) continue
      if (filtered) filterFalsePositives += 1
      return NOT_FOUND
    }
  }
  return NOT_FOUND
}
