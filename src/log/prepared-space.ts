/**
 * Space behind the frames of the open segment, written as zeros ahead of time: a sync of frames that are put there later has no
 * new size and no new blocks to write (LOG-13 to LOG-15 in `docs/log-format.md`).
 *
 *     | header | frame … frame | 0 0 0 … 0 |
 *                      written ┘           └ end
 *
 * Zeros are written behind `written` only, by the thread that writes the frames: the two never meet.
 *
 * Call protocol: prepare* (cut | stop).
 */
import { writeFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'

const LEAST_BYTES = 16 * 1024
const MOST_BYTES = 256 * 1024
/** Beyond it the bytes themselves take longer than what comes with them. */
const SYNC_BYTES_MAX = 32 * 1024
const PIECE_BYTES = 64 * 1024
/** Whole blocks of every common file system. */
const BLOCK_BYTES = 4096

let zeros: Uint8Array | undefined

export class PreparedSpace {
  readonly #log: File
  /** No frame lies at or behind it. */
  readonly #limit: number
  /** Offset before which there may be zeros in the file. */
  #end = 0
  #isStopped = false

  constructor(log: File, limit: number) {
    this.#log = log
    this.#limit = limit
  }

  /** A sync is about to begin, of the frames from `synced` to `written`: makes room for those to come, if that pays. */
  prepare(written: number, synced: number): void {
    const waiting = written - synced
    if (this.#isStopped || written < this.#end || waiting === 0 || waiting > SYNC_BYTES_MAX) return
    const bytes = Math.min(Math.max(written, LEAST_BYTES), MOST_BYTES)
    const end = Math.min(Math.ceil((written + bytes) / BLOCK_BYTES) * BLOCK_BYTES, this.#limit)
    if (end <= written) return
    this.#end = end
    try {
      this.#writeZeros(written, end)
    } catch {
      // A full disk, most likely: whoever writes next shall have what is left of it.
      this.#isStopped = true
      this.#cutQuietly(written)
    }
  }

  /** Cuts off what was not used; prepares no more. Throws what the file system throws. */
  cut(written: number): void {
    this.#isStopped = true
    if (this.#end <= written) return
    this.#log.truncate(written)
    this.#end = written
  }

  /** Prepares no more: the file is cut by others. */
  stop(): void {
    this.#isStopped = true
  }

  #writeZeros(from: number, to: number): void {
    zeros ??= new Uint8Array(PIECE_BYTES)
    for (let at = from; at < to; at += PIECE_BYTES) {
      writeFully(this.#log, zeros.subarray(0, Math.min(PIECE_BYTES, to - at)), at)
    }
  }

  #cutQuietly(written: number): void {
    try {
      this.cut(written)
    } catch {
      // The seal tries again; until then zeros do no harm.
    }
  }
}
