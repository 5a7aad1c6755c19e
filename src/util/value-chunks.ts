/**
 * Large values in files: LOG-6 in `docs/log-format.md`, TBL-9 in `docs/table-format.md`.
 *
 *     value  = chunk*                      CHUNK_BYTES each, the last may be shorter
 *     stored = (chunk, checksum u64)*      seed of each: identity + offset of the chunk in its file
 *
 * A chunk that was damaged when it was copied carries the complement of its checksum [TBL-12]: damaged for every reader,
 * and known to be.
 *
 * Nothing here holds more than one chunk besides what the caller gave.
 */
import { corruption, type SedgeError } from '../errors.ts'
import { assert } from './assert.ts'
import { addSeed, checksumText, hash64 } from './checksum.ts'
import { ByteReader, DecodeError } from './coding.ts'

/** Part of the file formats. Do not change. */
export const CHUNK_BYTES = 65_536
const CHECKSUM_BYTES = 8
const STORED_CHUNK_BYTES: number = CHUNK_BYTES + CHECKSUM_BYTES
/** What turns a checksum into the mark of a damaged chunk. */
const COMPLEMENT = 0xffffffffffffffffn

/** What is read from; `read` may return fewer bytes than asked, 0 only at the end. */
export interface ChunkSource {
  read(target: Uint8Array, position: number): number
}

/** What is written to; `write` may take fewer bytes than given. */
export interface ChunkTarget {
  write(source: Uint8Array, position: number): number
}

/** Bytes of a reference: what an entry holds whose value is in chunks. Part of the file formats. Do not change. */
export const REFERENCE_BYTES = 16

/** Whether 16 bytes can be a reference: length and offset are below 2^48. */
export function isReference(bytes: Uint8Array): boolean {
  return (bytes[6]! | bytes[7]! | bytes[14]! | bytes[15]!) === 0
}

/** Bytes of the value, and offset of its first chunk in its file. Throws `DecodeError` for numbers from 2^48 on. */
export function decodeReference(reference: Uint8Array): { length: number; offset: number } {
  if (!isReference(reference)) throw new DecodeError('a value of a length that cannot be', 0)
  const reader = new ByteReader(reference)
  return { length: reader.u64(), offset: reader.u64() }
}

/** Bytes that a value of `valueBytes` takes in its file. */
export function chunkedBytes(valueBytes: number): number {
  return valueBytes + CHECKSUM_BYTES * Math.ceil(valueBytes / CHUNK_BYTES)
}

/** Writes `value` at `position`; returns the bytes that it took, `chunkedBytes(value.length)`. */
export function writeChunks(
  file: ChunkTarget,
  position: number,
  identity: bigint,
  value: Uint8Array,
): number {
  const stored = new Uint8Array(Math.min(chunkedBytes(value.length), STORED_CHUNK_BYTES))
  let at = position
  for (let start = 0; start < value.length; start += CHUNK_BYTES) {
    const chunk = value.subarray(start, start + CHUNK_BYTES)
    stored.set(chunk)
    const whole = stored.subarray(0, chunk.length + CHECKSUM_BYTES)
    seal(whole, addSeed(identity, at))
    writeAll(file, whole, at)
    at += whole.length
  }
  return at - position
}

/**
 * Reads the value of `length` bytes stored at `position` into `target` from `targetOffset`. `fileName` is for
 * the `CORRUPTION` that a damaged chunk throws; `target` then holds the chunks before it.
 * Requires: `length` was checked against the file's size or a limit by whoever allocated `target`.
 */
export function readChunks(
  file: ChunkSource,
  fileName: string,
  position: number,
  identity: bigint,
  length: number,
  target: Uint8Array,
  targetOffset: number,
): void {
  assert(length <= target.length - targetOffset, 'the target has no room for the value')
  const stored = new Uint8Array(Math.min(chunkedBytes(length), STORED_CHUNK_BYTES))
  let at = position
  for (let start = 0; start < length; start += CHUNK_BYTES) {
    const bytes = Math.min(CHUNK_BYTES, length - start)
    const whole = stored.subarray(0, bytes + CHECKSUM_BYTES)
    readChunk(file, fileName, at, identity, whole)
    target.set(whole.subarray(0, bytes), targetOffset + start)
    at += whole.length
  }
}

/**
 * Copies a value of `length` bytes from one file to another, verifying each chunk and sealing it anew for its
 * new place. Yields after each chunk. `onBytes` gets each stored chunk, valid during the call only.
 * A chunk that is marked as damaged is copied with its mark. Any other that is damaged is thrown, or, where there is an
 * `onDamage`, told and marked.
 */
