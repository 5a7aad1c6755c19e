/**
 * What to compact next: CMP-1 to CMP-12 in `docs/compaction.md`. Pure: nothing here reads or writes a file.
 *
 *     level 0    [======]    [===]          taken: all that overlap each other, the oldest included
 *                   [====]
 *     level 1  [===][==] [====] [=====]     and what they overlap here
 */
import { compareBytes } from '../util/bytes.ts'
import type { TableMeta } from '../version/table-meta.ts'
import { type KeyBound, overlaps, type Version } from '../version/version.ts'

/** RustEdgeDB's figures. */
export const LEVEL_FACTOR = 10
export const LEVEL0_TABLES = 4

/** How far down the overlap of a moved table may reach, in tables. */
const MOVE_OVERLAP_TABLES_MAX = 20
/** How much a step of a manual compaction takes from its level, in tables. */
const MANUAL_STEP_TABLES = 8
/** A table below this part of `tableBytes` is small. */
const SMALL_PART = 8
/** So many small tables in a row are made one. */
const SMALL_ROW = 8

export interface PickerConfig {
  /** Limit of level 1 in bytes. */
  readonly levelBytes: number
  /** How many times larger each level is than the one above. */
  readonly levelFactor: number
  /** Level 0 is due when it has more tables than this. */
  readonly level0Tables: number
  /** Bytes at which an output table is closed. */
  readonly tableBytes: number
  readonly maxLevels: number
  /** Whether a table of level 0 is fit for deeper levels as it is. */
  readonly moveLevel0: boolean
  /** Up to so many bytes stay in level 0, but for tables that overlap nothing. 0 at rest. */
  readonly level0Bytes: number
  /** What sizes in level 0 are measured by: what a flush writes at most, large values aside. */
  readonly flushBytes: number
}

export interface Compaction {
  /** `'move'`: the one input only changes its level. */
  readonly kind: 'merge' | 'move'
  readonly level: number
  /** The level below, or the same when the bottommost level is rewritten. */
  readonly outputLevel: number
  /** Tables of `level`, in its order: newest first in level 0, by key below. */
  readonly inputs: readonly TableMeta[]
  /** Tables of `outputLevel`, by key. */
  readonly overlaps: readonly TableMeta[]
  /** Nothing older lies below any key of the inputs: tombstones may go. */
  readonly bottommost: boolean
  /** Bytes of all inputs and overlaps: at most about what is written. */
  readonly outputBytes: number
  readonly reason: 'level0' | 'size' | 'small' | 'manual'
}

/** Bytes that a level from 1 down may take. */
export function levelLimit(config: PickerConfig, level: number): number {
  return config.levelBytes * config.levelFactor ** (level - 1)
}

/** The compaction that is most due, `undefined` when none is, or none is possible without `damaged` tables. */
export function pickCompaction(
  version: Version,
  config: PickerConfig,
  damaged: ReadonlySet<number>,
): Compaction | undefined {
  for (const level of dueLevels(version, config, damaged)) {
    const groups = level === 0 ? dueGroups(version, config) : byOverlap(version, level)
    for (const inputs of groups) {
      const reason = level === 0 ? 'level0' : 'size'
      const compaction = planDown(version, config, damaged, inputs, reason)
      if (compaction !== undefined) return compaction
    }
  }
  return pickSmall(version, config, damaged)
}

/** The levels over their limits, the most urgent first [CMP-1, CMP-2]. */
function dueLevels(version: Version, config: PickerConfig, damaged: ReadonlySet<number>): number[] {
  const due: { level: number; score: number }[] = []
  for (let level = 0; level < lastLevel(version, config); level++) {
    const free = version.levels[level]!.filter((table) => !damaged.has(table.number))
    const score =
      level === 0
        ? flushesOf(config, free) / config.level0Tables
        : bytesOf(free) / levelLimit(config, level)
    if (score > 1) due.push({ level, score })
  }
  due.sort((left, right) => right.score - left.score || left.level - right.level)
  return due.map(({ level }) => level)
}

/** How many tables of level 0 these count as: one that was merged of several counts as those. */
function flushesOf(config: PickerConfig, tables: readonly TableMeta[]): number {
  let count = 0
  for (const { size, valueBytes } of tables) {
    count += Math.max(1, Math.floor((size - valueBytes) / config.flushBytes))
  }
  return count
}

function lastLevel(version: Version, config: PickerConfig): number {
  return Math.min(config.maxLevels, version.levels.length) - 1
}

/** The groups of level 0 that are to go down [CMP-17]. */
function dueGroups(version: Version, config: PickerConfig): TableMeta[][] {
  const groups = level0Groups(version, config)
  if (bytesOf(version.levels[0]!) > config.level0Bytes) return groups
  return groups.filter(([table, ...others]) => {
    const { smallest, largest } = table!
    return others.length === 0 && version.overlapping(1, smallest, largest).length === 0
  })
}

