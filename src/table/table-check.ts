/**
 * Everything in a table that can be checked from the table alone: checksums, order, that the index leads to every entry, that the
 * filters know every key, that no byte lies between (docs/table-format.md).
 *
 *     layout ─► top index ─► partitions ─► data blocks, each with the value chunks before it ─► filters
 */
import { corruption, SedgeError } from '../errors.ts'
import { compareBytes, equalBytes } from '../util/bytes.ts'
import { hash64 } from '../util/checksum.ts'
import { chunkedBytes, decodeReference, verifyChunks } from '../util/value-chunks.ts'
import { type BlockEntry, BlockEntryKind, isInOrder } from './block-decoder.ts'
import type { TableLayout } from './table-format.ts'
import {
  type BlockHandle,
  type IndexedBlock,
  type Partition,
  TableReader,
  type TableToRead,
} from './table-reader.ts'

const FILTER_LINE_BYTES = 64
const PROBES_MAX = 12
const PROBE_FACTOR = 0x9e3779b9

/** What a table was found to hold. All but `blocks` means little where there were problems. */
export interface CheckedTable {
  readonly blocks: number
  readonly entries: number
  readonly tombstones: number
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
  readonly minSequence: number
  readonly maxSequence: number
}

/**
 * Checks a table block by block, a step each. Problems go to `onProblem`, and the check goes on where it can; `undefined` when
 * not even the layout holds. `hashSeed` is `undefined` when it is not known: then filters are not asked. Throws what is
 * not a matter of the table: `IO`, `UNSUPPORTED`.
 */
export function* checkTable(
  table: TableToRead,
  hashSeed: bigint | undefined,
  onProblem: (problem: SedgeError) => void,
): Generator<void, CheckedTable | undefined, void> {
  const check = new TableCheck(table, hashSeed, onProblem)
  return yield* check.run()
}

class TableCheck {
  readonly #table: TableToRead
  readonly #reader: TableReader
  readonly #hashSeed: bigint | undefined
  readonly #onProblem: (problem: SedgeError) => void
  #problems = 0
  #blocks = 0
  #entries = 0
  #tombstones = 0
  #minSequence: number = Number.MAX_SAFE_INTEGER
  #maxSequence = 0
  #first: Uint8Array | undefined
  #last: BlockEntry | undefined
  /** The index key of the block before. */
  #indexKey: Uint8Array = new Uint8Array(0)
  #lastFilter: FilterProbe | undefined
  /** Where the next block or chunk of the data section has to be; `undefined` behind damage. */
  #position: number | undefined

  constructor(
    table: TableToRead,
    hashSeed: bigint | undefined,
    onProblem: (problem: SedgeError) => void,
  ) {
    this.#table = table
    this.#reader = new TableReader(table)
    this.#hashSeed = hashSeed
    this.#onProblem = onProblem
  }

  *run(): Generator<void, CheckedTable | undefined, void> {
    const layout = this.#attempt(() => this.#reader.layout())
    if (layout === undefined) return undefined
    const top = { offset: layout.topOffset, bytes: layout.topBytes }
    const partitions = this.#attempt(() => this.#reader.partitions(top))
    if (partitions === undefined) return undefined
    this.#blocks++
    this.#position = layout.dataOffset
    for (const partition of partitions) yield* this.#partition(partition, layout)
    this.#sections(layout, partitions)
    return {
      blocks: this.#blocks,
      entries: this.#entries,
      tombstones: this.#tombstones,
      smallest: this.#first ?? new Uint8Array(0),
      largest: this.#last?.key ?? new Uint8Array(0),
      minSequence: this.#minSequence,
      maxSequence: this.#maxSequence,
    }
  }

