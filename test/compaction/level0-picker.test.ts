import { expect } from 'chai'
import {
  type Compaction,
  type PickerConfig,
  pickCompaction,
} from '../../src/compaction/compaction-picker.ts'
import { olderThan, pickWithinLevel0, ROWS } from '../../src/compaction/level0-picker.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { Version } from '../../src/version/version.ts'
import { LevelModel } from '../support/level-model.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { numbersOf, tableMeta } from '../support/table-metas.ts'

const TABLE_BYTES = 2000
const CONFIG: PickerConfig = {
  ...{ levelBytes: 10_000, levelFactor: 10, level0Tables: 4, tableBytes: TABLE_BYTES },
  ...{ maxLevels: 7, moveLevel0: false, level0Bytes: 0, flushBytes: TABLE_BYTES },
}
const PRESSED = { ...CONFIG, level0Bytes: 100 * TABLE_BYTES }
/** Rows and tables that a model of few entries has as well. */
const MODEL: PickerConfig = {
  ...CONFIG,
  levelBytes: 1500,
  levelFactor: 3,
  tableBytes: 500,
  flushBytes: 500,
}
const NONE: ReadonlySet<number> = new Set()

describe('compaction/level0-picker', () => {
  it('makes eight tables and more of similar size one within level 0, the newest first [CMP-16]', () => {
    expect(within(versionOf(sizes(7)))).to.equal(undefined)
    const eight = within(versionOf(sizes(8)))!
    expect(eight).to.include({ kind: 'merge', level: 0, outputLevel: 0, bottommost: false })
    expect(numbersOf(eight.inputs)).to.deep.equal([8, 7, 6, 5, 4, 3, 2, 1])
    const older = versionOf([8000, 8000, ...sizes(9)])
    expect(numbersOf(within(older)!.inputs)).to.deep.equal([11, 10, 9, 8, 7, 6, 5, 4, 3])
    expect(within(versionOf([8000, ...sizes(7)]))).to.equal(undefined)
  })

  it('makes five large tables in a row one, and none beyond 64 times the size of a table [CMP-16]', () => {
    const large = (version: Version): readonly number[] =>
      numbersOf(pickWithinLevel0(version, CONFIG, NONE, ROWS.large)?.inputs ?? [])
    const fives = (count: number): number[] => new Array<number>(count).fill(8 * TABLE_BYTES)
    expect(large(versionOf([...fives(4), ...sizes(3)]))).to.deep.equal([])
    expect(large(versionOf([...fives(5), ...sizes(3)]))).to.deep.equal([5, 4, 3, 2, 1])
    expect(large(versionOf(fives(12)))).to.deep.equal([12, 11, 10, 9, 8, 7, 6, 5])
    expect(large(versionOf(sizes(20)))).to.deep.equal([])
  })

  it('merges neighbours only: none that is damaged or taken, and nothing beyond one [CMP-16]', () => {
    const version = versionOf(sizes(20))
    const row = (number: number): readonly number[] =>
      numbersOf(pickWithinLevel0(version, CONFIG, new Set([number]), ROWS.small)?.inputs ?? [])
    expect(row(12)).to.deep.equal([20, 19, 18, 17, 16, 15, 14, 13])
    expect(row(13)).to.deep.equal([])
  })

  it('merges tables of whatever size where there are too many [CMP-16]', () => {
    const uneven = (count: number): number[] =>
      Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 500 : 4000))
    expect(within(versionOf(uneven(22)))).to.equal(undefined)
    const inputs = numbersOf(within(versionOf(uneven(23)))?.inputs ?? [])
    expect(inputs.slice(0, 8)).to.deep.equal([23, 22, 21, 20, 19, 18, 17, 16])
  })

  it('leaves tables alone that do not overlap [CMP-16]', () => {
    const apart = Array.from({ length: 10 }, (_, i) => tableMeta(i + 1, { smallest: `${i}` }))
    expect(within(Version.empty(7).apply({ addTables: apart }))).to.equal(undefined)
  })

  it('counts a table of several flushes as those, large values aside [CMP-1]', () => {
    const due = (valueBytes: number): Compaction | undefined => {
      const large = whole(1, 4 * TABLE_BYTES + 4000)
      const addTables = [{ ...large, valueBytes }, whole(2, 10)]
      return pickCompaction(Version.empty(7).apply({ addTables }), CONFIG, NONE)
    }
    expect(due(0)).to.include({ level: 0, outputLevel: 1 })
    expect(due(4000)).to.include({ level: 0, outputLevel: 1 })
    expect(due(4001)).to.equal(undefined)
  })

  it('takes nothing down that is newer than what is merged within level 0 [CMP-18]', () => {
    const version = versionOf(sizes(15))
    const running = pickWithinLevel0(version, CONFIG, new Set([7]), ROWS.small)!
    expect(numbersOf(running.inputs)).to.deep.equal([15, 14, 13, 12, 11, 10, 9, 8])
    const flushed = version.apply({ addTables: [whole(16, TABLE_BYTES)] })
    const older = olderThan(flushed, running)
    expect(numbersOf(older.levels[0]!)).to.deep.equal([7, 6, 5, 4, 3, 2, 1])
    expect(numbersOf(pickCompaction(older, CONFIG, NONE)!.inputs)).to.have.length(7)
    expect(olderThan(flushed, undefined)).to.equal(flushed)
  })

  it('lets up to so many bytes stay in level 0 under pressure, but no table that overlaps nothing [CMP-17]', () => {
    expect(pickCompaction(versionOf(sizes(100)), CONFIG, NONE)).to.include({ level: 0 })
    expect(pickCompaction(versionOf(sizes(100)), PRESSED, NONE)).to.equal(undefined)
    expect(pickCompaction(versionOf(sizes(101)), PRESSED, NONE)).to.include({ level: 0 })
    const below = { level: 1, size: 20_000, smallest: 'a', largest: 'z' }
    const alone = tableMeta(99, { smallest: 'zz' })
    const tables = [...sizes(10).map((size, i) => whole(i + 1, size)), alone]
    const version = Version.empty(7).apply({ addTables: [...tables, tableMeta(98, below)] })
    expect(numbersOf(pickCompaction(version, PRESSED, NONE)!.inputs)).to.deep.equal([99])
  })

  it('keeps every key readable, whatever is flushed and goes down while one runs [CMP-16, CMP-18, CMP-5]', () => {
    const random = seededRandom(testSeed())
    let ended = 0
    for (let round = 0; round < 12; round++) {
      const model = new LevelModel(7, 5)
      const running = new Map<'down' | 'within', Compaction>()
      for (let step = 0; step < 300; step++) {
        if (random.chance(0.6)) model.flush(anyKeys(random))
        begin(model.version, running, random)
        const slot = random.pick(['down', 'within'] as const)
        const compaction = running.get(slot)
        if (compaction === undefined || random.chance(0.7)) continue
        running.delete(slot)
        model.run(compaction, random.chance(0.3) ? [random.int(model.sequence + 1)] : [])
        model.check()
        if (slot === 'within') ended++
      }
    }
    expect(ended).to.be.greaterThan(50)
  })
})

