/**
 * The only maker of views over the kernel's memory. Memory may grow in any call that says so, which detaches
 * every view, so views are fetched anew through the getters and never kept across calls.
 */
import { Buffer } from 'node:buffer'
import type { KernelExports } from './exports.ts'

export class LinearMemory {
  readonly #memory: WebAssembly.Memory
  readonly #resultAddress: number
  #buffer: ArrayBufferLike
  #bytes: Buffer
  #results: Float64Array

  constructor(exports: KernelExports) {
    this.#memory = exports.memory
    this.#resultAddress = exports.resultAddress()
    this.#buffer = this.#memory.buffer
    this.#bytes = Buffer.from(this.#buffer)
    this.#results = new Float64Array(this.#buffer, this.#resultAddress, 16)
  }

  #renew(): void {
    this.#buffer = this.#memory.buffer
    this.#bytes = Buffer.from(this.#buffer)
    this.#results = new Float64Array(this.#buffer, this.#resultAddress, 16)
  }

  /** All of memory. Valid until the next call that may grow. */
  get bytes(): Buffer {
    if (this.#memory.buffer !== this.#buffer) this.#renew()
    return this.#bytes
  }

  /** The result words. Valid until the next call. */
  get results(): Float64Array {
    if (this.#memory.buffer !== this.#buffer) this.#renew()
    return this.#results
  }

  /** A view. Valid until the next call that may grow. */
  view(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at, length)
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