  *#partition(partition: Partition, layout: TableLayout): Generator<void, void, void> {
    const blocks = this.#attempt(() => this.#reader.blocks(partition))
    if (blocks === undefined) {
      this.#position = undefined
      return
    }
    this.#blocks++
    const filter = this.#filter(partition, layout)
    for (const [index, block] of blocks.entries()) {
      yield
      yield* this.#block(block, filter)
      const isLast = index === blocks.length - 1
      if (isLast && !equalBytes(block.key, partition.key)) {
        this.#complain(partition.offset, 'the top index and a partition disagree about a key')
      }
    }
  }

  #filter(partition: Partition, layout: TableLayout): FilterProbe | undefined {
    const { filter } = partition
    if (filter === undefined) {
      if (layout.bitsPerKey > 0) this.#complain(partition.offset, 'a partition has no filter')
      return undefined
    }
    const lines = this.#attempt(() => this.#reader.filter(filter))
    if (lines === undefined) return undefined
    this.#blocks++
    if (lines.length === 0 || lines.length % FILTER_LINE_BYTES !== 0) {
      this.#complain(filter.offset, 'a filter has the wrong size')
      return undefined
    }
    const seed = this.#hashSeed
    if (seed === undefined) return undefined
    const probes = probesOf(layout.bitsPerKey)
    return { lines, offset: filter.offset, seed, probes, hasFailed: false }
  }

  *#block(block: IndexedBlock, filter: FilterProbe | undefined): Generator<void, void, void> {
    const entries = this.#attempt(() => this.#reader.entries(block))
    if (entries === undefined) {
      this.#position = undefined
      return
    }
    this.#blocks++
    const before = this.#last
    this.#first ??= entries[0]!.key
    if (before !== undefined && !isInOrder(before, entries[0]!)) {
      this.#complain(block.offset, 'blocks are out of order')
    }
    yield* this.#values(entries, block)
    for (const entry of entries) this.#count(entry, block, filter)
    if (compareBytes(entries.at(-1)!.key, block.key) > 0) {
      this.#complain(block.offset, 'a block has keys beyond its index key')
    }
    if (before !== undefined && compareBytes(this.#indexKey, entries[0]!.key) > 0) {
      this.#complain(block.offset, 'a block begins before the index key of the one before')
    }
    this.#indexKey = block.key
  }

  /** The chunks of a block's large values lie before it, in order, without gaps [TBL-1, TBL-9]. */
  *#values(entries: readonly BlockEntry[], block: BlockHandle): Generator<void, void, void> {
    for (const { kind, value } of entries) {
      if (kind !== BlockEntryKind.chunks) continue
      const { offset, length } = decodeReference(value)
      this.#expectAt(offset)
      if (this.#position !== undefined) this.#position += chunkedBytes(length)
      yield* this.#chunks(offset, length)
    }
    this.#expectAt(block.offset)
    if (this.#position !== undefined) this.#position += block.bytes
  }

  *#chunks(offset: number, length: number): Generator<void, void, void> {
    const { file, name, identity } = this.#table
    const steps = verifyChunks(file, name, offset, identity, length)
    for (;;) {
      const step = this.#attempt(() => steps.next())
      if (step === undefined || step.done) return
      yield
    }
  }

  #expectAt(offset: number): void {
    if (this.#position !== undefined && this.#position !== offset) {
      this.#complain(offset, `a gap or an overlap: expected at ${this.#position}`)
    }
    if (this.#position !== undefined) this.#position = offset
  }

  #count(entry: BlockEntry, block: BlockHandle, filter: FilterProbe | undefined): void {
    // Versions of one key may lie under two partitions, and both filters must know it.
    const isKnown =
      filter === undefined ||
      filter.hasFailed ||
      (filter === this.#lastFilter && equalBytes(this.#last!.key, entry.key)) ||
      mayContain(filter, entry.key)
    if (!isKnown) {
      filter.hasFailed = true
      this.#complain(filter.offset, `a filter does not know a key of the block at ${block.offset}`)
    }
    this.#lastFilter = filter
    this.#entries++
    if (entry.kind === BlockEntryKind.delete) this.#tombstones++
    this.#minSequence = Math.min(this.#minSequence, entry.sequence)
    this.#maxSequence = Math.max(this.#maxSequence, entry.sequence)
    this.#last = entry
  }

  /** Sections follow each other without gaps, and the header counts the entries [TBL-1]. */
  #sections(layout: TableLayout, partitions: readonly Partition[]): void {
    if (this.#position !== undefined) this.#expectAt(layout.filterOffset)
    this.#tile(layout.filterOffset, filtersOf(partitions), layout.indexOffset)
    this.#tile(layout.indexOffset, partitions, layout.topOffset)
    if (this.#problems === 0 && this.#entries !== layout.entries) {
      this.#complain(12, `the header counts ${layout.entries} entries, not ${this.#entries}`)
    }
  }

  #tile(start: number, blocks: readonly BlockHandle[], end: number): void {
    let position = start
    for (const { offset, bytes } of blocks) {
      if (offset !== position) this.#complain(offset, `a gap or an overlap before ${position}`)
      position = offset + bytes
    }
    if (position !== end) this.#complain(end, `a gap or an overlap before ${end}`)
  }

  #complain(offset: number, what: string): void {
    this.#note(corruption(this.#table.name, offset, what))
  }

  #note(problem: SedgeError): void {
    this.#problems++
    this.#onProblem(problem)
  }

  /** What `action` returns; `undefined`, and a problem, when it found damage. */
  #attempt<T>(action: () => T): T | undefined {
    try {
      return action()
    } catch (error) {
      const isDamage =
        error instanceof SedgeError && (error.code === 'CORRUPTION' || error.code === 'FORMAT')
      if (isDamage) {
        this.#note(error)
        return undefined
      }
      throw error
    }
  }
}

interface FilterProbe {
  readonly lines: Uint8Array
  readonly offset: number
  readonly seed: bigint
  readonly probes: number
  /** One complaint a filter is enough. */
  hasFailed: boolean
}

function filtersOf(partitions: readonly Partition[]): BlockHandle[] {
  return partitions.flatMap(({ filter }) => (filter === undefined ? [] : [filter]))
}

/** Bits that a filter sets for each key [TBL-8]. */
function probesOf(bitsPerKey: number): number {
  const probes = Math.floor((bitsPerKey * 69 + 50) / 100)
  return Math.min(PROBES_MAX, Math.max(1, probes))
}

/** False only if the key is not among those that the filter was built for [TBL-8]. */
function mayContain({ lines, seed, probes }: FilterProbe, key: Uint8Array): boolean {
  const hash = hash64(key, seed)
  const count = BigInt(lines.length / FILTER_LINE_BYTES)
  const line = Number(((hash >> 32n) * count) >> 32n) * FILTER_LINE_BYTES
  let x = Number(hash & 0xffffffffn)
  for (let probe = 0; probe < probes; probe++) {
    const bit = x >>> 23
    if ((lines[line + (bit >> 3)]! & (1 << (bit & 7))) === 0) return false
    x = Math.imul(x, PROBE_FACTOR) >>> 0
  }
  return true
}
