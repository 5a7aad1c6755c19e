/**
 * Opening a stored block (TBL-4): its checksum is verified before a byte of it is used, then its content is decompressed, or is there as
 * it is.
 *
 *   stored   | payload | codec u8, zero (3) | content bytes u32 | checksum u64 |
 */
import { reallocate } from './memory'
import { CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CORRUPT, NO_MEMORY, OK, UNKNOWN_FORMAT } from './abi'
import { TRAILER } from './frame'
import { lz4Decompress } from './lz4'
import { xxh64 } from './xxh64'

/** Whatever its entries are, the frame of a content of no more bytes has less than 4 GiB. */
const CONTENT_BYTES_MAX: u32 = 1 << 30
/** Bytes behind a content that may be read: rows are read by words, keys by vectors. */
export const CONTENT_SLACK: u32 = 32

/** The content of the block opened last, and its bytes. */
export let opened: usize = 0
export let openedBytes: u32 = 0
/** The buffer that was given to `openBlock`, or the one that took its place. */
export let openedBuffer: usize = 0

/**
 * Opens the `stored` bytes of a block at `address`, which is at `offset` of the table of that identity. What has to be decompressed
 * goes to `room`, which is 0 or memory of `allocate`, and is replaced in `openedBuffer` where it is too small. `decoded` is nonzero when the
 * caller has decompressed it (zstd): it is at that address, of the size that the trailer names. CORRUPT, UNKNOWN_FORMAT or NO_MEMORY. May grow.
 */
export function openBlock(
  identity: u64,
  offset: u64,
  address: usize,
  stored: u32,
  decoded: usize,
  room: usize,
): i32 {
  openedBuffer = room
  if (stored < TRAILER + 1) return CORRUPT
  const payload = stored - TRAILER
  const trailer = address + payload
  if (load<u64>(trailer, 8) != xxh64(address, stored - 8, identity + offset)) return CORRUPT
  const codec = load<u32>(trailer)
  openedBytes = load<u32>(trailer, 4)
  if (openedBytes > CONTENT_BYTES_MAX) return CORRUPT
  opened = address
  if (codec == CODEC_NONE) return openedBytes == payload ? OK : CORRUPT
  if (codec == CODEC_ZSTD) {
    opened = decoded
    return decoded == 0 ? CORRUPT : OK
  }
  if (codec != CODEC_LZ4) return UNKNOWN_FORMAT
  if (<u64>openedBytes > <u64>payload * 256) return CORRUPT
  const larger = reallocate(room, 0, openedBytes + CONTENT_SLACK)
  if (larger == 0) return NO_MEMORY
  openedBuffer = larger
  opened = larger
  return lz4Decompress(address, payload, opened, openedBytes) ? OK : CORRUPT
}
