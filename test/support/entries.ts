/** Random keys and entries for tests of the kernel, and how its results are looked at. */

import { Buffer } from 'node:buffer'
import { Find } from '../../src/kernel/exports.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { type FillRequest, fill } from '../../src/kernel/scan.ts'
import type { BlockSource, ChunkedValue, View } from '../../src/kernel/view.ts'
import { equalBytes } from '../../src/util/bytes.ts'
import { DELETE, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import type { Random } from './seed.ts'

/** ASCII bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** Distinct keys of many shapes: short ones, ones that are prefixes of others, and ones with long common prefixes. */
export function randomKeys(random: Random, count: number): Uint8Array[] {
  const keys = new Map<string, Uint8Array>()
  const prefixes = [0, 1, 7, 8, 9, 40].map((length) => random.bytes(length))
  while (keys.size < count) {
    const tail = Uint8Array.from({ length: random.int(0, 5) }, () => random.pick([0, 1, 127, 255]))
    const key = join(random.pick(prefixes), tail, random.chance(0.3) ? random.bytes(3) : [])
    if (key.length > 0) keys.set(key.join(), key)
  }
  return [...keys.values()]
}

export interface EntryShape {
  readonly keys: readonly Uint8Array[]
  readonly count: number
  readonly firstSequence?: number
  /** How likely a tombstone is. */
  readonly deletes?: number
  readonly value?: () => Uint8Array
  readonly timestamp?: () => number
}

/** Puts and deletes of random keys in the order of their sequences. */
export function randomEntries(random: Random, shape: EntryShape): Entry[] {
  const { keys, count, firstSequence = 1, deletes = 0.2 } = shape
  const value = shape.value ?? (() => random.bytes(random.int(0, 12)))
  const timestamp = shape.timestamp ?? (() => random.int(-1000, 1000))
  return Array.from({ length: count }, (_, i) => {
    const kind = random.chance(deletes) ? DELETE : PUT
    return {
      kind,
      key: random.pick(keys),
      sequence: firstSequence + i,
      timestamp: timestamp(),
      value: kind === PUT ? value() : new Uint8Array(0),
    }
  })
}

/** Looks a key up; what is found as a plain entry, in chunks as the reference that it is stored as. */
export function look(
  kernel: Kernel,
  view: View,
  key: Uint8Array,
  sequence: number,
  ways = 0,
): Entry | undefined {
  const keyBytes = kernel.scratchKey(key)
  if (!view.find(keyBytes, sequence, Find.COPY | ways)) return undefined
  const { foundKind: kind, foundSequence, foundTimestamp: timestamp } = view
  const value = kernel.memory.copy(view.foundAt, view.foundBytes)
  if (!equalBytes(view.foundCopy, value)) throw new Error('the copy is of something else')
  return { key, kind, sequence: foundSequence, timestamp, value }
}

/** An entry as one text, which compares much faster than the entry itself. */
export function show(entry: Entry | undefined): string {
  if (entry === undefined) return 'absent'
  const { kind, sequence, timestamp, key, value } = entry
  return `${kind} @${sequence} t${timestamp} ${showBytes(key)} = ${showBytes(value)}`
}

export function showBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}

/** The whole range, as bytes, in fills of a size that takes all of a small range at once. */
export const WHOLE: FillRequest = {
  ...{ start: undefined, startInclusive: true, end: undefined, endInclusive: true },
  ...{ reverse: false, sequence: 2 ** 53 - 1, entries: 1024, bytes: 65_536, wanted: 2 ** 53 },
  ...{ keys: 'binary', values: 'binary' },
}

export interface Scanned {
  readonly keys: Uint8Array[]
  readonly values: Uint8Array[]
  readonly fills: number
}

/** All entries of a range, taken fill by fill. Values in chunks are made whole by `whole`. */
export function scanAll(
  kernel: Kernel,
  source: BlockSource,
  request: FillRequest,
  whole?: (value: ChunkedValue) => Uint8Array,
): Scanned {
  const keys: Uint8Array[] = []
  const values: Uint8Array[] = []
  let next = request
  for (let fills = 1; ; fills++) {
    const got = fill(kernel, source, next)
    const from = values.length
    keys.push(...(got.keys as Uint8Array[]))
    values.push(...(got.values as Uint8Array[]))
    for (const { index, value } of got.chunked) {
      values[from + index] = whole?.(value) ?? new Uint8Array(0)
    }
    if (got.resume === undefined) return { keys, values, fills }
    next = { ...next, start: got.resume, startInclusive: false }
  }
}

/** A source for views without tables. */
export const NO_TABLES: BlockSource = {
  provideBlock: () => {
    throw new Error('there are no tables')
  },
  provideRun: () => {
    throw new Error('there are no tables')
  },
  provideTable: () => {
    throw new Error('there are no tables')
  },
  damaged: () => {
    throw new Error('there are no tables')
  },
}
