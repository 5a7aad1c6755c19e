/**
 * A block in memory.
 *
 *   frame   | Frame | content … | offsets u32 × count | heads u32 × count |      one allocation
 *
 * `offsets` point at entries, `heads` are the first four bytes behind the shared prefix, for searching.
 */

export const TRAILER: u32 = 16
export const BLOCK_HEADER: u32 = 24

/** Offset and stored bytes of a block, in the value of an index entry. */
export const HANDLE_BYTES: usize = 12

@unmanaged
export class Frame {
  table: usize
  pins: u32
  offset: u64
  content: usize
  contentBytes: u32
  count: u32
  prefix: usize
  prefixBytes: u32
  offsets: usize
  heads: usize
  baseSequence: u64
  baseTimestamp: i64
  /** Bytes charged to the budget. */
  charge: u32
  /** Set by every use, cleared by the clock's hand. */
  used: u32
  /** What it was installed as: BLOCK_DATA, BLOCK_INDEX or BLOCK_FILTER. */
  kind: u32
  /** The lookup that used it last. */
  lookup: u32
  hashNext: usize
  clockNext: usize
  clockPrevious: usize
}
