/**
 * Contents that break one rule of TBL-5 each: the kernel refuses them, whether it keeps them or a job reads them once, and what decodes
 * them without it agrees.
 */
import { expect } from 'chai'
import { Codec } from '../../src/kernel/table-job.ts'
import { decodeEntries, openBlock } from '../../src/table/block-decoder.ts'
import { addSeed, hash64, loadChecksums } from '../../src/util/checksum.ts'
import { encodeBlock, openBlock as openReference, sealBlock } from '../reference/block.ts'
import { type Entry, INDEX, PUT } from '../reference/entry.ts'
import { join, littleEndian } from '../reference/little-endian.ts'
import { decodeTable, tableIdentity } from '../reference/table.ts'
import { encodeVarint } from '../reference/varint.ts'
import { bytesOf } from '../support/entries.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'

const DATA = 0
const INDEX_BLOCK = 1
const FILTER = 2
const STREAM = 3
const FAR = 2 ** 53

const VALUE = bytesOf('v')
const ENTRY = put(bytesOf('k'), 5, VALUE)
const GOOD = encodeBlock([ENTRY])
const HANDLE: Entry = { ...put(bytesOf('k'), 72, bytesOf('')), kind: INDEX, timestamp: 100 }
const LONG = new Uint8Array(2 ** 20 + 1).fill(107)
const TWO = { count: 2n, prefix: [], values: bytesOf('vv') }

const BAD: readonly [string, Uint8Array][] = [
  ['nothing', new Uint8Array(0)],
  ['less than a header', GOOD.slice(0, 10)],
  ['no entries', crafted({ count: 0n })],
  ['more entries than there is room for', crafted({ count: 2n })],
  ['4 billion entries', crafted({ count: 2n ** 32n - 1n })],
  ['2^32 entries', crafted({ count: 2n ** 32n })],
  ['entries that take nothing', crafted({ count: 1025n, valueBase: 0n, values: [] })],
  ['a prefix beyond the end', crafted({ prefixBytes: 100n })],
  ['a prefix of 4 GB', crafted({ prefixBytes: 2n ** 32n - 1n })],
  ['a sequence of 2^53', crafted({ sequence: 2n ** 53n })],
  ['a sequence of 2^53 by its row', encodeBlock(pair({ sequence: FAR - 1 }, { sequence: FAR }))],
  ['a time of 2^53', crafted({ timestamp: 2n ** 54n })],
  ['a time of 2^53 by its row', encodeBlock(pair({ timestamp: 0 }, { timestamp: FAR }))],
  ['a line too steep', crafted({ widths: [0, 0, 0, 0, 20, 0], rows: zeros(3), span: 2n ** 43n })],
  ['a span of 2^53', crafted({ span: 2n ** 53n })],
  ['a shared field too wide', crafted({ widths: [0, 18, 0, 0, 0, 0], rows: zeros(3) })],
  ['a suffix field too wide', crafted({ widths: [0, 0, 22, 0, 0, 0], rows: zeros(3) })],
  ['a sequence field too wide', crafted({ widths: [0, 0, 0, 0, 54, 0], rows: zeros(7) })],
  ['a time field too wide', crafted({ widths: [0, 0, 0, 0, 0, 55], rows: zeros(7) })],
  ['rows that are cut off', crafted({ widths: [0, 0, 0, 0, 50, 0], values: [] })],
  ['bits behind the last row', crafted({ widths: [0, 0, 0, 0, 4, 0], rows: [16] })],
  ['kind 0', crafted({ kindBase: 0n })],
  ['kind 7', crafted({ kindBase: 7n })],
  ['kind 8', crafted({ kindBase: 7n, widths: [1, 0, 0, 0, 0, 0], rows: [1] })],
  ['a suffix beyond the end', crafted({ suffixBase: 9n })],
  ['a value beyond the end', crafted({ valueBase: 2n })],
  ['a value short of the end', crafted({ valueBase: 0n })],
  ['a value of 2 GB', crafted({ valueBase: 2n ** 31n })],
  ['a varint without an end', join(GOOD.slice(0, 6), new Uint8Array(9).fill(255))],
  ['a padded varint', join(GOOD.slice(0, 6), [0x80, 0], GOOD.slice(7))],
  ['bytes behind the end', join(GOOD, [0])],
  ['an empty key', encodeBlock([put(bytesOf(''), 5, VALUE)])],
  [
    'a first key that shares',
    crafted({ widths: [0, 1, 0, 0, 0, 0], rows: [1], suffixBase: 1n, values: VALUE }),
  ],
  [
    'a key that shares more than there is',
    // Suffixes of 1 and 3 bytes; the second takes two of the first.
    crafted({
      ...{ ...TWO, suffixBase: 1n, widths: [0, 2, 2, 0, 0, 0] },
      ...{ keys: bytesOf('ab'), rows: [0b1010_0000] },
    }),
  ],
  [
    'a key that shares more than it has',
    // Suffixes of 3 and 1 bytes; the second takes two of the first.
    crafted({
      ...{ ...TWO, suffixBase: 1n, widths: [0, 2, 2, 0, 0, 0] },
      ...{ keys: bytesOf('ab'), rows: [0b0010_1000] },
    }),
  ],
  ['keys that share too much', crafted(sharing(65_537n))],
  ['a prefix of too many keys', crafted(prefixed(4097))],
  ['a key of more than 1 MiB', encodeBlock([put(LONG, 1, VALUE)])],
  ['a key of more than 1 MiB behind a prefix', encodeBlock([ENTRY, put(LONG, 1, VALUE)])],
  ['keys that descend', encodeBlock([put(bytesOf('l'), 1, VALUE), ENTRY])],
  ['keys that repeat', encodeBlock([ENTRY, ENTRY])],
  ['sequences that ascend', encodeBlock([ENTRY, { ...ENTRY, sequence: 6 }])],
  ['a delete with a value', crafted({ kindBase: 2n })],
  ['a reference of 1 byte', crafted({ kindBase: 3n })],
  ['an index', encodeBlock([HANDLE])],
]

