/**
 * The closing statement `CLOSED`: after a clean close it says how long each file is, so that damage is told
 * from a crash. MAN-19 to MAN-21 in `docs/manifest-format.md`.
 *
 *     magic, store id (16), epoch, manifest, manifest length (8 each), segments u32, zero u32,
 *     (segment number, log length, value-file length: 8 each)*, checksum u64
 */
import { ioError, openPresent, readFully, writeFully } from '../env/file-io.ts'
import type { FileSystem } from '../env/file-system.ts'
import { corruption, type SedgeError } from '../errors.ts'
import { concat, encodeUtf8, equalBytes } from '../util/bytes.ts'
import { hash64 } from '../util/checksum.ts'
import { ByteReader, ByteWriter, DecodeError } from '../util/coding.ts'
import { CLOSED_FILE_NAME, manifestFileName, temporaryFileName } from './file-names.ts'
import { checkSum, checksumBytes, STORE_ID_BYTES } from './manifest-format.ts'
import type { Recovered } from './manifest-recovery.ts'

/** Part of the file format. Do not change. */
const MAGIC = encodeUtf8('SEDGECLO')
const FIXED_BYTES = 64
const SEGMENT_BYTES = 24
/** More segments than any store keeps; bounds what is read. */
const SEGMENTS_MAX = 1_000_000

/** Lengths are bytes. */
export interface ClosedSegment {
  readonly number: number
  readonly logLength: number
  /** 0 when the segment has no value file. */
  readonly valueLength: number
}

export interface ClosedStatement {
  readonly storeId: Uint8Array
  readonly epoch: number
  readonly manifestNumber: number
  readonly manifestLength: number
  readonly segments: readonly ClosedSegment[]
}

export function encodeClosed(statement: ClosedStatement): Uint8Array {
  const { storeId, epoch, manifestNumber, manifestLength, segments } = statement
  const writer = new ByteWriter(FIXED_BYTES + SEGMENT_BYTES * segments.length).bytes(MAGIC)
  writer.bytes(storeId).u64(epoch).u64(manifestNumber).u64(manifestLength)
  writer.u32(segments.length).u32(0)
  for (const { number, logLength, valueLength } of segments) {
    writer.u64(number).u64(logLength).u64(valueLength)
  }
  const bytes = writer.finish()
  return concat(bytes, checksumBytes(hash64(bytes)))
}

/** Throws `CORRUPTION`. */
export function decodeClosed(bytes: Uint8Array): ClosedStatement {
  const file = CLOSED_FILE_NAME
  if (bytes.length < FIXED_BYTES || !equalBytes(bytes.subarray(0, 8), MAGIC)) {
    throw notClosed()
  }
  checkSum(file, bytes, 'the closing statement')
  const reader = new ByteReader(bytes, MAGIC.length)
  try {
    const storeId = reader.bytes(STORE_ID_BYTES).slice()
    const [epoch, manifestNumber, manifestLength] = [reader.u64(), reader.u64(), reader.u64()]
    const count = reader.u32()
    const zero = reader.u32()
    const expected = FIXED_BYTES + SEGMENT_BYTES * count
    if (zero !== 0 || bytes.length !== expected) {
      const sizes = { expected, actual: bytes.length }
      throw corruption(file, 48, 'the number of segments does not fit', sizes)
    }
    const segments = Array.from({ length: count }, () => {
      return { number: reader.u64(), logLength: reader.u64(), valueLength: reader.u64() }
    })
    return { storeId, epoch, manifestNumber, manifestLength, segments }
  } catch (error) {
    if (error instanceof DecodeError) throw corruption(file, error.offset, error.message)
    throw error
  }
}

/**
 * The statement of the last close, `undefined` if there is none or it is out of date. Throws `CORRUPTION` for one that is
 * damaged or that the manifest contradicts, `IO`.
 */
export function readClosed(
  fs: FileSystem,
  directory: string,
  recovered: Pick<Recovered, 'storeId' | 'epoch' | 'manifestNumber' | 'length' | 'tornTailBytes'>,
): ClosedStatement | undefined {
  const bytes = readClosedBytes(fs, `${directory}/${CLOSED_FILE_NAME}`)
  if (bytes === undefined) return undefined
  const statement = decodeClosed(bytes)
  if (!equalBytes(statement.storeId, recovered.storeId)) {
    throw corruption(CLOSED_FILE_NAME, 8, 'the closing statement is that of another store')
  }
  const { epoch, manifestNumber } = recovered
  if (statement.epoch !== epoch || statement.manifestNumber !== manifestNumber) return undefined
  const actual = recovered.length + recovered.tornTailBytes
  if (statement.manifestLength !== actual || recovered.tornTailBytes > 0) {
    const lengths = { expected: statement.manifestLength, actual }
    const file = manifestFileName(manifestNumber)
    throw corruption(file, recovered.length, 'not as long as when it was closed', lengths)
  }
  return statement
}

function readClosedBytes(fs: FileSystem, path: string): Uint8Array | undefined {
  try {
    const file = openPresent(fs, path)
    if (file === 'missing') return undefined
    if (file === 'irregular') throw notClosed()
    try {
      const size = file.size()
      if (size > FIXED_BYTES + SEGMENT_BYTES * SEGMENTS_MAX) throw notClosed()
      const bytes = new Uint8Array(size)
      return bytes.subarray(0, readFully(file, bytes, 0))
    } finally {
      file.close()
    }
  } catch (error) {
    throw ioError(error, 'cannot read', CLOSED_FILE_NAME)
  }
}

function notClosed(): SedgeError {
  return corruption(CLOSED_FILE_NAME, 0, 'this is not a closing statement')
}

/** Writes the statement durably, by way of the temporary file of the manifest's number. Throws `IO` or `FULL`. */
export function writeClosed(fs: FileSystem, directory: string, statement: ClosedStatement): void {
  const temporary = `${directory}/${temporaryFileName(statement.manifestNumber)}`
  try {
    // An earlier close may have left it, cut short.
    if (fs.status(temporary) !== undefined) fs.remove(temporary)
    const file = fs.open(temporary, 'create')
    try {
      writeFully(file, encodeClosed(statement), 0)
      file.sync()
    } finally {
      file.close()
    }
    fs.rename(temporary, `${directory}/${CLOSED_FILE_NAME}`)
    fs.syncDirectory(directory)
  } catch (error) {
    throw ioError(error, 'cannot write', CLOSED_FILE_NAME)
  }
}

/** Removes a statement that is out of date, if there is one. It counts for nothing where it cannot be removed. */
export function removeClosed(fs: FileSystem, directory: string): void {
  try {
    fs.remove(`${directory}/${CLOSED_FILE_NAME}`)
  } catch {
    // There is none, as a rule.
  }
}
