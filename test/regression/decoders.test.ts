/**
 * Files that are wrong behind checksums that are right: every decoder refuses them with a typed error, in bounded memory, and
 * the kernel agrees with what works without it. A slice of what the fault suites run, and what they have found.
 */
import { expect } from 'chai'
import { decodeFrameHeader, decodeRecords } from '../../src/log/frame-decoder.ts'
import { segmentIdentity } from '../../src/log/log-format.ts'
import { decodeEntries } from '../../src/table/block-decoder.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { DecodeError } from '../../src/util/coding.ts'
import { allTargets } from '../faults/decoders.ts'
import { encodeBlock } from '../reference/block.ts'
import { CHUNKS, type Entry, PUT } from '../reference/entry.ts'
import { join, littleEndian } from '../reference/little-endian.ts'
import { encodeReference, encodeSegment } from '../reference/log-segment.ts'
import { encodeVarint } from '../reference/varint.ts'
import { xxh64 } from '../reference/xxh64.ts'
import { createKernel } from '../support/kernel.ts'
import { HEADER, newMemtable } from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const INPUTS = 1500
const AT = 80
const KEY = Uint8Array.of(7)

/** A segment with one frame, whose bytes were changed and whose checksums were not. */
function frameWith(
  record: Partial<Entry>,
  change: (frame: DataView) => void = () => {},
): Uint8Array {
  const entry = { key: KEY, kind: PUT, sequence: 1000, timestamp: HEADER.baseTimestamp }
  const records = [{ ...entry, value: new Uint8Array(0), ...record }]
  const bytes = encodeSegment(HEADER, [{ records, synced: undefined, valueBytes: 0 }])
  change(new DataView(bytes.buffer, AT))
  const identity = segmentIdentity(HEADER)
  const payload = littleEndian(
    Number(xxh64(bytes.subarray(AT + 32), identity + 81n) & 0xffffffffn),
    4,
  )
  bytes.set(payload, AT + 4)
  const header = xxh64(bytes.subarray(AT + 4, AT + 32), identity + 80n) & 0xffffffffn
  bytes.set(littleEndian(Number(header), 4), AT)
  return bytes
}

/** What both decoders say of the frame: its records, `damage` or `FORMAT`. */
function judged(bytes: Uint8Array): string {
  const memtable = newMemtable(createKernel(), bytes.length + 16)
  memtable.load(bytes, 0)
  const replay = memtable.replay(bytes.length)
  const kernel = replay.unknownFormat ? 'FORMAT' : replay.end === AT ? 'damage' : `${replay.count}`
  const identity = segmentIdentity(HEADER)
  let here = 'damage'
  try {
    const header = decodeFrameHeader(bytes.subarray(AT, AT + 32), identity, AT)
    const records = header && decodeRecords(bytes.subarray(AT + 32), header, identity, AT)
    if (records !== undefined) here = `${records.length}`
  } catch (error) {
    here = (error as { code: string }).code
  }
  expect(here, 'without the kernel').to.equal(kernel)
  return kernel
}

describe('regression/decoders', () => {
  before(loadChecksums)

  it('agree on inputs that are nearly right, within bounds of memory: H1, H2 [LOG-3, TBL-10, MAN-6, LOCK-3]', async function () {
    this.timeout(60_000)
    for (const target of await allTargets()) {
      for (let input = 0; input < INPUTS; input++) {
        const seed = testSeed() + input * 2 ** 32
        try {
          target.run(seededRandom(seed))
        } catch (cause) {
          throw new Error(`${target.name}, input ${seed}`, { cause })
        }
      }
    }
  })

  it('take a frame of a kind to come for what it is, and not for a torn tail [LOG-3]', () => {
    expect(judged(frameWith({}))).to.equal('1')
    const kind = (value: number) => (frame: DataView) => frame.setUint8(12, value)
    for (const future of [3, 4, 6]) expect(judged(frameWith({}, kind(future)))).to.equal('FORMAT')
    for (const none of [0, 7, 255]) expect(judged(frameWith({}, kind(none)))).to.equal('damage')
    expect(judged(frameWith({ kind: 5 }))).to.equal('FORMAT')
    expect(judged(frameWith({ kind: 7 }))).to.equal('damage')
  })

  it('see damage before they see the future [LOG-3]', () => {
    const miscounted = frameWith({ kind: 5 }, (frame) => frame.setUint8(13, 2))
    expect(judged(miscounted)).to.equal('damage')
    const misplaced = frameWith({ kind: 5 }, (frame) => frame.setUint32(16, 9, true))
    expect(judged(misplaced)).to.equal('damage')
  })

  it('refuse a reference to a value that no file could hold [LOG-6, TBL-9]', () => {
    const good = encodeReference(70_000, 2 ** 48 - 1)
    expect(judged(frameWith({ kind: CHUNKS, value: good }))).to.equal('1')
    for (const value of [encodeReference(2 ** 48, 0), encodeReference(70_000, 2 ** 50)]) {
      expect(judged(frameWith({ kind: CHUNKS, value }))).to.equal('damage')
      const entry = { key: KEY, kind: CHUNKS, sequence: 1, timestamp: 0, value }
      expect(() => decodeEntries(encodeBlock([entry]))).to.throw(DecodeError)
    }
  })

  it('refuse times and counts that no number can be [TBL-5, TBL-10]', () => {
    const entry = { key: KEY, kind: PUT, sequence: 1, timestamp: 0, value: new Uint8Array(0) }
    const content = encodeBlock([entry])
    expect(decodeEntries(content)).to.have.length(1)
    const late = join(content.subarray(0, 9), encodeVarint(2n ** 54n), content.subarray(10))
    expect(() => decodeEntries(late)).to.throw(DecodeError, 'beyond 2^53')
    const many = join(encodeVarint(1025n), content.subarray(1))
    expect(() => decodeEntries(many)).to.throw(DecodeError, 'too many entries')
  })
})
