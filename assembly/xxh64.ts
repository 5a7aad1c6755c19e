/**
 * XXH64: the hash of keys (memtable, filters) and the checksum of blocks and frames.
 *
 *   input of 32 bytes and more: four lanes, each taking 8 bytes of every 32-byte stripe, then merged
 *   the rest:                   words of 8, a word of 4, single bytes, then the avalanche
 *
 * Part of the file format. Do not change.
 *
 * Streaming state, `XXH64_STATE_BYTES`, any alignment. Call protocol: reset update* digest.
 *
 *   offset  size  field
 *        0     8  bytes so far; its low 5 bits say how many wait in the stripe
 *        8    32  lanes 1 to 4
 *       40    32  the unfinished stripe
 */
import { copyBytes } from './bytes'

export const XXH64_STATE_BYTES: usize = 72

const LANES: usize = 8
const STRIPE: usize = 40
const STRIPE_BYTES: usize = 32

const PRIME_1: u64 = 0x9e3779b185ebca87
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f
const PRIME_3: u64 = 0x165667b19e3779f9
const PRIME_4: u64 = 0x85ebca77c2b2ae63
const PRIME_5: u64 = 0x27d4eb2f165667c5

/** The hash of `n` bytes at `p`. */
export function xxh64(p: usize, n: usize, seed: u64): u64 {
  if (n < STRIPE_BYTES) return finish(seed + PRIME_5 + n, p, n)
  const tail = n & (STRIPE_BYTES - 1)
  return finish(hashStripes(p, n - tail, seed) + n, p + n - tail, tail)
}

/** Begins a stream. */
export function xxh64Reset(state: usize, seed: u64): void {
  store<u64>(state, 0)
  store<u64>(state, seed + PRIME_1 + PRIME_2, LANES)
  store<u64>(state, seed + PRIME_2, LANES + 8)
  store<u64>(state, seed, LANES + 16)
  store<u64>(state, seed - PRIME_1, LANES + 24)
}

/** Adds `n` bytes at `p` to a stream; pieces of any size give the same digest. */
export function xxh64Update(state: usize, p: usize, n: usize): void {
  const total = load<u64>(state)
  const waiting = <usize>total & (STRIPE_BYTES - 1)
  store<u64>(state, total + n)
  if (waiting + n < STRIPE_BYTES) {
    copyBytes(state + STRIPE + waiting, p, n)
    return
  }
  if (waiting != 0) {
    const missing = STRIPE_BYTES - waiting
    copyBytes(state + STRIPE + waiting, p, missing)
    updateLanes(state + LANES, state + STRIPE, STRIPE_BYTES)
    p += missing
    n -= missing
  }
  const tail = n & (STRIPE_BYTES - 1)
  updateLanes(state + LANES, p, n - tail)
  copyBytes(state + STRIPE, p + n - tail, tail)
}

/** The hash of what was added so far. The stream may go on. */
export function xxh64Digest(state: usize): u64 {
  const total = load<u64>(state)
  // Until the first stripe is full, lane 3 holds the seed.
  const lanes =
    total < STRIPE_BYTES
      ? load<u64>(state, LANES + 16) + PRIME_5
      : mergeLanes(
          load<u64>(state, LANES),
          load<u64>(state, LANES + 8),
          load<u64>(state, LANES + 16),
          load<u64>(state, LANES + 24),
        )
  return finish(lanes + total, state + STRIPE, <usize>total & (STRIPE_BYTES - 1))
}

/** Hashes `n` bytes, whole stripes and at least one. The lanes stay in registers. */
function hashStripes(p: usize, n: usize, seed: u64): u64 {
  let lane1 = seed + PRIME_1 + PRIME_2
  let lane2 = seed + PRIME_2
  let lane3 = seed
  let lane4 = seed - PRIME_1
  const end = p + n
  do {
    lane1 = round(lane1, load<u64>(p))
    lane2 = round(lane2, load<u64>(p, 8))
    lane3 = round(lane3, load<u64>(p, 16))
    lane4 = round(lane4, load<u64>(p, 24))
    p += STRIPE_BYTES
  } while (p < end)
  return mergeLanes(lane1, lane2, lane3, lane4)
}

/** `hashStripes` for a stream: the lanes are kept in memory between calls. `n` may be 0. */
function updateLanes(lanes: usize, p: usize, n: usize): void {
  let lane1 = load<u64>(lanes)
  let lane2 = load<u64>(lanes, 8)
  let lane3 = load<u64>(lanes, 16)
  let lane4 = load<u64>(lanes, 24)
  const end = p + n
  while (p < end) {
    lane1 = round(lane1, load<u64>(p))
    lane2 = round(lane2, load<u64>(p, 8))
    lane3 = round(lane3, load<u64>(p, 16))
    lane4 = round(lane4, load<u64>(p, 24))
    p += STRIPE_BYTES
  }
  store<u64>(lanes, lane1)
  store<u64>(lanes, lane2, 8)
  store<u64>(lanes, lane3, 16)
  store<u64>(lanes, lane4, 24)
}

/** Takes in the last `n` < 32 bytes and mixes. */
// @ts-ignore: decorator
@inline
function finish(hash: u64, p: usize, n: usize): u64 {
  while (n >= 8) {
    hash = rotl(hash ^ round(0, load<u64>(p)), 27) * PRIME_1 + PRIME_4
    p += 8
    n -= 8
  }
  if (n >= 4) {
    hash = rotl(hash ^ (<u64>load<u32>(p) * PRIME_1), 23) * PRIME_2 + PRIME_3
    p += 4
    n -= 4
  }
  while (n != 0) {
    hash = rotl(hash ^ (<u64>load<u8>(p) * PRIME_5), 11) * PRIME_1
    p++
    n--
  }
  hash = (hash ^ (hash >> 33)) * PRIME_2
  hash = (hash ^ (hash >> 29)) * PRIME_3
  return hash ^ (hash >> 32)
}

// @ts-ignore: decorator
@inline
function mergeLanes(lane1: u64, lane2: u64, lane3: u64, lane4: u64): u64 {
  const hash = rotl(lane1, 1) + rotl(lane2, 7) + rotl(lane3, 12) + rotl(lane4, 18)
  return mergeLane(mergeLane(mergeLane(mergeLane(hash, lane1), lane2), lane3), lane4)
}

// @ts-ignore: decorator
@inline
function mergeLane(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * PRIME_1 + PRIME_4
}

// @ts-ignore: decorator
@inline
function round(lane: u64, word: u64): u64 {
  return rotl(lane + word * PRIME_2, 31) * PRIME_1
}
