/**
 * Whether what an open store has written is still where it was put: asked at close, which would otherwise say that all is
 * well with a store that cannot be opened any more [DUR-15].
 *
 *   directory ─► log segments: there, as long as written, begin as written ─► manifest, marker: there, as long as written
 */
import { ioError, readFully } from '../env/file-io.ts'
import type { FileStatus } from '../env/file-system.ts'
import { corruption, type SedgeError } from '../errors.ts'
import { SEGMENT_HEADER_BYTES } from '../kernel/memtable.ts'
import type { LiveSegment } from '../log/log-chain.ts'
import { equalBytes } from '../util/bytes.ts'
import {
  logFileName,
  manifestFileName,
  markerFileName,
  valueFileName,
} from '../version/file-names.ts'
import { MARKER_BYTES } from '../version/manifest-format.ts'
import { directoryGone, failedError, type Store } from './store.ts'

/**
 * Throws `FAILED`, and accepts no write any more, when the log, the manifest or its marker has been taken away. Throws `IO`
 * when that cannot be known.
 */
export function assertFilesThere(store: Store): void {
  if (statusAt(store, store.directory)?.kind !== 'directory') throw failed(store, directoryGone())
  for (const segment of store.chain.segments) assertSegment(store, segment)
  const { manifest } = store
  // Whoever has taken the store over has replaced them.
  if (manifest === undefined || manifest.isFenced()) return
  assertFile(store, manifestFileName(manifest.number), manifest.length)
  assertFile(store, markerFileName(manifest.epoch, manifest.number), MARKER_BYTES)
}

function assertSegment(store: Store, segment: LiveSegment): void {
  const name = logFileName(segment.number)
  assertFile(store, name, segment.length)
  const { valueBytes } = segment
  if (valueBytes > 0) assertFile(store, valueFileName(segment.number), valueBytes)
  // A log that was emptied is as long as before once a frame is written behind the hole.
  if (segment.length < SEGMENT_HEADER_BYTES || store.kernel.trapped) return
  const found = startOf(store, name)
  if (equalBytes(found, segment.memtable.bytes(0, SEGMENT_HEADER_BYTES))) return
  throw failed(store, corruption(name, 0, 'the file does not begin as it was written'))
}

function assertFile(store: Store, name: string, size: number): void {
  const status = statusAt(store, `${store.directory}/${name}`)
  if (status?.kind !== 'file') {
    throw failed(store, corruption(name, undefined, 'the file has been removed'))
  }
  // A write that failed may have left something behind, and has been told of.
  if (status.size === size || (status.size > size && store.state === 'failed')) return
  const sizes = { expected: size, actual: status.size }
  throw failed(store, corruption(name, undefined, 'the file is not as long as it was', sizes))
}

function failed(store: Store, error: SedgeError): SedgeError {
  return failedError(store.fail(error))
}

function statusAt(store: Store, path: string): FileStatus | undefined {
  try {
    return store.env.fs.status(path)
  } catch (error) {
    throw ioError(error, 'cannot look at', path)
  }
}

function startOf(store: Store, name: string): Uint8Array {
  const start = new Uint8Array(SEGMENT_HEADER_BYTES)
  try {
    const file = store.env.fs.open(`${store.directory}/${name}`, 'read')
    try {
      return start.subarray(0, readFully(file, start, 0))
    } finally {
      file.close()
    }
  } catch (error) {
    throw ioError(error, 'cannot read', name)
  }
}
