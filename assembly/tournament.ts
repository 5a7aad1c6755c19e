/**
 * The merge of a job's inputs: a tree of losers. Each node keeps who lost there and by which code; the winner of all stands on the
 * next entry. When it has moved it plays against those who lost to it, from its leaf to the root.
 *
 *                winner              all codes on the winner's way tell keys from the entry that was put out last,
 *                   1                 because it was that entry that they lost to. So codes decide; a key is only looked at where
 *               2       3             two share more with each other than with that entry, and then once.
 *             a   b   c   d
 *
 *   node    | code u64 | input u32 | unused |
 *
 * Call protocol: create add* prepare (winner, advance)* free. `prepare` and `advance` return OK, or what an input needs; after it was
 * installed call `prepare` again.
 */
import { commonPrefix, head64 } from './bytes'
import { allocate, free, reallocate } from './memory'
import { NO_MEMORY, OK } from './abi'
import { CODE_END, CODE_HEAD, INPUT_RUN, Input, codeOf, sharedOf } from './input'
import { RunInput, runInputNext } from './input-run'
import { TablesInput, tablesInputFree, tablesInputNext } from './input-tables'

const NODE_BYTES: u32 = 16
const INPUTS_FIRST: u32 = 16

@unmanaged
export class Tournament {
  inputs: usize
  count: u32
  capacity: u32
  nodes: usize
  /** How many inputs have entered. */
  entered: u32
  /** 1: the winner has to move, and to play, before there is a next one. */
  moving: u32
  /** The input on the next entry, and the code that tells that from the entry before; `CODE_END` when there is none. */
  winner: usize
  code: u64
}

export function tournamentCreate(): usize {
  const address = allocate(offsetof<Tournament>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<Tournament>())
  const t = changetype<Tournament>(address)
  t.code = CODE_END
  t.capacity = INPUTS_FIRST
  t.inputs = allocate(INPUTS_FIRST << 2)
  if (t.inputs == 0) {
    free(address)
    return 0
  }
  return address
}

/** Frees the inputs as well. */
export function tournamentFree(address: usize): void {
  const t = changetype<Tournament>(address)
  for (let i: u32 = 0; i < t.count; i++) freeInput(inputAt(t, i))
  free(t.inputs)
  free(t.nodes)
  free(address)
}

function freeInput(input: usize): void {
  if (changetype<Input>(input).type == INPUT_RUN) free(input)
  else tablesInputFree(input)
}

// @ts-ignore: decorator
@inline
function inputAt(t: Tournament, i: u32): usize {
  return <usize>load<u32>(t.inputs + ((<usize>i) << 2))
}

/** Takes an input over; 0 says that it could not be made, and is answered with NO_MEMORY. */
export function tournamentAdd(t: Tournament, input: usize): i32 {
  if (input == 0) return NO_MEMORY
  if (t.count == t.capacity) {
    const inputs = reallocate(t.inputs, t.count << 2, t.capacity << 3)
    if (inputs == 0) {
      freeInput(input)
      return NO_MEMORY
    }
    t.inputs = inputs
    t.capacity <<= 1
  }
  changetype<Input>(input).leaf = t.count
  store<u32>(t.inputs + ((<usize>t.count) << 2), input as u32)
  t.count++
  return OK
}

// @ts-ignore: decorator
@inline
function nodeAt(t: Tournament, i: u32): usize {
  return t.nodes + ((<usize>i) << 4)
}

// @ts-ignore: decorator
@inline
function move(input: usize): i32 {
  if (changetype<Input>(input).type != INPUT_RUN) {
    return tablesInputNext(changetype<TablesInput>(input))
  }
  runInputNext(changetype<RunInput>(input))
  return OK
}

/** Brings all inputs to their first entries, or the winner to its next one. OK: `winner` and `code` are right. */
export function tournamentPrepare(t: Tournament): i32 {
  if (t.moving) {
    const status = move(t.winner)
    if (status != OK) return status
    t.moving = 0
    play(t)
  }
  return t.entered == t.count ? OK : enterAll(t)
}

/** Leaves the current entry. */
// @ts-ignore: decorator
@inline
export function tournamentAdvance(t: Tournament): i32 {
  t.moving = 1
  return tournamentPrepare(t)
}

function enterAll(t: Tournament): i32 {
  if (t.nodes == 0) {
    t.nodes = allocate((t.count + 1) * NODE_BYTES)
    if (t.nodes == 0) return NO_MEMORY
    memory.fill(t.nodes, 0, (t.count + 1) * NODE_BYTES)
  }
  while (t.entered < t.count) {
    const input = inputAt(t, t.entered)
    const status = move(input)
    if (status != OK) return status
    t.entered++
    t.winner = input
    play(t)
  }
  return OK
}

/** Plays the winner of before, which has moved, up to the root. While inputs enter it may have to wait for another at a node. */
function play(t: Tournament): void {
  let input = t.winner
  let code = changetype<Input>(input).code
  for (let i = (changetype<Input>(input).leaf + t.count) >> 1; i > 0; i >>= 1) {
    const node = nodeAt(t, i)
    const otherCode = load<u64>(node)
    const other = <usize>load<u32>(node, 8)
    if ((otherCode ^ code) >> 32 == 0) {
      duel(input, code, other, otherCode)
      input = duelWinner
      code = duelCode
      store<u64>(node, duelLoserCode)
      store<u32>(node, duelLoser as u32, 8)
      continue
    }
    if (other == 0) {
      store<u64>(node, code)
      store<u32>(node, input as u32, 8)
      return
    }
    const loses = otherCode < code
    store<u64>(node, select<u64>(code, otherCode, loses))
    store<u32>(node, select<u32>(input as u32, other as u32, loses), 8)
    code = select<u64>(otherCode, code, loses)
    input = select<usize>(other, input, loses)
  }
  t.winner = input
  t.code = code
}

let duelWinner: usize = 0
let duelCode: u64 = 0
let duelLoser: usize = 0
let duelLoserCode: u64 = 0

/**
 * Plays two inputs whose codes have the same bytes shared and the same next byte: the loser gets the code that tells it from the
 * winner, with which it shares more.
 */
function duel(a: usize, aCode: u64, b: usize, bCode: u64): void {
  const left = changetype<Input>(a)
  const right = changetype<Input>(b)
  let shared = sharedOf(aCode)
  let wins = aCode < bCode
  if (aCode != bCode) {
    // Behind the end of the winner's key there is nothing to share.
    const more = ((clz(aCode ^ bCode) as u32) >> 3) - CODE_HEAD
    shared = min(shared + more, wins ? left.keyBytes : right.keyBytes)
  } else if (aCode != CODE_END) {
    shared += commonPrefix(
      left.key + shared,
      left.keyBytes - shared,
      right.key + shared,
      right.keyBytes - shared,
    )
    wins = precedes(left, right, shared)
  }
  duelWinner = wins ? a : b
  duelCode = wins ? aCode : bCode
  duelLoser = wins ? b : a
  const loser = changetype<Input>(duelLoser)
  const rest = loser.keyBytes - shared
  duelLoserCode = aCode == CODE_END ? CODE_END : codeOf(shared, head64(loser.key + shared, rest))
}

/** Internal order of two entries whose keys share so many bytes and no more: a smaller key, or the same and a larger sequence. */
function precedes(left: Input, right: Input, shared: u32): bool {
  if (shared == left.keyBytes) {
    return shared < right.keyBytes || left.sequence > right.sequence
  }
  return shared < right.keyBytes && load<u8>(left.key + shared) < load<u8>(right.key + shared)
}
