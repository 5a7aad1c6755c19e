/**
 * Keys and values of one shape, made from the number of an entry, so that every process sees the same.
 *
 *     digits:16:100      keys of 16 digits, values of 100 bytes (db_bench)
 *     paths:64:100       keys that share a long beginning
 *     hex:36:32          keys in no order, as identifiers are
 *
 * Entry `n` has the key of the number 2n; that of 2n + 1 lies beside it and is missing. Keys are built anew for every
 * operation, flat and never hashed before, as those of a program that has just read them. Values are
 * printable, half of each compresses away, and they come from a pool.
 */
import { seededRandom } from '../test/support/seed.ts'

export type KeyForm = 'digits' | 'paths' | 'hex'

export interface Shape {
  readonly form: KeyForm
  readonly keyBytes: number
  readonly valueBytes: number
}

/** Shapes with names. */
export const SHAPES: Readonly<Record<string, string>> = {
  db_bench: 'digits:16:100',
  ycsb: 'digits:23:1000',
  paths: 'paths:64:100',
  ids: 'hex:36:32',
  tiny: 'digits:10:8',
  large: 'digits:16:16384',
}

const BEGINNINGS: Readonly<Record<KeyForm, string>> = {
  digits: '',
  paths: 'tenants/europe/inventory/warehouse/shelf/',
  hex: '',
}
const DIGITS = 10
const POOL_BYTES_MAX = 16 << 20
const POOL_VALUES_MAX = 1024

/** Throws a `RangeError` unless the text is the name of a shape, or one like `digits:16:100`. */
export function parseShape(text: string): Shape {
  const [, form, key, value] = /^(digits|paths|hex):(\d+):(\d+)$/.exec(SHAPES[text] ?? text) ?? []
  if (form === undefined) {
    throw new RangeError(`shape '${text}': ${Object.keys(SHAPES).join(', ')} or digits:16:100`)
  }
  const shape = { form: form as KeyForm, keyBytes: Number(key), valueBytes: Number(value) }
  const keyBytesMin = BEGINNINGS[shape.form].length + (form === 'hex' ? 16 : DIGITS)
  if (shape.keyBytes < keyBytesMin) throw new RangeError(`${form}: at least ${keyBytesMin} bytes`)
  if (shape.valueBytes < 2) throw new RangeError('values have at least 2 bytes')
  return shape
}

/** A method of `Buffer` that its types leave out. */
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string
}

/** Writes keys into one buffer and cuts strings from it. */
export class Keys {
  readonly #form: KeyForm
  readonly #bytes: Latin1Buffer

  constructor({ form, keyBytes }: Shape) {
    this.#form = form
    this.#bytes = Buffer.alloc(keyBytes, '0') as Latin1Buffer
    this.#bytes.write(BEGINNINGS[form], 'latin1')
  }

  /** The key of entry `n`, below 2^30. */
  present(n: number): string {
    return this.#text(2 * n)
  }

  /** A key beside that of entry `n` that nothing has. */
  missing(n: number): string {
    return this.#text(2 * n + 1)
  }

  #text(number: number): string {
    const bytes = this.#bytes
    if (this.#form === 'hex') {
      putHex(bytes, 0, mix(number))
      putHex(bytes, 8, mix(number ^ 0x5bd1e995))
    } else {
      let rest = number
      for (let at = bytes.length - 1, end = at - DIGITS; at > end; at--) {
        const next = (rest / 10) | 0
        bytes[at] = 48 + rest - next * 10
        rest = next
      }
    }
    return bytes.latin1Slice(0, bytes.length)
  }
}

function putHex(bytes: Buffer, at: number, word: number): void {
  for (let i = 0; i < 8; i++) {
    const digit = (word >>> (28 - 4 * i)) & 15
    bytes[at + i] = digit < 10 ? 48 + digit : 87 + digit
  }
}

/** A permutation of the 32-bit numbers that leaves nothing of their order. */
function mix(number: number): number {
  let h = number
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** A pool of values, and what a reader of each must see. */
export class Values {
  readonly pool: readonly Buffer[]
  /** Of each value, the sum of its first and its last byte. */
  readonly edges: Int32Array

  constructor({ valueBytes }: Shape, seed: number) {
    const random = seededRandom(seed)
    const fitting = Math.floor(POOL_BYTES_MAX / valueBytes)
    const count = Math.min(POOL_VALUES_MAX, Math.max(16, fitting))
    this.pool = Array.from({ length: count }, () => {
      const half = random.bytes(Math.ceil(valueBytes / 2)).map((byte) => 32 + (byte % 95))
      return Buffer.concat([half, half], valueBytes)
    })
    this.edges = Int32Array.from(this.pool, (value) => edgesOf(value))
  }

  /** The value of entry `n`. */
  of(n: number): Buffer {
    return this.pool[n % this.pool.length]!
  }

  /** The sum of the first and the last byte of the value of entry `n`. */
  edgesOf(n: number): number {
    return this.edges[n % this.edges.length]!
  }
}

/** The sum of the first and the last byte. */
export function edgesOf(value: Uint8Array): number {
  return value[0]! + value[value.length - 1]!
}