export function* copyChunks(
  from: ChunkSource,
  fromName: string,
  fromPosition: number,
  fromIdentity: bigint,
  to: ChunkTarget,
  toPosition: number,
  toIdentity: bigint,
  length: number,
  onBytes: (stored: Uint8Array) => void,
  onDamage?: (error: SedgeError) => void,
): Generator<void, void, void> {
  const stored = new Uint8Array(Math.min(chunkedBytes(length), STORED_CHUNK_BYTES))
  let offset = 0
  for (let start = 0; start < length; start += CHUNK_BYTES) {
    const bytes = Math.min(CHUNK_BYTES, length - start)
    const whole = stored.subarray(0, bytes + CHECKSUM_BYTES)
    const damage = loadChunk(from, fromName, fromPosition + offset, fromIdentity, whole)
    if (damage !== undefined && !damage.isMarked) {
      if (onDamage === undefined) throw damage.error
      onDamage(damage.error)
    }
    seal(whole, addSeed(toIdentity, toPosition + offset), damage !== undefined)
    writeAll(to, whole, toPosition + offset)
    onBytes(whole)
    offset += whole.length
    yield
  }
}

/** Verifies a stored value of `length` bytes, a chunk at a step. Throws as `readChunks` does. */
export function* verifyChunks(
  file: ChunkSource,
  fileName: string,
  position: number,
  identity: bigint,
  length: number,
): Generator<void, void, void> {
  const stored = new Uint8Array(Math.min(chunkedBytes(length), STORED_CHUNK_BYTES))
  let at = position
  for (let start = 0; start < length; start += CHUNK_BYTES) {
    const bytes = Math.min(CHUNK_BYTES, length - start)
    const whole = stored.subarray(0, bytes + CHECKSUM_BYTES)
    readChunk(file, fileName, at, identity, whole)
    at += whole.length
    yield
  }
}

/** Reads one stored chunk, all of `whole`, and verifies it. */
function readChunk(
  file: ChunkSource,
  fileName: string,
  position: number,
  identity: bigint,
  whole: Uint8Array,
): void {
  const damage = loadChunk(file, fileName, position, identity, whole)
  if (damage !== undefined) throw damage.error
}

interface Damage {
  readonly error: SedgeError
  /** It was known already when the chunk was written here. */
  readonly isMarked: boolean
}

/** Reads one stored chunk into all of `whole`, with zeros for what is missing, and says what is wrong with it. */
function loadChunk(
  file: ChunkSource,
  fileName: string,
  position: number,
  identity: bigint,
  whole: Uint8Array,
): Damage | undefined {
  const count = readAll(file, whole, position)
  if (count < whole.length) {
    whole.fill(0, count)
    const sizes = { expected: whole.length, actual: count }
    const error = corruption(fileName, position, 'the file ends within a value', sizes)
    return { error, isMarked: false }
  }
  const bytes = whole.length - CHECKSUM_BYTES
  const view = new DataView(whole.buffer, whole.byteOffset + bytes, CHECKSUM_BYTES)
  const expected = view.getBigUint64(0, true)
  const actual = hash64(whole.subarray(0, bytes), addSeed(identity, position))
  if (actual === expected) return undefined
  const sums = { expected: checksumText(expected), actual: checksumText(actual) }
  const error = corruption(fileName, position, 'a chunk of a value has the wrong checksum', sums)
  return { error, isMarked: expected === (actual ^ COMPLEMENT) }
}

/** Puts the checksum of all before it into the last 8 bytes, or the mark of what is damaged. */
function seal(whole: Uint8Array, seed: bigint, isDamaged = false): void {
  const bytes = whole.length - CHECKSUM_BYTES
  const view = new DataView(whole.buffer, whole.byteOffset + bytes, CHECKSUM_BYTES)
  const checksum = hash64(whole.subarray(0, bytes), seed)
  view.setBigUint64(0, isDamaged ? checksum ^ COMPLEMENT : checksum, true)
}

function readAll(file: ChunkSource, target: Uint8Array, position: number): number {
  let done = 0
  while (done < target.length) {
    const count = file.read(target.subarray(done), position + done)
    if (count === 0) break
    done += count
  }
  return done
}

function writeAll(file: ChunkTarget, source: Uint8Array, position: number): void {
  let done = 0
  while (done < source.length) {
    const count = file.write(source.subarray(done), position + done)
    if (count === 0) throw new Error('a file took no bytes')
    done += count
  }
}
