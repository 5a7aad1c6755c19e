/**
 * Writing and reading the integers and strings of bytes that the cold file formats are made of.
 *
 *     fixed     u8 u16 u32 u64 i64 hash64: little-endian, 1, 2, 4, 8 bytes
 *     varint    7 bits a byte, low bits first, bit 7 set in all bytes but the last; at most 8 bytes, no padding
 *     prefixed  varint length, bytes
 *
 * Integers are JavaScript numbers, so whole numbers up to 2^53 - 1; only `hash64` is a `bigint`.
 * A reader never reads outside its bytes and never allocates by a length that it has not checked.
 */
import { assert } from './assert.ts'

const VARINT_BYTES_MAX = 8
const TWO_32 = 2 ** 32

/** Bytes that do not say what they should. Callers that know the file turn it into `CORRUPTION`. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  /** Where in the reader's bytes. */
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/** Call protocol: put* finish. Grows as needed. */
export class ByteWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(Math.max(capacity, 16))
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    const start = this.#claim(1)
    this.#view.setUint8(start, value)
    return this
  }

  u16(value: number): this {
    const start = this.#claim(2)
    this.#view.setUint16(start, value, true)
    return this
  }

  u32(value: number): this {
    const start = this.#claim(4)
    this.#view.setUint32(start, value, true)
    return this
  }

  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'u64 takes whole numbers below 2^53')
    return this.#pair(value)
  }

  /** Two's complement. */
  i64(value: number): this {
    assert(Number.isSafeInteger(value), 'i64 takes whole numbers within 2^53')
    return this.#pair(value)
  }

  /** All 64 bits, modulo 2^64. */
  hash64(value: bigint): this {
    const start = this.#claim(8)
    this.#view.setBigUint64(start, value, true)
    return this
  }

  varint(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'varint takes whole numbers below 2^53')
    let rest = value
    while (rest >= 128) {
      this.u8((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    return this.u8(rest)
  }

  bytes(source: Uint8Array): this {
    const start = this.#claim(source.length)
    this.#bytes.set(source, start)
    return this
  }

  prefixed(source: Uint8Array): this {
    return this.varint(source.length).bytes(source)
  }

  zeros(count: number): this {
    this.#claim(count)
    return this
  }

  /** The bytes written, without a copy: the writer must not be used any more. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #pair(value: number): this {
    const high = Math.floor(value / TWO_32)
    return this.u32(value - high * TWO_32).u32(high)
  }

  /** Makes room for `count` bytes and returns where they go. They are zero. May replace the array and its view. */
  #claim(count: number): number {
    const start = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length))
      grown.set(this.#bytes.subarray(0, start))
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return start
  }
}

/** Reads from front to back. Every method throws `DecodeError` when the bytes end or make no sense. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset: number

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#offset = offset
  }

  /** Where the next read begins. */
  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  u64(): number {
    const start = this.#take(8)
    const value = this.#view.getUint32(start + 4, true) * TWO_32 + this.#view.getUint32(start, true)
    if (!Number.isSafeInteger(value)) throw new DecodeError('number above 2^53', start)
    return value
  }

  i64(): number {
    const start = this.#take(8)
    const value = this.#view.getInt32(start + 4, true) * TWO_32 + this.#view.getUint32(start, true)
    if (!Number.isSafeInteger(value)) throw new DecodeError('number beyond 2^53', start)
    return value
  }

  hash64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }

  varint(): number {
    const start = this.#offset
    let value = 0
    let scale = 1
    for (let count = 1; count <= VARINT_BYTES_MAX; count++) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) {
        if (byte === 0 && count > 1) throw new DecodeError('padded varint', start)
        if (!Number.isSafeInteger(value)) throw new DecodeError('varint above 2^53', start)
        return value
      }
      scale *= 128
    }
    throw new DecodeError('varint of more than 8 bytes', start)
  }

  /** A varint whose lowest bit is the sign: 0, -1, 1, -2, … */
  zigzag(): number {
    const start = this.#offset
    const first = this.u8()
    let value = (first >> 1) & 63
    let scale = 64
    for (let byte = first, count = 2; byte >= 128; count++) {
      if (count > VARINT_BYTES_MAX) throw new DecodeError('varint of more than 8 bytes', start)
      byte = this.u8()
      if (byte === 0) throw new DecodeError('padded varint', start)
      value += (byte & 127) * scale
      scale *= 128
    }
    const number = (first & 1) === 0 ? value : -value - 1
    if (!Number.isSafeInteger(number)) throw new DecodeError('number beyond 2^53', start)
    return number
  }

  /** The next `count` bytes, a view of the reader's bytes. */
  bytes(count: number): Uint8Array {
    const start = this.#take(count)
    return this.#bytes.subarray(start, start + count)
  }

  /** Bytes behind their length, a view of the reader's bytes. */
  prefixed(): Uint8Array {
    const start = this.#offset
    const length = this.varint()
    if (length > this.remaining) throw new DecodeError('length beyond the end', start)
    return this.bytes(length)
  }

  #take(count: number): number {
    const start = this.#offset
    if (count > this.#bytes.length - start) throw new DecodeError('bytes end too early', start)
    this.#offset = start + count
    return start
  }
}
