import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { Memtable, type ReplayResult } from '../../src/kernel/memtable.ts'
import { type ChunkedValue, View } from '../../src/kernel/view.ts'
import { DELETE, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import {
  decodeHeader,
  decodeSegment,
  encodeHeader,
  encodeReference,
  encodeSegment,
  type Frame,
  type SegmentHeader,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { MemtableModel } from '../reference/memtable.ts'
import {
  bytesOf,
  look,
  NO_TABLES,
  randomEntries,
  randomKeys,
  scanAll,
  WHOLE,
} from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { fillMemtable, STORE_ID } from '../support/memory-tables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const BASE_TIMESTAMP = 1_700_000_000_000
const HEADER: SegmentHeader = {
  ...{ storeId: STORE_ID, number: 7, previous: 6, epoch: 2 },
  ...{ firstSequence: 1000, baseTimestamp: BASE_TIMESTAMP },
}

/** A memtable that is the segment of `header`, with the header in its arena. */
function newMemtable(kernel: Kernel, capacity: number, header = HEADER): Memtable {
  const memtable = new Memtable(kernel, capacity)
  const { number, firstSequence, baseTimestamp } = header
  memtable.bind(number, segmentIdentity(header), HASH_SEED, firstSequence, baseTimestamp)
  memtable.load(encodeHeader(header), 0)
  return memtable
}

function appendAll(kernel: Kernel, memtable: Memtable, entries: readonly Entry[]): void {
  fillMemtable(kernel, memtable, entries, BASE_TIMESTAMP)
}

function viewOf(kernel: Kernel, memtable: Memtable): View {
  const view = new View(kernel, NO_TABLES)
  view.set([memtable], [])
  return view
}

function entriesOf(random: Random, keys: readonly Uint8Array[], count: number): Entry[] {
  const timestamp = (): number => BASE_TIMESTAMP + random.int(-(2 ** 31), 2 ** 31)
  return randomEntries(random, { keys, count, firstSequence: HEADER.firstSequence, timestamp })
}

/** What a reader of the twin and the kernel must agree on. */
function found(entry: Entry | undefined): Entry | undefined {
  return entry === undefined || entry.kind === DELETE ? undefined : entry
}

describe('kernel/memtable', () => {
  let kernel: Kernel

  beforeEach(() => {
    kernel = createKernel()
  })

  it('finds the version of a key that a sequence sees, of few keys with many versions [KRN-8]', () => {
    const random = seededRandom(testSeed())
    const keys = randomKeys(random, 12)
    const entries = entriesOf(random, keys, 300)
    const memtable = newMemtable(kernel, 64 * 1024)
    const view = viewOf(kernel, memtable)
    const model = new MemtableModel()
    for (const entry of entries) {
      appendAll(kernel, memtable, [entry])
      model.append(entry)
    }
    expect(memtable.count).to.equal(model.count)
    const sequences = [0, 999, ...entries.map(({ sequence }) => sequence), 2 ** 53 - 1]
    for (const key of [...keys, bytesOf('absent')]) {
      for (const sequence of sequences) {
        const wanted = found(model.find(key, sequence))
        expect(look(kernel, view, key, sequence)).to.deep.equal(wanted)
      }
    }
  })

  it('finds every key while its hash table grows, and none that was not written [KRN-8]', () => {
    const memtable = newMemtable(kernel, 2 << 20)
    const view = viewOf(kernel, memtable)
    const key = (i: number): Uint8Array => bytesOf(`k${i}`)
    for (let i = 0; i < 9000; i++) {
      const entry = { key: key(i), kind: PUT, sequence: 1000 + i, timestamp: BASE_TIMESTAMP }
      appendAll(kernel, memtable, [{ ...entry, value: bytesOf(`${i}`) }])
      if (i % 1000 !== 999) continue
      for (let j = 0; j <= i; j += 7) {
        expect(look(kernel, view, key(j), 2 ** 53 - 1)?.sequence).to.equal(1000 + j)
      }
      expect(look(kernel, view, key(i + 1), 2 ** 53 - 1)).to.equal(undefined)
    }
    expect(memtable.indexBytes).to.be.lessThan(9000 * 40)
  })

  it('takes and gives back keys and values of the largest size inline [KRN-8, LOG-4]', () => {
    const random = seededRandom(testSeed())
    const memtable = newMemtable(kernel, 4 << 20)
    const view = viewOf(kernel, memtable)
    const key = random.bytes(1 << 20)
    const entry = { key, kind: PUT, sequence: 1000, timestamp: BASE_TIMESTAMP }
    const value = random.bytes(65_535)
    appendAll(kernel, memtable, [{ ...entry, value }])
    appendAll(kernel, memtable, [{ ...entry, key: bytesOf('a'), sequence: 1001, value }])
    expect(look(kernel, view, key, 2000)?.value).to.deep.equal(value)
    const nearly = key.slice()
    nearly[nearly.length - 1]! ^= 1
    expect(look(kernel, view, nearly, 2000)).to.equal(undefined)
  })

  it('takes dropped frames out of the view, as if they had never been written [KRN-8, LOG-9]', () => {
    const random = seededRandom(testSeed())
    const keys = randomKeys(random, 20)
    for (let round = 0; round < 20; round++) {
      const entries = entriesOf(random, keys, random.int(2, 200))
      const cut = random.int(entries.length)
      const memtable = newMemtable(kernel, 64 * 1024)
      const view = viewOf(kernel, memtable)
      const model = new MemtableModel()
      for (const entry of entries) model.append(entry)
      appendAll(kernel, memtable, entries.slice(0, cut))
      const from = memtable.tail
      appendAll(kernel, memtable, entries.slice(cut))
      if (random.chance(0.5)) while (memtable.sortStep());
      memtable.drop(from)
      model.drop(HEADER.firstSequence + cut)
      expect([memtable.tail, memtable.count]).to.deep.equal([from, cut])
      for (const key of keys) {
        const sequence = HEADER.firstSequence + random.int(entries.length)
        const wanted = found(model.find(key, sequence))
        expect(look(kernel, view, key, sequence)).to.deep.equal(wanted)
      }
      expectScan(kernel, model)
      memtable.free()
    }
  })

  it('drops a frame that is still open [KRN-8]', () => {
    const memtable = newMemtable(kernel, 4096)
    const view = viewOf(kernel, memtable)
    const at = kernel.scratch(64)
    memtable.append(PUT, at, 1, at, 0, 1000, 0)
    memtable.drop(80)
    expect([memtable.tail, memtable.count]).to.deep.equal([80, 0])
    expect(view.find(1, 2000)).to.equal(false)
    expect(memtable.sealFrame(undefined, 0)).to.equal(80)
  })

  it('cannot run out of memory in appends that were reserved [KRN-3]', () => {
    for (const reserved of [1, 500, 5000, 20_000]) {
      const memtable = newMemtable(kernel, reserved * 64 + 4096)
      memtable.reserve(reserved)
      const at = kernel.scratch(8)
      const [bytes, size] = [kernel.exports.allocatedBytes(), kernel.bytes]
      kernel.exports.setAllocationLimit(0)
      for (let i = 0; i < reserved; i++) {
        kernel.memory.bytes.writeUInt32LE(i, at)
        memtable.append(PUT, at, 4, at, 0, 1000 + i, 0)
      }
      kernel.exports.setAllocationLimit(2 ** 32 - 1)
      expect(memtable.count).to.equal(reserved)
      expect([kernel.exports.allocatedBytes(), kernel.bytes]).to.deep.equal([bytes, size])
      memtable.free()
    }
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

    it('behind a seal are damage [LOG-8]', () => {
      const { bytes } = smallSegment(kernel)
      const { result } = replay(kernel, join(bytes, new Uint8Array(8)))
      expect([result.end, result.ending]).to.deep.equal([bytes.length, 'damage'])
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

  describe('sorted runs', () => {
    /** Keys in an order, each with a version for each time that it stands there. */
    const shapes: [string, (random: Random, i: number) => Uint8Array][] = [
      ['ascending keys', (_, i) => bytesOf(`key ${String(i).padStart(8, '0')}`)],
      ['descending keys', (_, i) => bytesOf(`key ${String(1e6 - i).padStart(8, '0')}`)],
      ['equal keys', () => bytesOf('the one key')],
      ['few keys', (random) => bytesOf(`${random.int(50)}`)],
      ['random keys', (random) => random.bytes(random.int(1, 12))],
      [
        'keys with long common prefixes',
        (random) => bytesOf(`${'x'.repeat(random.pick([0, 30, 31, 90]))}${random.int(2000)}`),
      ],
      ['keys of zeros', (random) => new Uint8Array(random.int(1, 40))],
    ]
    for (const [name, key] of shapes) {
      it(`are in internal order for ${name} [KRN-9]`, () => {
        const random = seededRandom(testSeed())
        const count = 20_000
        const memtable = newMemtable(kernel, 4 << 20)
        const entries = Array.from({ length: count }, (_, i) => {
          const value = bytesOf(`${i}`)
          const rest = { kind: PUT, sequence: 1000 + i, timestamp: BASE_TIMESTAMP }
          return { ...rest, key: key(random, i), value }
        })
        // Sorting in between, as with scans between puts, makes runs of all sizes.
        for (let from = 0; from < count; ) {
          const to = Math.min(count, from + random.int(1, 6000))
          appendAll(kernel, memtable, entries.slice(from, to))
          if (random.chance(0.5)) memtable.sortStep()
          from = to
        }
        expectNewest(kernel, memtable, entries)
        while (memtable.sortStep());
        expectNewest(kernel, memtable, entries)
        memtable.free()
      })
    }

    it('of 100,000 records need no step of more than a few thousand records [KRN-9]', () => {
      const random = seededRandom(testSeed())
      const memtable = newMemtable(kernel, 16 << 20)
      const entries = Array.from({ length: 100_000 }, (_, i) => ({
        ...{ kind: PUT, sequence: 1000 + i, timestamp: BASE_TIMESTAMP },
        key: bytesOf(`k${random.int(1e9)}`),
        value: new Uint8Array(0),
      }))
      appendAll(kernel, memtable, entries)
      let steps = 1
      while (memtable.sortStep()) steps++
      expect(steps).to.be.greaterThan(100_000 / 32_768)
      expectNewest(kernel, memtable, entries)
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

function expectModel(kernel: Kernel, memtable: Memtable, records: readonly Entry[]): void {
  const view = viewOf(kernel, memtable)
  const model = new MemtableModel()
  for (const record of records) model.append(record)
  for (const { key, sequence } of records) {
    for (const at of [sequence, sequence - 1, 2 ** 53 - 1]) {
      expect(look(kernel, view, key, at)).to.deep.equal(found(model.find(key, at)))
    }
  }
  expectScan(kernel, model)
}

/** The view's scan gives the newest version of every key of the model. */
function expectScan(kernel: Kernel, model: MemtableModel): void {
  const newest = model
    .sorted()
    .filter((entry, i, all) => i === 0 || all[i - 1]!.key.join() !== entry.key.join())
    .filter(({ kind }) => kind !== DELETE)
  const reference = (chunked: ChunkedValue): Uint8Array =>
    encodeReference(chunked.length, chunked.offset)
  const { keys, values } = scanAll(kernel, NO_TABLES, WHOLE, reference)
  expect(keys).to.deep.equal(newest.map(({ key }) => key))
  expect(values).to.deep.equal(newest.map(({ value }) => value))
}

/** The scan of many puts, compared as text, which is much faster. */
function expectNewest(kernel: Kernel, memtable: Memtable, entries: readonly Entry[]): void {
  viewOf(kernel, memtable)
  const newest = new Map(entries.map(({ key, value }) => [toText(key), toText(value)]))
  const wanted = [...newest].sort(([left], [right]) => (left < right ? -1 : 1))
  const { keys, values } = scanAll(kernel, NO_TABLES, WHOLE)
  const got = keys.map((key, i) => [toText(key), toText(values[i]!)])
  expect(got.length).to.equal(wanted.length)
  expect(got.every(([key, value], i) => wanted[i]![0] === key && wanted[i]![1] === value)).to.equal(
    true,
  )
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
