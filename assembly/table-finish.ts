/** The end of a table: filters, index partitions, top index, footer, and the header that is written last (TBL-1, TBL-7). */
import { xxh64, xxh64Digest, xxh64Update } from './xxh64'
import { BlockBuilder } from './block-builder'
import { CODEC_NONE, CODEC_ZSTD, NO_MEMORY, OK } from './abi'
import { TRAILER } from './frame'
import {
  TABLE_FOOTER,
  TABLE_HEADER,
  TableBuilder,
  addHandle,
  finishContent,
  indexLast,
  keepKey,
  putBlock,
  reserveOutput,
  tableBuilderEnd,
} from './table-builder'

/** Puts out filters, index and footer. Requires at least one entry and a closed block. */
export function tableBuilderFinish(b: TableBuilder): i32 {
  b.lastKey = keepKey(b.lastKey, b.pendingKey, b.pendingKeyBytes)
  if (b.lastKey == 0) return NO_MEMORY
  b.lastKeyBytes = b.pendingKeyBytes
  if (!indexLast(b)) return NO_MEMORY
  b.dataEnd = tableBuilderEnd(b)
  b.filterOffset = b.dataEnd
  // Handles of the filters, kept where the sizes were.
  let p = b.filters
  for (let i: u32 = 0; i < b.partitionCount; i++) {
    const bytes = load<u32>(p)
    if (bytes != 0 && !putBlock(b, p + 4, bytes, CODEC_NONE)) return NO_MEMORY
    p += bytes + 4
  }
  b.indexOffset = tableBuilderEnd(b)
  return putIndex(b)
}

/** Offset and stored bytes of a partition's filter: the value of its entry in the top index. */
const filterHandle: usize = memory.data(12, 8)

function putIndex(b: TableBuilder): i32 {
  const top = changetype<BlockBuilder>(b.top)
  // Outside codecs are for data blocks; the index is stored as it is then.
  const codec = b.codec == CODEC_ZSTD ? CODEC_NONE : b.codec
  let filter = b.filters
  let filterAt = b.filterOffset
  let partition = b.partitions
  let key = b.partitionKeys
  for (let i: u32 = 0; i < b.partitionCount; i++) {
    const bytes = load<u32>(partition)
    const filterBytes = load<u32>(filter)
    const at = tableBuilderEnd(b)
    if (!putBlock(b, partition + 4, bytes, codec)) return NO_MEMORY
    const own = (tableBuilderEnd(b) - at) as u32
    const stored: u32 = filterBytes == 0 ? 0 : filterBytes + TRAILER
    store<u64>(filterHandle, stored == 0 ? 0 : filterAt)
    store<u32>(filterHandle, stored, 8)
    filterAt += <u64>stored
    if (!addHandle(top, key + 4, load<u32>(key), at, own, filterHandle, 12)) return NO_MEMORY
    partition += bytes + 4
    filter += filterBytes + 4
    key += load<u32>(key) + 4
  }
  if (!finishContent(b, top)) return NO_MEMORY
  const topAt = tableBuilderEnd(b)
  if (!putBlock(b, b.content, b.contentBytes, codec)) return NO_MEMORY
  return putFooter(b, topAt)
}

function putFooter(b: TableBuilder, topAt: u64): i32 {
  const topBytes = (tableBuilderEnd(b) - topAt) as u32
  if (!reserveOutput(b, TABLE_FOOTER)) return NO_MEMORY
  const at = b.output + b.outputBytes
  store<u64>(at, b.dataEnd - TABLE_HEADER, 4)
  store<u64>(at, tableBuilderEnd(b) - b.indexOffset, 12)
  store<u64>(at, topAt, 20)
  store<u32>(at, topBytes, 28)
  store<u32>(at, xxh64(at + 4, TABLE_FOOTER - 4, b.identity) as u32)
  b.outputBytes += TABLE_FOOTER
  b.size = tableBuilderEnd(b)
  return OK
}

/** Writes the 72 bytes of the header to `to` and returns the checksum of the whole file. Requires a drained output. */
export function tableBuilderHeader(b: TableBuilder, to: usize): u64 {
  memory.fill(to, 0, TABLE_HEADER)
  store<u64>(to, 0x4547444554535552) // RUSTEDGE
  store<u32>(to, 2, 8)
  store<u32>(to, b.entries, 12)
  store<u64>(to, b.indexOffset, 16)
  store<u64>(to, b.filterOffset, 24)
  store<u64>(to, TABLE_HEADER, 32)
  store<u8>(to, b.codec as u8, 40)
  store<u64>(to, b.number, 41)
  store<u64>(to, b.identity, 49)
  store<u8>(to, b.bitsPerKey as u8, 57)
  store<u64>(to, xxh64(to, 64, 0), 64)
  xxh64Update(b.hashState, to, TABLE_HEADER)
  return xxh64Digest(b.hashState)
}
