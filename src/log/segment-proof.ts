/**
 * What the frames of a segment still prove when its header is lost: they may state that they, or those before them, were on disk
 * once, and then no crash has torn the header (LOG-10 of docs/log-format.md).
 *
 *   | header, damaged | frame | frame | …      a frame verifies only with the epoch that the header held: it is tried out
 */
import { closeQuietly, readFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { Memtable, type SyncedPoint } from '../kernel/memtable.ts'
import { decodeFrameHeader, FRAME_HEADER_BYTES } from './frame-decoder.ts'
import { SEGMENT_HEADER_BYTES, segmentIdentity } from './log-format.ts'

/** How many epochs back are tried with the first frame alone, and with all the segment. */
const EPOCHS_QUICK = 65_536
const EPOCHS_WHOLE = 8

export interface HeadlessSegment {
  readonly path: string
  readonly storeId: Uint8Array
  readonly number: number
  /** The highest that the segment can be of. */
  readonly epoch: number
}

/** The furthest synced point that any frame states; `undefined` if none does. Throws what the file system throws. */
export function proofWithoutHeader(
  kernel: Kernel,
  fs: FileSystem,
  segment: HeadlessSegment,
): SyncedPoint | undefined {
  const file = fs.open(segment.path, 'read')
  try {
    if (file.size() < SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES) return undefined
    const epoch = epochOfFirstFrame(file, segment)
    const least = Math.max(1, segment.epoch - EPOCHS_WHOLE + 1)
    const from = epoch ?? segment.epoch
    return bestProof(kernel, file, segment, from, epoch ?? least)
  } finally {
    closeQuietly(file)
  }
}

function epochOfFirstFrame(file: File, segment: HeadlessSegment): number | undefined {
  const head = new Uint8Array(FRAME_HEADER_BYTES)
  readFully(file, head, SEGMENT_HEADER_BYTES)
  const { storeId, number } = segment
  const least = Math.max(1, segment.epoch - EPOCHS_QUICK + 1)
  for (let epoch = segment.epoch; epoch >= least; epoch--) {
    const identity = segmentIdentity({ storeId, number, epoch })
    if (decodeFrameHeader(head, identity, SEGMENT_HEADER_BYTES) !== undefined) return epoch
  }
  return undefined
}

/** What the frames prove that are of an epoch from `most` down to `least`; the newest that have anything to say. */
function bestProof(
  kernel: Kernel,
  file: File,
  segment: HeadlessSegment,
  most: number,
  least: number,
): SyncedPoint | undefined {
  const memtable = new Memtable(kernel, file.size())
  try {
    const length = readFully(file, memtable.bytes(0, file.size()), 0)
    const { storeId, number } = segment
    for (let epoch = most; epoch >= least; epoch--) {
      const identity = segmentIdentity({ storeId, number, epoch })
      memtable.bind(number, identity, 0n, 0, 0)
      // The search begins behind the place that it is given.
      const proof = memtable.proof(SEGMENT_HEADER_BYTES - 1, length)
      if (proof !== undefined) return proof
    }
    return undefined
  } finally {
    if (!kernel.trapped) memtable.free()
  }
}
