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
  const copied =
    isBytes(request.keys) || isBytes(request.values)
      ? kernel.slab.share(memory, at, length)
      : undefined
  const keys: (string | Uint8Array)[] = []
  const values: (string | Uint8Array)[] = []
  const chunked: { index: number; value: ChunkedValue }[] = []
  let p = at
  for (let i = 0; i < count; i++) {
    const keyBytes = memory.readUInt32LE(p)
    const valueBytes = memory.readUInt32LE(p + 4)
    const key = p + ENTRY_HEADER
    const value = key + keyBytes
    if (request.keys !== undefined) {
      keys.push(column(request.keys, memory, key, keyBytes, copied, at))
    }
    if (request.values !== undefined) {
      if (memory.readUInt32LE(p + 8) === EntryKind.CHUNKS) {
        values.push('')
        const where = memory.readUInt32LE(p + 12)
        const source = (where & ~1) >>> 0
        chunked.push({
          index: i,
          value: {
            ...readReference(memory, value),
            source: source as Address,
            inMemtable: (where & 1) === 1,
          },
        })
      } else {
        values.push(column(request.values, memory, value, valueBytes, copied, at))
      }
    }
    p = value + valueBytes
    p += (at - p) & 3
  }
  const resume = more ? kernel.memory.copy(resumeAt, resumeBytes) : undefined
  return { count, keys, values, chunked, resume }
}

function isBytes(form: ColumnForm): boolean {
  return form === 'binary' || form === 'buffer'
}

function column(
  form: 'utf8' | 'binary' | 'buffer',
  memory: Buffer,
  at: number,
  length: number,
  copied: ArrayBuffer | undefined,
  base: number,
): string | Uint8Array {
  if (form === 'utf8') return readText(memory, at, length)
  const buffer = copied as ArrayBuffer
  return form === 'buffer'
    ? Buffer.from(buffer, at - base, length)
    : new Uint8Array(buffer, at - base, length)
}
