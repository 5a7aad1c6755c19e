/**
 * Merging within level 0: CMP-16 to CMP-19 in `docs/compaction.md`. While a caller presses, taking all of level 0 down for
 * every few tables costs more than a worker has time for. So neighbours of similar size become one table of their level:
 *
 *     level 0    [1][1][1][1][1][1][1][1] [8] [8]      newest first, sizes in flushes
 *                └───────── made one ────┘
 *
 * Pure, as `compaction-picker.ts`.
 */
import { compareBytes } from '../util/bytes.ts'
import type { TableMeta } from '../version/table-meta.ts'
import { Version } from '../version/version.ts'
import type { Compaction, PickerConfig } from './compaction-picker.ts'

/** What is worth merging. Sizes are in flushes. */
interface Row {
  /** The row begins with the newest table of at least this size. */
  readonly sizeLeast: number
  /** It has at least so many tables. */
  readonly tablesLeast: number
}

/** What flushes have made, and what was made of that. */
export const ROWS: Readonly<Record<'small' | 'large', Row>> = {
  small: { sizeLeast: 0, tablesLeast: 8 },
  large: { sizeLeast: 3, tablesLeast: 5 },
}

/** The largest table that is made, in flushes and in bytes: what a job remembers of index and filters is bounded by it. */
const SIZE_MOST = 64
const BYTES_MOST: number = 2 ** 31

/** With more tables than this their sizes no longer matter. */
const CROWD = 22

/** A row of neighbours in level 0, none of them in `except`: damaged, or taken by another compaction. */
export function pickWithinLevel0(
  version: Version,
  config: PickerConfig,
  except: ReadonlySet<number>,
  row: Row,
): Compaction | undefined {
  const tables = version.levels[0]!
  const start = tables.findIndex(({ size }) => size >= row.sizeLeast * config.flushBytes)
  if (start < 0) return undefined
  const anyway = tables.length > CROWD ? row.tablesLeast : 2
  const inputs = rowOf(config, tables.slice(start), except, anyway)
  if (inputs.length < row.tablesLeast || !anyOverlap(inputs)) return undefined
  const outputBytes = inputs.reduce((sum, table) => sum + table.size, 0)
  return {
    ...{ kind: 'merge', level: 0, outputLevel: 0, inputs, overlaps: [] },
    ...{ bottommost: false, outputBytes, reason: 'level0' },
  }
}

/** The version without what `within` merges and all that is newer, which must not go down before it. */
export function olderThan(version: Version, within: Compaction | undefined): Version {
  const oldest = within?.inputs.at(-1)
  const [level0, ...deeper] = version.levels
  if (oldest === undefined || level0 === undefined) return version
  const at = level0.findIndex(({ number }) => number === oldest.number)
  return new Version([level0.slice(at + 1), ...deeper])
}

/**
 * The first of `tables`, `anyway` of them and as many more as make the bytes that are written for each table less: the next
 * is too large.
 */
function rowOf(
  config: PickerConfig,
  tables: readonly TableMeta[],
  except: ReadonlySet<number>,
  anyway: number,
): readonly TableMeta[] {
  const most = Math.min(SIZE_MOST * config.flushBytes, BYTES_MOST)
  let bytes = 0
  let count = 0
  for (const { number, size } of tables) {
    const isCheaper = count < anyway || (bytes + size) * (count - 1) <= bytes * count
    if (!isCheaper || bytes + size > most || except.has(number)) break
    bytes += size
    count++
  }
  return tables.slice(0, count)
}

/** Tables that do not overlap cost a reader nothing, and each of them goes down alone. */
function anyOverlap(tables: readonly TableMeta[]): boolean {
  const sorted = tables.toSorted((left, right) => compareBytes(left.smallest, right.smallest))
  return sorted.some((table, at) => {
    const before = sorted[at - 1]
    return before !== undefined && compareBytes(before.largest, table.smallest) >= 0
  })
}
