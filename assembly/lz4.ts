/**
 * LZ4 block format: no frame, no dictionary, sizes kept elsewhere [TBL-4].
 *
 *   block    = sequence* literals-only
 *   sequence = token, more literal length, literals, offset (2), more match length
 *   token    = high 4 bits: literals; low 4 bits: match bytes less 4
 *
 * A nibble of 15 is followed by bytes to add, up to and including the first below 255. A match repeats
 * bytes from `offset` (1 to 65,535) back and may overlap what it writes. A compressor ends every block with
 * at least 5 literals and starts no match in the last 12 bytes.
 *
 * Both directions stay inside the regions that they are given, whatever the bytes say. Copies run in
 * steps of 8 or 16 bytes over the end of what is meant wherever that is still inside the region.
 */
import { copyBytes, copyOver } from './bytes'

/** Bytes of scratch that `lz4Compress` needs: for each hash the last position where it was seen, in 2 bytes or 4. */
export const LZ4_TABLE_BYTES: usize = 16384

const HASH_BITS: u32 = 12
const HASH_FACTOR: u32 = 0x9e3779b1

const MATCH_BYTES_MIN: usize = 4
const OFFSET_MAX: usize = 65535
const LAST_LITERALS: usize = 5
/** Matches start at least this far from the end. */
const LAST_MATCH: u32 = 12
/** Every 2^4 positions without a match the search takes longer steps. What they pass by at the start of a match is taken in backwards. */
const SKIP_SHIFT: usize = 4
/** Literals after which the next search begins with longer steps, and after which these grow no more. */
const LITERALS_MANY: usize = 32
const LITERALS_MOST: usize = 128
/** A match of so many bytes is good enough not to look for one that begins a byte later. */
const MATCH_BYTES_GOOD: usize = 16
/** A sequence whose lengths fit its token, written with 16 bytes of literals, however many there are. */
const SHORT_SEQUENCE: usize = 19
/** More literals are copied by a call into the runtime. */
const LITERALS_IN_STEPS: usize = 256

/** Bytes between two stores that repeat a pattern of 0 to 15 bytes: its largest multiple up to 16. */
const STEPS: usize = memory.data<u8>([
  16, 16, 16, 15, 16, 15, 12, 14, 16, 9, 10, 11, 12, 13, 14, 15,
])

/** For each offset below 16 the lanes that repeat its bytes over 16: lane i is i modulo offset. */
const LANES: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
  0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0,
  0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0,
  0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1, 2,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0,
])

/**
 * Compresses into at most `dstCapacity` bytes; returns the bytes written, or 0 if they do not fit, which
 * leaves `dst` undefined. `table` is `LZ4_TABLE_BYTES` of scratch, aligned to 4, cleared here: the same input
 * gives the same output.
 */
export function lz4Compress(
  src: usize,
  srcBytes: u32,
  dst: usize,
  dstCapacity: u32,
  table: usize,
): u32 {
  // Half the table for small blocks, which are most: clearing it costs as much as a tenth of what follows.
  return srcBytes <= u16.MAX_VALUE
    ? compress<u16>(src, srcBytes, dst, dstCapacity, table)
    : compress<u32>(src, srcBytes, dst, dstCapacity, table)
}

