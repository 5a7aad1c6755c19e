/**
 * Reads a log segment into a memtable: the one way in which recovery, flush, verify and repair see a log.
 *
 * Call protocol: readSegment or readSegmentInSteps, then `memtable` is the caller's to free.
 */
import { closeQuietly, readFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { Memtable, type ReplayResult } from '../kernel/memtable.ts'
import { equalBytes } from '../util/bytes.ts'
import {
  checkSegmentPlace,
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentIdentity,
} from './log-format.ts'

export interface SegmentToRead {
  readonly path: string
  /** Base name, for errors. */
  readonly name: string
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  readonly number: number
  /** Bytes to look at: all of the file, unless recovery has cut a tail off. */
  readonly length?: number
  /** Segments below are gone and may have left their blocks to this one: a header of such a one counts for none [LOG-11]. */
  readonly leftoversBelow?: number
  /** Whether keys are to be found in the memtable, as they mostly are; a flush only sorts it. */
  readonly indexed?: boolean
}

export interface ReadSegment {
  readonly header: SegmentHeader
  readonly identity: bigint
  readonly memtable: Memtable
  readonly replay: ReplayResult
  /** Bytes that were looked at. */
  readonly length: number
}

/** Bytes read in one step. */
const STEP_BYTES: number = 4 * 1024 * 1024

/**
 * `undefined` when the header does not verify: nothing of the segment can be told. Throws `CORRUPTION` for a segment that
 * does not belong here, `FORMAT`, and what the file system throws.
 */
export function readSegment(
  kernel: Kernel,
  fs: FileSystem,
  segment: SegmentToRead,
): ReadSegment | undefined {
  const steps = readSegmentInSteps(kernel, fs, segment)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** The same in steps of a few milliseconds. */
export function* readSegmentInSteps(
  kernel: Kernel,
  fs: FileSystem,
  segment: SegmentToRead,
): Generator<void, ReadSegment | undefined, void> {
  const file = fs.open(segment.path, 'read')
  try {
    const size = file.size()
    const length = Math.min(segment.length ?? size, size)
    const start = new Uint8Array(Math.min(SEGMENT_HEADER_BYTES, length))
    readFully(file, start, 0)
    const header = decodeSegmentHeader(segment.name, start)
    if (header === undefined || isLeftover(segment, header)) return undefined
    checkSegmentPlace(segment.name, header, segment.storeId, segment.number)
    const identity = segmentIdentity(header)
    const memtable = new Memtable(kernel, length)
    let isRead = false
    try {
      const count = yield* readArena(file, memtable, length)
      const { firstSequence, baseTimestamp } = header
      memtable.bind(segment.number, identity, segment.hashSeed, firstSequence, baseTimestamp)
      const replay = memtable.replay(count, segment.indexed ?? true)
      isRead = true
      return { header, identity, memtable, replay, length: count }
    } finally {
      // Whoever has had enough of the steps ends them without an error.
      if (!isRead && !kernel.trapped) memtable.free()
    }
  } finally {
    closeQuietly(file)
  }
}

function isLeftover(segment: SegmentToRead, { storeId, number }: SegmentHeader): boolean {
  const { leftoversBelow = 0 } = segment
  return number < Math.min(leftoversBelow, segment.number) && equalBytes(storeId, segment.storeId)
}

/** Reads the first `length` bytes, or all there are, into the arena; returns how many there were. */
function* readArena(file: File, memtable: Memtable, length: number): Generator<void, number, void> {
  let count = 0
  while (count < length) {
    const end = Math.min(count + STEP_BYTES, length)
    const read = readFully(file, memtable.bytes(count, end), count)
    count += read
    yield
    if (read === 0) break
  }
  return count
}
