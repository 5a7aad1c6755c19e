/**
 * The only maker of views over the kernel's memory. Memory may grow in any call that says so, which detaches
 * every view, so views are fetched anew through the getters and never kept across calls. A detached view has no
 * length: that is how the getters know, because to ask the memory for its buffer is a call into the runtime, and
 * costs more than a lookup's arithmetic.
 */
import { Buffer } from 'node:buffer'
import type { KernelExports } from './exports.ts'

const RESULT_WORDS = 16

export class LinearMemory {
  readonly #memory: WebAssembly.Memory
  readonly #resultAddress: number
  /** What the views are of: to ask a view for it is a call into the runtime, too. */
  #buffer: ArrayBuffer
  #bytes: Buffer
  #words: Uint32Array
  #results: Float64Array
  /** By length, views of what lies behind the result words. */
  #small: (Uint8Array | undefined)[] = []

  constructor(exports: KernelExports) {
    this.#memory = exports.memory
    this.#resultAddress = exports.resultAddress()
    this.#buffer = this.#memory.buffer
    this.#bytes = Buffer.from(this.#buffer)
    this.#words = new Uint32Array(this.#buffer)
    this.#results = new Float64Array(this.#buffer, this.#resultAddress, RESULT_WORDS)
  }

  #renew(): void {
    this.#buffer = this.#memory.buffer
    this.#bytes = Buffer.from(this.#buffer)
    this.#words = new Uint32Array(this.#buffer)
    this.#results = new Float64Array(this.#buffer, this.#resultAddress, RESULT_WORDS)
    this.#small = []
  }

  /** All of memory. Valid until the next call that may grow. */
  get bytes(): Buffer {
    if (this.#bytes.length === 0) this.#renew()
    return this.#bytes
  }

  /** The result words. Valid until the next call. */
  get results(): Float64Array {
    if (this.#results.length === 0) this.#renew()
    return this.#results
  }

  /** A view. Valid until the next call that may grow. */
  view(at: number, length: number): Uint8Array {
    if (this.#bytes.length === 0) this.#renew()
    return new Uint8Array(this.#buffer, at, length)
  }

  /** All of memory as numbers of 32 bits. Valid until the next call that may grow. */
  get words(): Uint32Array {
    if (this.#words.length === 0) this.#renew()
    return this.#words
  }

  /** A view of the first bytes behind the result words. To make one costs as much as a copy, so they are kept. */
  small(length: number): Uint8Array {
    if (this.#bytes.length === 0) this.#renew()
    let view = this.#small[length]
    if (view === undefined) {
      view = this.view(this.#resultAddress + RESULT_WORDS * 8, length)
      this.#small[length] = view
    }
    return view
  }

  /** A copy of a region, the caller's. */
  copy(at: number, length: number): Uint8Array {
    return this.view(at, length).slice()
  }

  /** Bytes of memory taken from the system. */
  get size(): number {
    return this.#memory.buffer.byteLength
  }
}
