import { expect } from 'chai'
import {
  type BlockEntry,
  decodeEntries,
  isInOrder,
  isSealed,
  openBlock,
} from '../../src/table/block-decoder.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { DecodeError } from '../../src/util/coding.ts'
import { encodeBlock, sealBlock } from '../reference/block.ts'
import { CHUNKS, compareEntries, DELETE, type Entry, INDEX, PUT } from '../reference/entry.ts'
import { lz4Compress } from '../reference/lz4.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const IDENTITY = 0x1234_5678_9abc_def0n

function entriesOf(random: Random): Entry[] {
  const prefix = random.bytes(random.int(5))
  const entries = Array.from({ length: random.int(1, 40) }, (_, i): Entry => {
    const kind = random.pick([PUT, PUT, DELETE, CHUNKS])
    const value =
      kind === PUT
        ? random.bytes(random.int(300))
        : kind === DELETE
          ? new Uint8Array(0)
          : Uint8Array.from([...[1, 2, 3, 0, 0, 0, 0, 0], ...[9, 9, 0, 0, 0, 0, 0, 0]])
    const key = Uint8Array.from([...prefix, ...random.bytes(random.int(1, 3))])
    const timestamp = 1_700_000_000_000 + random.int(-1000, 1000)
    return { kind, key, sequence: 2 ** 40 + i, timestamp, value }
  })
  return entries.sort(compareEntries)
}

function plain(entries: readonly BlockEntry[]): Entry[] {
  return entries.map(({ key, kind, sequence, timestamp, value }) => {
    return { kind, key: key.slice(), sequence, timestamp, value: value.slice() }
  })
}

describe('table/block-decoder', () => {
  before(loadChecksums)

  it('reads what its twin has written, compressed or not [TBL-4, TBL-5]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 200; round++) {
      const entries = entriesOf(random)
      const content = encodeBlock(entries)
      const packed = { codec: 1, bytes: lz4Compress(content) }
      for (const stored of [
        sealBlock(content, IDENTITY, 72),
        sealBlock(content, IDENTITY, 72, packed),
      ]) {
        expect(isSealed(stored, IDENTITY, 72)).to.equal(true)
        expect(plain(decodeEntries(openBlock(stored, undefined)))).to.deep.equal(entries)
      }
    }
  })

  it('knows a block in its own place only [TBL-2, TBL-4]', () => {
    const stored = sealBlock(encodeBlock(entriesOf(seededRandom(testSeed()))), IDENTITY, 72)
    expect(isSealed(stored, IDENTITY, 73)).to.equal(false)
    expect(isSealed(stored, IDENTITY + 1n, 72)).to.equal(false)
    expect(isSealed(stored.subarray(0, 16), IDENTITY, 72)).to.equal(false)
    for (let at = 0; at < stored.length; at++) {
      stored[at]! ^= 1
      expect(isSealed(stored, IDENTITY, 72), `byte ${at}`).to.equal(false)
      stored[at]! ^= 1
    }
  })

  it('refuses every damaged content or reads entries that keep the rules [TBL-10]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 500; round++) {
      const content = encodeBlock(entriesOf(random))
      content[random.int(content.length)]! ^= 1 << random.int(8)
      let entries: BlockEntry[]
      try {
        entries = decodeEntries(content)
      } catch (error) {
        const isTyped =
          error instanceof DecodeError || (error as { code?: unknown }).code === 'FORMAT'
        expect(isTyped, String(error)).to.equal(true)
        continue
      }
      const holds = entries.every((entry, i) => i === 0 || isInOrder(entries[i - 1]!, entry))
      expect(holds && entries.every(({ key }) => key.length > 0)).to.equal(true)
    }
  })

  it('lets keys repeat in an index only [TBL-7]', () => {
    const entry = { key: Uint8Array.of(1), timestamp: 100, value: new Uint8Array(0) }
    const content = (kind: number): Uint8Array =>
      encodeBlock([72, 172].map((sequence) => ({ ...entry, kind, sequence })))
    expect(decodeEntries(content(INDEX), true)).to.have.length(2)
    expect(() => decodeEntries(content(PUT))).to.throw(DecodeError, 'out of order')
  })

  it('takes an index for nothing else, and nothing else for an index [TBL-7]', () => {
    const entry = { key: Uint8Array.of(1), sequence: 72, timestamp: 100, value: new Uint8Array(0) }
    const index = { ...entry, kind: INDEX }
    expect(decodeEntries(encodeBlock([index]), true)).to.have.length(1)
    expect(() => decodeEntries(encodeBlock([index]))).to.throw(DecodeError)
    for (const wrong of [{ kind: PUT }, { timestamp: 0 }, { timestamp: 2 ** 32 }]) {
      const content = encodeBlock([{ ...index, ...wrong }])
      expect(() => decodeEntries(content, true)).to.throw(DecodeError, 'no index')
    }
  })

  it('tells kinds and codecs of the future from damage [LOG-5]', () => {
    const entry = { key: Uint8Array.of(1), sequence: 1, timestamp: 0, value: new Uint8Array(0) }
    for (const kind of [4, 5, 6]) {
      const content = encodeBlock([{ ...entry, kind }])
      expect(() => decodeEntries(content))
        .to.throw()
        .with.property('code', 'FORMAT')
    }
    expect(() => decodeEntries(encodeBlock([{ ...entry, kind: 7 }]))).to.throw(DecodeError)
    const content = encodeBlock([{ ...entry, kind: PUT }])
    const future = sealBlock(content, IDENTITY, 72, { codec: 3, bytes: content })
    expect(() => openBlock(future, undefined))
      .to.throw()
      .with.property('code', 'FORMAT')
  })

  it('hands zstd to the runtime, and believes neither it nor the trailer', () => {
    const content = encodeBlock(entriesOf(seededRandom(testSeed())))
    const stored = sealBlock(content, IDENTITY, 72, { codec: 2, bytes: Uint8Array.of(1, 2, 3) })
    expect(openBlock(stored, () => content)).to.equal(content)
    expect(() => openBlock(stored, undefined))
      .to.throw()
      .with.property('code', 'UNSUPPORTED')
    expect(() => openBlock(stored, () => content.subarray(1))).to.throw(DecodeError, 'wrong size')
    const fail = (): never => {
      throw new Error('not zstd')
    }
    expect(() => openBlock(stored, fail)).to.throw(DecodeError, 'cannot be decompressed')
  })
})
