import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Memtable, ReplayResult } from '../../src/kernel/memtable.ts'
import { DELETE, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import {
  decodeHeader,
  decodeSegment,
  encodeReference,
  encodeSegment,
  type Frame,
} from '../reference/log-segment.ts'
import { bytesOf, randomKeys } from '../support/entries.ts'
import { createKernel } from '../support/kernel.ts'
import { STORE_ID } from '../support/memory-tables.ts'
import {
  appendAll,
  BASE_TIMESTAMP,
  entriesOf,
  expectModel,
  HEADER,
  newMemtable,
} from '../support/memtables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

describe('kernel/memtable-replay', () => {
  let kernel: Kernel

  beforeEach(() => {
    kernel = createKernel()
  })

  describe('bytes', () => {
    it('are those of a log segment, byte for byte [LOG-1, LOG-2, LOG-4, LOG-5, LOG-7, LOG-8, KRN-7]', () => {
      const random = seededRandom(testSeed())
      const keys = randomKeys(random, 8)
      for (let round = 0; round < 30; round++) {
        const { frames, memtable } = randomSegment(kernel, random, keys)
        const bytes = memtable.bytes(0, memtable.tail).slice()
        expect(bytes).to.deep.equal(encodeSegment(HEADER, frames))
        expect(decodeHeader(bytes)).to.deep.equal(HEADER)
        const decoded = decodeSegment(bytes, HEADER)
        expect(decoded.frames.map((frame) => frame.records)).to.deep.equal(
          frames.map(({ records }) => records),
        )
        memtable.free()
      }
    })

    it('are replayed to the same entries, synced point and bytes of values [LOG-3, KRN-7]', () => {
      const random = seededRandom(testSeed())
      const keys = randomKeys(random, 8)
      for (let round = 0; round < 30; round++) {
        const { frames, memtable } = randomSegment(kernel, random, keys)
        const bytes = memtable.bytes(0, memtable.tail).slice()
        memtable.free()
        const { replayed, result } = replay(kernel, bytes)
        const records = frames.flatMap((frame) => frame.records)
        const last = records.at(-1)?.sequence ?? HEADER.firstSequence
        expect(result).to.deep.equal({
          end: bytes.length,
          ending: frames.at(-1)?.records.length === 0 ? 'seal' : 'end',
          synced: highest(frames),
          valueBytes: frames.at(-1)?.valueBytes ?? 0,
          lastSequence: last,
          count: records.length,
          unknownFormat: false,
        })
        expect(replayed.bytes(0, bytes.length)).to.deep.equal(bytes)
        expectModel(kernel, replayed, records)
        replayed.free()
      }
    })

    it('cut short at any length give the frames that are whole [LOG-3, LOG-7, LOG-8, LOG-10]', () => {
      const { bytes, frames } = smallSegment(kernel)
      for (let length = 80; length < bytes.length; length++) {
        const { replayed, result } = replay(kernel, bytes.slice(0, length))
        const whole = frames.filter(({ end }) => end <= length)
        const end = whole.at(-1)?.end ?? 80
        expect([result.end, result.ending]).to.deep.equal([end, end < length ? 'damage' : 'end'])
        expectModel(
          kernel,
          replayed,
          whole.flatMap(({ records }) => records),
        )
        replayed.free()
      }
    })

    it('with any byte changed give the frames before the damage, and nothing else [LOG-2, LOG-3, LOG-10]', () => {
      const random = seededRandom(testSeed())
      const { bytes, frames } = smallSegment(kernel)
      for (let at = 80; at < bytes.length; at++) {
        const damaged = bytes.slice()
        damaged[at]! ^= random.pick([1, 128, 255, random.int(1, 256)])
        const { replayed, result } = replay(kernel, damaged)
        const whole = frames.filter(({ end }) => end <= at)
        const end = whole.at(-1)?.end ?? 80
        expect([result.end, result.ending]).to.deep.equal([end, 'damage'])
        expect(result.count).to.equal(whole.flatMap(({ records }) => records).length)
        replayed.free()
      }
    })

    it('of another place, segment, opening or store are never taken for valid [LOG-2]', () => {
      const { bytes, frames } = smallSegment(kernel)
      const first = bytes.slice(80, frames[0]!.end)
      const elsewhere = join(bytes.slice(0, frames[0]!.end), first, bytes.slice(frames[0]!.end))
      expect(replay(kernel, elsewhere).result.end).to.equal(frames[0]!.end)
      const other = { ...STORE_ID.slice(), 0: 255, length: 16 }
      const headers = [
        { ...HEADER, number: 8 },
        { ...HEADER, epoch: 3 },
        { ...HEADER, storeId: Uint8Array.from(other) },
      ]
      for (const header of headers) {
        const { result } = replay(kernel, bytes, header)
        expect([result.end, result.ending, result.count]).to.deep.equal([80, 'damage', 0])
      }
    })

    it('behind a seal are damage, but for zeros [LOG-8, LOG-13]', () => {
      const { bytes, frames } = smallSegment(kernel)
      for (let tail = 1; tail < 70; tail++) {
        const zeros = new Uint8Array(tail)
        const { result } = replay(kernel, join(bytes, zeros))
        expect([result.end, result.ending]).to.deep.equal([bytes.length, 'seal'])
        const unsealed = bytes.slice(0, frames.at(-2)!.end)
        const open = replay(kernel, join(unsealed, zeros)).result
        expect([open.end, open.ending]).to.deep.equal([unsealed.length, 'end'])
        zeros[tail - 1] = 1
        for (const start of [bytes, unsealed]) {
          const other = replay(kernel, join(start, zeros)).result
          expect([other.end, other.ending]).to.deep.equal([start.length, 'damage'])
        }
      }
    })

    it('that break a rule under good checksums are damage, and reserved kinds a format to come [LOG-3, LOG-5]', () => {
      const put = { key: bytesOf('k'), kind: PUT, sequence: 1000, timestamp: BASE_TIMESTAMP }
      const value = bytesOf('value')
      const good: Entry = { ...put, value }
      const frame = (...records: Entry[]): Frame => ({ records, synced: undefined, valueBytes: 9 })
      const later = { ...good, sequence: 1001 }
      const bad: [string, Frame[]][] = [
        ['kind 0', [frame({ ...good, kind: 0 })]],
        ['kind 7', [frame({ ...good, kind: 7 })]],
        ['no key', [frame({ ...good, key: new Uint8Array(0) })]],
        ['a key of more than 1 MiB', [frame({ ...good, key: new Uint8Array((1 << 20) + 1) })]],
        ['a value of 64 KiB', [frame({ ...good, value: new Uint8Array(65_536) })]],
        ['a delete with a value', [frame({ ...good, kind: DELETE })]],
        ['a reference of 5 bytes', [frame({ ...good, kind: 3 })]],
        ['sequences that stay', [frame(good, good)]],
        ['sequences that shrink', [frame(later, good)]],
        ['sequences that shrink between frames', [frame(later), frame(good)]],
        ['value bytes that shrink', [frame(good), { ...frame(later), valueBytes: 8 }]],
      ]
      for (const [name, frames] of bad) {
        const { result } = replay(kernel, encodeSegment(HEADER, frames))
        const count = frames.length - 1
        expect([result.ending, result.count], name).to.deep.equal(['damage', count])
      }
      for (const kind of [4, 5, 6]) {
        const { result } = replay(kernel, encodeSegment(HEADER, [frame({ ...good, kind })]))
        expect(result.unknownFormat, `kind ${kind}`).to.equal(true)
      }
    })

    it('of random records under good checksums never make it fail [LOG-3]', () => {
      const random = seededRandom(testSeed())
      for (let round = 0; round < 1000; round++) {
        const bytes = forgedSegment(random)
        const { replayed, result } = replay(kernel, bytes)
        expect(result.end).to.be.within(80, bytes.length)
        expectModel(
          kernel,
          replayed,
          decodeSegment(bytes.slice(0, result.end), HEADER).frames.flatMap(
            ({ records }) => records,
          ),
        )
        replayed.free()
      }
      expect(kernel.trapped).to.equal(false)
    })

    it('behind damage prove by what frame headers state what was synced [LOG-10]', () => {
      const record = (i: number): Entry => {
        const entry = { kind: PUT, sequence: 1000 + i, timestamp: BASE_TIMESTAMP }
        return { ...entry, key: bytesOf(`key ${i}`), value: new Uint8Array(0) }
      }
      const points = [
        undefined,
        { distance: 2, offset: 900 },
        { distance: 0, offset: 80 },
        undefined,
      ]
      const frames = points.map((synced, i) => ({ records: [record(i)], synced, valueBytes: 0 }))
      const bytes = encodeSegment(HEADER, frames)
      const placed = decodeSegment(bytes, HEADER).frames
      const proven = placed.map(({ offset }) => {
        const damaged = bytes.slice()
        damaged[offset + 40]! ^= 1
        const { replayed, result } = replay(kernel, damaged)
        expect(result.end).to.equal(offset)
        return replayed.proof(offset, bytes.length)
      })
      const last = { distance: 0, offset: 80 }
      expect(proven).to.deep.equal([last, last, undefined, undefined])
    })
  })
})

interface RandomSegment {
  readonly frames: Frame[]
  readonly memtable: Memtable
}

/** A memtable that was filled frame by frame, sometimes sealed, and the frames for the twin. */
function randomSegment(kernel: Kernel, random: Random, keys: readonly Uint8Array[]): RandomSegment {
  const memtable = newMemtable(kernel, 64 * 1024)
  const frames: Frame[] = []
  let sequence = HEADER.firstSequence
  let valueBytes = 0
  for (let n = random.int(0, 8); n > 0; n--) {
    const records = entriesOf(random, keys, random.int(1, 12)).map((entry) => {
      sequence += random.pick([1, 1, 1, 5, 1000])
      return { ...entry, sequence }
    })
    const distance = random.pick([0, 1, 3])
    const synced = random.chance(0.5) ? undefined : { distance, offset: random.int(80, 5000) }
    valueBytes += random.pick([0, 0, 70_000])
    for (const { key, kind, value, sequence: at, timestamp } of records) {
      const address = kernel.scratch(key.length + value.length + 8)
      kernel.memory.bytes.set(join(key, value), address)
      const delta = timestamp - BASE_TIMESTAMP
      memtable.append(kind, address, key.length, address + key.length, value.length, at, delta)
    }
    expect(memtable.sealFrame(synced, valueBytes)).to.equal(memtable.tail)
    frames.push({ records, synced, valueBytes })
  }
  if (random.chance(0.3)) {
    memtable.sealSegment(undefined, valueBytes)
    frames.push({ records: [], synced: undefined, valueBytes })
  }
  return { frames, memtable }
}

/** Three frames and a seal, with versions of one key in several frames. */
function smallSegment(kernel: Kernel): ReturnType<typeof placed> {
  const keys = [bytesOf('a'), bytesOf('ab'), bytesOf('b')]
  const random = seededRandom(1)
  const memtable = newMemtable(kernel, 4096)
  const entries = entriesOf(random, keys, 9)
  for (let i = 0; i < 9; i += 3) appendAll(kernel, memtable, entries.slice(i, i + 3))
  memtable.sealSegment(undefined, 0)
  const bytes = memtable.bytes(0, memtable.tail).slice()
  memtable.free()
  return placed(bytes)
}

function placed(bytes: Uint8Array): {
  bytes: Uint8Array
  frames: ReturnType<typeof decodeSegment>['frames']
} {
  return { bytes, frames: decodeSegment(bytes, HEADER).frames }
}

function replay(
  kernel: Kernel,
  bytes: Uint8Array,
  header = HEADER,
): { replayed: Memtable; result: ReplayResult } {
  const replayed = newMemtable(kernel, bytes.length, header)
  replayed.load(bytes, 0)
  return { replayed, result: replayed.replay(bytes.length) }
}

/** The synced point that reaches furthest: the fewest segments back, then the largest offset. */
function highest(frames: readonly Frame[]): Frame['synced'] {
  return frames
    .flatMap(({ synced }) => (synced === undefined ? [] : [synced]))
    .sort((left, right) => left.distance - right.distance || right.offset - left.offset)[0]
}

/** A segment whose checksums hold and whose frames hold records with anything in them. */
function forgedSegment(random: Random): Uint8Array {
  const keys = [bytesOf('a'), bytesOf('b'), new Uint8Array(0)]
  const frames = Array.from({ length: random.int(1, 4) }, (_, n) => ({
    records: Array.from({ length: random.int(1, 4) }, (_, i) => ({
      kind: random.pick([1, 1, 1, 1, 1, 2, 2, 3, 0, 7]),
      key: random.pick(random.chance(0.9) ? keys.slice(0, 2) : keys),
      sequence: 1000 + n * 10 + i + random.pick([0, 0, 0, 0, -1, 100_000]),
      timestamp: BASE_TIMESTAMP,
      value: random.pick([new Uint8Array(0), bytesOf('v'), encodeReference(70_000, 80)]),
    })),
    synced: undefined,
    valueBytes: random.int(3) * n,
  }))
  return encodeSegment(HEADER, frames)
}
