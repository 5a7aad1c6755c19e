/**
 * A block in memory, in one allocation. What a lookup touches lies together and in a fixed place, because a lookup in a
 * large cache costs as much as the cache lines and pages that it waits for, one after the other:
 *
 *   data     | Frame | groups | content … | heads u64 × count |
 *   index    | Frame | groups | heads u64 × count | slots u32 × count × stride | content … |
 *   filter   | Frame | content … |
 *
 *   group    | tags u8 × 16 | offsets u32 × 16 |          of sixteen entries
 *
 *   content  | prefix | (row, in whole bytes | suffix | value) × count |     of a filter its lines
 *   value    | offset u64 | stored bytes u32 | … |     of an index: what it stores as sequence and timestamp, and its value
 *
 * What a block stores apart, or leaves out because keys share it, is put together here (block-parse.ts).
 * `offsets` point at entries. `tags` are for finding a key without order (block-tags.ts). `heads` are the first eight bytes
 * behind the shared prefix, for searching by order. `slots` point at the frames of the blocks that the entries of an index
 * point to, 0 where none is known: `slot` of such a frame is the address of its slot, which is cleared when the frame goes.
 */

export const TRAILER: u32 = 16

/** Offset and stored bytes of a block, in the value that an index entry has in memory. */
export const HANDLE_BYTES: usize = 12

/** What the entries of a block are told by beside their own bytes. */
@unmanaged
export class Shape {
  baseSequence: u64
  baseTimestamp: i64
  span: u64
  /** Widths of the fields of rows, and their bases (rows.ts). */
  widths: u32
  suffixBase: u32
  valueBase: u32
}

@unmanaged
export class Frame extends Shape {
  table: usize
  /** What it was installed as: BLOCK_DATA, BLOCK_INDEX or BLOCK_FILTER. */
  kind: u32
  content: usize
  contentBytes: u32
  prefix: usize
  prefixBytes: u32
  count: u32
  /** Lookups in it so far, up to 2: then the tags are made. */
  lookups: u32
  /** Set by every use, cleared by the clock's hand. */
  used: u32
  /** The lookup that used it last. */
  lookup: u32
  heads: usize
  offset: u64
  /** Of an index block. */
  slots: usize
  /** Slots of an entry: 2 in a top index, for the partition and its filter, else 1. */
  stride: u32
  /** The address of the slot that points here, 0 if none does. */
  slot: usize
  /** Bytes charged to the budget. */
  charge: u32
  pins: u32
  /** Of a data block, 0 if it has none. */
  card: u32
  hashNext: usize
  clockNext: usize
  clockPrevious: usize
}

/** Entries of a group, and its bytes. */
export const GROUP: u32 = 16
const GROUP_BYTES: usize = 80

/** Bytes of the groups of `count` entries. */
export function groupsBytes(count: u32): usize {
  return (((count + GROUP - 1) / GROUP) as usize) * GROUP_BYTES
}

/** The first group. */
// @ts-ignore: decorator
@inline
export function groups(frame: Frame): usize {
  return changetype<usize>(frame) + offsetof<Frame>()
}

/** Where the tags of entries `i` and following begin. Requires that a group begins there. */
// @ts-ignore: decorator
@inline
export function tagsAt(frame: Frame, i: u32): usize {
  return groups(frame) + ((i / GROUP) as usize) * GROUP_BYTES
}

/** Where the tag of entry `i` is. */
// @ts-ignore: decorator
@inline
export function tagAt(frame: Frame, i: u32): usize {
  return tagsAt(frame, i) + ((i % GROUP) as usize)
}

/** Where the offset of entry `i` is. */
// @ts-ignore: decorator
@inline
export function offsetAt(frame: Frame, i: u32): usize {
  return tagsAt(frame, i) + GROUP + (((i % GROUP) as usize) << 2)
}
