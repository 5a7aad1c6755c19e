import { expect } from 'chai'
import { SalvageLog } from '../../src/engine/salvage-log.ts'
import {
  openForSalvage,
  type SalvagedSegment,
  salvageSegment,
} from '../../src/engine/salvage-segment.ts'
import { systemError } from '../../src/env/file-io.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { BlockEntry } from '../../src/table/block-decoder.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, type Entry, PUT } from '../reference/entry.ts'
import {
  decodeSegment,
  encodeChunks,
  encodeReference,
  encodeSegment,
  type Frame,
  type SegmentHeader,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { fileOf } from '../support/file-of-bytes.ts'

const HEADER: SegmentHeader = {
  ...{ storeId: new Uint8Array(16), number: 4, previous: 0, epoch: 1 },
  ...{ firstSequence: 100, baseTimestamp: 5000 },
}

function frameOf(records: readonly Entry[], valueBytes = 0): Frame {
  return { records, synced: undefined, valueBytes }
}

function entry(sequence: number, value = 'value'): Entry {
  const bytes = new TextEncoder().encode(value)
  return { key: Uint8Array.of(65), kind: PUT, sequence, timestamp: sequence, value: bytes }
}

function salvage(
  bytes: Uint8Array,
  values?: Uint8Array,
): { entries: BlockEntry[]; log: SalvageLog; ended: SalvagedSegment } {
  const log = new SalvageLog()
  const segment = {
    file: fileOf(bytes),
    header: HEADER,
    values: values === undefined ? undefined : fileOf(values),
  }
  const steps = salvageSegment(segment, log)
  const entries: BlockEntry[] = []
  for (;;) {
    const step = steps.next()
    if (step.done) return { entries, log, ended: step.value }
    entries.push(...step.value)
  }
}

describe('engine/salvage-segment', () => {
  before(loadChecksums)

  it('gives entries with their sequences and timestamps [REP-4, REP-5]', () => {
    const bytes = encodeSegment(HEADER, [
      frameOf([entry(100), entry(102)]),
      frameOf([entry(103)]),
      frameOf([]),
    ])
    const { entries, log, ended } = salvage(bytes)
    expect(entries.map(({ sequence }) => sequence)).to.deep.equal([100, 102, 103])
    expect(entries.map(({ timestamp }) => timestamp)).to.deep.equal([100, 102, 103])
    expect(log.problems).to.deep.equal([])
    expect(ended).to.deep.equal({ end: bytes.length, isSealed: true })
  })

  it('goes on behind damage and says what is lost [REP-4, REP-6]', () => {
    const bytes = encodeSegment(
      HEADER,
      [100, 101, 102].map((sequence) => frameOf([entry(sequence)])),
    )
    const { offset, end } = decodeSegment(bytes, HEADER).frames[1]!
    bytes[offset + 3]! ^= 1
    const { entries, log, ended } = salvage(bytes)
    expect(entries.map(({ sequence }) => sequence)).to.deep.equal([100, 102])
    expect(log.losses).to.deep.equal([{ file: '000004.log', offset, bytes: end - offset }])
    expect(ended).to.deep.equal({ end: bytes.length, isSealed: false })
  })

  it('does not count prepared space as lost [REP-6]', () => {
    const bytes = encodeSegment(HEADER, [frameOf([entry(100)])])
    const prepared = new Uint8Array(bytes.length + 4096)
    prepared.set(bytes)
    const { log, ended } = salvage(prepared)
    expect(log.problems).to.deep.equal([])
    expect(ended.end).to.equal(bytes.length)
  })

  it('leaves out an entry whose large value is damaged or missing [REP-4, REP-6]', () => {
    const values = encodeChunks(new Uint8Array(70_000), segmentIdentity(HEADER), 8)
    const file = new Uint8Array(8 + values.length)
    file.set(values, 8)
    const large = { ...entry(101), kind: CHUNKS, value: encodeReference(70_000, 8) }
    const bytes = encodeSegment(HEADER, [frameOf([entry(100), large, entry(102)], file.length)])
    expect(salvage(bytes, file).entries).to.have.length(3)
    file[69_000]! ^= 1
    for (const spoiled of [file, undefined, file.subarray(0, 100)]) {
      const { entries, log } = salvage(bytes, spoiled)
      expect(entries.map(({ sequence }) => sequence)).to.deep.equal([100, 102])
      expect(log.losses).to.deep.equal([{ file: '000004.val', offset: 8, bytes: 70_016 }])
    }
  })

  it('opens what can be opened', () => {
    const fs = new MemoryFileSystem()
    fs.open('/file', 'create').close()
    expect(openForSalvage(fs, '/file')?.size()).to.equal(0)
    expect(openForSalvage(fs, '/none')).to.equal(undefined)
    expect(openForSalvage(fs, '/')).to.equal(undefined)
    fs.open = () => {
      throw systemError('EMFILE', 'too many open files')
    }
    expect(() => openForSalvage(fs, '/file')).to.throw('EMFILE')
  })
})
