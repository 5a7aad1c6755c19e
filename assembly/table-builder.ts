/**
 * Builds a table's bytes in order, from entries in internal order (docs/table-format.md, TBL-1 to TBL-9).
 *
 *   output  data blocks (and, written by the caller, value chunks) … | filter blocks | index partitions | top index | footer |
 *
 * Everything goes through one output region, which the caller drains to the file; the header is written last, by
 * `tableBuilderHeader`. Call protocol: create (start (add* closeBlock?)* finish drain header)* free. `add` and `finish` return OUTPUT when
 * there is enough to drain, COMPRESS when a block waits for a codec that lives outside.
 */
import { commonPrefix, copyBytes } from './bytes'
import { allocate, enlarge, free, reallocate } from './memory'
import { LZ4_TABLE_BYTES, lz4Compress } from './lz4'
import { XXH64_STATE_BYTES, xxh64, xxh64Reset, xxh64Update } from './xxh64'
import { bloomFilterAdd, bloomFilterLines, bloomFilterProbes } from './bloom-filter'
import {
  BlockBuilder,
  blockBuilderAdd,
  blockBuilderBytesMax,
  blockBuilderCreate,
  blockBuilderFinish,
  blockBuilderFree,
  blockBuilderLastKey,
  blockBuilderLastKeyBytes,
} from './block-builder'
import { TRAILER } from './frame'
import {
  CODEC_LZ4,
  CODEC_NONE,
  CODEC_ZSTD,
  COMPRESS,
  KIND_DELETE,
  KIND_INDEX,
  NO_MEMORY,
  OK,
} from './abi'

const DATA_WEIGHT: u32 = 4096
const INDEX_WEIGHT: u32 = 16384
/** What an entry of an index weighs besides its key, its value and 8. */
const INDEX_ENTRY_WEIGHT: u32 = 12
export const TABLE_HEADER: u32 = 72
export const TABLE_FOOTER: u32 = 32

@unmanaged
export class TableBuilder {
  data: usize
  index: usize
  top: usize
  output: usize
  outputBytes: u32
  outputCapacity: u32
  /** File offset of the first byte of the output. */
  position: u64
  identity: u64
  number: u64
  hashSeed: u64
  codec: u32
  bitsPerKey: u32
  hashState: usize
  lz4Table: usize
  content: usize
  contentCapacity: u32
  contentBytes: u32
  /** The data block that was written last and has no index entry yet. */
  pendingOffset: u64
  pendingBytes: u32
  pendingKey: usize
  pendingKeyBytes: u32
  /** Key hashes under the index partition being built, 8 bytes each. */
  hashes: usize
  hashCount: u32
  /** Finished filters and partitions: size u32, then bytes, one after the other. */
  filters: usize
  filtersBytes: u32
  partitions: usize
  partitionsBytes: u32
  /** Last index key of each partition: size u32, then bytes. */
  partitionKeys: usize
  partitionKeysBytes: u32
  partitionCount: u32
  entries: u32
  tombstones: u32
  minSequence: u64
  maxSequence: u64
  rawBytes: u64
  smallest: usize
  smallestBytes: u32
  lastKey: usize
  lastKeyBytes: u32
  dataEnd: u64
  filterOffset: u64
  indexOffset: u64
  size: u64
}

export function tableBuilderCreate(): usize {
  const address = allocate(offsetof<TableBuilder>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<TableBuilder>())
  const b = changetype<TableBuilder>(address)
  b.data = blockBuilderCreate()
  b.index = blockBuilderCreate()
  b.top = blockBuilderCreate()
  b.hashState = allocate(XXH64_STATE_BYTES as u32)
  b.lz4Table = allocate(LZ4_TABLE_BYTES as u32)
  if (b.data == 0 || b.index == 0 || b.top == 0 || b.hashState == 0 || b.lz4Table == 0) {
    tableBuilderFree(address)
    return 0
  }
  return address
}

