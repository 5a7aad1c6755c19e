import { expect } from 'chai'
import { verifySegment } from '../../src/engine/verify-segment.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { SedgeError } from '../../src/errors.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, type Entry, PUT } from '../reference/entry.ts'
import {
  encodeChunks,
  encodeReference,
  encodeSegment,
  type Frame,
  type SegmentHeader,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { runSteps } from '../support/file-of-bytes.ts'

const HEADER: SegmentHeader = {
  ...{ storeId: new Uint8Array(16), number: 4, previous: 0, epoch: 1 },
  ...{ firstSequence: 10, baseTimestamp: 0 },
}

function frame(...sequences: number[]): Frame {
  const records = sequences.map((sequence): Entry => {
    return { key: Uint8Array.of(65), kind: PUT, sequence, timestamp: 0, value: Uint8Array.of(1) }
  })
  return { records, synced: undefined, valueBytes: 0 }
}

const SEAL = frame()

function verify(
  bytes: Uint8Array,
  options: { length?: number; storeId?: Uint8Array; number?: number; values?: Uint8Array } = {},
): { entries: number; bytes: number; problems: SedgeError[] } {
  const fs = new MemoryFileSystem()
  const file = fs.open('/000004.log', 'create')
  file.write(bytes, 0)
  if (options.values !== undefined) fs.open('/000004.val', 'create').write(options.values, 0)
  const problems: SedgeError[] = []
  const { length = bytes.length, storeId = HEADER.storeId, number = 4 } = options
  const segment = { fs, directory: '', storeId, file, number, length }
  const result = runSteps(verifySegment(segment, (problem) => problems.push(problem)))
  return { ...result, problems }
}

describe('engine/verify-segment', () => {
  before(loadChecksums)

  it('counts the entries of a sound segment, and does not look beyond the length [VER-2, VER-4]', () => {
    const bytes = encodeSegment(HEADER, [frame(10, 11), frame(12), SEAL])
    const { length } = bytes
    expect(verify(bytes)).to.deep.equal({ entries: 3, bytes: length, problems: [] })
    const garbage = new Uint8Array(length + 50).fill(9)
    garbage.set(bytes)
    expect(verify(garbage, { length })).to.deep.equal({ entries: 3, bytes: length, problems: [] })
    expect(verify(garbage).problems).to.have.length(1)
  })

  it('tells damage by frame, and what is missing at the end [VER-2]', () => {
    const bytes = encodeSegment(HEADER, [frame(10), frame(11), frame(12)])
    const second = encodeSegment(HEADER, [frame(10)]).length
    bytes[second + 40]! ^= 1
    const { problems, entries } = verify(bytes, { length: bytes.length + 8 })
    expect(problems.map(({ offset }) => offset)).to.deep.equal([bytes.length, second])
    expect(entries).to.equal(2)
  })

  it('tells a header that is damaged, of another segment or of another store [VER-2]', () => {
    const bytes = encodeSegment(HEADER, [frame(10)])
    expect(verify(bytes, { number: 5 }).problems.map(({ offset }) => offset)).to.deep.equal([32])
    const storeId = new Uint8Array(16).fill(1)
    expect(verify(bytes, { storeId }).problems.map(({ offset }) => offset)).to.deep.equal([16])
    bytes[33]! ^= 1
    expect(verify(bytes).problems.map(({ offset }) => offset)).to.deep.equal([0])
    expect(verify(bytes.subarray(0, 40)).problems).to.have.length(1)
  })

  it('tells frames behind a seal and sequences that go back [VER-2]', () => {
    const behind = verify(encodeSegment(HEADER, [frame(10), SEAL, frame(11)])).problems
    expect(behind.map(({ message }) => message.includes('behind the seal'))).to.deep.equal([true])
    const back = verify(encodeSegment(HEADER, [frame(11), frame(11)])).problems
    expect(back.map(({ message }) => message.includes('ascend'))).to.deep.equal([true])
  })

  it('reads the large values that records refer to [VER-2]', () => {
    const value = new Uint8Array(70_000).fill(5)
    const values = encodeChunks(value, segmentIdentity(HEADER), 0)
    const reference = { ...frame(10).records[0]!, kind: CHUNKS, value: encodeReference(70_000, 0) }
    const bytes = encodeSegment(HEADER, [
      { ...frame(), records: [reference], valueBytes: values.length },
    ])
    const sound = verify(bytes, { values })
    expect(sound).to.deep.equal({ entries: 1, bytes: bytes.length + 70_000, problems: [] })
    values[69_000]! ^= 1
    const [damaged] = verify(bytes, { values }).problems
    expect(damaged).to.include({ code: 'CORRUPTION', file: '000004.val', offset: 65_544 })
    const [missing] = verify(bytes).problems
    expect(missing).to.include({ code: 'CORRUPTION', file: '000004.val' })
  })
})
