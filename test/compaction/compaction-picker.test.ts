import { expect } from 'chai'
import {
  type Compaction,
  levelLimit,
  type PickerConfig,
  pickCompaction,
  pickManualStep,
  startManual,
} from '../../src/compaction/compaction-picker.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { Version } from '../../src/version/version.ts'
import { LevelModel } from '../support/level-model.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { numbersOf, type TableSketch, tableMeta } from '../support/table-metas.ts'

const CONFIG: PickerConfig = {
  levelBytes: 10_000,
  levelFactor: 10,
  level0Tables: 4,
  tableBytes: 2000,
  maxLevels: 7,
  ...{ moveLevel0: true, level0Bytes: 0, flushBytes: 10 ** 9 },
}
const NONE: ReadonlySet<number> = new Set()
/** Small limits, so that few entries fill many levels. */
const SMALL: PickerConfig = {
  ...CONFIG,
  levelBytes: 1500,
  levelFactor: 3,
  tableBytes: 500,
  maxLevels: 5,
}

describe('compaction/compaction-picker', () => {
  it('picks nothing while no level is over its limit [CMP-1]', () => {
    expect(pick(Version.empty(7))).to.equal(undefined)
    const four = [1, 2, 3, 4].map((number) => tableMeta(number, { size: 10 ** 9 }))
    expect(pick(versionOf(four))).to.equal(undefined)
    const full = [table(1, 1, 'a', 'b', 10_000), table(2, 2, 'a', 'b', 100_000)]
    expect(pick(versionOf(full))).to.equal(undefined)
  })

  it('picks level 0 from the fifth table on [CMP-1]', () => {
    const five = [1, 2, 3, 4, 5].map((number) => table(number, 0, 'a', 'c'))
    const compaction = pick(versionOf(five))!
    expect(compaction).to.include({ kind: 'merge', level: 0, outputLevel: 1, reason: 'level0' })
    expect(numbersOf(compaction.inputs)).to.deep.equal([5, 4, 3, 2, 1])
    expect(pickCompaction(versionOf(five), CONFIG, new Set([9]))).to.not.equal(undefined)
  })

  it('picks a level that exceeds its bytes, each ten times the one above [CMP-1]', () => {
    expect([1, 2, 3].map((level) => levelLimit(CONFIG, level))).to.deep.equal([1e4, 1e5, 1e6])
    for (let level = 1; level < 7; level++) {
      const size = levelLimit(CONFIG, level) + 1
      const compaction = pick(versionOf([table(1, level, 'a', 'b', size)]))
      if (level === 6) expect(compaction).to.equal(undefined)
      else expect(compaction).to.include({ level, outputLevel: level + 1, reason: 'size' })
    }
  })

  it('never fills levels beyond the last that is allowed [CMP-1]', () => {
    const version = versionOf([table(1, 1, 'a', 'b', 10 ** 9), table(2, 2, 'a', 'b', 10 ** 12)])
    const config = { ...CONFIG, maxLevels: 3 }
    expect(pickCompaction(version, config, NONE)).to.include({ level: 1, outputLevel: 2 })
    expect(pickCompaction(version, { ...CONFIG, maxLevels: 2 }, NONE)).to.equal(undefined)
  })

  it('prefers the level that is over its limit by the largest factor [CMP-2]', () => {
    const level0 = (count: number): TableMeta[] =>
      Array.from({ length: count }, (_, index) => table(index + 1, 0, 'a', 'c'))
    const level1 = table(50, 1, 'x', 'y', 15_000)
    const level2 = table(60, 2, 'x', 'y', 160_000)
    expect(pick(versionOf([...level0(5), level1, level2]))!.level).to.equal(2)
    expect(pick(versionOf([...level0(5), level1]))!.level).to.equal(1)
    expect(pick(versionOf([...level0(6), level1]))!.level).to.equal(0)
    expect(pick(versionOf([...level0(7), level1, level2]))!.level).to.equal(0)
  })

  it('gives way to the next level when a level has nothing to take [CMP-2, CMP-5]', () => {
    const level0 = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => table(number, 0, 'a', 'c'))
    const version = versionOf([...level0, table(9, 1, 'a', 'b'), table(10, 1, 'x', 'y', 15_000)])
    expect(pick(version)!.level).to.equal(0)
    expect(pickCompaction(version, CONFIG, new Set([9]))!.level).to.equal(1)
  })

  it('takes all tables of level 0 that hang together with the oldest [CMP-3]', () => {
    const version = versionOf([
      table(1, 0, 'c', 'e'),
      table(2, 0, 'x', 'z'),
      table(3, 0, 'e', 'g'),
      table(4, 0, 'g', 'k'),
      table(5, 0, 'l', 'm'),
      table(6, 0, 'a', 'b'),
      table(7, 1, 'b', 'd'),
      table(8, 1, 'k', 'n'),
      table(9, 1, 'p', 'q'),
    ])
    const compaction = pick(version)!
    expect(numbersOf(compaction.inputs)).to.deep.equal([4, 3, 1])
    expect(numbersOf(compaction.overlaps)).to.deep.equal([7, 8])
    expect(compaction.outputBytes).to.equal(5000)
    const second = pickCompaction(
      version,
      { ...CONFIG, level0Tables: 2 },
      new Set(tablesOf(compaction)),
    )!
    expect(numbersOf(second.inputs)).to.deep.equal([2])
  })

  it('takes from a deeper level the table with the least overlap for its size [CMP-4]', () => {
    const level2 = [table(20, 2, 'a', 'c', 9000), table(21, 2, 'd', 'f', 4000)]
    const version = versionOf([table(1, 1, 'a', 'c', 6000), table(2, 1, 'd', 'f', 6000), ...level2])
    expect(numbersOf(pick(version)!.inputs)).to.deep.equal([2])
    const free = versionOf([table(5, 1, 'm', 'n', 6000), table(4, 1, 'x', 'y', 6000), ...level2])
    expect(numbersOf(pick(free)!.inputs)).to.deep.equal([4])
  })

  it('takes no damaged table and none that would drag one in [CMP-5]', () => {
    const version = versionOf([
      table(1, 1, 'a', 'c', 30_000),
      table(2, 1, 'd', 'f', 20_000),
      table(3, 1, 'g', 'i', 20_000),
      table(20, 2, 'a', 'b'),
      table(21, 2, 'e', 'h'),
    ])
    const pickBeside = (...damaged: number[]): number[] =>
      numbersOf(pickCompaction(version, CONFIG, new Set(damaged))?.inputs ?? [])
    expect(pickBeside()).to.deep.equal([1])
    expect(pickBeside(1)).to.deep.equal([2])
    expect(pickBeside(20)).to.deep.equal([2])
    expect(pickBeside(20, 21)).to.deep.equal([])
    expect(pickBeside(2, 21)).to.deep.equal([1])
    expect(pickBeside(1, 2, 3)).to.deep.equal([])
  })

  it('knows when nothing lies below [CMP-6]', () => {
    const five = [1, 2, 3, 4, 5].map((number) => table(number, 0, 'd', 'f'))
    const bottommost = (...below: TableMeta[]): boolean =>
      pick(versionOf([...five, ...below]))!.bottommost
    expect(bottommost()).to.equal(true)
    expect(bottommost(table(7, 1, 'd', 'f'))).to.equal(true)
    expect(bottommost(table(7, 2, 'f', 'f'))).to.equal(false)
    expect(bottommost(table(7, 6, 'a', 'z'))).to.equal(false)
    expect(bottommost(table(7, 2, 'a', 'c'), table(8, 3, 'g', 'z'))).to.equal(true)
    const throughLevel1 = [table(7, 1, 'f', 'k'), table(8, 2, 'j', 'z')]
    expect(bottommost(...throughLevel1)).to.equal(false)
  })

  it('moves a single table that overlaps nothing [CMP-7]', () => {
    const lone = (sketch: TableSketch, ...others: TableMeta[]): Compaction =>
      pick(versionOf([tableMeta(1, { level: 1, size: 20_000, ...sketch }), ...others]))!
    expect(lone({})).to.include({ kind: 'move', bottommost: true })
    expect(lone({ tombstones: 1 }).kind).to.equal('merge')
    expect(lone({ tombstones: 1 }, table(2, 3, 'a', 'b')).kind).to.equal('move')
    expect(lone({}, table(2, 2, 'a', 'b')).kind).to.equal('merge')
    expect(lone({}, table(2, 3, 'a', 'b', 40_000)).kind).to.equal('move')
    expect(lone({}, table(2, 3, 'a', 'b', 40_001)).kind).to.equal('merge')
  })

  it('moves tables of level 0 only where they may be as they are [CMP-7]', () => {
    const apart = ['a', 'b', 'c', 'd', 'e'].map((key, index) => table(index + 1, 0, key, key))
    expect(pick(versionOf(apart))).to.include({ kind: 'move' })
    const config = { ...CONFIG, moveLevel0: false }
    expect(pickCompaction(versionOf(apart), config, NONE)).to.include({ kind: 'merge' })
  })

  it('keeps every key readable, in order and without overlaps, and comes to an end [CMP-5, CMP-6, CMP-8]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 12; round++) {
      const model = new LevelModel(SMALL.maxLevels, 5)
      const config = { ...SMALL, moveLevel0: random.chance(0.5) }
      for (let flush = 0; flush < 60; flush++) {
        model.flush(anyKeys(random))
        if (random.chance(0.3)) settle(model, config)
        model.check()
      }
      settle(model, config)
      model.check()
      for (let level = 1; level < SMALL.maxLevels - 1; level++) {
        expect(model.version.levelBytes(level)).to.be.at.most(levelLimit(SMALL, level))
      }
      expect(model.version.levels[0]!.length).to.be.at.most(SMALL.level0Tables)
    }
  })

  it('goes on around damaged tables, whatever is flushed while a compaction runs [CMP-5]', () => {
    const random = seededRandom(testSeed())
    let ended = 0
    for (let round = 0; round < 12; round++) {
      const model = new LevelModel(SMALL.maxLevels, 5)
      const damaged = new Set<number>()
      let running: Compaction | undefined
      for (let step = 0; step < 300; step++) {
        const snapshots = random.chance(0.3) ? [random.int(model.sequence + 1)] : []
        if (random.chance(0.3)) model.flush(anyKeys(random))
        running ??= pickCompaction(model.version, SMALL, damaged)
        if (running === undefined || random.chance(0.6)) continue
        expect(tablesOf(running).some((number) => damaged.has(number))).to.equal(false)
        if (random.chance(0.02)) damaged.add(random.pick(tablesOf(running)))
        else {
          model.run(running, snapshots)
          model.check()
          ended++
        }
        running = undefined
      }
    }
    expect(ended).to.be.greaterThan(100)
  })

  it('gives the same for the same [CMP-9]', () => {
    const random = seededRandom(testSeed())
    const model = new LevelModel(SMALL.maxLevels, 5)
    for (let flush = 0; flush < 40; flush++) {
      model.flush(anyKeys(random))
      const compaction = pickCompaction(model.version, SMALL, NONE)
      const levels = model.version.levels.map((tables) => [...tables])
      expect(pickCompaction(new Version(levels), SMALL, NONE)).to.deep.equal(compaction)
      if (compaction !== undefined && random.chance(0.6)) model.run(compaction)
    }
    model.check()
  })

  it('brings a range down to its deepest level on request [CMP-10]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 30; round++) {
      const model = filledModel(random)
      const [smallest, largest] = anyRange(random)
      const { version } = model
      const levels = [...version.levels.keys()]
      const hasTables = (level: number): boolean =>
        version.overlapping(level, smallest, largest).length > 0
      const target = Math.max(1, levels.findLast(hasTables) ?? 0)
      runManual(model, smallest, largest)
      model.check()
      for (let level = 0; level < target; level++) {
        expect(model.version.overlapping(level, smallest, largest)).to.deep.equal([])
      }
    }
  })

  it('leaves no tombstone behind when everything is compacted [CMP-11]', () => {
    const model = filledModel(seededRandom(testSeed()))
    expect(model.tombstones()).to.be.greaterThan(0)
    runManual(model, undefined, undefined)
    model.check()
    expect(model.tombstones()).to.equal(0)
  })

  it('rewrites tables of the deepest level only where that frees space [CMP-11]', () => {
    const version = versionOf([
      tableMeta(1, { level: 3, smallest: 'a' }),
      tableMeta(2, { level: 3, smallest: 'b', tombstones: 1 }),
      tableMeta(3, { level: 3, smallest: 'c', shadowed: 1 }),
      tableMeta(4, { level: 3, smallest: 'd', tombstones: 1 }),
      tableMeta(5, { level: 3, smallest: 'x', tombstones: 1 }),
    ])
    let state = startManual(version, CONFIG, encodeUtf8('a'), encodeUtf8('d'))
    const rewritten: number[] = []
    for (;;) {
      const step = pickManualStep(version, CONFIG, NONE, state)
      if (step.status !== 'run') {
        expect(step.status).to.equal('done')
        break
      }
      const { kind, level, outputLevel, bottommost, inputs } = step.compaction
      expect({ kind, level, outputLevel, bottommost }).to.deep.equal({
        ...{ kind: 'merge', level: 3, outputLevel: 3, bottommost: true },
      })
      rewritten.push(...numbersOf(inputs))
      state = step.state
    }
    expect(rewritten).to.deep.equal([2, 3, 4])
  })

  it('ends at a damaged table that it needs, not at others [CMP-10]', () => {
    const version = versionOf([
      table(1, 0, 'a', 'c'),
      table(2, 1, 'b', 'd'),
      table(3, 1, 'm', 'n'),
      table(4, 2, 'b', 'c'),
    ])
    const state = startManual(version, CONFIG, undefined, undefined)
    for (const damaged of [1, 2]) {
      expect(pickManualStep(version, CONFIG, new Set([damaged]), state).status).to.equal('blocked')
    }
    const step = pickManualStep(version, CONFIG, new Set([3, 4]), state)
    expect(step.status === 'run' && tablesOf(step.compaction)).to.deep.equal([1, 2])
    const rewrite = versionOf([tableMeta(7, { level: 1, shadowed: 1 })])
    const last = startManual(rewrite, CONFIG, undefined, undefined)
    expect(pickManualStep(rewrite, CONFIG, new Set([7]), last).status).to.equal('blocked')
  })

  it('has nothing to do where there is nothing', () => {
    const version = Version.empty(7)
    const state = startManual(version, CONFIG, undefined, undefined)
    expect(pickManualStep(version, CONFIG, NONE, state).status).to.equal('done')
  })

  it('ends although more is written and compacted all the time [CMP-12]', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 10; round++) {
      const model = filledModel(random)
      const steps = runManual(model, undefined, undefined, () => {
        model.flush(anyKeys(random))
        const compaction = pickCompaction(model.version, SMALL, NONE)
        if (compaction !== undefined) model.run(compaction)
      })
      expect(steps).to.be.lessThan(300)
      model.check()
    }
  })

  it('ends although snapshots keep everything [CMP-12]', () => {
    const model = filledModel(seededRandom(testSeed()))
    const every = Array.from({ length: model.sequence + 1 }, (_, sequence) => sequence)
    runManual(model, undefined, undefined, undefined, every)
    model.check()
    expect(runManual(model, undefined, undefined, undefined, every)).to.be.lessThan(100)
  })
})

