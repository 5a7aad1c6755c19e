/**
 * Cards: of each data block in memory, what the shortcut must know of it, side by side. The frames themselves lie far
 * apart, and each would be one more page to wait for.
 *
 *   card   | shape | table u32 | prefix bytes u32 | used u32 | next free u32 | prefix × 72 |
 *
 * Cards have numbers, from 1; 0 is none. Those that are free hang in a list, by `nextFree`. A card begins with a cache line, so
 * that with a short prefix it is all in one.
 */
import { copyBytes } from './bytes'
import { Frame, Shape } from './frame'
import { allocate, free } from './memory'

/** A block whose keys share more than this has no card. */
const PREFIX_MAX: u32 = 72
const CARD_SHIFT: u32 = 7
export const CARD_BYTES: u32 = 1 << CARD_SHIFT
const CARDS_FIRST: u32 = 8
/** Card numbers are below this. */
const CARDS_MAX: u32 = 1 << 20

@unmanaged
export class Card extends Shape {
  table: usize
  prefixBytes: u32
  /** Set by every use through the card, cleared by the clock's hand. */
  used: u32
  nextFree: u32
}

const LINE: usize = 64

/** Memory of all cards, and where in it those begin. */
let room: usize = 0
let cards: usize = 0
let capacity: u32 = 0
/** Numbers that were given out so far, and 1. */
let next: u32 = 1
let freed: u32 = 0

// @ts-ignore: decorator
@inline
export function cardAt(number: u32): Card {
  return changetype<Card>(cards + ((<usize>number) << CARD_SHIFT))
}

/** Where the prefix is. */
// @ts-ignore: decorator
@inline
export function cardPrefix(card: Card): usize {
  return changetype<usize>(card) + offsetof<Card>()
}

/** Gives the frame of a data block a card, unless its prefix is too long or there is no memory. May grow. */
export function cardCreate(frame: Frame): void {
  if (frame.prefixBytes > PREFIX_MAX) return
  const number = takeNumber()
  if (number == 0) return
  const card = cardAt(number)
  card.table = frame.table
  card.prefixBytes = frame.prefixBytes
  card.used = 0
  memory.copy(changetype<usize>(card), changetype<usize>(frame), offsetof<Shape>())
  copyBytes(cardPrefix(card), frame.prefix, frame.prefixBytes)
  frame.card = number
}

function takeNumber(): u32 {
  if (freed != 0) {
    const number = freed
    freed = cardAt(number).nextFree
    return number
  }
  if (next >= capacity && !enlargeCards()) return 0
  return next++
}

function enlargeCards(): bool {
  if (capacity == CARDS_MAX) return false
  const more = max(CARDS_FIRST, capacity << 1)
  const moved = allocate((more << CARD_SHIFT) + (LINE as u32))
  if (moved == 0) return false
  const start = (moved + LINE - 1) & ~(LINE - 1)
  memory.copy(start, cards, (<usize>capacity) << CARD_SHIFT)
  free(room)
  room = moved
  cards = start
  capacity = more
  return true
}

/** Takes the card of a frame back. Nothing may refer to it any more. */
export function cardFree(frame: Frame): void {
  if (frame.card == 0) return
  cardAt(frame.card).nextFree = freed
  freed = frame.card
}

/** Whether the block was used through its card since this was asked last. */
export function cardWasUsed(frame: Frame): bool {
  if (frame.card == 0) return false
  const card = cardAt(frame.card)
  const used = card.used != 0
  card.used = 0
  return used
}