/** Begins what does not run yet, as the engine does. */
function begin(
  version: Version,
  running: Map<'down' | 'within', Compaction>,
  random: Random,
): void {
  if (!running.has('down') && random.chance(0.1)) {
    const older = olderThan(version, running.get('within'))
    const down = pickCompaction(older, MODEL, NONE)
    if (down !== undefined) running.set('down', down)
  }
  if (running.has('within')) return
  const taken = running.get('down')?.inputs ?? []
  const row = { sizeLeast: 0, tablesLeast: 3 }
  const within = pickWithinLevel0(version, MODEL, new Set(numbersOf(taken)), row)
  if (within !== undefined) running.set('within', within)
}

const within = (version: Version): Compaction | undefined =>
  pickWithinLevel0(version, CONFIG, NONE, ROWS.small)

function sizes(count: number): number[] {
  return new Array<number>(count).fill(TABLE_BYTES)
}

function whole(number: number, size: number): TableMeta {
  return tableMeta(number, { size, smallest: 'a', largest: 'z' })
}

/** Level 0 of tables that all overlap, of these sizes, the oldest first. */
function versionOf(bytes: readonly number[]): Version {
  return Version.empty(7).apply({ addTables: bytes.map((size, i) => whole(i + 1, size)) })
}

function anyKeys(random: Random): string[] {
  const width = random.pick([5, 50, 400])
  const from = random.int(0, 401 - width)
  return Array.from({ length: random.int(1, 15) }, () => {
    const key = String(100 + from + random.int(width))
    return random.chance(0.25) ? `-${key}` : key
  })
}