/** Runs a manual compaction to its end; returns the number of steps. */
function runManual(
  model: LevelModel,
  smallest: Uint8Array | undefined,
  largest: Uint8Array | undefined,
  between?: () => void,
  snapshots?: readonly number[],
): number {
  let state = startManual(model.version, SMALL, smallest, largest)
  for (let steps = 0; ; steps++) {
    const step = pickManualStep(model.version, SMALL, NONE, state)
    if (step.status !== 'run') {
      expect(step.status).to.equal('done')
      return steps
    }
    model.run(step.compaction, snapshots)
    state = step.state
    between?.()
  }
}

function filledModel(random: Random): LevelModel {
  const model = new LevelModel(SMALL.maxLevels, 5)
  for (let flush = 0; flush < 50; flush++) {
    model.flush(anyKeys(random))
    const compaction = pickCompaction(model.version, SMALL, NONE)
    if (compaction !== undefined && random.chance(0.8)) model.run(compaction)
  }
  return model
}

/** Compacts until nothing is due. */
function settle(model: LevelModel, config: PickerConfig): void {
  for (let steps = 0; ; steps++) {
    expect(steps, 'steps').to.be.lessThan(1000)
    const compaction = pickCompaction(model.version, config, NONE)
    if (compaction === undefined) return
    model.run(compaction)
  }
}

