import { expect } from 'chai'
import { segmentIdentity } from '../../src/log/log-format.ts'
import { type SegmentPart, scanSegment } from '../../src/log/segment-scanner.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { decodeSegment, encodeSegment, type SegmentHeader } from '../reference/log-segment.ts'
import { fileOf } from '../support/file-of-bytes.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const HEADER: SegmentHeader = {
  ...{ storeId: new Uint8Array(16), number: 3, previous: 0, epoch: 1 },
  ...{ firstSequence: 1, baseTimestamp: 0 },
}

function segmentOf(random: Random, frames: number, isSealed: boolean): Uint8Array {
  let sequence = 1
  const written = Array.from({ length: frames }, () => {
    const records = Array.from({ length: random.int(1, 4) }, (): Entry => {
      const [key, value] = [random.bytes(random.int(1, 9)), random.bytes(random.int(90))]
      return { key, kind: PUT, sequence: sequence++, timestamp: 0, value }
    })
    return { records, synced: undefined, valueBytes: 0 }
  })
  const seal = { records: [], synced: undefined, valueBytes: 0 }
  return encodeSegment(HEADER, isSealed ? [...written, seal] : written)
}

function scan(bytes: Uint8Array): Exclude<SegmentPart, { type: 'searching' }>[] {
  const parts = [...scanSegment(fileOf(bytes), segmentIdentity(HEADER), bytes.length)]
  return parts.filter((part) => part.type !== 'searching')
}

describe('log/segment-scanner', () => {
  before(loadChecksums)

  it('walks a sound segment frame by frame [LOG-1, LOG-8]', () => {
    const random = seededRandom(testSeed())
    const bytes = segmentOf(random, 20, true)
    const expected = decodeSegment(bytes, HEADER).frames
    const parts = scan(bytes)
    expect(parts.map(({ offset }) => offset)).to.deep.equal(expected.map(({ offset }) => offset))
    expect(parts.map(({ type }) => type)).to.deep.equal([...Array(20).fill('frame'), 'seal'])
  })

  it('finds every sound frame behind damage, and no byte goes untold [REP-4]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 100; round++) {
      const bytes = segmentOf(random, 12, true)
      const frames = decodeSegment(bytes, HEADER).frames
      const broken = new Set<number>()
      for (let i = 0; i < random.int(1, 5); i++) {
        const frame = random.pick(frames)
        if (broken.has(frame.offset)) continue
        broken.add(frame.offset)
        bytes[random.int(frame.offset, frame.end)]! ^= 1 << random.int(8)
      }
      const parts = scan(bytes)
      const found = parts.filter(({ type }) => type !== 'damage').map(({ offset }) => offset)
      const sound = frames.map(({ offset }) => offset).filter((offset) => !broken.has(offset))
      expect(found).to.deep.equal(sound)
      let position = 80
      for (const part of parts) {
        expect(part.offset).to.equal(position)
        position = part.end
      }
      expect(position).to.equal(bytes.length)
    }
  })

  it('tells space that was never written from lost bytes [REP-6]', () => {
    const bytes = segmentOf(seededRandom(testSeed()), 3, false)
    const longer = new Uint8Array(bytes.length + 200_000)
    longer.set(bytes)
    const last = scan(longer).at(-1)!
    expect(last).to.deep.include({ type: 'damage', offset: bytes.length, isZero: true })
    longer[longer.length - 1] = 1
    expect(scan(longer).at(-1)).to.deep.include({ type: 'damage', isZero: false })
  })

  it('finds a frame far behind damage, and rests on the way', () => {
    const bytes = segmentOf(seededRandom(testSeed()), 2000, true)
    const frames = decodeSegment(bytes, HEADER).frames
    const last = frames.at(-2)!
    bytes.fill(0xee, frames[1]!.offset, last.offset)
    const parts = [...scanSegment(fileOf(bytes), segmentIdentity(HEADER), bytes.length)]
    expect(parts.filter(({ type }) => type === 'searching').length).to.be.greaterThan(1)
    const told = parts.filter((part) => part.type !== 'searching')
    expect(told.map(({ type }) => type)).to.deep.equal(['frame', 'damage', 'frame', 'seal'])
    expect(told[2]).to.include({ offset: last.offset, end: last.end })
  })

  it('does not look beyond the length that counts', () => {
    const bytes = segmentOf(seededRandom(testSeed()), 5, true)
    const frames = decodeSegment(bytes, HEADER).frames
    const parts = [...scanSegment(fileOf(bytes), segmentIdentity(HEADER), frames[2]!.end)]
    expect(parts).to.have.length(3)
    expect(parts.every(({ type }) => type === 'frame')).to.equal(true)
  })
})
