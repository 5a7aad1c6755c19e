/**
 * The shortcut: where the newest versions of keys lie, by the hash of the key. A lookup goes from here to its entry and needs
 * no index on the way.
 *
 *   set    | slot u64 × 8 |          a cache line
 *   slot   | entry u32 | number of the block's card, 20 bits | tag, the highest 12 bits of the hash |        0: empty
 *
 * Entry and card can be waited for at the same time, as neither leads to the other.
 *
 * What it says holds while the tables of the view and the blocks in memory stay. When one of them goes all is void, and it is
 * emptied when enough lookups have come since to be worth that: a cache that evicts all the time has no shortcut.
 */
import { equalBytes } from './bytes'
import { allocate, free } from './memory'
import { entrySequence, entryStart, entrySuffix, entrySuffixBytes, readEntryAt } from './block'
import { Card, cardAt, cardPrefix } from './card'
import { Frame } from './frame'

const SET_SHIFT: u32 = 6
const SLOT_SHIFT: u32 = 3
const SET_BITS: u32 = 3
const SET_BYTES: usize = 1 << SET_SHIFT
const SET_SLOTS: usize = 1 << SET_BITS
const SETS_FIRST: u32 = 8
const CARD_SHIFT: u64 = 32
const CARD_MASK: u64 = 0xfffff
const TAG_SHIFT: u64 = 52

/** Memory of all sets, and where in it the first one begins. */
let room: usize = 0
let slots: usize = 0
let setMask: u32 = 0
let isVoid: bool = true
/** Lookups since the shortcut became void. */
let waited: u32 = 0

/** Bytes of memory that it takes. */
// @ts-ignore: decorator
@inline
export function shortcutBytes(): u32 {
  return slots == 0 ? 0 : (setMask + 1) << SET_SHIFT
}

/** A block or a table goes, or another table comes. */
// @ts-ignore: decorator
@inline
export function shortcutVoid(): void {
  isVoid = true
  waited = 0
}

/** Makes it larger, as far as `bytesMax` allows, so that so many entries in memory fill two of three slots at most. May grow. */
export function shortcutFit(entries: u32, bytesMax: u32): void {
  const now: u32 = slots == 0 ? 0 : setMask + 1
  let sets = max(now, SETS_FIRST)
  while (entries + (entries >> 1) > sets << SET_BITS) sets <<= 1
  while (sets > now && sets << SET_SHIFT > bytesMax) sets >>= 1
  if (sets <= now) return
  free(room)
  shortcutVoid()
  room = allocate((sets + 1) << SET_SHIFT)
  slots = room == 0 ? 0 : (room + SET_BYTES - 1) & ~(SET_BYTES - 1)
  setMask = sets - 1
}

// @ts-ignore: decorator
@inline
function setOf(hash: u64): usize {
  return slots + ((<usize>(hash as u32 & setMask)) << SET_SHIFT)
}

/** A bit for each slot of a set with the tag, found without branches: in which of them a key is nobody could guess. */
// @ts-ignore: decorator
@inline
function fittingSlots(set: usize, tag: u64): u32 {
  const wanted = i64x2.splat(tag as i64)
  return (
    fittingPair(set, wanted) |
    (fittingPair(set + 16, wanted) << 2) |
    (fittingPair(set + 32, wanted) << 4) |
    (fittingPair(set + 48, wanted) << 6)
  )
}

// @ts-ignore: decorator
@inline
function fittingPair(pair: usize, wanted: v128): u32 {
  return i64x2.bitmask(i64x2.eq(i64x2.shr_u(v128.load(pair), TAG_SHIFT as i32), wanted)) as u32
}

/** The card of the block with the newest version of the key that tables have, if it is known here and `sequence` sees it: that entry is read. Else 0. */
export function shortcutFind(key: usize, keyBytes: u32, hash: u64, sequence: u64): usize {
  if (isVoid) return 0
  const set = setOf(hash)
  let fitting = fittingSlots(set, hash >> TAG_SHIFT)
  for (; fitting != 0; fitting &= fitting - 1) {
    const slot = load<u64>(set + ((<usize>ctz(fitting)) << SLOT_SHIFT))
    if (slot == 0) continue
    const card = cardAt(<u32>((slot >> CARD_SHIFT) & CARD_MASK))
    const shared = card.prefixBytes
    if (keyBytes < shared || !equalBytes(cardPrefix(card), key, shared)) continue
    readEntryAt(card, <usize>(slot as u32))
    if (entrySuffixBytes != keyBytes - shared || entrySequence > sequence) continue
    if (!equalBytes(entrySuffix, key + shared, entrySuffixBytes)) continue
    card.used = 1
    return changetype<usize>(card)
  }
  return 0
}

/** Remembers the entry read last, in `frame`, as the newest version of its key that tables have. */
export function shortcutPut(hash: u64, frame: Frame): void {
  if (slots == 0 || frame.card == 0) return
  if (isVoid) {
    if (++waited <= setMask >> 1) return
    memory.fill(slots, 0, shortcutBytes())
    isVoid = false
  }
  const tag = hash >> TAG_SHIFT
  const wanted = (tag << TAG_SHIFT) | ((<u64>frame.card) << CARD_SHIFT) | <u64>entryStart
  const set = setOf(hash)
  // In a full set the place goes by bits of the hash that are good for nothing else.
  let at = set + (((<usize>(hash >> 33)) & (SET_SLOTS - 1)) << SLOT_SHIFT)
  for (let i: usize = 0; i < SET_SLOTS; i++) {
    const slot = set + (i << SLOT_SHIFT)
    const there = load<u64>(slot)
    // Lookups that are not likely to find their keys do not ask before.
    if (there == wanted) return
    if (there != 0) continue
    at = slot
    break
  }
  store<u64>(at, wanted)
}