export function tableBuilderFree(address: usize): void {
  const b = changetype<TableBuilder>(address)
  if (b.data != 0) blockBuilderFree(b.data)
  if (b.index != 0) blockBuilderFree(b.index)
  if (b.top != 0) blockBuilderFree(b.top)
  free(b.output)
  free(b.hashState)
  free(b.lz4Table)
  free(b.content)
  free(b.pendingKey)
  free(b.hashes)
  free(b.filters)
  free(b.partitions)
  free(b.partitionKeys)
  free(b.smallest)
  free(b.lastKey)
  free(address)
}

/** Begins a table. Requires that the one before was finished and drained. */
export function tableBuilderStart(
  b: TableBuilder,
  number: f64,
  identity: u64,
  codec: u32,
  bitsPerKey: u32,
  hashSeed: u64,
): void {
  b.number = <u64>number
  b.identity = identity
  b.codec = codec
  b.bitsPerKey = bitsPerKey
  b.hashSeed = hashSeed
  b.position = TABLE_HEADER
  b.outputBytes = 0
  b.pendingBytes = 0
  b.hashCount = 0
  b.filtersBytes = 0
  b.partitionsBytes = 0
  b.partitionKeysBytes = 0
  b.partitionCount = 0
  b.entries = 0
  b.tombstones = 0
  b.minSequence = u64.MAX_VALUE
  b.maxSequence = 0
  b.rawBytes = 0
  b.smallestBytes = 0
  b.lastKeyBytes = 0
  xxh64Reset(b.hashState, 0)
}

/** File offset behind everything that has been put out. */
export function tableBuilderEnd(b: TableBuilder): u64 {
  return b.position + <u64>b.outputBytes
}

/** The output has been written: hashes it and makes room. */
export function tableBuilderDrained(b: TableBuilder): void {
  xxh64Update(b.hashState, b.output, b.outputBytes)
  b.position += <u64>b.outputBytes
  b.outputBytes = 0
}

/** Bytes that the caller wrote to the file itself, behind the drained output. */
export function tableBuilderForeign(b: TableBuilder, bytes: usize, count: u32): void {
  xxh64Update(b.hashState, bytes, count)
  b.position += <u64>count
}

export function reserveOutput(b: TableBuilder, bytes: u32): bool {
  const room = reallocate(b.output, b.outputBytes, max(b.outputBytes + bytes, 1 << 16))
  if (room == 0) return false
  b.output = room
  return true
}

/** Copies `bytes` of `from` to `key`, in memory of its own; false when memory is exhausted. */
export function keepKey(key: usize, from: usize, bytes: u32): usize {
  const room = reallocate(key, 0, bytes)
  if (room != 0) copyBytes(room, from, bytes)
  return room
}

/**
 * Adds an entry. Keys come in internal order; `common` bytes are shared with the one before in the table, from which the key differs if
 * `newKey`. OK, COMPRESS or NO_MEMORY.
 */
export function tableBuilderAdd(
  b: TableBuilder,
  key: usize,
  keyBytes: u32,
  common: u32,
  kind: u32,
  sequence: u64,
  timestamp: i64,
  value: usize,
  valueBytes: u32,
  newKey: bool,
): i32 {
  if (b.pendingBytes != 0 && !indexPending(b, key, keyBytes, common)) return NO_MEMORY
  const data = changetype<BlockBuilder>(b.data)
  if (!blockBuilderAdd(data, key, keyBytes, common, kind, sequence, timestamp, value, valueBytes)) {
    return NO_MEMORY
  }
  if (b.entries == 0) {
    b.smallest = keepKey(b.smallest, key, keyBytes)
    if (b.smallest == 0) return NO_MEMORY
    b.smallestBytes = keyBytes
  }
  // Versions of one key may lie under several partitions, each of which must know it.
  if (newKey || b.hashCount == 0) {
    if (!addHash(b, xxh64(key, keyBytes, b.hashSeed))) return NO_MEMORY
  }
  b.entries++
  if (kind == KIND_DELETE) b.tombstones++
  if (sequence < b.minSequence) b.minSequence = sequence
  if (sequence > b.maxSequence) b.maxSequence = sequence
  b.rawBytes += <u64>keyBytes + <u64>valueBytes
  return data.weight >= DATA_WEIGHT ? closeBlock(b) : OK
}

