/**
 * What an operation will take before any of it is written: which limits it keeps, its charge, and whether its value
 * goes to the value file.
 */
import { Buffer } from 'node:buffer'
import { EntryKind } from '../kernel/memtable.ts'
import { bytesMax } from '../kernel/text.ts'
import { requireMemory } from '../key/encoding.ts'
import type { Encoded, Operation } from './engine-types.ts'
import {
  BATCH_BYTES_MAX,
  batchLimit,
  KEY_BYTES_MAX,
  keyLimit,
  LARGE_VALUE_BYTES,
  VALUE_BYTES_MAX,
  valueLimit,
} from './limits.ts'

/** Charge of an entry beside its key and value: an upper bound of header, padding and a frame of its own. */
export const ENTRY_CHARGE = 56
/** A reference to a value in chunks, as a record holds it. */
export const REFERENCE_BYTES = 16

/** Up to this length a loop over ASCII beats a call into the runtime. */
const LOOP_MAX = 64

/** Scratch behind a key and a value. */
export const SCRATCH_SPARE = 16

export interface Measured {
  readonly kind: number
  readonly key: Encoded
  /** Undefined for a delete and for a value in chunks. */
  readonly value: Encoded | undefined
  /** A value for the value file. */
  readonly large: Uint8Array | undefined
  readonly charge: number
}

/** Whether a value goes to the value file. Throws `LIMIT`. */
export function isLarge(value: Encoded): boolean {
  const bytes = byteLength(value)
  if (bytes > VALUE_BYTES_MAX) throw valueLimit()
  return bytes >= LARGE_VALUE_BYTES
}

function byteLength(text: Encoded): number {
  if (typeof text !== 'string') return text.length
  const { length } = text
  if (length > LOOP_MAX) return Buffer.byteLength(text, 'utf8')
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(i) > 127) return Buffer.byteLength(text, 'utf8')
  }
  return length
}

/** Throws `LIMIT`. Requires that the value is large. */
export function measureLarge(key: Encoded, value: Encoded): Measured {
  const keyBytes = byteLength(key)
  if (keyBytes > KEY_BYTES_MAX) throw keyLimit()
  const large = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  const charge = ENTRY_CHARGE + keyBytes + REFERENCE_BYTES
  return { kind: EntryKind.CHUNKS, key, value: undefined, large, charge }
}

/** Throws `TypeError` for bytes whose buffer was transferred since they were given: they look like none at all. */
export function assertAttached(value: Encoded): void {
  if (typeof value !== 'string') requireMemory(value, 'a value')
}

/** Throws `LIMIT`. */
export function measure(operation: Operation): Measured {
  const { key } = operation
  const keyBytes = byteLength(key)
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) throw keyLimit()
  if (operation.kind === 'delete') {
    const charge = ENTRY_CHARGE + keyBytes
    return { kind: EntryKind.DELETE, key, value: undefined, large: undefined, charge }
  }
  const { value } = operation
  const valueBytes = byteLength(value)
  if (valueBytes === 0) assertAttached(value)
  if (valueBytes > VALUE_BYTES_MAX) throw valueLimit()
  if (valueBytes >= LARGE_VALUE_BYTES) return measureLarge(key, value)
  const charge = ENTRY_CHARGE + keyBytes + valueBytes
  return { kind: EntryKind.PUT, key, value, large: undefined, charge }
}

/** The operations of a batch. Throws `LIMIT`. */
export function measureAll(operations: readonly Operation[]): Measured[] {
  const measured: Measured[] = []
  let bytes = 0
  for (const operation of operations) {
    const one = measure(operation)
    bytes += one.charge + (one.large?.length ?? 0)
    if (bytes > BATCH_BYTES_MAX) throw batchLimit()
    measured.push(one)
  }
  return measured
}

/** What a batch takes at most. */
export interface BatchBound {
  readonly charge: number
  /** Scratch that any of the entries needs. */
  readonly scratch: number
}

/**
 * Bounds of a batch that is sure to keep all limits and to have no large value; `undefined` for any other. Looks at no
 * character: a batch that has room for its bound needs no exact measure in advance.
 */
export function boundBatch(operations: readonly Operation[]): BatchBound | undefined {
  let charge = 0
  let scratch = 0
  for (const operation of operations) {
    const keyBytes = bytesMax(operation.key)
    const valueBytes = operation.kind === 'put' ? bytesMax(operation.value) : 0
    if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) return undefined
    if (valueBytes >= LARGE_VALUE_BYTES) return undefined
    if (valueBytes === 0 && operation.kind === 'put' && operation.value !== '') return undefined
    const bytes = keyBytes + valueBytes
    charge += ENTRY_CHARGE + bytes
    if (bytes > scratch) scratch = bytes
  }
  return charge > BATCH_BYTES_MAX ? undefined : { charge, scratch: scratch + SCRATCH_SPARE }
}

/** Scratch that any of the entries needs, taken in advance so that no append can fail for it. */
export function largestScratch(measured: readonly Measured[]): number {
  let most = 0
  for (const { key, value } of measured) {
    most = Math.max(most, key.length * 3 + (value?.length ?? REFERENCE_BYTES) * 3 + SCRATCH_SPARE)
  }
  return most
}

/** What the record of a value in chunks holds instead of the value: its length and where it is (LOG-6). */
export function encodeReference(length: number, offset: number): Uint8Array {
  const reference = Buffer.alloc(REFERENCE_BYTES)
  reference.writeUIntLE(length, 0, 6)
  reference.writeUIntLE(offset, 8, 6)
  return reference
}
