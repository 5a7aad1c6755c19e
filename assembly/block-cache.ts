/**
 * Blocks in memory: installed once (checksum, decompression, full validation), then trusted. Clock eviction
 * within a budget of bytes; a frame with pins stays, and so does what the lookup under way has used, so the budget may be
 * exceeded by what cursors stand on and by the path of one lookup. A frame is found through the slot of the index entry
 * that points to it, or, the first time, through a hash table.
 */
import { Frame, groups, groupsBytes } from './frame'
import { measure, measuredBytes, measuredCount } from './block-header'
import { openBlock, opened, openedBuffer, openedBytes } from './block-open'
import { parse } from './block-parse'
import { CARD_BYTES, cardCreate, cardFree, cardWasUsed } from './card'
import { allocate, free } from './memory'
import { shortcutBytes, shortcutFit, shortcutVoid } from './shortcut'
import {
  BLOCK_DATA,
  BLOCK_FILTER,
  BLOCK_INDEX,
  CORRUPT,
  NO_MEMORY,
  OK,
} from './abi'

/** The part of the budget that the shortcut may take. */
const SHORTCUT_PART: u32 = 16

let buckets: usize = 0
let bucketMask: u32 = 0
let frameCount: u32 = 0
let hand: usize = 0
let budget: u32 = 0
/** Of all data blocks in memory. */
let entries: u32 = 0
let charged: u32 = 0
let lookups: u32 = 0
/** Number of the lookup under way, whose blocks are not evicted by its own reading; 0 when there is none. */
let lookup: u32 = 0
export let cacheHits: f64 = 0
export let cacheMisses: f64 = 0

/** Sets the budget in bytes and makes the empty hash table. Called once. */
export function blockCacheCreate(bytes: u32): i32 {
  budget = bytes
  bucketMask = 1023
  buckets = allocate(1024 * 4)
  if (buckets == 0) return NO_MEMORY
  memory.fill(buckets, 0, 1024 * 4)
  return OK
}

export function blockCacheBytes(): u32 {
  return charged
}

let hitsBefore: f64 = 0
let missesBefore: f64 = 0

/** A lookup begins: what the one before has used may go. */
export function lookupBegin(): void {
  if (++lookups == 0) lookups = 1
  lookup = lookups
  hitsBefore = cacheHits
  missesBefore = cacheMisses
}

/** The lookup starts again, after what it missed was installed: that is no hit, and what it had found is counted anew. */
export function lookupAgain(): void {
  cacheHits = hitsBefore - (cacheMisses - missesBefore)
}

/** No lookup is under way. */
export function lookupEnd(): void {
  lookup = 0
}

// @ts-ignore: decorator
@inline
function bucketOf(table: usize, offset: u64): usize {
  const h = (<u64>table ^ (offset * 0x9e3779b185ebca87)) * 0xc2b2ae3d27d4eb4f
  return buckets + ((<usize>((h >> 32) as u32 & bucketMask)) << 2)
}

/** True if a block is resident; counts nothing. */
export function blockCacheHas(table: usize, offset: u64): bool {
  let f = <usize>load<u32>(bucketOf(table, offset))
  while (f != 0) {
    const frame = changetype<Frame>(f)
    if (frame.offset == offset && frame.table == table) return true
    f = frame.hashNext
  }
  return false
}

/** A lookup uses a resident block. */
// @ts-ignore: decorator
@inline
export function touch(frame: Frame): void {
  frame.used = 1
  frame.lookup = lookup
  cacheHits += 1
}

/** A block that nothing else needs to know of was used. */
// @ts-ignore: decorator
@inline
export function hit(): void {
  cacheHits += 1
}

/** Makes a slot point to a frame that no other slot points to. */
export function fillSlot(slot: usize, f: usize): void {
  const frame = changetype<Frame>(f)
  if (frame.slot != 0) return
  frame.slot = slot
  store<u32>(slot, f as u32)
}