function addHash(b: TableBuilder, hash: u64): bool {
  const room = enlarge(b.hashes, b.hashCount << 3, (b.hashCount + 1) << 3)
  if (room == 0) return false
  b.hashes = room
  store<u64>(room + ((<usize>b.hashCount) << 3), hash)
  b.hashCount++
  return true
}

/** Finishes the data block into `content` and puts it out, unless it has to be compressed outside first. */
function closeBlock(b: TableBuilder): i32 {
  const data = changetype<BlockBuilder>(b.data)
  const last = blockBuilderLastKeyBytes(data)
  b.pendingKey = keepKey(b.pendingKey, blockBuilderLastKey(data), last)
  if (b.pendingKey == 0) return NO_MEMORY
  b.pendingKeyBytes = last
  if (!finishContent(b, data)) return NO_MEMORY
  if (b.codec == CODEC_ZSTD) return COMPRESS
  return putData(b)
}

export function finishContent(b: TableBuilder, builder: BlockBuilder): bool {
  const room = reallocate(b.content, 0, blockBuilderBytesMax(builder))
  if (room == 0) return false
  b.content = room
  b.contentBytes = blockBuilderFinish(builder, room)
  return true
}

function putData(b: TableBuilder): i32 {
  b.pendingOffset = tableBuilderEnd(b)
  if (!putBlock(b, b.content, b.contentBytes, b.codec)) return NO_MEMORY
  b.pendingBytes = (tableBuilderEnd(b) - b.pendingOffset) as u32
  return OK
}

/** Answers COMPRESS: the content, compressed to `bytes` at `address`; 0 bytes to store it as it is. */
export function tableBuilderCompressed(b: TableBuilder, address: usize, bytes: u32): i32 {
  b.pendingOffset = tableBuilderEnd(b)
  if (bytes == 0 || bytes > b.contentBytes - (b.contentBytes >> 3)) {
    if (!putBlock(b, b.content, b.contentBytes, CODEC_NONE)) return NO_MEMORY
  } else {
    if (!reserveOutput(b, bytes + TRAILER)) return NO_MEMORY
    memory.copy(b.output + b.outputBytes, address, bytes)
    seal(b, bytes, CODEC_ZSTD, b.contentBytes)
  }
  b.pendingBytes = (tableBuilderEnd(b) - b.pendingOffset) as u32
  return OK
}

/** Puts out a block, compressed when that saves at least an eighth. */
export function putBlock(b: TableBuilder, content: usize, bytes: u32, codec: u32): bool {
  if (!reserveOutput(b, bytes + TRAILER)) return false
  const at = b.output + b.outputBytes
  if (codec == CODEC_LZ4) {
    const packed = lz4Compress(content, bytes, at, bytes - (bytes >> 3), b.lz4Table) as u32
    if (packed != 0) {
      seal(b, packed, CODEC_LZ4, bytes)
      return true
    }
  }
  memory.copy(at, content, bytes)
  seal(b, bytes, CODEC_NONE, bytes)
  return true
}

/** Writes the trailer behind `stored` payload bytes at the end of the output. */
function seal(b: TableBuilder, stored: u32, codec: u32, bytes: u32): void {
  const at = b.output + b.outputBytes
  const trailer = at + stored
  store<u32>(trailer, codec)
  store<u32>(trailer, bytes, 4)
  store<u64>(trailer, xxh64(at, stored + 8, b.identity + tableBuilderEnd(b)), 8)
  b.outputBytes += stored + TRAILER
}