/** The tables of level 0 in groups that do not overlap each other, the one with the oldest table first [CMP-3, CMP-13]. */
function level0Groups(version: Version, config: PickerConfig): TableMeta[][] {
  const left = new Set(version.levels[0]!)
  const groups: TableMeta[][] = []
  for (const oldest of version.levels[0]!.toReversed()) {
    if (!left.has(oldest)) continue
    const group = level0Group(version, [oldest])
    for (const table of group) left.delete(table)
    groups.push(group)
  }
  return joined(version, config, groups)
}

/** Groups of level 0 that can go down together at little cost are made one. */
function joined(version: Version, config: PickerConfig, groups: TableMeta[][]): TableMeta[][] {
  let [first = [], ...rest] = groups
  for (const group of rest) {
    if (first.includes(group[0]!)) continue
    const both = level0Group(version, [...first, ...group])
    const { smallest, largest } = rangeOf(both)
    const bytes = bytesOf(both) + bytesOf(version.overlapping(1, smallest, largest))
    if (bytes <= config.tableBytes / 2) first = both
  }
  return [first, ...rest.filter((group) => !first.includes(group[0]!))]
}

/** All tables of level 0 that overlap those of `start`, directly or through others, newest first. */
function level0Group(version: Version, start: readonly TableMeta[]): TableMeta[] {
  const tables = version.levels[0]!
  let group = [...start]
  for (;;) {
    const { smallest, largest } = rangeOf(group)
    const wider = tables.filter((table) => overlaps(table, smallest, largest))
    if (wider.length === group.length) return wider
    group = wider
  }
}

/** A row of small tables of one level, to be made one [CMP-14]. */
function pickSmall(
  version: Version,
  config: PickerConfig,
  damaged: ReadonlySet<number>,
): Compaction | undefined {
  for (let level = 1; level <= lastLevel(version, config); level++) {
    let row: TableMeta[] = []
    for (const table of version.levels[level]!) {
      const isSmall = table.size * SMALL_PART < config.tableBytes && !damaged.has(table.number)
      row = isSmall ? [...row, table] : []
      if (row.length === SMALL_ROW) return planWithin(version, row, 'small')
    }
  }
  return undefined
}

/** A compaction that leaves its tables in their level. */
function planWithin(
  version: Version,
  inputs: readonly TableMeta[],
  reason: Compaction['reason'],
): Compaction {
  const { level } = inputs[0]!
  const { smallest, largest } = rangeOf(inputs)
  const bottommost = version.isBottommostFor(level, smallest, largest)
  const outputBytes = bytesOf(inputs)
  const levels = { level, outputLevel: level }
  return { kind: 'merge', ...levels, inputs, overlaps: [], bottommost, outputBytes, reason }
}

/** The tables of a level one by one, those with the least overlap for their size first [CMP-4]. */
function byOverlap(version: Version, level: number): TableMeta[][] {
  const rated = version.levels[level]!.map((table) => {
    const below = version.overlapping(level + 1, table.smallest, table.largest)
    return { table, ratio: bytesOf(below) / Math.max(table.size, 1) }
  })
  rated.sort((left, right) => left.ratio - right.ratio || left.table.number - right.table.number)
  return rated.map(({ table }) => [table])
}

/** Takes `inputs`, all of one level, to the next; `undefined` when a table that belongs to it is damaged [CMP-5]. */
function planDown(
  version: Version,
  config: PickerConfig,
  damaged: ReadonlySet<number>,
  inputs: readonly TableMeta[],
  reason: Compaction['reason'],
): Compaction | undefined {
  const { level } = inputs[0]!
  const outputLevel = level + 1
  const { smallest, largest } = rangeOf(inputs)
  const below = version.overlapping(outputLevel, smallest, largest)
  const all = [...inputs, ...below]
  if (all.some((table) => damaged.has(table.number))) return undefined
  const whole = rangeOf(all)
  const bottommost = version.isBottommostFor(outputLevel, whole.smallest, whole.largest)
  const isMove = all.length === 1 && isMovable(version, config, inputs[0]!, bottommost)
  const kind = isMove ? 'move' : 'merge'
  const outputBytes = bytesOf(all)
  return { kind, level, outputLevel, inputs, overlaps: below, bottommost, outputBytes, reason }
}

/** Whether a table that overlaps nothing in the next level may go there as it is [CMP-7]. */
function isMovable(
  version: Version,
  config: PickerConfig,
  table: TableMeta,
  bottommost: boolean,
): boolean {
  if (bottommost && table.tombstones > 0) return false
  if (table.level === 0 && !config.moveLevel0) return false
  const beneath = version.overlapping(table.level + 2, table.smallest, table.largest)
  return bytesOf(beneath) <= MOVE_OVERLAP_TABLES_MAX * config.tableBytes
}

