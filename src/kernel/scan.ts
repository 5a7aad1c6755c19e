/**
 * One fill of a scan: seeks all of the view at a key and decodes a batch of entries from three columns.
 *
 *   rows    | key bytes u32 | value bytes u32 | kind u32 | where u32 | …
 *   keys    | key | key | …
 *   values  | value | value | …
 */
import { Buffer } from 'node:buffer'
import { type Address, Result, Status } from './exports.ts'
import type { Kernel } from './kernel.ts'
import { EntryKind } from './memtable.ts'
import { readText, splitAscii } from './text.ts'
import { type BlockSource, type ChunkedValue, provide, readReference } from './view.ts'

const REVERSE = 1
const VALUES = 2
const HAS_START = 4
const START_INCLUSIVE = 8
const HAS_END = 16
const END_INCLUSIVE = 32
const VALUE_TEXT = 64
const ASCII_KEYS = 1
const ASCII_VALUES = 2
/** Words of a row, and which of them is what. */
const ROW = 4
const KEY_BYTES = 0
const VALUE_BYTES = 1
const KIND = 2
const WHERE = 3

export type ColumnForm = 'utf8' | 'binary' | 'buffer' | undefined

export interface FillRequest {
  /** Where to begin, in the direction of the scan; `undefined` for the end of the store. */
  readonly start: Uint8Array | undefined
  readonly startInclusive: boolean
  readonly end: Uint8Array | undefined
  readonly endInclusive: boolean
  readonly reverse: boolean
  readonly sequence: number
  /** Most entries, at least 1. */
  readonly entries: number
  /** Bytes after which the fill stops. */
  readonly bytes: number
  /** Most entries of this fill and of those that follow it. */
  readonly wanted: number
  readonly keys: ColumnForm
  readonly values: ColumnForm
}

export interface Fill {
  readonly count: number
  readonly keys: (string | Uint8Array)[]
  /** Values; those in chunks are empty strings here, to be read from `chunked`. */
  readonly values: (string | Uint8Array)[]
  readonly chunked: readonly { readonly index: number; readonly value: ChunkedValue }[]
  /** Where the next fill begins, exclusively; `undefined` when the range is exhausted or all that is wanted is there. */
  readonly resume: Uint8Array | undefined
}

export function fill(kernel: Kernel, source: BlockSource, request: FillRequest): Fill {
  const { exports } = kernel
  begin(kernel, request)
  try {
    let status = exports.scanFill()
    while (status !== Status.DONE && status !== Status.MORE) {
      provide(kernel, source, status)
      status = exports.scanFill()
    }
    return decode(kernel, request, status === Status.MORE)
  } finally {
    if (!kernel.trapped) exports.scanEnd()
  }
}

function begin(kernel: Kernel, request: FillRequest): void {
  const { start, end } = request
  const startBytes = start?.length ?? 0
  const endBytes = end?.length ?? 0
  const at = kernel.scratch(startBytes + endBytes + 8)
  const memory = kernel.memory.bytes
  if (start !== undefined) memory.set(start, at)
  if (end !== undefined) memory.set(end, at + startBytes)
  const flags =
    (request.reverse ? REVERSE : 0) |
    (request.values === undefined ? 0 : VALUES) |
    (request.values === 'utf8' ? VALUE_TEXT : 0) |
    (start === undefined ? 0 : HAS_START) |
    (request.startInclusive ? START_INCLUSIVE : 0) |
    (end === undefined ? 0 : HAS_END) |
    (request.endInclusive ? END_INCLUSIVE : 0)
  const { sequence, entries, bytes } = request
  kernel.must(kernel.exports.scanBegin(flags, at, startBytes, endBytes, sequence, entries, bytes))
}

function decode(kernel: Kernel, request: FillRequest, more: boolean): Fill {
  const r = kernel.memory.results
  const count = r[Result.COUNT] as number
  const ascii = r[Result.KIND] as number
  const rows = { words: kernel.memory.words, first: (r[Result.ADDRESS] as number) / 4, count }
  const valuesAt = r[Result.EXTRA_3] as number
  const keys = decodeColumn(kernel, request.keys, {
    at: r[Result.EXTRA_1] as number,
    bytes: r[Result.EXTRA_2] as number,
    isAscii: (ascii & ASCII_KEYS) !== 0,
    word: KEY_BYTES,
    rows,
  })
  const values = decodeColumn(kernel, request.values, {
    at: valuesAt,
    bytes: r[Result.EXTRA_4] as number,
    isAscii: (ascii & ASCII_VALUES) !== 0,
    word: VALUE_BYTES,
    rows,
  })
  const chunked = request.values === undefined ? [] : chunkedValues(kernel, rows, valuesAt)
  for (const { index } of chunked) values[index] = ''
  const last = more && count < request.wanted ? lastKey(kernel) : undefined
  return { count, keys, values, chunked, resume: last }
}

function lastKey(kernel: Kernel): Uint8Array {
  const r = kernel.memory.results
  const at = r[Result.KEY_ADDRESS] as number
  return kernel.slab.keep(kernel.memory.view(at, r[Result.KEY_BYTES] as number), false)
}

/** `count` rows, of which the first begins at word `first` of memory. */
interface Rows {
  readonly words: Uint32Array
  readonly first: number
  readonly count: number
}

interface Column {
  readonly at: number
  readonly bytes: number
  readonly isAscii: boolean
  /** Which word of a row is the length. */
  readonly word: number
  readonly rows: Rows
}

function decodeColumn(
  kernel: Kernel,
  form: ColumnForm,
  { at, bytes, isAscii, word, rows: { words, first, count } }: Column,
): (string | Uint8Array)[] {
  const memory = kernel.memory.bytes
  if (form === undefined) return []
  if (form === 'utf8' && isAscii) return splitAscii(memory, at, words, first + word, ROW, count)
  const column = new Array<string | Uint8Array>(count)
  let start = at
  if (form === 'utf8') {
    for (let i = 0, w = first + word; i < count; i++, w += ROW) {
      const length = words[w] as number
      column[i] = readText(memory, start, length)
      start += length
    }
    return column
  }
  const { buffer, start: copied } = kernel.slab.share(kernel.memory.view(at, bytes))
  start = copied
  for (let i = 0, w = first + word; i < count; i++, w += ROW) {
    const length = words[w] as number
    column[i] =
      form === 'buffer' ? Buffer.from(buffer, start, length) : new Uint8Array(buffer, start, length)
    start += length
  }
  return column
}

/** The values in chunks that the rows refer to. */
function chunkedValues(
  kernel: Kernel,
  { words, first, count }: Rows,
  valuesAt: number,
): { index: number; value: ChunkedValue }[] {
  const chunked: { index: number; value: ChunkedValue }[] = []
  let at = valuesAt
  for (let i = 0, w = first; i < count; i++, w += ROW) {
    if (words[w + KIND] === EntryKind.CHUNKS) {
      const where = words[w + WHERE] as number
      const source = ((where & ~1) >>> 0) as Address
      const reference = readReference(kernel.memory.bytes, at)
      chunked.push({
        index: i,
        value: { ...reference, source, inMemtable: (where & 1) === 1 },
      })
    }
    at += words[w + VALUE_BYTES] as number
  }
  return chunked
}