/** Parts a frame from the slot that points to it, and from those that its own slots point to. */
function clearSlots(frame: Frame): void {
  if (frame.slot != 0) store<u32>(frame.slot, 0)
  if (frame.kind != BLOCK_INDEX) return
  const end = frame.slots + ((<usize>(frame.count * frame.stride)) << 2)
  for (let at = frame.slots; at < end; at += 4) {
    const child = <usize>load<u32>(at)
    if (child != 0) changetype<Frame>(child).slot = 0
  }
}

/** The frame of a block, 0 when it is not resident. Valid until the next install, unless pinned. */
export function blockCacheGet(table: usize, offset: u64): usize {
  let f = <usize>load<u32>(bucketOf(table, offset))
  while (f != 0) {
    const frame = changetype<Frame>(f)
    if (frame.offset == offset && frame.table == table) {
      touch(frame)
      return f
    }
    f = frame.hashNext
  }
  cacheMisses += 1
  return 0
}

function growBuckets(): void {
  const mask = (bucketMask << 1) | 1
  const bigger = allocate((mask + 1) << 2)
  if (bigger == 0) return
  memory.fill(bigger, 0, (mask + 1) << 2)
  const old = buckets
  const oldMask = bucketMask
  buckets = bigger
  bucketMask = mask
  for (let i: u32 = 0; i <= oldMask; i++) {
    let f = <usize>load<u32>(old + ((<usize>i) << 2))
    while (f != 0) {
      const frame = changetype<Frame>(f)
      const next = frame.hashNext
      const bucket = bucketOf(frame.table, frame.offset)
      frame.hashNext = load<u32>(bucket)
      store<u32>(bucket, f as u32)
      f = next
    }
  }
  free(old)
}

function insertFrame(f: usize): void {
  const frame = changetype<Frame>(f)
  const bucket = bucketOf(frame.table, frame.offset)
  frame.hashNext = load<u32>(bucket)
  store<u32>(bucket, f as u32)
  if (hand == 0) {
    frame.clockNext = f
    frame.clockPrevious = f
    hand = f
  } else {
    // Behind the hand: the last place that it will reach.
    const at = changetype<Frame>(hand)
    frame.clockNext = hand
    frame.clockPrevious = at.clockPrevious
    changetype<Frame>(at.clockPrevious).clockNext = f
    at.clockPrevious = f
  }
  frameCount++
  charged += frame.charge
  if (frameCount > bucketMask) growBuckets()
  if (frame.kind == BLOCK_DATA) {
    entries += frame.count
    shortcutFit(entries, budget / SHORTCUT_PART)
  }
}

function removeFrame(f: usize): void {
  const frame = changetype<Frame>(f)
  clearSlots(frame)
  shortcutVoid()
  if (frame.kind == BLOCK_DATA) entries -= frame.count
  cardFree(frame)
  const bucket = bucketOf(frame.table, frame.offset)
  let at = <usize>load<u32>(bucket)
  if (at == f) {
    store<u32>(bucket, frame.hashNext as u32)
  } else {
    while (changetype<Frame>(at).hashNext != f) at = changetype<Frame>(at).hashNext
    changetype<Frame>(at).hashNext = frame.hashNext
  }
  if (frame.clockNext == f) {
    hand = 0
  } else {
    if (hand == f) hand = frame.clockNext
    changetype<Frame>(frame.clockPrevious).clockNext = frame.clockNext
    changetype<Frame>(frame.clockNext).clockPrevious = frame.clockPrevious
  }
  frameCount--
  charged -= frame.charge
  free(f)
}

/** Evicts until `bytes` more fit the budget or everything left is pinned. Two rounds of the clock at most. */
function makeRoom(bytes: u32): void {
  let steps = frameCount * 2
  while (charged + shortcutBytes() + bytes > budget && steps > 0 && hand != 0) {
    const f = hand
    const frame = changetype<Frame>(f)
    hand = frame.clockNext
    if (frame.pins == 0 && (lookup == 0 || frame.lookup != lookup)) {
      if (!cardWasUsed(frame) && frame.used == 0) removeFrame(f)
      else frame.used = 0
    }
    steps--
  }
}

