/** Whole tables from docs/table-format.md: the oracle of assembly/table-builder.ts and of what reads tables. */
import { decodeBlock, encodeBlock, openBlock, sealBlock, sharedBytes } from './block.ts'
import { bloomFilter, bloomFilterLines, bloomFilterProbes } from './bloom-filter.ts'
import { CHUNKS, compareEntries, compareKeys, type Entry, INDEX, sameBytes } from './entry.ts'
import { join, littleEndian, readNumber } from './little-endian.ts'
import { encodeChunks, encodeReference } from './log-segment.ts'
import { xxh64 } from './xxh64.ts'

const MAGIC = [...'RUSTEDGE'].map((character) => character.charCodeAt(0))
const HEADER_BYTES = 72
const FOOTER_BYTES = 32
const DATA_WEIGHT = 4096
const INDEX_WEIGHT = 16_384

export interface TableOptions {
  readonly storeId: Uint8Array
  readonly number: number
  readonly hashSeed: bigint
  readonly bitsPerKey: number
}

/** The value of an entry of kind CHUNKS that is to be written: all of it. */
export type Values = (entry: Entry) => Uint8Array

export function tableIdentity(storeId: Uint8Array, number: number): bigint {
  return xxh64(join(storeId, littleEndian(number, 8)), 0n)
}

/** XXH64 of the file from 72 on, then of the header [TBL-3]. */
export function fileChecksum(file: Uint8Array): bigint {
  return xxh64(join(file.subarray(HEADER_BYTES), file.subarray(0, HEADER_BYTES)), 0n)
}

function fixed(offset: number, bytes: number): number[] {
  return [...littleEndian(offset, 8), ...littleEndian(bytes, 4)]
}

function indexEntry(
  key: Uint8Array,
  block: { readonly offset: number; readonly bytes: number },
  value: readonly number[] = [],
): Entry {
  const [sequence, timestamp] = [block.offset, block.bytes]
  return { key, kind: INDEX, sequence, timestamp, value: Uint8Array.from(value) }
}

/** The file of a table without compression. Entries come in internal order. */
export function encodeTable(
  entries: readonly Entry[],
  options: TableOptions,
  values?: Values,
): Uint8Array {
  const identity = tableIdentity(options.storeId, options.number)
  const parts: Uint8Array[] = []
  let end = HEADER_BYTES
  const put = (bytes: Uint8Array): number => {
    parts.push(bytes)
    end += bytes.length
    return end - bytes.length
  }
  const putBlock = (content: Uint8Array): { offset: number; bytes: number } => {
    const offset = put(sealBlock(content, identity, end))
    return { offset, bytes: end - offset }
  }

  const blocks: { entries: Entry[]; offset: number; bytes: number }[] = []
  let open: Entry[] = []
  for (const [i, entry] of entries.entries()) {
    let stored = entry
    if (entry.kind === CHUNKS && values !== undefined) {
      const value = values(entry)
      const offset = put(encodeChunks(value, identity, end))
      stored = { ...entry, value: encodeReference(value.length, offset) }
    }
    open.push(stored)
    const shared = sharedBytes(open.map(({ key }) => key)).reduce((sum, bytes) => sum + bytes, 0)
    if (weigh(open) - shared < DATA_WEIGHT && i < entries.length - 1) continue
    blocks.push({ entries: open, ...putBlock(encodeBlock(open)) })
    open = []
  }
  const filterOffset = end

  const partitions = partition(
    blocks.map((block, i) => ({
      block,
      entry: indexEntry(
        separator(block.entries.at(-1)!.key, blocks[i + 1]?.entries[0]?.key),
        block,
      ),
    })),
  )
  const filters = partitions.map((blocksHere) => {
    if (options.bitsPerKey === 0) return { offset: 0, bytes: 0 }
    const keys = distinct(blocksHere.flatMap(({ block }) => block.entries.map(({ key }) => key)))
    const lines = bloomFilterLines(keys.length, options.bitsPerKey)
    const hashes = keys.map((key) => xxh64(key, options.hashSeed))
    return putBlock(bloomFilter(lines, bloomFilterProbes(options.bitsPerKey), hashes))
  })
  const indexOffset = end
  const top = partitions.map((blocksHere, i) => {
    const block = putBlock(encodeBlock(blocksHere.map(({ entry }) => entry)))
    const filter = filters[i]!
    const { key } = blocksHere.at(-1)!.entry
    return indexEntry(key, block, fixed(filter.offset, filter.bytes))
  })
  const topBlock = putBlock(encodeBlock(top))
  const footer = join(
    littleEndian(filterOffset - HEADER_BYTES, 8),
    littleEndian(end - indexOffset, 8),
    fixed(topBlock.offset, topBlock.bytes),
  )
  put(join(littleEndian(xxh64(footer, identity), 4), footer))
  const layout = { count: entries.length, indexOffset, filterOffset, codec: 0 }
  const header = encodeHeader(layout, options)
  return join(header, ...parts)
}

interface Layout {
  readonly count: number
  readonly indexOffset: number
  readonly filterOffset: number
  readonly codec: number
}

