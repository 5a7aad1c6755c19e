/**
 * Levels of tables that are plain lists of entries, for testing what is compacted without any file.
 *
 * A compaction is carried out as the real one would be: newest first, shadowed entries dropped unless a snapshot sees
 * them, tombstones dropped where the plan says that nothing lies below. `check` then compares every key with a plain map.
 */
import { expect } from 'chai'
import type { Compaction } from '../../src/compaction/compaction-picker.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { Version } from '../../src/version/version.ts'

interface Entry {
  readonly key: string
  readonly sequence: number
  readonly isDelete: boolean
}

const ENTRY_BYTES = 100

export class LevelModel {
  version: Version
  readonly #entries = new Map<number, readonly Entry[]>()
  /** The newest entry of each key. */
  readonly #truth = new Map<string, Entry>()
  readonly #tableEntries: number
  #nextNumber = 1
  #sequence = 0

  constructor(levels: number, tableEntries: number) {
    this.version = Version.empty(levels)
    this.#tableEntries = tableEntries
  }

  /** The last sequence given out. */
  get sequence(): number {
    return this.#sequence
  }

  /** Writes a table of level 0; a key that begins with `-` is a deletion. */
  flush(keys: readonly string[]): void {
    const entries = keys.map((text) => {
      const isDelete = text.startsWith('-')
      const entry = { key: text.replace(/^-/, ''), sequence: ++this.#sequence, isDelete }
      this.#truth.set(entry.key, entry)
      return entry
    })
    const newest = new Map(entries.map((entry) => [entry.key, entry]))
    this.version = this.version.apply({ addTables: [this.#add([...newest.values()], 0)] })
  }

  /** Runs a compaction that was picked from this or an earlier version. */
  run(compaction: Compaction, snapshots: readonly number[] = []): void {
    const { kind, level, outputLevel, inputs, overlaps, bottommost } = compaction
    const removeTables = [
      ...inputs.map(({ number }) => ({ level, number })),
      ...overlaps.map(({ number }) => ({ level: outputLevel, number })),
    ]
    if (kind === 'move') {
      const addTables = inputs.map((table) => ({ ...table, level: outputLevel }))
      this.version = this.version.apply({ removeTables, addTables })
      return
    }
    const entries = [...inputs, ...overlaps].flatMap(({ number }) => [
      ...this.#entries.get(number)!,
    ])
    const kept = surviving(entries, bottommost, snapshots)
    const addTables: TableMeta[] = []
    for (const part of this.#cut(kept)) addTables.push(this.#add(part, outputLevel))
    this.version = this.version.apply({ removeTables, addTables })
  }

  /** Every key reads as written last, and going down the levels its entries only get older. */
  check(): void {
    const found = new Map<string, Entry[]>()
    for (const { number } of this.version.tables()) {
      for (const entry of this.#entries.get(number)!) {
        const entries = found.get(entry.key)
        if (entries === undefined) found.set(entry.key, [entry])
        else entries.push(entry)
      }
    }
    for (const entries of found.values()) {
      const isSorted = entries.every(
        (entry, at) => at === 0 || entries[at - 1]!.sequence > entry.sequence,
      )
      if (!isSorted) expect.fail('an older entry lies above a newer one')
    }
    for (const [key, truth] of this.#truth) {
      const newest = found.get(key)?.[0]
      const isRight = truth.isDelete ? (newest?.isDelete ?? true) : newest === truth
      if (!isRight) expect.fail(`key ${key} does not read as it was written last`)
    }
    for (const table of this.version.tables()) {
      const entries = this.#entries.get(table.number)!
      expect(encodeUtf8(entries[0]!.key)).to.deep.equal(table.smallest)
      expect(encodeUtf8(entries.at(-1)!.key)).to.deep.equal(table.largest)
    }
  }

  tombstones(): number {
    return this.version.tables().reduce((sum, table) => sum + table.tombstones, 0)
  }

  #add(unsorted: readonly Entry[], level: number): TableMeta {
    const entries = unsorted.toSorted(inTableOrder)
    const number = this.#nextNumber++
    this.#entries.set(number, entries)
    const sequences = entries.map((entry) => entry.sequence)
    return {
      number,
      level,
      size: ENTRY_BYTES * entries.length,
      checksum: 0n,
      entries: entries.length,
      tombstones: entries.filter((entry) => entry.isDelete).length,
      shadowed: entries.filter((entry, at) => entry.key === entries[at - 1]?.key).length,
      smallest: encodeUtf8(entries[0]!.key),
      largest: encodeUtf8(entries.at(-1)!.key),
      minSequence: Math.min(...sequences),
      maxSequence: Math.max(...sequences),
      valueBytes: 0,
      rawBytes: 0,
    }
  }

  /** Cuts entries into tables, never between versions of one key. */
  #cut(entries: readonly Entry[]): Entry[][] {
    const parts: Entry[][] = []
    for (const [index, entry] of entries.entries()) {
      const last = parts.at(-1)
      const isSameKey = entries[index - 1]?.key === entry.key
      if (last === undefined || (last.length >= this.#tableEntries && !isSameKey)) {
        parts.push([entry])
      } else last.push(entry)
    }
    return parts
  }
}

function inTableOrder(left: Entry, right: Entry): number {
  if (left.key !== right.key) return left.key < right.key ? -1 : 1
  return right.sequence - left.sequence
}

function surviving(
  unsorted: readonly Entry[],
  bottommost: boolean,
  snapshots: readonly number[],
): Entry[] {
  const entries = unsorted.toSorted(inTableOrder)
  const kept = entries.filter((entry, index) => {
    const newer = entries[index - 1]
    if (newer === undefined || newer.key !== entry.key) return true
    return snapshots.some((one) => one >= entry.sequence && one < newer.sequence)
  })
  const oldest = Math.min(...snapshots)
  return kept.filter((entry, index) => {
    const isLast = kept[index + 1]?.key !== entry.key
    return !(bottommost && isLast && entry.isDelete && entry.sequence <= oldest)
  })
}
