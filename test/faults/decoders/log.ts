/** Frames of a log segment: the kernel's replay and the scanner that works without it. */
import { segmentIdentity as identityOf } from '../../../src/log/log-format.ts'
import { type SegmentPart, scanSegment } from '../../../src/log/segment-scanner.ts'
import { addSeed, hash64 } from '../../../src/util/checksum.ts'
import { encodeReference, encodeSegment, type Frame } from '../../reference/log-segment.ts'
import { randomKeys } from '../../support/entries.ts'
import { fileOf } from '../../support/file-of-bytes.ts'
import { createKernel } from '../../support/kernel.ts'
import { entriesOf, HEADER, newMemtable } from '../../support/memtables.ts'
import { mutated } from '../../support/mutation.ts'
import { type Random, seededRandom } from '../../support/seed.ts'
import { expectEqual, outcomeOf, type Target, withinMemory } from './target.ts'

const HEADER_BYTES = 80
const FRAME_HEADER_BYTES = 32
const SAMPLES = 24

export function logTarget(): Target {
  const samples = Array.from({ length: SAMPLES }, (_, i) => sample(seededRandom(i)))
  const identity = identityOf(HEADER)
  const kernel = createKernel()
  return {
    name: 'log',
    weight: 4,
    run(random) {
      const bytes = mutated(random, random.pick(samples), HEADER_BYTES)
      if (random.chance(0.9)) reseal(bytes, identity)
      const here = withinMemory(bytes.length, () => outcomeOf(() => scan(bytes, identity)))
      const memtable = newMemtable(kernel, bytes.length + 16)
      try {
        memtable.load(bytes, 0)
        const replay = memtable.replay(bytes.length)
        expectEqual('of the future', replay.unknownFormat, 'code' in here)
        if ('code' in here) return
        expectEqual('end', replay.end, here.value.end)
        expectEqual('records', replay.count, here.value.records)
        expectEqual('sealed', replay.ending === 'seal', here.value.isSealed)
        while (memtable.sortStep());
      } finally {
        memtable.free()
      }
    },
  }
}

function sample(random: Random): Uint8Array {
  const keys = randomKeys(random, 6)
  const entries = entriesOf(random, keys, random.int(3, 12))
  const frames: Frame[] = []
  for (let at = 0; at < entries.length; at += 3) {
    const records = entries.slice(at, at + 3)
    if (random.chance(0.3)) {
      records[0] = { ...records[0]!, kind: 3, value: encodeReference(70_000, 8) }
    }
    frames.push({ records, synced: undefined, valueBytes: at * 100 })
  }
  if (random.chance(0.4)) frames.push({ records: [], synced: undefined, valueBytes: 5000 })
  return encodeSegment(HEADER, frames)
}

/** Makes the checksums right, frame by frame, as far as the lengths lead. */
function reseal(bytes: Uint8Array, identity: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = HEADER_BYTES; at + FRAME_HEADER_BYTES <= bytes.length; ) {
    const start = at + FRAME_HEADER_BYTES
    const end = start + view.getUint32(at + 8, true)
    if (end <= bytes.length) {
      view.setUint32(
        at + 4,
        low32(hash64(bytes.subarray(start, end), addSeed(identity, at + 1))),
        true,
      )
    }
    view.setUint32(at, low32(hash64(bytes.subarray(at + 4, start), addSeed(identity, at))), true)
    at = end
  }
}

function low32(hash: bigint): number {
  return Number(hash & 0xffffffffn)
}

interface Scanned {
  readonly end: number
  readonly records: number
  readonly isSealed: boolean
}

/** What a log is up to its first damage: sequences ascend and value files grow from frame to frame. */
function scan(bytes: Uint8Array, identity: bigint): Scanned {
  let records = 0
  let end = HEADER_BYTES
  let last = -1
  let values = 0
  for (const part of scanSegment(fileOf(bytes), identity, bytes.length)) {
    if (part.type === 'searching') continue
    if (!follows(part, last, values)) break
    end = part.end
    if (part.type !== 'frame') return { end, records, isSealed: isZero(bytes.subarray(end)) }
    records += part.records.length
    last = part.records.at(-1)!.sequenceDelta
    values = part.valueBytes
  }
  return { end, records, isSealed: false }
}

/** Space that was prepared for frames [LOG-13], none of it included. */
function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function follows(part: SegmentPart, last: number, values: number): boolean {
  if (part.type !== 'frame' && part.type !== 'seal') return false
  if (part.valueBytes < values) return false
  return part.type === 'seal' || part.records[0]!.sequenceDelta > last
}
