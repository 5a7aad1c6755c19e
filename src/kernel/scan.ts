/**
 * One fill of a scan: seeks all of the view at a key and decodes a batch of entries from the output region.
 *
 *   output  | key bytes u32 | value bytes u32 | kind u32 | where u32 | key | value | pad to 4 |  …
 */
import { Buffer } from 'node:buffer'
import { type Address, Result, Status } from './exports.ts'
import type { Kernel } from './kernel.ts'
import { EntryKind } from './memtable.ts'
import { readText } from './text.ts'
import { type BlockSource, type ChunkedValue, provide, readReference } from './view.ts'

const REVERSE = 1
const VALUES = 2
const HAS_START = 4
const START_INCLUSIVE = 8
const HAS_END = 16
const END_INCLUSIVE = 32
const ENTRY_HEADER = 16

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
  readonly keys: ColumnForm
  readonly values: ColumnForm
}

export interface Fill {
  readonly count: number
  readonly keys: (string | Uint8Array)[]
  /** Values; those in chunks are empty strings here, to be read from `chunked`. */
  readonly values: (string | Uint8Array)[]
  readonly chunked: readonly { readonly index: number; readonly value: ChunkedValue }[]
  /** Where the next fill begins, exclusively; `undefined` when the range is exhausted. */
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
  const at = r[Result.ADDRESS] as number
  const length = r[Result.BYTES] as number
  const resumeAt = r[Result.KEY_ADDRESS] as number
  const resumeBytes = r[Result.KEY_BYTES] as number
  const memory = kernel.memory.bytes
  const words = new Uint32Array(memory.buffer, memory.byteOffset + at, length >>> 2)
  const copied =
    isBytes(request.keys) || isBytes(request.values)
      ? kernel.slab.share(memory, at, length)
      : undefined
  const keys: (string | Uint8Array)[] = []
  const values: (string | Uint8Array)[] = []
  const chunked: { index: number; value: ChunkedValue }[] = []
  for (let i = 0, w = 0; i < count; i++) {
    const keyBytes = words[w] as number
    const valueBytes = words[w + 1] as number
    const key = (w << 2) + ENTRY_HEADER
    const value = key + keyBytes
    if (request.keys !== undefined) {
      keys.push(column(request.keys, memory, at, key, keyBytes, copied))
    }
    if (request.values !== undefined) {
      if (words[w + 2] === EntryKind.CHUNKS) {
        values.push('')
        const where = words[w + 3] as number
        const source = (where & ~1) >>> 0
        chunked.push({
          index: i,
          value: {
            ...readReference(memory, at + value),
            source: source as Address,
            inMemtable: (where & 1) === 1,
          },
        })
      } else {
        values.push(column(request.values, memory, at, value, valueBytes, copied))
      }
    }
    w = (value + valueBytes + 3) >>> 2
  }
  const resume = more ? kernel.memory.copy(resumeAt, resumeBytes) : undefined
  return { count, keys, values, chunked, resume }
}

function isBytes(form: ColumnForm): boolean {
  return form === 'binary' || form === 'buffer'
}

/** A key or value at `offset` of the output, which begins at `at` of the memory and is copied in `copied`. */
function column(
  form: 'utf8' | 'binary' | 'buffer',
  memory: Buffer,
  at: number,
  offset: number,
  length: number,
  copied: Uint8Array | undefined,
): string | Uint8Array {
  if (form === 'utf8' || copied === undefined) return readText(memory, at + offset, length)
  const start = copied.byteOffset + offset
  return form === 'buffer'
    ? Buffer.from(copied.buffer as ArrayBuffer, start, length)
    : new Uint8Array(copied.buffer, start, length)
}
