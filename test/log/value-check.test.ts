import { expect } from 'chai'
import { findBadValue, type ValueFile, valueReferences } from '../../src/log/value-check.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, DELETE, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import {
  decodeSegment,
  encodeChunks,
  encodeReference,
  encodeSegment,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { bytesOf } from '../support/entries.ts'
import { fileOf } from '../support/file-of-bytes.ts'
import { BASE_TIMESTAMP, HEADER } from '../support/memtables.ts'

const NAME = '000007.val'
const IDENTITY = segmentIdentity(HEADER)
/** One chunk to the full, one with a byte in a second chunk, and one of three chunks. */
const LENGTHS = [65_536, 65_537, 150_000]

interface Large {
  readonly log: Uint8Array
  readonly values: Uint8Array
  /** Offsets of the frames in the log, and of the values in their file. */
  readonly frames: readonly number[]
  readonly offsets: readonly number[]
}

function entryOf(sequence: number, kind: number, value: Uint8Array): Entry {
  const key = bytesOf('k'.repeat(sequence))
  return { key, kind, value, sequence: HEADER.firstSequence + sequence, timestamp: BASE_TIMESTAMP }
}

/** A frame for each large value, between others that have none, with records of every length modulo 4. */
function written(): Large {
  let values: Uint8Array = new Uint8Array(0)
  let sequence = 0
  const offsets: number[] = []
  const frames = LENGTHS.flatMap((length, i) => {
    const offset = values.length
    offsets.push(offset)
    values = join(values, encodeChunks(new Uint8Array(length).fill(i + 1), IDENTITY, offset))
    const small = [entryOf(++sequence, PUT, bytesOf('v'.repeat(i + 20)))]
    const large = [
      entryOf(++sequence, PUT, new Uint8Array(i)),
      entryOf(++sequence, DELETE, new Uint8Array(0)),
      entryOf(++sequence, CHUNKS, encodeReference(length, offset)),
      entryOf(++sequence, PUT, new Uint8Array(3)),
    ]
    return [
      { records: small, synced: undefined, valueBytes: offset },
      { records: large, synced: undefined, valueBytes: values.length },
    ]
  })
  const log = encodeSegment(HEADER, frames)
  const placed = decodeSegment(log, HEADER).frames
  return { log, values, offsets, frames: [1, 3, 5].map((i) => placed[i]!.offset) }
}

function valueFile(bytes: Uint8Array): ValueFile {
  const file = fileOf(bytes)
  return { size: bytes.length, read: (target, position) => file.read(target, position) }
}

describe('log/value-check', () => {
  let large: Large
  before(async () => {
    await loadChecksums()
    large = written()
  })

  function check(values: Uint8Array): { frame: number; what: string } | undefined {
    return findBadValue(large.log, valueFile(values), NAME, IDENTITY)
  }

  it('finds every large value, and no other, with the frame that it lies in [LOG-4, LOG-6]', () => {
    const { log, frames, offsets } = large
    const expected = LENGTHS.map((length, i) => ({ frame: frames[i], length, offset: offsets[i] }))
    expect([...valueReferences(log)]).to.deep.equal(expected)
    expect([...valueReferences(log.subarray(0, frames[2]))]).to.deep.equal(expected.slice(0, 2))
    expect([...valueReferences(log.subarray(0, 80))]).to.deep.equal([])
  })

  it('has nothing to say where all values are there [LOG-6]', () => {
    expect(check(large.values)).to.equal(undefined)
    expect(check(join(large.values, new Uint8Array(1000)))).to.equal(undefined)
  })

  it('names the first frame whose value the file is too short for [LOG-6]', () => {
    const { values, frames, offsets } = large
    for (const [size, frame] of [
      [0, frames[0]],
      [offsets[1]! - 1, frames[0]],
      [offsets[1]!, frames[1]],
      [offsets[2]!, frames[2]],
      [values.length - 1, frames[2]],
    ] as const) {
      const what = `a value is missing in ${NAME}`
      expect(check(values.slice(0, size)), `${size} bytes`).to.deep.equal({ frame, what })
    }
  })

  it('finds a flipped bit in any chunk of a value or its checksum [LOG-6]', () => {
    const { frames, offsets } = large
    for (const [at, frame] of [
      [65_536, frames[0]],
      [offsets[1]!, frames[1]],
      [offsets[1]! + 65_544, frames[1]],
      [offsets[2]! + 65_544 + 100, frames[2]],
      [large.values.length - 1, frames[2]],
    ] as const) {
      const values = large.values.slice()
      values[at]! ^= 16
      const bad = check(values)
      expect(bad?.frame, `byte ${at}`).to.equal(frame)
      expect(bad?.what).to.include(NAME).and.include('checksum')
    }
  })

  it('does not take the values of another segment for its own [LOG-2, LOG-6]', () => {
    const other = segmentIdentity({ ...HEADER, epoch: HEADER.epoch + 1 })
    const bad = findBadValue(large.log, valueFile(large.values), NAME, other)
    expect(bad?.frame).to.equal(large.frames[0])
  })

  it('does not take a file that cannot be read for a damaged one', () => {
    const unreadable: ValueFile = {
      size: large.values.length,
      read: () => {
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      },
    }
    expect(() => findBadValue(large.log, unreadable, NAME, IDENTITY)).to.throw('EIO')
  })
})