const BAD_INDEXES: readonly [string, Uint8Array][] = [
  ['a put', encodeBlock([{ ...HANDLE, kind: PUT }])],
  ['a kind to come', encodeBlock([{ ...HANDLE, kind: 4 }])],
  ['a block of nothing', encodeBlock([{ ...HANDLE, timestamp: 0 }])],
  ['a block of less than nothing', encodeBlock([{ ...HANDLE, timestamp: -1 }])],
  ['a block of 4 GB', encodeBlock([{ ...HANDLE, timestamp: 2 ** 32 }])],
  ['keys that descend', encodeBlock(['b', 'a'].map((key) => ({ ...HANDLE, key: bytesOf(key) })))],
  ['1,025 entries in fewer bytes than 12 each', manyHandles(1025, 0, [53, 35])],
]

describe('kernel: contents of blocks', () => {
  before(loadChecksums)

  const kernel = createKernel()
  const [table] = new MemoryTables(kernel).build([ENTRY]) as [MemoryTable]
  const identity = tableIdentity(STORE_ID, table.handle.number)

  let offset = 1000

  /** Each block has a place of its own, because what is in memory already would do. */
  function install(content: Uint8Array, kind = DATA, codec = 0, bytes = content): string {
    offset += 1000
    const sealed = sealBlock(content, identity, offset, { codec, bytes })
    const at = kernel.staging(sealed.length)
    kernel.memory.bytes.set(sealed, at)
    return table.handle.install(offset, kind, at, sealed.length, 0)
  }

  /** The entries that a job makes of a table whose only data block holds this. */
  function merged(content: Uint8Array): Entry[] {
    const store = new MemoryTables(kernel)
    const [input] = store.build([ENTRY]) as [MemoryTable]
    const { provideBlock } = store
    store.provideBlock = (need) => {
      if (need.kind !== STREAM) return provideBlock.call(store, need)
      const { handle } = input
      const sealed = sealBlock(content, tableIdentity(STORE_ID, handle.number), need.offset)
      const at = kernel.staging(sealed.length)
      kernel.memory.bytes.set(sealed, at)
      const outcome = handle.install(need.offset, need.kind, at, sealed.length, 0)
      if (outcome !== 'installed') throw new Error(outcome)
    }
    // Blocks of such a table are read one by one.
    input.file[40] = Codec.ZSTD
    store.damaged = (_table, _offset, isUnknown) => {
      throw new Error(isUnknown ? 'unknown-format' : 'corrupt')
    }
    try {
      const [made] = store.run({ lists: [[input]], options: { snapshots: [4, 5, 6] } }).tables
      const options = { storeId: STORE_ID, hashSeed: HASH_SEED, bitsPerKey: 10 }
      const { number } = made!.handle
      return decodeTable(made!.file, { ...options, number }).entries
    } finally {
      store.free(input)
    }
  }

  it('are taken when nothing is wrong with them [TBL-5, TBL-7]', () => {
    expect(crafted({})).to.deep.equal(GOOD)
    expect(install(GOOD)).to.equal('installed')
    expect(install(crafted(sharing(65_536n)))).to.equal('installed')
    expect(install(encodeBlock([HANDLE]), INDEX_BLOCK)).to.equal('installed')
    expect(install(manyHandles(1024, 0), INDEX_BLOCK)).to.equal('installed')
    expect(install(manyHandles(1025, 12), INDEX_BLOCK)).to.equal('installed')
    expect(merged(GOOD)).to.deep.equal([ENTRY])
    expect(merged(crafted(sharing(65_536n)))).to.have.lengthOf(2)
    expect(install(crafted(prefixed(4096)))).to.equal('installed')
    expect(merged(crafted(prefixed(4096)))).to.have.lengthOf(18)
    expect(decodeEntries(crafted(prefixed(4096)))).to.have.lengthOf(18)
    expect(openReference(sealBlock(GOOD, identity, 999), identity, 999)).to.deep.equal(GOOD)
  })

  it('are taken by a job where keys share more than their rows say [TBL-5, KRN-20]', () => {
    for (const [first, second] of [
      ['ab', 'ac'],
      ['same for long, a', 'same for long, b'],
      ['same for long', 'same for long'],
      ['same', 'same!'],
    ] as const) {
      const [keyA, keyB] = [bytesOf(first), bytesOf(second)]
      const suffixes = { suffixBase: BigInt(keyA.length), widths: [0, 0, 1, 0, 1, 0] }
      // The second suffix may be a byte longer, and its sequence is one less.
      const rows = [0b10 | (Number(keyB.length > keyA.length) << 2)]
      const content = crafted({ ...TWO, ...suffixes, keys: join(keyA, keyB), rows })
      const wanted = [put(keyA, 6, VALUE), put(keyB, 5, VALUE)]
      expect(merged(content)).to.deep.equal(wanted)
      expect(install(content)).to.equal('installed')
    }
  })

  for (const [name, content] of BAD) {
    it(`are refused with ${name} [TBL-5, TBL-10, KRN-13]`, () => {
      expect(install(content)).to.equal('corrupt')
      expect(() => merged(content)).to.throw('corrupt')
      expect(() => decodeEntries(content))
        .to.throw()
        .with.property('name', 'DecodeError')
    })
  }

  for (const [name, content] of BAD_INDEXES) {
    it(`are refused in an index with ${name} [TBL-7, TBL-10, KRN-13]`, () => {
      expect(install(content, INDEX_BLOCK)).to.equal('corrupt')
      expect(() => decodeEntries(content, true))
        .to.throw()
        .with.property('name', 'DecodeError')
    })
  }

  it('are refused in an index with half a handle [TBL-7, TBL-10, KRN-13]', () => {
    const value = new Uint8Array(11)
    expect(install(encodeBlock([{ ...HANDLE, value }]), INDEX_BLOCK)).to.equal('corrupt')
  })

  it('are refused as a filter of no or half a line [TBL-8, TBL-10, KRN-13]', () => {
    expect(install(new Uint8Array(0), FILTER)).to.equal('corrupt')
    expect(install(new Uint8Array(32), FILTER)).to.equal('corrupt')
  })

  it('of kinds and codecs to come are told from damage [LOG-5, TBL-10]', () => {
    for (const reserved of [4n, 5n, 6n]) {
      expect(install(crafted({ kindBase: reserved }))).to.equal('unknown-format')
      expect(() => merged(crafted({ kindBase: reserved }))).to.throw('unknown-format')
    }
    expect(install(GOOD, DATA, 3)).to.equal('unknown-format')
  })

  it('of more than 1 GiB are refused before anything is written [TBL-4, TBL-10, KRN-13]', () => {
    for (const claimed of [2 ** 30 + 1, 2 ** 32 - 16]) {
      const packed = repeatedZeros(2 ** 24)
      const sealed = join(packed, littleEndian(1, 4), littleEndian(claimed, 4), zeros(8))
      const sum = hash64(sealed.subarray(0, -8), addSeed(identity, 1000))
      sealed.set(littleEndian(sum, 8), sealed.length - 8)
      const at = kernel.staging(sealed.length)
      kernel.memory.bytes.set(sealed, at)
      const before = kernel.bytes
      expect(table.handle.install(1000, INDEX_BLOCK, at, sealed.length, 0)).to.equal('corrupt')
      expect(kernel.bytes).to.equal(before)
      expect(kernel.memory.view(at, sealed.length)).to.deep.equal(sealed)
      expect(() => openBlock(sealed, undefined))
        .to.throw()
        .with.property('name', 'DecodeError')
    }
  })

  it('are not what their trailer says [TBL-4, TBL-10, KRN-13]', () => {
    expect(install(GOOD, DATA, 1)).to.equal('corrupt')
    expect(install(GOOD, DATA, 2)).to.equal('corrupt')
    expect(install(GOOD, DATA, 0, join(GOOD, [0]))).to.equal('corrupt')
    expect(install(new Uint8Array(1 << 20), DATA, 1, GOOD)).to.equal('corrupt')
  })
})