/** Enters the block written last in the index, under a key that separates it from `next`, with which its last key shares `common` bytes. */
function indexPending(b: TableBuilder, next: usize, nextBytes: u32, common: u32): bool {
  const isShorter = common + 1 < nextBytes
  if (!addPending(b, isShorter ? next : b.pendingKey, isShorter ? common + 1 : b.pendingKeyBytes)) {
    return false
  }
  const index = changetype<BlockBuilder>(b.index)
  const weight = index.weight + index.shared + index.count * INDEX_ENTRY_WEIGHT
  return weight < INDEX_WEIGHT || closePartition(b)
}

/** Enters the last block of the table. */
export function indexLast(b: TableBuilder): bool {
  return addPending(b, b.pendingKey, b.pendingKeyBytes) && closePartition(b)
}

function addPending(b: TableBuilder, key: usize, keyBytes: u32): bool {
  const index = changetype<BlockBuilder>(b.index)
  if (!addHandle(index, key, keyBytes, b.pendingOffset, b.pendingBytes, 0, 0)) return false
  b.pendingBytes = 0
  return true
}

/** Adds the entry of a block to an index; `value` is what else it says. */
export function addHandle(
  index: BlockBuilder,
  key: usize,
  keyBytes: u32,
  offset: u64,
  bytes: u32,
  value: usize,
  valueBytes: u32,
): bool {
  const common = commonPrefix(
    blockBuilderLastKey(index),
    blockBuilderLastKeyBytes(index),
    key,
    keyBytes,
  )
  return blockBuilderAdd(index, key, keyBytes, common, KIND_INDEX, offset, bytes, value, valueBytes)
}

/** Puts a finished index partition and its filter aside until the data section ends. */
function closePartition(b: TableBuilder): bool {
  const index = changetype<BlockBuilder>(b.index)
  const keyBytes = blockBuilderLastKeyBytes(index)
  const keysBytes = b.partitionKeysBytes + keyBytes + 4
  const keys = enlarge(b.partitionKeys, b.partitionKeysBytes, keysBytes)
  if (keys == 0) return false
  b.partitionKeys = keys
  store<u32>(keys + b.partitionKeysBytes, keyBytes)
  copyBytes(keys + b.partitionKeysBytes + 4, blockBuilderLastKey(index), keyBytes)
  b.partitionKeysBytes += keyBytes + 4
  if (!finishContent(b, index)) return false
  const partitionsBytes = b.partitionsBytes + b.contentBytes + 4
  const partitions = enlarge(b.partitions, b.partitionsBytes, partitionsBytes)
  if (partitions == 0) return false
  b.partitions = partitions
  store<u32>(partitions + b.partitionsBytes, b.contentBytes)
  memory.copy(partitions + b.partitionsBytes + 4, b.content, b.contentBytes)
  b.partitionsBytes += b.contentBytes + 4
  b.partitionCount++
  return closeFilter(b)
}

function closeFilter(b: TableBuilder): bool {
  const lines = b.bitsPerKey == 0 ? 0 : bloomFilterLines(b.hashCount, b.bitsPerKey)
  const bytes = lines << 6
  const filters = enlarge(b.filters, b.filtersBytes, b.filtersBytes + bytes + 4)
  if (filters == 0) return false
  b.filters = filters
  store<u32>(filters + b.filtersBytes, bytes)
  const filter = filters + b.filtersBytes + 4
  memory.fill(filter, 0, bytes)
  const probes = bloomFilterProbes(b.bitsPerKey)
  if (lines != 0) {
    for (let i: u32 = 0; i < b.hashCount; i++) {
      bloomFilterAdd(filter, lines, probes, load<u64>(b.hashes + ((<usize>i) << 3)))
    }
  }
  b.filtersBytes += bytes + 4
  b.hashCount = 0
  return true
}

/** Closes the open data block, if any. OK, COMPRESS or NO_MEMORY. Needed before value chunks are written and before `finish`. */
export function tableBuilderCloseBlock(b: TableBuilder): i32 {
  return changetype<BlockBuilder>(b.data).count == 0 ? OK : closeBlock(b)
}