/** Where a manual compaction stands. Immutable. */
export interface ManualState {
  readonly smallest: KeyBound
  readonly largest: KeyBound
  readonly level: number
  /** The deepest level that had tables in the range when it began, at least 1. */
  readonly target: number
  /** How many steps this level may still take: one for each table that it had when it was entered. */
  readonly remaining: number
  /** The largest key that was taken from this level, from level 1 down. */
  readonly after: KeyBound
}

export type ManualStep =
  /** Run it; when its edit is installed, go on with `state`. */
  | { readonly status: 'run'; readonly compaction: Compaction; readonly state: ManualState }
  /** A table that it needs is damaged. */
  | { readonly status: 'blocked' }
  | { readonly status: 'done' }

/** Begins a manual compaction of the keys from `smallest` to `largest`; bounds belong to the range. */
export function startManual(
  version: Version,
  config: PickerConfig,
  smallest: KeyBound,
  largest: KeyBound,
): ManualState {
  const last = lastLevel(version, config)
  let target = Math.min(1, last)
  for (let level = 2; level <= last; level++) {
    if (version.overlapping(level, smallest, largest).length > 0) target = level
  }
  const start = { smallest, largest, level: 0, target, remaining: 0, after: undefined }
  return enterLevel(version, start, 0)
}

/** The next compaction of a manual one [CMP-10]. The last call says `'done'`. */
export function pickManualStep(
  version: Version,
  config: PickerConfig,
  damaged: ReadonlySet<number>,
  from: ManualState,
): ManualStep {
  for (let at = from; at.level <= at.target; at = enterLevel(version, at, at.level + 1)) {
    const left = remainingTables(version, at)
    if (left.length === 0 || at.remaining <= 0) continue
    const compaction = manualCompaction(version, config, damaged, at, left)
    if (compaction === undefined) return { status: 'blocked' }
    const after = at.level === 0 ? undefined : compaction.inputs.at(-1)!.largest
    const state = { ...at, after, remaining: at.remaining - 1 }
    return { status: 'run', compaction, state }
  }
  return { status: 'done' }
}

function enterLevel(version: Version, state: ManualState, level: number): ManualState {
  const entered = { ...state, level, after: undefined }
  return { ...entered, remaining: remainingTables(version, entered).length }
}

/** The tables of the state's level that are in the range and beyond what was taken already. */
function remainingTables(version: Version, state: ManualState): readonly TableMeta[] {
  const { level, target, smallest, largest, after } = state
  const inRange = version.overlapping(level, smallest, largest)
  const left =
    after === undefined
      ? inRange
      : inRange.filter((table) => compareBytes(table.smallest, after) > 0)
  return level < target ? left : left.filter((table) => isWorthRewriting(version, table))
}

/** [CMP-11] */
function isWorthRewriting(version: Version, table: TableMeta): boolean {
  if (table.shadowed > 0) return true
  const { level, smallest, largest, tombstones } = table
  return tombstones > 0 && version.isBottommostFor(level, smallest, largest)
}

function manualCompaction(
  version: Version,
  config: PickerConfig,
  damaged: ReadonlySet<number>,
  state: ManualState,
  left: readonly TableMeta[],
): Compaction | undefined {
  if (state.level === state.target) return planRewrite(version, damaged, left[0]!)
  if (state.level === 0) {
    return planDown(version, config, damaged, level0Group(version, left.slice(-1)), 'manual')
  }
  const several = manualRun(version, config, left)
  const plan = planDown(version, config, damaged, several, 'manual')
  return plan ?? planDown(version, config, damaged, several.slice(0, 1), 'manual')
}

/** The first tables of `left`, as many as make a step worth its while; a table that can be moved goes alone. */
function manualRun(
  version: Version,
  config: PickerConfig,
  left: readonly TableMeta[],
): readonly TableMeta[] {
  const first = left[0]!
  const below = version.overlapping(first.level + 1, first.smallest, first.largest)
  if (below.length === 0) return [first]
  let count = 0
  for (let bytes = 0; count < left.length && bytes < MANUAL_STEP_TABLES * config.tableBytes; ) {
    bytes += left[count]!.size
    count++
  }
  return left.slice(0, count)
}

function planRewrite(
  version: Version,
  damaged: ReadonlySet<number>,
  table: TableMeta,
): Compaction | undefined {
  return damaged.has(table.number) ? undefined : planWithin(version, [table], 'manual')
}

function bytesOf(tables: readonly TableMeta[]): number {
  return tables.reduce((sum, table) => sum + table.size, 0)
}

/** The smallest range that holds the ranges of all tables. Requires: there is one. */
function rangeOf(tables: readonly TableMeta[]): { smallest: Uint8Array; largest: Uint8Array } {
  let { smallest, largest } = tables[0]!
  for (const table of tables) {
    if (compareBytes(table.smallest, smallest) < 0) smallest = table.smallest
    if (compareBytes(table.largest, largest) > 0) largest = table.largest
  }
  return { smallest, largest }
}