/** LZ4 of at least so many bytes that stands for zeros: matches of a megabyte each. */
function repeatedZeros(bytes: number): Uint8Array {
  const match = join([0x0f, 1, 0], new Uint8Array(4096).fill(255), [0])
  const first = join([0x1f, 0, 1, 0], match.subarray(3))
  const packed = new Uint8Array(first.length + match.length * Math.ceil(bytes / match.length))
  packed.set(first)
  for (let at = first.length; at < packed.length; at += match.length) packed.set(match, at)
  return packed
}

function put(key: Uint8Array, sequence: number, value: Uint8Array): Entry {
  return { key, kind: PUT, sequence, timestamp: 0, value }
}

/** Two entries of a block. */
function pair(first: Partial<Entry>, second: Partial<Entry>): Entry[] {
  return [
    { ...put(bytesOf('a'), 1, VALUE), ...first },
    { ...put(bytesOf('b'), 1, VALUE), ...second },
  ]
}

/** An index of entries under one key, with values of so many bytes, and fields of sequence and time of so many bits. */
function manyHandles(count: number, valueBytes: number, [sequence, time] = [0, 0]): Uint8Array {
  return crafted({
    ...{ count: BigInt(count), kindBase: 7n, sequence: 72n, timestamp: 2n },
    ...{ valueBase: BigInt(valueBytes), values: zeros(count * valueBytes) },
    ...{ widths: [0, 0, 0, 0, sequence!, time!], rows: zeros((count * (sequence! + time!)) / 8) },
  })
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0)
}

