/**
 * Whether the manifest has lost its last edits. Cut off or damaged, they look like an edit that a crash has torn [MAN-8], but
 * then the directory contradicts [MAN-22]:
 *
 *     a file with a number that was never given out       numbers are reserved in the manifest first [MAN-18]
 *     a table of entries that neither the manifest        a segment goes after the edit that adds its table, and its
 *     counts nor a log segment can hold                   name is on disk before the table's
 */
import { closeQuietly, readFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../log/log-format.ts'
import type { Unzstd } from '../table/block-decoder.ts'
import { tableIdentity } from '../table/table-format.ts'
import { TableReader } from '../table/table-reader.ts'
import {
  logFileName,
  manifestFileName,
  parseFileName,
  tableFileName,
} from '../version/file-names.ts'
import type { Recovered } from '../version/manifest-recovery.ts'

/** Throws `CORRUPTION` that names the manifest. Reads the first block of each table that the manifest does not count. */
export function checkLostEdits(
  fs: FileSystem,
  directory: string,
  recovered: Recovered,
  unzstd: Unzstd | undefined,
): void {
  const { version, nextFileNumber, lastSequence, logNumber, length } = recovered
  const counted = new Set(version.tables().map(({ number }) => number))
  const uncounted: number[] = []
  const segments: number[] = []
  const manifest = manifestFileName(recovered.manifestNumber)
  for (const name of recovered.names) {
    const parsed = parseFileName(name)
    if (parsed === undefined || !('number' in parsed)) continue
    const { type, number } = parsed
    if (type === 'manifest' || type === 'marker') continue
    if (number >= nextFileNumber) {
      throw corruption(manifest, length, `the end is lost: ${name} has a number above its own`)
    }
    if (type === 'table' && !counted.has(number)) uncounted.push(number)
    if (type === 'log' && number >= logNumber) segments.push(number)
  }
  for (const number of uncounted) {
    const sequence = firstSequence(fs, directory, recovered.storeId, number, unzstd)
    if (sequence === undefined || sequence <= lastSequence) continue
    if (segments.some((segment) => mayHold(fs, directory, segment, sequence))) continue
    const name = tableFileName(number)
    throw corruption(
      manifest,
      length,
      `the end is lost: it does not count ${name}, and no log has that`,
    )
  }
}

/** Of the first entry of a table of this store; `undefined` when that cannot be read. */
function firstSequence(
  fs: FileSystem,
  directory: string,
  storeId: Uint8Array,
  number: number,
  unzstd: Unzstd | undefined,
): number | undefined {
  const name = tableFileName(number)
  return attempt(fs, `${directory}/${name}`, (file) => {
    const identity = tableIdentity(storeId, number)
    const reader = new TableReader({ file, name, size: file.size(), number, identity, unzstd })
    const { topOffset: offset, topBytes: bytes } = reader.layout()
    const [partition] = reader.partitions({ offset, bytes })
    const [block] = partition === undefined ? [] : reader.blocks(partition)
    return block === undefined ? undefined : reader.entries(block)[0]?.sequence
  })
}

/** Whether a segment begins with `sequence` or before, as far as its header tells. */
function mayHold(fs: FileSystem, directory: string, number: number, sequence: number): boolean {
  const name = logFileName(number)
  const header = attempt(fs, `${directory}/${name}`, (file) => {
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
    return decodeSegmentHeader(name, bytes.subarray(0, readFully(file, bytes, 0)))
  })
  return header === undefined || header.firstSequence <= sequence
}

/** What cannot be read proves nothing: whoever needs the file says what is wrong with it. */
function attempt<T>(fs: FileSystem, path: string, read: (file: File) => T): T | undefined {
  let file: File | undefined
  try {
    file = fs.open(path, 'read')
    return read(file)
  } catch (error) {
    if (error instanceof SedgeError && error.code === 'FORMAT') throw error
    return undefined
  } finally {
    closeQuietly(file)
  }
}