function tablesOf({ inputs, overlaps }: Compaction): number[] {
  return numbersOf([...inputs, ...overlaps])
}

/** Puts and deletions, in a narrow or a wide part of the key space. */
function anyKeys(random: Random): string[] {
  const width = random.pick([5, 50, 400])
  const from = random.int(0, 401 - width)
  return Array.from({ length: random.int(1, 15) }, () => {
    const key = String(100 + from + random.int(width))
    return random.chance(0.25) ? `-${key}` : key
  })
}

function anyRange(random: Random): [Uint8Array | undefined, Uint8Array | undefined] {
  const [one, other] = [random.int(100, 500), random.int(100, 500)]
  const smallest = random.chance(0.2) ? undefined : encodeUtf8(String(Math.min(one, other)))
  const largest = random.chance(0.2) ? undefined : encodeUtf8(String(Math.max(one, other)))
  return [smallest, largest]
}

const pick = (version: Version): Compaction | undefined => pickCompaction(version, CONFIG, NONE)

function table(
  number: number,
  level: number,
  smallest: string,
  largest: string,
  size = 1000,
): TableMeta {
  return tableMeta(number, { level, smallest, largest, size })
}

function versionOf(addTables: readonly TableMeta[]): Version {
  return Version.empty(7).apply({ addTables })
}
