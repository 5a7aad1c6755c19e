import { expect } from 'chai'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import {
  readSegment,
  readSegmentInSteps,
  type SegmentToRead,
} from '../../src/log/segment-reader.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { encodeHeader, encodeSegment, segmentIdentity } from '../reference/log-segment.ts'
import { randomKeys } from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { STORE_ID } from '../support/memory-tables.ts'
import { entriesOf, HEADER } from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const MIB = 1024 * 1024
const NAME = '000007.log'
const SEGMENT: SegmentToRead = {
  path: `/${NAME}`,
  name: NAME,
  storeId: STORE_ID,
  hashSeed: HASH_SEED,
  number: HEADER.number,
}

describe('log/segment-reader', () => {
  let kernel: Kernel
  let fs: MemoryFileSystem

  before(loadChecksums)

  beforeEach(() => {
    kernel = createKernel()
    fs = new MemoryFileSystem()
  })

  function write(...parts: Uint8Array[]): void {
    const file = fs.open(SEGMENT.path, 'create')
    for (const part of parts) file.write(part, file.size())
    file.close()
  }

  function segmentBytes(): Uint8Array {
    const random = seededRandom(testSeed())
    const entries = entriesOf(random, randomKeys(random, 20), 100)
    return encodeSegment(HEADER, [{ records: entries, synced: undefined, valueBytes: 0 }])
  }

  it('reads header and frames [LOG-1]', () => {
    write(segmentBytes())
    const read = readSegment(kernel, fs, SEGMENT)!
    expect(read.header).to.deep.include(HEADER)
    expect(read.identity).to.equal(segmentIdentity(HEADER))
    expect(read.replay).to.include({ count: 100, ending: 'end', end: read.length })
    expect(read.memtable.count).to.equal(100)
  })

  it('is undefined where the header does not verify [LOG-1]', () => {
    const bytes = segmentBytes()
    bytes[20]! ^= 1
    write(bytes)
    expect(readSegment(kernel, fs, SEGMENT)).to.equal(undefined)
    fs.remove(SEGMENT.path)
    write(bytes.subarray(0, 79))
    expect(readSegment(kernel, fs, SEGMENT)).to.equal(undefined)
  })

  it('refuses a segment of another number or store', () => {
    write(segmentBytes())
    for (const wrong of [{ number: 8 }, { storeId: new Uint8Array(16) }]) {
      expect(() => readSegment(kernel, fs, { ...SEGMENT, ...wrong }))
        .to.throw(NAME)
        .with.property('code', 'CORRUPTION')
    }
  })

  it('finds nothing in a segment that holds what an older one left there [LOG-11]', () => {
    write(segmentBytes())
    const leftover = { ...SEGMENT, number: 9, leftoversBelow: 8 }
    expect(readSegment(kernel, fs, leftover)).to.equal(undefined)
    const wrongs = [{ leftoversBelow: 7 }, { number: 6 }, { storeId: new Uint8Array(16) }]
    for (const wrong of wrongs) {
      expect(() => readSegment(kernel, fs, { ...leftover, ...wrong })).to.throw(NAME)
    }
  })

  it('takes a large file in steps, and gives its memory back when it is left between two of them', () => {
    write(encodeHeader(HEADER), new Uint8Array(9 * MIB))
    for (let round = 0; round < 20; round++) {
      const steps = readSegmentInSteps(kernel, fs, SEGMENT)
      for (let step = 0; step < 2; step++) expect(steps.next().done).to.equal(false)
      steps.return(undefined)
    }
    expect(kernel.bytes).to.be.lessThan(40 * MIB)
  })
})
