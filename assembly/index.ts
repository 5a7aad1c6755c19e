/**
 * Table of contents of the kernel: what `src/kernel/exports.ts` declares, in the same order. Arguments and results are i32 and f64 only;
 * 64-bit seeds cross as two halves.
 */
import * as abi from './abi'
import { free, reallocate } from './memory'
import { cacheHits, cacheMisses } from './block-cache'
import { dropped, jobBuilder, jobTableStarted, shadowed } from './job'
import {
  tableBuilderCompressed,
  tableBuilderDrained,
  tableBuilderEnd,
  tableBuilderForeign,
  tableBuilderStart,
} from './table-builder'
import { tableBuilderHeader } from './table-finish'
import { tablesInputOpen, tablesInputRun } from './input-tables'
import {
  filterChecks,
  filterFalsePositives,
  filterNegatives,
  tableInstall as install,
} from './table'
import { viewHashSeed } from './view'
import { xxh64 } from './xxh64'

export { ABI_VERSION, resultAddress } from './abi'

let scratch: usize = 0
let staging: usize = 0

/** A region of at least `bytes` for arguments; what was in it is lost. 0 when memory is exhausted. May grow. */
export function scratchReserve(bytes: u32): usize {
  const room = reallocate(scratch, 0, bytes)
  if (room != 0) scratch = room
  return room
}

/** A region of at least `bytes` for blocks read from files, apart from the scratch. 0 when memory is exhausted. May grow. */
export function stagingReserve(bytes: u32): usize {
  const room = reallocate(staging, 0, bytes)
  if (room != 0) staging = room
  return room
}

/** Gives a large staging region back. */
export function stagingFree(): void {
  free(staging)
  staging = 0
}

export { allocatedBytes, setAllocationLimit } from './memory'

/** XXH64 of bytes in memory: the halves in RESULT_EXTRA_1 (low) and RESULT_EXTRA_2 (high). */
export function hash64(address: usize, bytes: u32, seedLow: u32, seedHigh: u32): void {
  putHash(xxh64(address, bytes, (<u64>seedHigh << 32) | seedLow))
}

function putHash(hash: u64): void {
  abi.setResult(abi.RESULT_EXTRA_1, <f64>(hash as u32))
  abi.setResult(abi.RESULT_EXTRA_2, <f64>((hash >> 32) as u32))
}

export {
  memtableCreate,
  memtableFree,
  memtableBind,
  memtableAppend,
  memtableSealFrame,
  memtableSealSegment,
  memtableDrop,
} from './memtable'
export { memtableReserve } from './memtable-index'
import { Memtable } from './memtable-state'
import { Replay, memtableProof as proof, memtableReplay as replay } from './memtable-replay'
export { memtableSortStep, memtableUnsorted } from './memtable-order'

/** Where the arena is. */
export function memtableArena(address: usize): usize {
  return changetype<Memtable>(address).arena
}
/** Offset behind the last record or frame. */
export function memtableTail(address: usize): u32 {
  return changetype<Memtable>(address).tail
}
export function memtableCount(address: usize): u32 {
  return changetype<Memtable>(address).count
}
/** Bytes of memory that the memtable has taken beside its arena. */
export function memtableIndexBytes(address: usize): u32 {
  const m = changetype<Memtable>(address)
  return ((m.slotMask + 1) << 3) + (m.orderCapacity << 2)
}

const replayed: usize = memory.data(32, 8)

function putReplay(): void {
  const r = changetype<Replay>(replayed)
  abi.setResult(abi.RESULT_OFFSET, <f64>r.end)
  abi.setResult(abi.RESULT_KIND, <f64>r.ending)
  abi.setResult(abi.RESULT_EXTRA_1, <f64>r.distance)
  abi.setResult(abi.RESULT_EXTRA_2, <f64>r.synced)
  abi.setResult(abi.RESULT_EXTRA_3, <f64>r.values)
  abi.setResult(abi.RESULT_SEQUENCE, <f64>r.lastDelta)
}

/**
 * Takes in the frames of `length` bytes in the arena; with `indexed` 0 only for sorting. RESULT_OFFSET: end of the valid frames; RESULT_KIND: 0 damage there, 1 a
 * seal, 2 the end of the bytes; RESULT_EXTRA_1, _2: highest synced point stated (distance, offset); RESULT_EXTRA_3: value file length; RESULT_SEQUENCE: last delta.
 */
export function memtableReplay(address: usize, length: u32, indexed: u32): i32 {
  const status = replay(address, length, indexed, replayed)
  putReplay()
  return status
}

/** The highest synced point stated by frame headers behind damage at `from`: RESULT_EXTRA_1, RESULT_EXTRA_2. */
export function memtableProof(address: usize, from: u32, length: u32): void {
  proof(address, from, length, replayed)
  putReplay()
}