interface Content {
  readonly count: bigint
  readonly prefix: ArrayLike<number>
  readonly prefixBytes: bigint
  readonly kindBase: bigint
  /** Of kind, shared, suffix, value, sequence, timestamp. */
  readonly widths: readonly number[]
  readonly suffixBase: bigint
  readonly valueBase: bigint
  readonly sequence: bigint
  /** Zigzag. */
  readonly timestamp: bigint
  readonly span: bigint
  readonly values: ArrayLike<number>
  readonly keys: ArrayLike<number>
  readonly rows: ArrayLike<number>
}

/** The content of a block whose one entry is k = v, sequence 5, but for what is changed. */
function crafted(change: Partial<Content>): Uint8Array {
  const content: Content = {
    ...{ count: 1n, prefix: bytesOf('k'), prefixBytes: 1n, kindBase: 1n },
    ...{ widths: zeros(6), suffixBase: 0n, valueBase: 1n, sequence: 5n },
    ...{ timestamp: 0n, span: 0n, values: bytesOf('v'), keys: [], rows: [] },
    ...(change.prefix !== undefined && { prefixBytes: BigInt(change.prefix.length) }),
    ...change,
  }
  const [kind, shared, suffix, value, sequence, timestamp] = content.widths.map(BigInt)
  const lengths = (kind! << 3n) | (shared! << 5n) | (suffix! << 10n) | (value! << 15n)
  const widths = content.kindBase | lengths | (sequence! << 20n) | (timestamp! << 26n)
  return join(
    ...[content.count, content.prefixBytes].map(encodeVarint),
    littleEndian(widths, 4),
    ...[content.suffixBase, content.valueBase, content.sequence].map(encodeVarint),
    ...[content.timestamp, content.span].map(encodeVarint),
    ...[content.prefix, content.values, content.keys, content.rows].map((part) => Array.from(part)),
  )
}

/** Two keys without a prefix, the second one byte longer than the first, which it takes whole: so many bytes. */
function sharing(bytes: bigint): Partial<Content> {
  const base = { count: 2n, prefix: [], suffixBase: bytes, valueBase: 0n, values: [] }
  const keys = new Uint8Array(Number(bytes) + 1).fill(1)
  // A row has 17 bits of what is shared and one for the length.
  const rows = littleEndian((bytes << 18n) | (1n << 35n), 5)
  return { ...base, widths: [0, 17, 1, 0, 0, 0], keys, rows }
}

/** Keys of one byte behind a prefix of so many, of which 17 times 4,096 are as much as there may be. */
function prefixed(bytes: number): Partial<Content> {
  const keys = Array.from({ length: 18 }, (_, i) => i)
  const base = { count: 18n, suffixBase: 1n, valueBase: 0n, values: [] }
  return { ...base, prefix: new Uint8Array(bytes), keys }
}
