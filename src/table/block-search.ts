/**
 * Finds the data blocks in a stretch of a table to which no index leads: repair's way through damage.
 *
 * A block has no mark at its start, but its trailer can be guessed: a known codec, three zero bytes, a possible size. A content
 * that is stored as it is begins as many bytes before its trailer as that says; a compressed one begins behind something that
 * was verified, behind another guess, or wherever its checksum holds, which is tried place by place. Only checksums decide.
 *
 *     | verified block | damage …?… | trailer? | block | trailer? |
 */
import { readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'
import { SedgeError } from '../errors.ts'
import { DecodeError } from '../util/coding.ts'
import {
  BLOCK_CONTENT_MAX,
  BLOCK_TRAILER_BYTES,
  BlockCodec,
  type BlockEntry,
  decodeEntries,
  isSealed,
  openBlock,
  type Unzstd,
} from './block-decoder.ts'

const WINDOW_BYTES: number = 2 * (BLOCK_CONTENT_MAX + BLOCK_TRAILER_BYTES)
/** Less than any content takes: the header of a block with a key of one byte. */
const CONTENT_BYTES_MIN = 12
/** Bytes looked at in one step. */
const STEP_BYTES = 65_536
/** Guessed block ends that are tried as starts of the next block. */
const GUESSES_MAX = 16
/** Bytes hashed in vain for one guessed trailer: enough for any payload of up to 5 KiB, which is more than most blocks have. */
const TRIED_BYTES_MAX: number = 16 * 1024 * 1024
/** What an LZ4 byte can stand for; a block is compressed only where that saves an eighth [TBL-4]. */
const LZ4_FACTOR_MAX = 256
/** Bytes hashed in vain, in all and for each byte searched, after which the search gives up. */
const BUDGET_BYTES: number = 1024 * 1024 * 1024
const BUDGET_FACTOR = 256

export interface FoundBlock {
  readonly offset: number
  /** Stored bytes, with the trailer. */
  readonly bytes: number
  /** Empty for a block of another kind: index or filter. */
  readonly entries: readonly BlockEntry[]
}

export interface SearchedTable {
  readonly file: File
  readonly identity: bigint
  readonly unzstd: Unzstd | undefined
}

export class BlockSearch {
  readonly #table: SearchedTable
  readonly #window = new Uint8Array(WINDOW_BYTES)
  #windowStart = 0
  #windowEnd = 0
  #budget = BUDGET_BYTES

  constructor(table: SearchedTable) {
    this.#table = table
  }

  /** The blocks that lie whole between `from` and `to`, in order; `undefined` for a step that found none. */
  *find(from: number, to: number): Generator<FoundBlock | undefined, void, void> {
    this.#budget += BUDGET_FACTOR * (to - from)
    this.#windowStart = from
    this.#windowEnd = from
    let low = from
    let guesses = [from]
    let step = from
    for (let at = from + 1; at + BLOCK_TRAILER_BYTES <= to && this.#budget > 0; at++) {
      if (at - step >= STEP_BYTES) {
        step = at
        yield undefined
      }
      low = Math.max(low, at - BLOCK_CONTENT_MAX)
      if (!this.#load(low, at + BLOCK_TRAILER_BYTES, to)) return
      if (!this.#isTrailer(at)) continue
      const end = at + BLOCK_TRAILER_BYTES
      const start = this.#startOf(at, low, guesses)
      if (start === undefined) {
        guesses = [...guesses.slice(1 - GUESSES_MAX), end]
        yield undefined
        continue
      }
      yield { offset: start, bytes: end - start, entries: this.#entries(start, end) }
      low = end
      guesses = [end]
      at = end
    }
  }

  /** Makes sure that the window holds `low` to `high`; false when the file ends before. */
  #load(low: number, high: number, limit: number): boolean {
    if (high <= this.#windowEnd) return true
    const kept = this.#window.subarray(low - this.#windowStart, this.#windowEnd - this.#windowStart)
    this.#window.set(kept)
    this.#windowStart = low
    const room = Math.min(this.#window.length - kept.length, limit - low - kept.length)
    const target = this.#window.subarray(kept.length, kept.length + room)
    this.#windowEnd = low + kept.length + readFully(this.#table.file, target, low + kept.length)
    return high <= this.#windowEnd
  }

  #bytes(from: number, to: number): Uint8Array {
    return this.#window.subarray(from - this.#windowStart, to - this.#windowStart)
  }

  #isTrailer(at: number): boolean {
    const i = at - this.#windowStart
    const window = this.#window
    if (window[i]! > BlockCodec.zstd) return false
    if (window[i + 1]! !== 0 || window[i + 2]! !== 0 || window[i + 3]! !== 0) return false
    const content = this.#contentBytes(at)
    return content >= CONTENT_BYTES_MIN && content <= BLOCK_CONTENT_MAX
  }

  #contentBytes(at: number): number {
    const i = at - this.#windowStart + 4
    const window = this.#window
    return (
      (window[i]! | (window[i + 1]! << 8) | (window[i + 2]! << 16) | (window[i + 3]! << 24)) >>> 0
    )
  }

  /** Where the block begins whose trailer is at `at`; `undefined` when none verifies. */
  #startOf(at: number, low: number, guesses: readonly number[]): number | undefined {
    const codec = this.#window[at - this.#windowStart]!
    const content = this.#contentBytes(at)
    if (codec === BlockCodec.none) {
      const start = at - content
      return start >= low && this.#verifies(start, at) ? start : undefined
    }
    const most = content - (content >> 3)
    const least = codec === BlockCodec.lz4 ? Math.ceil(content / LZ4_FACTOR_MAX) : 1
    const fits = (start: number): boolean =>
      start >= low && at - start <= most && at - start >= least
    const guess = guesses.findLast((start) => fits(start) && this.#verifies(start, at))
    if (guess !== undefined) return guess
    const stop = this.#budget - TRIED_BYTES_MAX
    for (let start = at - least; fits(start) && this.#budget > stop; start--) {
      if (this.#verifies(start, at)) return start
    }
    return undefined
  }

  #verifies(start: number, at: number): boolean {
    const stored = this.#bytes(start, at + BLOCK_TRAILER_BYTES)
    const holds = isSealed(stored, this.#table.identity, start)
    if (!holds) this.#budget -= stored.length
    return holds
  }

  #entries(start: number, end: number): readonly BlockEntry[] {
    // A copy: entries are views of it, and the window moves on.
    const stored = this.#bytes(start, end).slice()
    try {
      return decodeEntries(openBlock(stored, this.#table.unzstd))
    } catch (error) {
      if (error instanceof DecodeError) return []
      if (error instanceof SedgeError && error.code === 'FORMAT') return []
      throw error
    }
  }
}
