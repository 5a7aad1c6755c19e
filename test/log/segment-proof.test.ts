import { expect } from 'chai'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { SyncedPoint } from '../../src/kernel/memtable.ts'
import { proofWithoutHeader } from '../../src/log/segment-proof.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { encodeSegment, type SegmentHeader } from '../reference/log-segment.ts'
import { bytesOf } from '../support/entries.ts'
import { createKernel } from '../support/kernel.ts'

const HEADER: SegmentHeader = {
  storeId: Uint8Array.from({ length: 16 }, (_, i) => i),
  number: 9,
  previous: 8,
  firstSequence: 100,
  baseTimestamp: 0,
  epoch: 40,
}

/** Frames of one entry each, which state these points. */
function segment(points: readonly (SyncedPoint | undefined)[], header = HEADER): Uint8Array {
  const frames = points.map((synced, i) => {
    const key = bytesOf(`key ${i}`)
    const record: Entry = { kind: PUT, key, sequence: 100 + i, timestamp: 0, value: key }
    return { records: [record], synced, valueBytes: 0 }
  })
  return encodeSegment(header, frames)
}

function proofOf(bytes: Uint8Array, epoch: number): SyncedPoint | undefined {
  const fs = new MemoryFileSystem()
  const file = fs.open('000009.log', 'create')
  file.write(bytes, 0)
  file.close()
  const { storeId, number } = HEADER
  return proofWithoutHeader(createKernel(), fs, { path: '000009.log', storeId, number, epoch })
}

describe('log/segment-proof', () => {
  before(loadChecksums)

  const points = [undefined, { distance: 1, offset: 500 }, { distance: 0, offset: 140 }]

  it('finds the furthest point that frames state, whatever the header was [LOG-10]', () => {
    const bytes = segment(points).fill(0xaa, 0, 80)
    for (const epoch of [40, 41, 1000]) {
      expect(proofOf(bytes, epoch), `${epoch}`).to.deep.equal({ distance: 0, offset: 140 })
    }
  })

  it('does without the first frame when the epoch is not long ago [LOG-10]', () => {
    const bytes = segment(points).fill(0, 0, 112)
    expect(proofOf(bytes, 40)).to.deep.equal({ distance: 0, offset: 140 })
    expect(proofOf(bytes, 43)).to.deep.equal({ distance: 0, offset: 140 })
  })

  it('finds nothing where no frame of this store and segment states a point [LOG-2]', () => {
    expect(proofOf(segment([undefined, undefined]), 40)).to.equal(undefined)
    expect(proofOf(segment(points), 39)).to.equal(undefined)
    expect(proofOf(segment(points, { ...HEADER, number: 8 }), 40)).to.equal(undefined)
    const other = { ...HEADER, storeId: new Uint8Array(16) }
    expect(proofOf(segment(points, other), 40)).to.equal(undefined)
    for (const size of [0, 1, 80, 111]) {
      expect(proofOf(segment(points).subarray(0, size), 40)).to.equal(undefined)
    }
  })
})
