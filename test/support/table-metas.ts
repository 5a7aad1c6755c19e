/**
 * Table metadata for tests that have no tables.
 */
import { encodeUtf8, toHex } from '../../src/util/bytes.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import type { Version } from '../../src/version/version.ts'

export interface TableSketch extends Partial<Omit<TableMeta, 'smallest' | 'largest'>> {
  readonly smallest?: string
  readonly largest?: string
}

/** A table of level 0 with one entry, unless told otherwise; sequences default to the number. */
export function tableMeta(number: number, sketch: TableSketch = {}): TableMeta {
  const { smallest = 'a', largest = smallest, ...rest } = sketch
  return {
    number,
    level: 0,
    size: 1000,
    checksum: (BigInt(number) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn,
    entries: 1,
    tombstones: 0,
    shadowed: 0,
    minSequence: number,
    maxSequence: number,
    valueBytes: 0,
    rawBytes: 100,
    ...rest,
    smallest: encodeUtf8(smallest),
    largest: encodeUtf8(largest),
  }
}

/** A version as comparable text, one line a table. */
export function versionText(version: Version): string {
  const lines = version.levels.flatMap((tables, level) => {
    return tables.map((table) => {
      const { smallest, largest, checksum, ...rest } = table
      const range = `${toHex(smallest)}-${toHex(largest)}`
      return `${level} ${range} ${checksum} ${JSON.stringify(rest)}`
    })
  })
  return [`levels ${version.levels.length}`, ...lines].join('\n')
}

export function numbersOf(tables: readonly TableMeta[]): number[] {
  return tables.map((table) => table.number)
}
