import { expect } from 'chai'
import {
  checkSegmentPlace,
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentIdentity,
} from '../../src/log/log-format.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { join, littleEndian } from '../reference/little-endian.ts'
import {
  encodeHeader,
  segmentIdentity as referenceIdentity,
  type SegmentHeader,
} from '../reference/log-segment.ts'
import { xxh64 } from '../reference/xxh64.ts'
import { thrownBy } from '../support/manifests.ts'
import { STORE_ID } from '../support/memory-tables.ts'
import { HEADER } from '../support/memtables.ts'

const NAME = '000007.log'
/** Numbers beyond 32 bits, and a time before 1970. */
const FAR: SegmentHeader = {
  ...{ storeId: STORE_ID, number: 2 ** 40 + 1, previous: 2 ** 40, epoch: 2 ** 33 },
  ...{ firstSequence: 2 ** 52 + 3, baseTimestamp: -86_400_000 },
}

describe('log/log-format', () => {
  before(loadChecksums)

  it('encodes a header as its twin does, and decodes it again [LOG-1]', () => {
    for (const header of [HEADER, FAR]) {
      const bytes = encodeSegmentHeader(header)
      expect(bytes).to.deep.equal(encodeHeader(header))
      expect(bytes).to.have.length(SEGMENT_HEADER_BYTES)
      expect(decodeSegmentHeader(NAME, bytes)).to.deep.equal(header)
    }
  })

  it('decodes a header that lies within a larger buffer [LOG-1]', () => {
    const bytes = join(new Uint8Array(5), encodeHeader(FAR), new Uint8Array(100).fill(255))
    expect(decodeSegmentHeader(NAME, bytes.subarray(5))).to.deep.equal(FAR)
  })

  it('takes no header that is short or has any bit flipped [LOG-1]', () => {
    const bytes = encodeHeader(HEADER)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeSegmentHeader(NAME, damaged), `bit ${bit}`).to.equal(undefined)
    }
    for (const length of [0, 1, 79]) {
      expect(decodeSegmentHeader(NAME, bytes.subarray(0, length))).to.equal(undefined)
    }
  })

  it('refuses versions and features of the future that verify [LOG-1]', () => {
    for (const [offset, value] of [
      [8, 2],
      [12, 1],
    ] as const) {
      const fields = encodeHeader(HEADER).slice(0, 72)
      fields.set(littleEndian(value, 4), offset)
      const bytes = join(fields, littleEndian(xxh64(fields, 0n), 8))
      const error = thrownBy(() => decodeSegmentHeader(NAME, bytes))
      expect(error).to.include({ code: 'FORMAT', file: NAME, offset: 8, expected: 1 })
    }
  })

  it('makes identities of store, number and epoch, and of nothing else [LOG-2]', () => {
    const sameIdentity = { ...HEADER, previous: 1, firstSequence: 9, baseTimestamp: 5 }
    const identity = segmentIdentity(HEADER)
    expect(identity).to.equal(referenceIdentity(HEADER))
    expect(segmentIdentity(sameIdentity)).to.equal(identity)
    const storeId = STORE_ID.map((byte) => byte ^ 1)
    const others = [{ storeId }, { number: 8 }, { epoch: 3 }].map((other) =>
      segmentIdentity({ ...HEADER, ...other }),
    )
    expect(new Set([identity, ...others]).size).to.equal(4)
  })

  it('tells a segment of another number or store by file and offset', () => {
    expect(() => checkSegmentPlace(NAME, HEADER, STORE_ID, 7)).not.to.throw()
    const number = thrownBy(() => checkSegmentPlace(NAME, HEADER, STORE_ID, 8))
    expect(number).to.include({ code: 'CORRUPTION', file: NAME, offset: 32 })
    expect(number).to.include({ expected: 8, actual: 7 })
    const other = STORE_ID.slice()
    other[15]! ^= 128
    const store = thrownBy(() => checkSegmentPlace(NAME, HEADER, other, 7))
    expect(store).to.include({ code: 'CORRUPTION', file: NAME, offset: 16 })
  })
})
