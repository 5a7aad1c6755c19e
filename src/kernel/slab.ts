/**
 * Bytes that are handed to users. Small results are cut from slabs, because an allocation of its own costs several
 * times the copy; larger ones get their own memory, so that a small result never keeps a large slab alive for long.
 */
import { Buffer } from 'node:buffer'

const SLAB_BYTES = 65536
const SHARE_MAX = SLAB_BYTES / 16

export class Slab {
  #slab: ArrayBuffer = new ArrayBuffer(0)
  /** All of the slab. */
  #bytes: Uint8Array = new Uint8Array(this.#slab)
  #used = 0
  readonly #protect: (slab: ArrayBuffer) => void

  constructor(protect: (slab: ArrayBuffer) => void) {
    this.#protect = protect
  }

  /** A copy of a whole region, from which the results of a batch are cut, and where in `buffer` it begins. */
  share(from: Uint8Array): { buffer: ArrayBuffer; start: number } {
    const length = from.length
    if (length <= SHARE_MAX) {
      const start = this.#reserve(length)
      this.#bytes.set(from, start)
      return { buffer: this.#slab, start }
    }
    const copy = new Uint8Array(length)
    copy.set(from)
    this.#protect(copy.buffer)
    return { buffer: copy.buffer, start: 0 }
  }

  /** A copy of `from`, as a plain `Uint8Array` or a `Buffer`. The caller's for good. */
  keep(from: Uint8Array, asBuffer: boolean): Uint8Array {
    const length = from.length
    if (length > SHARE_MAX) {
      const own = from.slice()
      return asBuffer ? Buffer.from(own.buffer) : own
    }
    const start = this.#reserve(length)
    const out = asBuffer
      ? Buffer.from(this.#slab, start, length)
      : new Uint8Array(this.#slab, start, length)
    out.set(from)
    return out
  }

  /** Where in the slab, a new one if need be, there is room for so many bytes. */
  #reserve(length: number): number {
    const size = this.#bytes.length
    // One that somebody has transferred has no bytes, and no room for none either.
    if (size === 0 || this.#used + length > size) {
      this.#slab = new ArrayBuffer(SLAB_BYTES)
      this.#bytes = new Uint8Array(this.#slab)
      this.#used = 0
      this.#protect(this.#slab)
    }
    const start = this.#used
    this.#used += (length + 7) & ~7
    return start
  }
}