function encodeHeader(layout: Layout, options: TableOptions): Uint8Array {
  const fields = join(
    MAGIC,
    littleEndian(2, 4),
    littleEndian(layout.count, 4),
    littleEndian(layout.indexOffset, 8),
    littleEndian(layout.filterOffset, 8),
    littleEndian(HEADER_BYTES, 8),
    [layout.codec],
    littleEndian(options.number, 8),
    littleEndian(tableIdentity(options.storeId, options.number), 8),
    [options.bitsPerKey],
    new Uint8Array(6),
  )
  return join(fields, littleEndian(xxh64(fields, 0n), 8))
}

function weigh(entries: readonly Entry[]): number {
  return entries.reduce((sum, { key, value }) => sum + key.length + value.length + 8, 0)
}

/** Cuts index entries into partitions [TBL-7]. */
function partition<T extends { entry: Entry }>(items: readonly T[]): T[][] {
  const partitions: T[][] = []
  let open: T[] = []
  for (const item of items) {
    open.push(item)
    if (weigh(open.map(({ entry }) => entry)) + 12 * open.length < INDEX_WEIGHT) continue
    partitions.push(open)
    open = []
  }
  return open.length > 0 ? [...partitions, open] : partitions
}

/** The index key of a block that ends with `last`, before one that begins with `next` [TBL-6]. */
function separator(last: Uint8Array, next: Uint8Array | undefined): Uint8Array {
  if (next === undefined) return last
  for (let length = 1; length < next.length; length++) {
    const prefix = next.subarray(0, length)
    if (compareKeys(prefix, last) > 0) return prefix
  }
  return last
}

/** Keys without repetitions; equal ones stand side by side. */
function distinct(keys: readonly Uint8Array[]): Uint8Array[] {
  return keys.filter((key, i) => i === 0 || !sameBytes(key, keys[i - 1]!))
}

/** A stored block, where it is, and what it is. */
export interface PlacedBlock {
  readonly kind: 'data' | 'filter' | 'partition' | 'top'
  readonly offset: number
  readonly bytes: number
}

export interface DecodedTable {
  readonly entries: Entry[]
  readonly blocks: PlacedBlock[]
}

/** Everything in a file of codec none or LZ4, all of it verified. Throws when a rule is broken. */
export function decodeTable(file: Uint8Array, options: TableOptions): DecodedTable {
  const identity = tableIdentity(options.storeId, options.number)
  const filterOffset = readNumber(file, 24, 8)
  const indexOffset = readNumber(file, 16, 8)
  const codec = file[40]!
  const count = readNumber(file, 12, 4)
  const header = encodeHeader({ count, indexOffset, filterOffset, codec }, options)
  check(sameBytes(file.subarray(0, HEADER_BYTES), header), 'header')
  const footer = file.subarray(file.length - FOOTER_BYTES)
  check(readNumber(footer, 0, 4) === low32(xxh64(footer.subarray(4), identity)), 'footer')
  check(readNumber(footer, 4, 8) === filterOffset - HEADER_BYTES, 'bytes of the data section')
  check(readNumber(footer, 12, 8) === file.length - FOOTER_BYTES - indexOffset, 'index section')

  const blocks: PlacedBlock[] = []
  const open = (kind: PlacedBlock['kind'], offset: number, bytes: number): Uint8Array => {
    const block = { kind, offset, bytes }
    blocks.push(block)
    const stored = file.subarray(block.offset, block.offset + block.bytes)
    return openBlock(stored, identity, block.offset)
  }
  const entries: Entry[] = []
  const top = open('top', readNumber(footer, 20, 8), readNumber(footer, 28, 4))
  for (const { key: last, sequence, timestamp, value } of decodeBlock(top, true)) {
    const partitionBlock = decodeBlock(open('partition', sequence, timestamp), true)
    check(sameBytes(partitionBlock.at(-1)!.key, last), 'key of a partition')
    const from = entries.length
    for (const { key, sequence: offset, timestamp: bytes } of partitionBlock) {
      const block = decodeBlock(open('data', offset, bytes))
      check(compareKeys(block.at(-1)!.key, key) <= 0, 'index key')
      entries.push(...block)
    }
    const keys = distinct(entries.slice(from).map((entry) => entry.key))
    checkFilter(options, keys, () =>
      open('filter', readNumber(value, 0, 8), readNumber(value, 8, 4)),
    )
  }
  check(entries.length === count, 'number of entries')
  check(
    entries.every((entry, i) => i === 0 || compareEntries(entries[i - 1]!, entry) < 0),
    'order of entries',
  )
  return { entries, blocks }
}

function checkFilter(
  options: TableOptions,
  keys: readonly Uint8Array[],
  open: () => Uint8Array,
): void {
  if (options.bitsPerKey === 0) return
  const probes = bloomFilterProbes(options.bitsPerKey)
  const hashes = keys.map((key) => xxh64(key, options.hashSeed))
  const lines = bloomFilterLines(keys.length, options.bitsPerKey)
  check(sameBytes(open(), bloomFilter(lines, probes, hashes)), 'filter')
}

function low32(hash: bigint): number {
  return Number(hash % 2n ** 32n)
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the table has a wrong ${what}`)
}
