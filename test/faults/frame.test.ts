/** The frame of the fault suites: that what is asked for is what is run, and that failures are seen. */
import { expect } from 'chai'
import { parseArguments } from './arguments.ts'
import { CaseRun, type Failure } from './case-run.ts'
import { withCounts } from './counts-page.ts'
import type { Dimension } from './dimension.ts'
import { DIMENSIONS } from './dimensions.ts'
import { chooser, planOf, type Shard } from './plan.ts'

const NAMES = ['large', 'small']

function dimension(name: string, cases: number, more: Partial<Dimension> = {}): Dimension {
  const run = async (): Promise<void> => undefined
  return { name, ids: 'A1', title: '', unit: 'cases', floor: cases, seconds: 100, run, ...more }
}

function plan(words: string, dimensions: readonly Dimension[]): readonly Shard[] {
  return planOf(dimensions, parseArguments(words.split(' '), NAMES))
}

/** Which cases below `cases` these pieces would run, each piece by itself. */
function chosenBy(shards: readonly Shard[], cases: number): number[] {
  return shards.flatMap((shard) => {
    const isChosen = chooser(shard)
    return Array.from({ length: cases }, (_, index) => index).filter(isChosen)
  })
}

describe('faults/frame', () => {
  const large = dimension('large', 10_007, { seconds: 400 })
  const small = dimension('small', 30, { quickCases: 3 })

  it('runs every case once in a full run, whatever the number of pieces', () => {
    const shards = plan('--seed 7', [large, small])
    for (const { name, floor } of [large, small]) {
      const pieces = shards.filter((shard) => shard.name === name)
      expect(pieces.length).to.be.greaterThan(2)
      const chosen = chosenBy(pieces, floor).sort((a, b) => a - b)
      expect(chosen).to.deep.equal(Array.from({ length: floor }, (_, index) => index))
    }
  })

  it('chooses by the seed what a quick run has, and as many as a dimension says', () => {
    const chosenWith = (seed: number): number[] => {
      const shards = plan(`--quick --seed ${seed}`, [large, small])
      const others = shards.filter(({ name }) => name === 'large')
      expect(new Set(chosenBy(others, 10_007)).size).to.be.within(1000, 9000)
      return chosenBy(
        shards.filter(({ name }) => name === 'small'),
        30,
      )
    }
    const seen = new Set(Array.from({ length: 100 }, (_, seed) => chosenWith(seed)).flat())
    expect(chosenWith(1)).to.have.length(3)
    expect(seen.size).to.equal(30)
  })

  it('gives each dimension its part of a budget', () => {
    const shards = plan('--seconds 20 --processes 2 --seed 1', [large, small])
    expect(new Set(shards.map(({ name }) => name)).size).to.equal(2)
    const seconds = shards.reduce((sum, { secondsMax }) => sum + (secondsMax ?? 0), 0)
    expect(seconds).to.be.within(30, 40)
  })

  it('runs one case again', () => {
    const shards = plan('--only large --case 4711 --seed 3', [large])
    expect(chosenBy(shards, 20_000)).to.deep.equal([4711])
  })

  it('counts units, tells what fails, and stops when that is enough', async () => {
    const told: Failure[] = []
    const [shard] = plan('--seed 3 --only small', [dimension('small', 100, { shardsMax: 1 })])
    const run = new CaseRun(shard!, (failure) => told.push(failure))
    await run.check(1, () => undefined)
    await run.check(2, async () => 10)
    expect(run.count).to.equal(11)
    for (let index = 3; index < 50; index++) {
      await run.check(index, () => {
        throw new Error(`bad ${index}`, { cause: new Error('why') })
      })
    }
    expect(run).to.include({ count: 11, isOver: true })
    expect(told.map(({ index }) => index)).to.deep.equal([3, 4, 5, 6, 7])
    expect(told[0]?.message).to.include('bad 3 <- why')
  })

  it('knows its dimensions by names of their own', () => {
    expect(new Set(DIMENSIONS.map(({ name }) => name)).size).to.equal(DIMENSIONS.length)
    for (const { name, floor, seconds } of DIMENSIONS) {
      expect(name).to.match(/^[a-z-]+$/)
      expect(Math.min(floor, seconds)).to.be.greaterThan(0)
    }
  })

  it('puts counts into a page, and leaves those of others', () => {
    const page = 'a\n<!-- counts -->\n<!-- end -->\nb\n'
    const one = withCounts(page, [large, small], [{ dimension: small, count: 1234 }])
    expect(one).to.include('| `small` |  | A1 | 1,234 cases | 30 |')
    const both = withCounts(one, [large, small], [{ dimension: large, count: 1 }])
    expect(both.split('\n').slice(4, 6).join()).to.match(/^\| `large` .*\| `small` .* 1,234 /)
    expect(both).to.match(/^a\n.*\nb\n$/s)
    expect(() => withCounts('none', [], [])).to.throw('<!-- counts -->')
  })

  it('refuses what it does not know', () => {
    for (const words of ['--fast', '--only x', '--case 1', '--seed', '--seconds soon']) {
      expect(() => parseArguments(words.split(' '), NAMES), words).to.throw(RangeError)
    }
  })
})