/** `lz4Compress` with a table of positions of type `T`. */
function compress<T>(
  src: usize,
  srcBytes: u32,
  dst: usize,
  dstCapacity: u32,
  table: usize,
): u32 {
  const srcEnd = src + srcBytes
  const dstEnd = dst + dstCapacity
  let anchor = src
  let op = dst
  if (srcBytes > LAST_MATCH) {
    memory.fill(table, 0, sizeof<T>() << HASH_BITS)
    const matchLimit = srcEnd - LAST_LITERALS
    const startLimit = srcEnd - LAST_MATCH
    // A cleared entry names position 0, which is behind every position searched.
    let ip = src + 1
    let attempts: usize = 1 << SKIP_SHIFT
    while (ip <= startLimit) {
      const word = load<u64>(ip)
      const entry = table + (hashOf(word) << alignof<T>())
      let match = src + <usize>load<T>(entry)
      store<T>(entry, <T>(ip - src))
      if (load<u32>(match) != <u32>word || ip - match > OFFSET_MAX) {
        ip += attempts++ >> SKIP_SHIFT
        continue
      }
      let end = endOfMatch(ip + MATCH_BYTES_MIN, match + MATCH_BYTES_MIN, matchLimit)
      // One that begins a byte later is taken where it reaches further by more than that byte.
      while (end - ip < MATCH_BYTES_GOOD && ip < startLimit) {
        const next = ip + 1
        const nextWord = load<u64>(next)
        const nextEntry = table + (hashOf(nextWord) << alignof<T>())
        const other = src + <usize>load<T>(nextEntry)
        // It must hold two bytes behind the end. Most do not, so that the processor foresees this, and not what follows.
        if (load<u32>(other + (end - ip) - 3) != load<u32>(end - 2)) break
        if (load<u32>(other) != <u32>nextWord || next - other > OFFSET_MAX) break
        const further = endOfMatch(next + MATCH_BYTES_MIN, other + MATCH_BYTES_MIN, matchLimit)
        if (further <= end + 1) break
        store<T>(nextEntry, <T>(next - src))
        ip = next
        match = other
        end = further
      }
      while (ip > anchor && match > src && load<u8>(ip - 1) == load<u8>(match - 1)) {
        ip--
        match--
      }
      const literals = ip - anchor
      const excess = end - ip - MATCH_BYTES_MIN
      const hasRoom = srcEnd - anchor >= 16 && dstEnd - op >= SHORT_SEQUENCE
      if (literals < 15 && excess < 15 && hasRoom) {
        store<u8>(op, (literals << 4) | excess)
        v128.store(op + 1, v128.load(anchor))
        store<u16>(op + 1 + literals, ip - match)
        op += 3 + literals
      } else {
        op = putSequence(op, dstEnd, anchor, srcEnd, literals, ip - match, excess)
        if (op == 0) return 0
      }
      anchor = end
      ip = end
      attempts = attemptsAfter(literals)
      // A position inside the match, for the next repetition of what it covers.
      if (ip <= startLimit) {
        store<T>(table + (hashOf(load<u64>(ip - 2)) << alignof<T>()), <T>(ip - 2 - src))
      }
    }
  }
  op = putLastLiterals(op, dstEnd, anchor, srcEnd - anchor)
  return op == 0 ? 0 : <u32>(op - dst)
}

/**
 * Decompresses a block. True if and only if it is well formed, ends at `srcBytes` and gives exactly
 * `dstBytes`; otherwise `dst` is undefined. The regions must not overlap. Never throws.
 */
export function lz4Decompress(src: usize, srcBytes: u32, dst: usize, dstBytes: u32): bool {
  const srcEnd = src + srcBytes
  const dstEnd = dst + dstBytes
  let ip = src
  let op = dst
  while (ip < srcEnd) {
    const token = <usize>load<u8>(ip++)
    let literals = token >> 4
    if (literals < 15 && srcEnd - ip >= 16 && dstEnd - op >= 16) {
      // At most 14 literals: the offset is among the 16 bytes as well.
      v128.store(op, v128.load(ip))
      ip += literals
      op += literals
    } else {
      if (literals == 15) {
        let more: usize
        do {
          if (ip == srcEnd || literals > dstBytes) return false
          more = load<u8>(ip++)
          literals += more
        } while (more == 255)
      }
      if (literals > srcEnd - ip || literals > dstEnd - op) return false
      copyLiterals(op, ip, literals, srcEnd, dstEnd)
      ip += literals
      op += literals
      if (ip == srcEnd) return op == dstEnd
      if (srcEnd - ip < 2) return false
    }
    const offset = <usize>load<u16>(ip)
    ip += 2
    // An offset of 0 wraps around and is refused as well.
    if (offset - 1 >= op - dst) return false
    let length = (token & 15) + MATCH_BYTES_MIN
    if (length < 15 + MATCH_BYTES_MIN && offset >= 16 && dstEnd - op >= 18) {
      v128.store(op, v128.load(op - offset))
      store<u16>(op, load<u16>(op - offset, 16), 16)
      op += length
      continue
    }
    if (length == 15 + MATCH_BYTES_MIN) {
      let more: usize
      do {
        if (ip == srcEnd || length > dstBytes) return false
        more = load<u8>(ip++)
        length += more
      } while (more == 255)
    }
    if (length > dstEnd - op) return false
    copyMatch(op, offset, length, dstEnd)
    op += length
  }
  return false
}

/**
 * What the next search counts from: where many bytes had no match as many will have none again, and it begins with longer steps.
 */
