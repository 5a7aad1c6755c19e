/**
 * The set of live tables at one moment: MAN-7 in `docs/manifest-format.md`. Immutable; an edit gives a new one.
 *
 *     level 0    newest first (largest sequence, then number); ranges may overlap
 *     level 1…   by smallest key; ranges do not overlap; an entry is newer than all of its key in deeper levels
 */
import { compareBytes } from '../util/bytes.ts'
import type { TableMeta } from './table-meta.ts'
import type { VersionEdit } from './version-edit.ts'

/** An edit that does not fit its version. Read from a file, it is `CORRUPTION`; our own is a bug. */
export class VersionError extends Error {
  override readonly name = 'VersionError'
}

/** Bounds are keys and belong to the range; `undefined` is no bound. */
export type KeyBound = Uint8Array | undefined

export class Version {
  readonly levels: readonly (readonly TableMeta[])[]
  readonly #levelBytes: readonly number[]

  /** Requires: sound levels, sorted. Others come from `Version.empty`, `apply` and `VersionBuilder`. */
  constructor(levels: readonly (readonly TableMeta[])[]) {
    this.levels = levels
    this.#levelBytes = levels.map((tables) => tables.reduce((sum, table) => sum + table.size, 0))
  }

  static empty(levels: number): Version {
    return new Version(Array.from({ length: levels }, () => []))
  }

  /** The version after `edit`. Throws `VersionError`, and changes nothing. */
  apply(edit: VersionEdit): Version {
    const builder = new VersionBuilder(this)
    builder.apply(edit)
    return builder.build()
  }

  /** Bytes of a level's files. */
  levelBytes(level: number): number {
    return this.#levelBytes[level] ?? 0
  }

  /** All tables, level by level. */
  tables(): TableMeta[] {
    return this.levels.flat()
  }

  /** The deepest level that holds a table; 0 for an empty version. */
  deepestLevel(): number {
    const deepest = this.levels.findLastIndex((tables) => tables.length > 0)
    return Math.max(deepest, 0)
  }

  /** The tables of a level whose ranges meet `smallest` to `largest`, in the order of the level. */
  overlapping(level: number, smallest: KeyBound, largest: KeyBound): readonly TableMeta[] {
    const tables = this.levels[level] ?? []
    if (level === 0) return tables.filter((table) => overlaps(table, smallest, largest))
    const start = smallest === undefined ? 0 : firstEndingFrom(tables, smallest)
    let end = start
    while (end < tables.length && !isAfter(tables[end]!, largest)) end++
    return tables.slice(start, end)
  }

  /** True when no level below `level` has a table whose range meets `smallest` to `largest`. */
  isBottommostFor(level: number, smallest: KeyBound, largest: KeyBound): boolean {
    for (let deeper = level + 1; deeper < this.levels.length; deeper++) {
      if (this.overlapping(deeper, smallest, largest).length > 0) return false
    }
    return true
  }
}

/** True when the table's range meets `smallest` to `largest`. */
export function overlaps(table: TableMeta, smallest: KeyBound, largest: KeyBound): boolean {
  if (smallest !== undefined && compareBytes(table.largest, smallest) < 0) return false
  return !isAfter(table, largest)
}

function isAfter(table: TableMeta, largest: KeyBound): boolean {
  return largest !== undefined && compareBytes(table.smallest, largest) > 0
}

/** Index of the first table of a sorted level that does not end before `key`. */
function firstEndingFrom(tables: readonly TableMeta[], key: Uint8Array): number {
  let low = 0
  let high = tables.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(tables[middle]!.largest, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Applies many edits at the cost of one: recovery's way. Call protocol: apply* build.
 * Only the levels that were touched are sorted and checked, and only at the end.
 */
export class VersionBuilder {
  readonly #base: Version
  readonly #levelOf = new Map<number, number>()
  /** Touched levels. */
  readonly #levels = new Map<number, Map<number, TableMeta>>()
  #levelCount: number

  constructor(base: Version) {
    this.#base = base
    this.#levelCount = base.levels.length
    for (const table of base.tables()) this.#levelOf.set(table.number, table.level)
  }

  /** Throws `VersionError`; the builder is then of no more use. */
  apply(edit: VersionEdit): void {
    if (edit.levels !== undefined) this.#levelCount = edit.levels
    for (const { level, number } of edit.removeTables ?? []) {
      if (this.#levelOf.get(number) !== level) {
        throw new VersionError(`table ${number} is not in level ${level} and cannot be removed`)
      }
      this.#levelOf.delete(number)
      this.#touched(level).delete(number)
    }
    for (const table of edit.addTables ?? []) {
      if (table.level >= this.#levelCount) {
        throw new VersionError(`table ${table.number} is added to level ${table.level}`)
      }
      if (this.#levelOf.has(table.number)) {
        throw new VersionError(`table ${table.number} is added a second time`)
      }
      this.#levelOf.set(table.number, table.level)
      this.#touched(table.level).set(table.number, table)
    }
  }

  /** Throws `VersionError` when the result is not sound. */
  build(): Version {
    const levels: (readonly TableMeta[])[] = []
    for (let level = 0; level < this.#levelCount; level++) {
      const touched = this.#levels.get(level)
      levels.push(touched ? sortedLevel(level, [...touched.values()]) : this.#baseLevel(level))
    }
    for (let level = this.#levelCount; level < this.#base.levels.length; level++) {
      const left = this.#levels.get(level)?.size ?? this.#baseLevel(level).length
      if (left > 0) throw new VersionError(`level ${level} is taken away but has tables`)
    }
    return new Version(levels)
  }

  #baseLevel(level: number): readonly TableMeta[] {
    return this.#base.levels[level] ?? []
  }

  #touched(level: number): Map<number, TableMeta> {
    let tables = this.#levels.get(level)
    if (tables === undefined) {
      tables = new Map(this.#baseLevel(level).map((table) => [table.number, table]))
      this.#levels.set(level, tables)
    }
    return tables
  }
}

function sortedLevel(level: number, tables: TableMeta[]): readonly TableMeta[] {
  if (level === 0) return tables.sort(newestFirst)
  tables.sort((left, right) => compareBytes(left.smallest, right.smallest))
  for (let index = 1; index < tables.length; index++) {
    const [before, table] = [tables[index - 1]!, tables[index]!]
    if (compareBytes(before.largest, table.smallest) >= 0) {
      throw new VersionError(
        `tables ${before.number} and ${table.number} of level ${level} overlap`,
      )
    }
  }
  return tables
}

function newestFirst(left: TableMeta, right: TableMeta): number {
  return right.maxSequence - left.maxSequence || right.number - left.number
}