export { blockCacheCreate, blockCacheBytes } from './block-cache'

/** Counters: hits, misses, filter checks, filter negatives, filter false positives in RESULT words 0 to 4. */
export function readCounters(): void {
  abi.setResult(0, cacheHits)
  abi.setResult(1, cacheMisses)
  abi.setResult(2, filterChecks)
  abi.setResult(3, filterNegatives)
  abi.setResult(4, filterFalsePositives)
}

export { tableCreate, tableSetTop, tableFree } from './table'

/** Installs a block: in the cache, or in the input of a job that reads it once. OK, CORRUPT, UNKNOWN_FORMAT or NO_MEMORY. May grow. */
export function tableInstall(
  address: usize,
  offset: f64,
  kind: u32,
  bytes: usize,
  stored: u32,
  decoded: usize,
): i32 {
  const at = <u64>offset
  if (kind == abi.BLOCK_STREAM) return tablesInputOpen(address, at, bytes, stored, decoded)
  return install(address, at, kind, bytes, stored, decoded)
}

export { viewSetSeed, viewBegin, viewMemtable, viewTable, viewEnd, viewFind } from './view'
export { scanBegin, scanFill, scanEnd } from './scan'
export {
  jobBegin,
  jobLists,
  jobAddMemtable,
  jobAddTables,
  jobStep,
  jobValueAt,
  jobEnd,
} from './job'

/** Answers NEED_RUN: the run has been read to its address. */
export function jobRun(): void {
  tablesInputRun()
}

/** Starts the table that the next steps build. */
export function jobTable(
  number: f64,
  identityLow: u32,
  identityHigh: u32,
  codec: u32,
  bitsPerKey: u32,
): void {
  const identity = (<u64>identityHigh << 32) | identityLow
  tableBuilderStart(jobBuilder(), number, identity, codec, bitsPerKey, viewHashSeed())
  jobTableStarted()
}

/** RESULT_ADDRESS, RESULT_BYTES: what to write; RESULT_OFFSET: where in the file. */
export function jobOutput(): void {
  const b = jobBuilder()
  abi.setResult(abi.RESULT_ADDRESS, b.output as f64)
  abi.setResult(abi.RESULT_BYTES, <f64>b.outputBytes)
  abi.setResult(abi.RESULT_OFFSET, <f64>b.position)
}

/** The output has been written. */
export function jobDrained(): void {
  tableBuilderDrained(jobBuilder())
}

/** The caller wrote `bytes` bytes, now at `address`, to the file behind the drained output. */
export function jobForeign(address: usize, bytes: u32): void {
  tableBuilderForeign(jobBuilder(), address, bytes)
}

/** RESULT_ADDRESS, RESULT_BYTES: the block content that waits to be compressed. */
export function jobContent(): void {
  const b = jobBuilder()
  abi.setResult(abi.RESULT_ADDRESS, b.content as f64)
  abi.setResult(abi.RESULT_BYTES, <f64>b.contentBytes)
}

/** Answers COMPRESS; 0 bytes: store it as it is. May grow. */
export function jobCompressed(address: usize, bytes: u32): i32 {
  return tableBuilderCompressed(jobBuilder(), address, bytes)
}

/**
 * After TABLE_DONE and draining: writes the header (72 bytes) to `to`. RESULT words 0…: size, entries, tombstones, minimal and maximal
 * sequence, raw bytes, address and bytes of the smallest key, of the largest key, checksum low and high (10, 11), shadowed entries (12).
 */
export function jobHeader(to: usize): void {
  const b = jobBuilder()
  const checksum = tableBuilderHeader(b, to)
  abi.setResult(0, <f64>b.size)
  abi.setResult(1, <f64>b.entries)
  abi.setResult(2, <f64>b.tombstones)
  abi.setResult(3, <f64>b.minSequence)
  abi.setResult(4, <f64>b.maxSequence)
  abi.setResult(5, <f64>b.rawBytes)
  abi.setResult(6, b.smallest as f64)
  abi.setResult(7, <f64>b.smallestBytes)
  abi.setResult(8, b.lastKey as f64)
  abi.setResult(9, <f64>b.lastKeyBytes)
  abi.setResult(10, <f64>(checksum as u32))
  abi.setResult(11, <f64>((checksum >> 32) as u32))
  abi.setResult(12, <f64>shadowed)
}

/** Entries that did not survive so far. */
export function jobDropped(): f64 {
  return dropped
}

/** File offset behind everything that the table holds so far. */
export function jobEndOffset(): f64 {
  return <f64>tableBuilderEnd(jobBuilder())
}
