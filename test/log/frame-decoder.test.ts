import { expect } from 'chai'
import { decodeFrameHeader, decodeRecords, type LogRecord } from '../../src/log/frame-decoder.ts'
import { segmentIdentity } from '../../src/log/log-format.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, DELETE, type Entry, PUT } from '../reference/entry.ts'
import { encodeReference, encodeSegment, type SegmentHeader } from '../reference/log-segment.ts'

const HEADER: SegmentHeader = {
  ...{ storeId: Uint8Array.from({ length: 16 }, (_, i) => i), number: 7, previous: 6, epoch: 2 },
  ...{ firstSequence: 1000, baseTimestamp: 5000 },
}

const NOTHING: Uint8Array = new Uint8Array(0)

function entry(key: string, kind: number, sequence: number, value = NOTHING): Entry {
  return { key: new TextEncoder().encode(key), kind, sequence, timestamp: 5000 - sequence, value }
}

/** The bytes of a segment with one frame, without the segment's header. */
function frameOf(records: readonly Entry[], valueBytes = 0): Uint8Array {
  return encodeSegment(HEADER, [{ records, synced: undefined, valueBytes }]).subarray(80)
}

function decode(frame: Uint8Array, offset = 80): LogRecord[] | undefined {
  const identity = segmentIdentity(HEADER)
  const header = decodeFrameHeader(frame.subarray(0, 32), identity, offset)
  return header && decodeRecords(frame.subarray(32), header, identity, offset)
}

describe('log/frame-decoder', () => {
  before(loadChecksums)

  it('reads what its twin has written [LOG-2, LOG-4, LOG-5]', () => {
    const records = [
      entry('a', PUT, 1000, Uint8Array.of(1, 2, 3)),
      entry('bb', DELETE, 1001),
      entry('ccc', PUT, 1003),
      entry('dddd', CHUNKS, 1004, encodeReference(70_000, 12)),
    ]
    const frame = frameOf(records, 70_100)
    const decoded = decode(frame)!
    expect(decoded.map(({ sequenceDelta }) => sequenceDelta)).to.deep.equal([0, 1, 3, 4])
    for (const [i, record] of decoded.entries()) {
      expect(record.kind).to.equal(records[i]!.kind)
      expect(record.timestampDelta).to.equal(-records[i]!.sequence)
      expect(record.key).to.deep.equal(records[i]!.key)
      expect(record.value).to.deep.equal(records[i]!.value)
    }
    const header = decodeFrameHeader(frame.subarray(0, 32), segmentIdentity(HEADER), 80)
    expect(header).to.include({ kind: 1, records: 4, firstDelta: 0, valueBytes: 70_100 })
  })

  it('reads a seal as a frame without records [LOG-8]', () => {
    expect(decode(frameOf([]))).to.deep.equal([])
  })

  it('refuses every flipped bit, and a frame in another place or segment [LOG-2, LOG-3]', () => {
    const frame = frameOf([entry('key', PUT, 1000, new Uint8Array(20))])
    for (let bit = 0; bit < frame.length * 8; bit++) {
      frame[bit >> 3]! ^= 1 << (bit & 7)
      expect(decode(frame), `bit ${bit}`).to.equal(undefined)
      frame[bit >> 3]! ^= 1 << (bit & 7)
    }
    expect(decode(frame, 84)).to.equal(undefined)
    const other = segmentIdentity({ ...HEADER, epoch: 3 })
    expect(decodeFrameHeader(frame.subarray(0, 32), other, 80)).to.equal(undefined)
    expect(decode(frame)).to.have.length(1)
  })

  it('refuses records that break the rules though their checksums hold [LOG-3]', () => {
    const key = 'k'.repeat(1024 * 1024 + 1)
    const far = Uint8Array.from([...Array<number>(8).fill(255), ...Array<number>(8).fill(0)])
    for (const records of [
      [entry('', PUT, 1000)],
      [entry(key, PUT, 1000)],
      [entry('a', 7, 1000)],
      [entry('a', 0, 1000)],
      [entry('a', DELETE, 1000, Uint8Array.of(1))],
      [entry('a', CHUNKS, 1000, Uint8Array.of(1))],
      [entry('a', CHUNKS, 1000, far)],
      [entry('a', PUT, 1001), entry('b', PUT, 1001)],
      [entry('a', PUT, 1001), entry('b', PUT, 1000)],
    ]) {
      expect(decode(frameOf(records))).to.equal(undefined)
    }
  })

  it('tells kinds of the future from damage [LOG-5]', () => {
    for (const kind of [4, 5, 6]) {
      expect(() => decode(frameOf([entry('a', kind, 1000)])))
        .to.throw()
        .with.property('code', 'FORMAT')
    }
  })
})
