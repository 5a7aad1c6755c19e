/** Small tables do not pile up, whatever flushes and openings leave behind. */
import { expect } from 'chai'
import {
  type Compaction,
  type PickerConfig,
  pickCompaction,
} from '../../src/compaction/compaction-picker.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { Version } from '../../src/version/version.ts'
import { LevelModel } from '../support/level-model.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { numbersOf, tableMeta } from '../support/table-metas.ts'

const NONE: ReadonlySet<number> = new Set()
/** Tables of 40 entries of the model; those of less than 5 are small. */
const CONFIG: PickerConfig = {
  levelBytes: 12_000,
  levelFactor: 3,
  level0Tables: 4,
  tableBytes: 4000,
  maxLevels: 5,
  moveLevel0: true,
  level0Bytes: 0,
  flushBytes: 10 ** 9,
}
const TABLE_ENTRIES = 40

function versionOf(addTables: readonly TableMeta[]): Version {
  return Version.empty(CONFIG.maxLevels).apply({ addTables })
}

/** Tables of one level that follow each other: 'a', 'b', 'c'… */
function row(level: number, sizes: readonly number[], from = 1): TableMeta[] {
  return sizes.map((size, index) => {
    const key = String.fromCharCode(97 + index)
    return tableMeta(from + index, { level, smallest: key, largest: key, size })
  })
}

function keysOf(random: Random, step: number): string[] {
  // Mostly one after the other, as keys that hold a time are.
  const from = random.chance(0.85) ? step % 900 : random.int(900)
  return Array.from({ length: random.int(1, 3) }, () => String(1000 + from + random.int(3)))
}

describe('compaction/small-tables', () => {
  it('takes groups of level 0 together where little is read for it [CMP-13]', () => {
    const five = row(0, [300, 300, 300, 300, 300])
    const compaction = pickCompaction(versionOf(five), CONFIG, NONE)
    expect(numbersOf(compaction!.inputs).sort()).to.deep.equal([1, 2, 3, 4, 5])
    const wide = row(0, [300, 300, 300, 300, 1000])
    expect(pickCompaction(versionOf(wide), CONFIG, NONE)!.inputs).to.have.length(4)
    const between = tableMeta(9, { level: 1, smallest: 'b', largest: 'b', size: 1500 })
    const beside = pickCompaction(versionOf([...five, between]), CONFIG, NONE)!
    expect(numbersOf(beside.inputs)).to.deep.equal([1])
  })

  it('makes eight small tables in a row one, within their level [CMP-14]', () => {
    for (const level of [1, 4]) {
      const eight = row(level, new Array(8).fill(499))
      expect(pickCompaction(versionOf(eight), CONFIG, NONE)).to.deep.include({
        ...{ kind: 'merge', level, outputLevel: level, reason: 'small', overlaps: [] },
        ...{ inputs: eight, bottommost: true },
      })
      expect(pickCompaction(versionOf(eight.slice(1)), CONFIG, NONE)).to.equal(undefined)
      expect(pickCompaction(versionOf(eight), CONFIG, new Set([4]))).to.equal(undefined)
      const interrupted = row(level, [499, 499, 499, 499, 500, 499, 499, 499, 499])
      expect(pickCompaction(versionOf(interrupted), CONFIG, NONE)).to.equal(undefined)
    }
    const deeper = tableMeta(20, { level: 3, smallest: 'c', largest: 'd' })
    const above = versionOf([...row(2, new Array(8).fill(10)), deeper])
    expect(pickCompaction(above, CONFIG, NONE)!.bottommost).to.equal(false)
  })

  it('leaves few tables of many small flushes, and every key readable [CMP-13, CMP-14, CMP-8]', () => {
    const random = seededRandom(testSeed())
    const model = new LevelModel(CONFIG.maxLevels, TABLE_ENTRIES)
    for (let step = 0; step < 900; step++) {
      model.flush([String(1000 + step)])
      for (let picks = 0; ; picks++) {
        expect(picks).to.be.lessThan(50)
        const compaction = pickCompaction(model.version, CONFIG, NONE)
        if (compaction === undefined) break
        model.run(compaction, random.chance(0.1) ? [random.int(model.sequence)] : [])
      }
      if (step % 50 === 0) model.check()
    }
    model.check()
    // None is small, but for the last few of each level.
    const most = (8 * 900 * 100) / CONFIG.tableBytes + 8 * CONFIG.maxLevels
    expect(model.version.tables().length).to.be.at.most(most)
  })

  it('leaves every key readable, whatever is flushed while one runs [CMP-5, CMP-14]', () => {
    const random = seededRandom(testSeed())
    let small = 0
    for (let round = 0; round < 16; round++) {
      const model = new LevelModel(CONFIG.maxLevels, TABLE_ENTRIES)
      let running: Compaction | undefined
      for (let step = 0; step < 600; step++) {
        if (random.chance(0.5)) model.flush(keysOf(random, step))
        running ??= pickCompaction(model.version, CONFIG, NONE)
        if (running === undefined || random.chance(0.6)) continue
        if (running.reason === 'small') small++
        model.run(running, random.chance(0.3) ? [random.int(model.sequence + 1)] : [])
        model.check()
        running = undefined
      }
    }
    expect(small).to.be.greaterThan(8)
  })
})
