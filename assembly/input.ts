/**
 * An input of a job: the entry that it stands on, and a code by which that is ordered among those of other inputs.
 *
 *   code   | 0x1fffff - bytes that the key shares with the one before it, 24 bits | the next 5 bytes of the key, zeros behind its end |
 *
 * Codes of keys that are told from the same key before them, which is smaller than they or equal, are ordered as the keys are: who shares more
 * with it is smaller, and of those who share as much the one that goes on with smaller bytes. Where codes are equal nothing is
 * said. So a merge touches few keys, however much they share.
 */
import { swapBytes64 } from './bytes'

export const INPUT_RUN: u32 = 0
export const INPUT_TABLES: u32 = 1

/** Behind all entries. */
export const CODE_END: u64 = u64.MAX_VALUE
/** Above `KEY_BYTES_MAX`. */
const SHARED_MAX: u64 = 0x1fffff
const NEXT_BITS: u64 = 40
/** Bytes of a code before those of the key. */
export const CODE_HEAD: u32 = 3

@unmanaged
export class Input {
  type: u32
  /** Where it enters the tournament. */
  leaf: u32
  /** Told from the entry before of this input, `CODE_END` behind the last. */
  code: u64
  key: usize
  keyBytes: u32
  kind: u32
  sequence: u64
  timestamp: i64
  value: usize
  valueBytes: u32
  /** The memtable or the table under the entry. */
  source: usize
}

/** The memtable or table under the entry, with bit 0 set for a memtable. */
export function inputSource(input: Input): u32 {
  return (input.source as u32) | (input.type == INPUT_RUN ? 1 : 0)
}

/** Bytes that a key shares with the one that its code tells it from. */
// @ts-ignore: decorator
@inline
export function sharedOf(code: u64): u32 {
  return (SHARED_MAX - (code >> NEXT_BITS)) as u32
}

/** The code of a key that shares `shared` bytes with another and goes on with `head`, its next bytes in big-endian order. */
// @ts-ignore: decorator
@inline
export function codeOf(shared: u32, head: u64): u64 {
  return ((SHARED_MAX - <u64>shared) << NEXT_BITS) | (head >> (64 - NEXT_BITS))
}

/** `head64` of the `n` bytes at `p`, behind which 8 more can be loaded. */
// @ts-ignore: decorator
@inline
export function headOf(p: usize, n: u32): u64 {
  const word = swapBytes64(load<u64>(p))
  if (n >= 8) return word
  const unused = <u64>((8 - n) << 3)
  return n == 0 ? 0 : (word >> unused) << unused
}