/** Drops every block of a table. Requires that none is pinned. */
export function blockCacheForget(table: usize): void {
  let f = hand
  for (let n = frameCount; n > 0; n--) {
    const frame = changetype<Frame>(f)
    const next = frame.clockNext
    if (frame.table == table) {
      assert(frame.pins == 0, 'a forgotten block is pinned')
      removeFrame(f)
    }
    f = next
  }
}

// @ts-ignore: decorator
@inline
export function pin(f: usize): void {
  if (f != 0) changetype<Frame>(f).pins++
}
// @ts-ignore: decorator
@inline
export function unpin(f: usize): void {
  if (f != 0) {
    assert(changetype<Frame>(f).pins > 0, 'not pinned')
    changetype<Frame>(f).pins--
  }
}

let installed: usize = 0

/** The frame that the last install made. */
export function lastInstalled(): usize {
  return installed
}

/**
 * Verifies the `stored` bytes of a block at `address`, decodes them into a frame and enters it in the cache. `decoded` as in `openBlock`; 8
 * bytes behind it are readable. An entry of an index gets `stride` slots. CORRUPT and UNKNOWN_FORMAT enter nothing. May grow.
 */
export function blockInstall(
  table: usize,
  identity: u64,
  offset: u64,
  kind: u32,
  stride: u32,
  address: usize,
  stored: u32,
  decoded: usize,
): i32 {
  installed = 0
  let status = openBlock(identity, offset, address, stored, decoded, 0)
  const temporary = openedBuffer
  if (status == OK) status = enter(table, offset, kind, stride, opened, openedBytes)
  free(temporary)
  return status
}

function enter(
  table: usize,
  offset: u64,
  kind: u32,
  stride: u32,
  content: usize,
  bytes: u32,
): i32 {
  let count: u32 = 0
  let held = bytes
  if (kind == BLOCK_FILTER) {
    if (bytes == 0 || (bytes & 63) != 0) return CORRUPT
  } else {
    const status = measure(content, bytes, kind)
    if (status != OK) return status
    count = measuredCount
    held = measuredBytes
  }
  const total = frameBytes(kind, stride, count, held)
  makeRoom(total)
  const f = allocate(total)
  if (f == 0) return NO_MEMORY
  const frame = changetype<Frame>(f)
  memory.fill(f, 0, offsetof<Frame>())
  frame.table = table
  frame.offset = offset
  frame.contentBytes = held
  frame.count = count
  frame.used = 1
  frame.kind = kind
  frame.stride = stride
  frame.lookup = lookup
  frame.charge = total
  lay(frame)
  if (kind == BLOCK_FILTER) {
    memory.copy(frame.content, content, bytes)
  } else {
    const status = parse(frame)
    if (status != OK) {
      free(f)
      return status
    }
  }
  if (kind == BLOCK_DATA) cardCreate(frame)
  insertFrame(f)
  installed = f
  return OK
}

/** Bytes of a frame, with what aligning its parts may take, and a word behind the content: rows are read and written by words. */
function frameBytes(kind: u32, stride: u32, count: u32, bytes: u32): u32 {
  const fixed = (offsetof<Frame>() as u32) + bytes + 24
  if (kind == BLOCK_FILTER) return fixed
  const directory = (groupsBytes(count) as u32) + (count << 3)
  return fixed + directory + (kind == BLOCK_INDEX ? (count * stride) << 2 : CARD_BYTES)
}

/** Places the parts of a frame as frame.ts shows. */
function lay(frame: Frame): void {
  let at = groups(frame)
  if (frame.kind != BLOCK_FILTER) at += groupsBytes(frame.count)
  if (frame.kind == BLOCK_INDEX) {
    frame.heads = (at + 7) & ~7
    frame.slots = frame.heads + ((<usize>frame.count) << 3)
    at = frame.slots + (((<usize>frame.count) * frame.stride) << 2)
    memory.fill(frame.slots, 0, at - frame.slots)
  }
  frame.content = at
  if (frame.kind == BLOCK_DATA) frame.heads = (at + frame.contentBytes + 15) & ~7
}