// @ts-ignore: decorator
@inline
function attemptsAfter(literals: usize): usize {
  const first: usize = 1 << SKIP_SHIFT
  return literals < LITERALS_MANY ? first : first + (min<usize>(literals, LITERALS_MOST) >> 1)
}

// @ts-ignore: decorator
@inline
function hashOf(word: u64): usize {
  // Four bytes, all that a match must have: values of eight bytes, half of which repeat, have no longer ones.
  return <usize>((<u32>word * HASH_FACTOR) >> (32 - HASH_BITS))
}

/** The end of a match that is known to hold up to `ip`; never beyond `limit`. */
// @ts-ignore: decorator
@inline
function endOfMatch(ip: usize, match: usize, limit: usize): usize {
  while (limit - ip >= 8) {
    const difference = load<u64>(ip) ^ load<u64>(match)
    if (difference != 0) return ip + (<usize>ctz(difference) >> 3)
    ip += 8
    match += 8
  }
  while (ip < limit && load<u8>(ip) == load<u8>(match)) {
    ip++
    match++
  }
  return ip
}

/** Writes a sequence and returns the address behind it, or 0 if it does not fit. */
function putSequence(
  op: usize,
  dstEnd: usize,
  from: usize,
  srcEnd: usize,
  literals: usize,
  offset: usize,
  excess: usize,
): usize {
  const needed = literals + moreBytes(literals) + moreBytes(excess) + 3
  if (needed > dstEnd - op) return 0
  const token = (min<usize>(literals, 15) << 4) | min<usize>(excess, 15)
  store<u8>(op++, token)
  if (literals >= 15) op = putMore(op, literals - 15)
  const over = literals + 15
  if (literals <= LITERALS_IN_STEPS && srcEnd - from >= over && dstEnd - op >= over) {
    copyOver(op, from, literals)
  } else {
    copyBytes(op, from, literals)
  }
  op += literals
  store<u16>(op, offset)
  op += 2
  return excess >= 15 ? putMore(op, excess - 15) : op
}

/** Writes the end of the block and returns the address behind it, or 0 if it does not fit. */
function putLastLiterals(op: usize, dstEnd: usize, from: usize, literals: usize): usize {
  if (literals + moreBytes(literals) + 1 > dstEnd - op) return 0
  store<u8>(op++, min<usize>(literals, 15) << 4)
  if (literals >= 15) op = putMore(op, literals - 15)
  copyBytes(op, from, literals)
  return op + literals
}

/** Bytes that follow the token for a length of `length` in its nibble. */
// @ts-ignore: decorator
@inline
function moreBytes(length: usize): usize {
  return length < 15 ? 0 : (length - 15) / 255 + 1
}

/** Writes what a nibble of 15 left out. */
function putMore(op: usize, rest: usize): usize {
  while (rest >= 255) {
    store<u8>(op++, 255)
    rest -= 255
  }
  store<u8>(op, rest)
  return op + 1
}

/** Copies literals, in steps of 16 bytes if both regions have room for the last one. */
// @ts-ignore: decorator
@inline
function copyLiterals(op: usize, ip: usize, n: usize, srcEnd: usize, dstEnd: usize): void {
  if (n <= 64 && srcEnd - ip >= 64 && dstEnd - op >= 64) {
    const end = op + n
    do {
      v128.store(op, v128.load(ip))
      op += 16
      ip += 16
    } while (op < end)
  } else {
    copyBytes(op, ip, n)
  }
}

/**
 * Repeats `n` bytes from `offset` back, in steps of up to 16 bytes while the region has room for a whole
 * step, then byte by byte.
 */
function copyMatch(op: usize, offset: usize, n: usize, dstEnd: usize): void {
  const end = op + n
  if (dstEnd - op >= 16) {
    const stepEnd = min(end, dstEnd - 15)
    if (offset >= 16) {
      do {
        v128.store(op, v128.load(op - offset))
        op += 16
      } while (op < stepEnd)
    } else {
      const pattern = v128.swizzle(v128.load(op - offset), v128.load(LANES + (offset << 4)))
      const step = <usize>load<u8>(STEPS + offset)
      do {
        v128.store(op, pattern)
        op += step
      } while (op < stepEnd)
    }
  }
  while (op < end) {
    store<u8>(op, load<u8>(op - offset))
    op++
  }
}
