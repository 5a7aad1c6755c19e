import { expect } from 'chai'
import { compareBytes, encodeUtf8 } from '../../src/util/bytes.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { Version, VersionBuilder, VersionError } from '../../src/version/version.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { numbersOf, tableMeta, versionText } from '../support/table-metas.ts'

describe('version/version', () => {
  it('orders level 0 newest first and the others by smallest key [MAN-7]', () => {
    const version = Version.empty(3).apply({
      addTables: [
        tableMeta(1, { maxSequence: 10 }),
        tableMeta(2, { maxSequence: 30 }),
        tableMeta(3, { maxSequence: 10 }),
        tableMeta(4, { level: 1, smallest: 'm', largest: 'z' }),
        tableMeta(5, { level: 1, smallest: 'a', largest: 'l' }),
      ],
    })
    expect(numbersOf(version.levels[0]!)).to.deep.equal([2, 3, 1])
    expect(numbersOf(version.levels[1]!)).to.deep.equal([5, 4])
    expect(numbersOf(version.tables())).to.deep.equal([2, 3, 1, 5, 4])
    expect([0, 1, 2, 9].map((level) => version.levelBytes(level))).to.deep.equal([3000, 2000, 0, 0])
    expect(version.deepestLevel()).to.equal(1)
    expect(Version.empty(7).deepestLevel()).to.equal(0)
  })

  it('moves a table in one edit', () => {
    const table = tableMeta(1)
    const before = Version.empty(3).apply({ addTables: [table] })
    const after = before.apply({
      removeTables: [{ level: 0, number: 1 }],
      addTables: [{ ...table, level: 1 }],
    })
    expect(after.levels.map(numbersOf)).to.deep.equal([[], [1], []])
    expect(before.levels.map(numbersOf), 'the old version').to.deep.equal([[1], [], []])
  })

  it('refuses an edit that leads to an unsound version, and changes nothing [MAN-7]', () => {
    const version = Version.empty(3).apply({
      addTables: [tableMeta(1), tableMeta(2, { level: 1, smallest: 'f', largest: 'k' })],
    })
    const text = versionText(version)
    const refused = (edit: Parameters<Version['apply']>[0], message: string): void => {
      expect(() => version.apply(edit)).to.throw(VersionError, message)
    }
    refused({ removeTables: [{ level: 0, number: 9 }] }, 'table 9 is not in level 0')
    refused({ removeTables: [{ level: 1, number: 1 }] }, 'table 1 is not in level 1')
    const remove = { level: 0, number: 1 }
    refused({ removeTables: [remove, remove] }, 'table 1 is not in level 0')
    refused({ addTables: [tableMeta(2)] }, 'table 2 is added a second time')
    refused({ addTables: [tableMeta(3, { level: 3 })] }, 'table 3 is added to level 3')
    refused({ addTables: [tableMeta(3, { level: 1, smallest: 'a', largest: 'f' })] }, 'overlap')
    refused({ addTables: [tableMeta(3, { level: 1, smallest: 'k', largest: 'z' })] }, 'overlap')
    refused({ addTables: [tableMeta(3, { level: 1, smallest: 'g', largest: 'h' })] }, 'overlap')
    refused({ levels: 2, addTables: [tableMeta(3, { level: 2 })] }, 'level 2')
    expect(versionText(version)).to.equal(text)
  })

  it('takes away only levels that are empty', () => {
    const version = Version.empty(4).apply({ addTables: [tableMeta(1, { level: 2 })] })
    expect(version.apply({ levels: 3 }).levels.length).to.equal(3)
    expect(version.apply({ levels: 9 }).levels.length).to.equal(9)
    expect(() => version.apply({ levels: 2 })).to.throw(VersionError, 'level 2')
  })

  it('finds the tables of a range as a plain search does', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 300; round++) {
      const version = anyVersion(random)
      const key = (): Uint8Array | undefined =>
        random.chance(0.2) ? undefined : encodeUtf8(String(random.int(100, 200)))
      let [smallest, largest] = [key(), key()]
      if (smallest && largest && compareBytes(smallest, largest) > 0) {
        ;[smallest, largest] = [largest, smallest]
      }
      const isIn = (table: TableMeta): boolean =>
        !(smallest && compareBytes(table.largest, smallest) < 0) &&
        !(largest && compareBytes(table.smallest, largest) > 0)
      for (let level = 0; level < 4; level++) {
        const expected = numbersOf(version.levels[level]!.filter(isIn))
        expect(numbersOf(version.overlapping(level, smallest, largest))).to.deep.equal(expected)
        const deeper = version.levels
          .slice(level + 1)
          .flat()
          .filter(isIn)
        const isBottommost = version.isBottommostFor(level, smallest, largest)
        expect(isBottommost).to.equal(deeper.length === 0)
      }
    }
  })

  it('gives the same by many edits at once and one after the other', () => {
    const random = seededRandom(testSeed())
    let version = Version.empty(4)
    const builder = new VersionBuilder(version)
    for (let number = 1; number < 200; number++) {
      const removed = version.tables().filter(() => random.chance(0.3))
      const edit = {
        removeTables: removed.map((table) => ({ level: table.level, number: table.number })),
        addTables: [tableMeta(number, { maxSequence: random.int(number, 1000) })],
      }
      builder.apply(edit)
      version = version.apply(edit)
    }
    expect(versionText(builder.build())).to.equal(versionText(version))
  })
})

/** Level 0 overlaps at random; the others cut a row of keys into tables. */
function anyVersion(random: Random): Version {
  const addTables: TableMeta[] = []
  let number = 1
  for (let count = random.int(6); count > 0; count--) {
    const [from, to] = [random.int(100, 200), random.int(100, 200)].sort()
    addTables.push(tableMeta(number++, { smallest: String(from), largest: String(to) }))
  }
  for (let level = 1; level < 4; level++) {
    for (let from = random.int(100, 130); from < 200; ) {
      const to = from + random.int(15)
      const range = { smallest: String(from), largest: String(Math.min(to, 199)) }
      addTables.push(tableMeta(number++, { level, ...range }))
      from = to + random.int(1, 30)
    }
  }
  return Version.empty(4).apply({ addTables })
}
