/**
 * Keys and values of the property tests: what a store model calls them, and the forms in which they go in and come out.
 *
 * A value is told by its kind, size and tag, so that a list of operations stays small and can be repeated.
 */
import { Buffer } from 'node:buffer'
import type { ModelRange } from './database-model.ts'
import type { Random } from './seed.ts'

/** How a key or value is handed in. Text where the bytes are none goes in as bytes. */
export type Given = 'bytes' | 'buffer' | 'text'

/** How a key or value comes out: by the store's own encoding, which is binary, or another. */
export type Form = 'binary' | 'buffer' | 'utf8' | 'json'

export interface ValueSpec {
  readonly kind: 'text' | 'random' | 'repeat' | 'json'
  /** Bytes, about: text may end a little later, and JSON has its quotes. */
  readonly size: number
  readonly tag: number
}

const POOL_BYTES = 1 << 21
const LETTERS = ['a', 'b', 'Z', '0', ' ', '\0', 'é', 'ß', '‧', '漢', '\u{1f600}', '\ufeff']

let noise: Buffer | undefined
let prose: string | undefined

/** Incompressible bytes. */
function noisePool(): Buffer {
  if (noise !== undefined) return noise
  const words = new Uint32Array(POOL_BYTES / 4)
  let state = 0x2545f491
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  noise = Buffer.from(words.buffer)
  return noise
}

/** Text whose characters have one to four bytes. */
function prosePool(): string {
  if (prose !== undefined) return prose
  const bytes = noisePool()
  const letters: string[] = []
  for (let index = 0; index < POOL_BYTES / 4; index++) {
    letters.push(LETTERS[bytes[index]! % LETTERS.length]!)
  }
  prose = letters.join('')
  return prose
}

/** The bytes of a value. */
export function valueBytes({ kind, size, tag }: ValueSpec): Buffer {
  if (size === 0 && kind !== 'json') return Buffer.alloc(0)
  if (kind === 'repeat') return Buffer.alloc(size, `${tag},`)
  if (kind === 'random') {
    const from = (tag * 7919) % (POOL_BYTES - size)
    const bytes = Buffer.from(noisePool().subarray(from, from + size))
    if (size >= 6) bytes.writeUIntLE(tag, 0, 6)
    return bytes
  }
  const text = `${tag}:${someProse(tag, size)}`
  return Buffer.from(kind === 'json' ? JSON.stringify({ tag, text }) : text, 'utf8')
}

/** About `size` bytes of text, cut between characters. */
function someProse(tag: number, size: number): string {
  const pool = prosePool()
  const length = Math.max(0, Math.floor(size / 2))
  let from = (tag * 7919) % (pool.length - length - 2)
  let to = from + length
  if (isTrail(pool, from)) from++
  if (isTrail(pool, to)) to++
  return pool.slice(from, to)
}

function isTrail(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00
}

/** A model's key as bytes. */
export function keyBytes(key: string): Buffer {
  return Buffer.from(key, 'latin1')
}

/** A model's key from whatever came out of the store. */
export function modelKey(key: unknown): string {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : (key as Uint8Array)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** What is handed to a call: text, or bytes of their own, which may be spoilt afterwards. */
export function argument(bytes: Buffer, given: Given): string | Uint8Array {
  if (given === 'text') {
    const text = bytes.toString('utf8')
    if (Buffer.compare(Buffer.from(text, 'utf8'), bytes) === 0) return text
  }
  return given === 'buffer' ? Buffer.from(bytes) : new Uint8Array(bytes)
}

/** A range as a call takes it. */
export function rangeArgument(range: ModelRange & { reverse?: boolean; limit?: number }): object {
  const { reverse, limit } = range
  const options: Record<string, unknown> = { reverse, limit }
  for (const name of ['gt', 'gte', 'lt', 'lte', 'prefix'] as const) {
    const bound = range[name]
    if (bound !== undefined) options[name] = new Uint8Array(keyBytes(bound))
  }
  return options
}

/** Overwrites bytes that were handed in or out: nobody may depend on them any more [API-19]. */
export function spoil(bytes: unknown): void {
  if (bytes instanceof Uint8Array) bytes.fill(0x5a)
}

/** What is wrong with `actual` as the form of `expected`; undefined when nothing is. */
export function difference(actual: unknown, expected: Buffer, form: Form): string | undefined {
  if (form === 'utf8') {
    if (typeof actual !== 'string') return `${describe(actual)} instead of a string`
    return actual === expected.toString('utf8') ? undefined : unlike(Buffer.from(actual), expected)
  }
  if (form === 'json') {
    // Random bytes are JSON now and then, with spaces or in another notation than `stringify` has.
    const text = JSON.stringify(actual)
    const wanted = JSON.stringify(JSON.parse(expected.toString('utf8')))
    return text === wanted ? undefined : unlike(Buffer.from(text), expected)
  }
  if (!(actual instanceof Uint8Array)) return `${describe(actual)} instead of bytes`
  if (Buffer.isBuffer(actual) !== (form === 'buffer')) return 'bytes of the wrong class'
  return Buffer.compare(actual, expected) === 0 ? undefined : unlike(actual, expected)
}

function describe(value: unknown): string {
  return value === undefined ? 'nothing' : `a ${typeof value}`
}

/** Where two byte strings part: they may be long. */
function unlike(actual: Uint8Array, expected: Uint8Array): string {
  let at = 0
  while (at < actual.length && actual[at] === expected[at]) at++
  const part = (bytes: Uint8Array): string =>
    Buffer.from(bytes.subarray(Math.max(0, at - 4), at + 12)).toString('hex')
  const sizes = `${actual.length} bytes instead of ${expected.length}`
  return `${sizes}, different at ${at}: …${part(actual)}… instead of …${part(expected)}…`
}

/** Keys of many kinds, `count` of the plain ones among them. */
export function keyPool(random: Random, count: number): string[] {
  const keys = Array.from({ length: count }, (_, index) => `key:${index.toString(36)}`)
  const stem = Buffer.from(random.bytes(random.int(1, 2100))).toString('latin1')
  for (let length = 1; length < 300; length += random.int(1, 60)) {
    keys.push('\0'.repeat(length), '\xff'.repeat(length), 'a'.repeat(length))
    keys.push(`${'\xff'.repeat(length)}\0`, `${'\0'.repeat(length)}\xff`, 'ab'.repeat(length))
    keys.push(stem.slice(0, length), `${stem}${String.fromCharCode(length % 256)}`)
  }
  for (let index = 0; index < 20; index++) {
    keys.push(Buffer.from(random.bytes(random.int(1, 40))).toString('latin1'))
    keys.push(Buffer.from(LETTERS.slice(index % 12).join('')).toString('latin1'))
  }
  return keys
}

/** A key just beside another: before it, behind it, around it, or the empty one, which bounds may be. */
export function neighbour(random: Random, key: string): string {
  const last = key.charCodeAt(key.length - 1)
  return random.pick([
    key,
    key.slice(0, -1),
    `${key}\0`,
    `${key}\xff\xff`,
    key.slice(0, -1) + String.fromCharCode((last + 1) & 255),
    key.slice(0, random.int(key.length + 1)),
  ])
}
