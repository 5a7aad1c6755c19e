/** What the numbers of the benchmarks rest on: keys, values, distributions, percentiles, medians, and who is best. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { copySparse } from '../../bench/copy.ts'
import { Histogram } from '../../bench/histogram.ts'
import { renderMarkdown } from '../../bench/markdown.ts'
import { renderHtml } from '../../bench/page.ts'
import { type Run, readResults, writeResults } from '../../bench/results.ts'
import type { Measurement } from '../../bench/runner.ts'
import { edgesOf, Keys, parseShape, SHAPES, Values } from '../../bench/shapes.ts'
import { median, summarize } from '../../bench/statistics.ts'
import { bestRival, duration, renderTable } from '../../bench/table.ts'
import { drawn, shuffled } from '../../bench/workload.ts'
import { WORKLOADS, workloadOf } from '../../bench/workloads/all.ts'
import { latest, scrambled, zipf } from '../../bench/zipf.ts'
import { testSeed } from '../support/seed.ts'
import { tempDirectory } from '../support/temp.ts'

const TABLE = { ours: 'sedgedb', bounds: ['map'], isColoured: false }

function measured(engine: string, ms: number, round = 0): Measurement {
  const cost = { settledMs: 2 * ms, cpuSeconds: ms / 500, bytesWritten: 0 }
  const delays = { delayP50Ms: 0, delayP999Ms: 0 }
  const numbers = { operations: 1000, cost: { ms, ...cost, ...delays } }
  return { workload: 'put', engine, round, ...numbers }
}

const MEASUREMENTS: readonly Measurement[] = [
  ...[10, 30, 20].map((ms, round) => measured('sedgedb', ms, round)),
  measured('lmdb', 50),
  measured('slow', 500),
  measured('map', 1),
  { workload: 'put', engine: 'lame', round: 0, operations: 0, missing: 'fell <over>' },
]

const RUN: Run = {
  machine: {
    ...{ processor: 'Some & Processor', cores: 2, memoryBytes: 2 ** 30 },
    ...{ system: 'linux x64', fileSystem: 'ext4', node: 'v20.0.0' },
  },
  engines: [
    { name: 'lmdb', version: '3', isVolatile: false, levels: ['process'], settings: 'none' },
  ],
  engineNames: ['sedgedb', 'lmdb', 'slow', 'lame', 'map'],
  workloads: ['put'],
  shape: parseShape('db_bench'),
  ...{ entries: 1000, rounds: 3, cacheBytes: 2 ** 20, writeBufferBytes: 2 ** 20, seed: 1 },
  command: 'npm run bench:compare',
}

describe('bench/shapes', () => {
  it('gives each entry a key of its own, beside one that is missing, of the length asked for', () => {
    for (const name of [...Object.keys(SHAPES), 'hex:20:5', 'digits:12:2']) {
      const shape = parseShape(name)
      const keys = new Keys(shape)
      const all = new Set<string>()
      for (let entry = 0; entry < 500; entry++) {
        all.add(keys.present(entry)).add(keys.missing(entry))
        expect(keys.present(entry)).to.have.length(shape.keyBytes)
      }
      expect(all.size, name).to.equal(1000)
    }
  })

  it('gives keys of digits in their order, and identifiers in none', () => {
    const inOrder = (form: string): boolean => {
      const keys = new Keys(parseShape(form))
      const texts = Array.from({ length: 200 }, (_, entry) => keys.present(entry * 7))
      return texts.every((text, i) => i === 0 || text > texts[i - 1]!)
    }
    expect([inOrder('db_bench'), inOrder('paths'), inOrder('ids')]).to.deep.equal([
      true,
      true,
      false,
    ])
  })

  it('knows what a reader of each value must see', () => {
    const values = new Values(parseShape('digits:16:33'), testSeed())
    for (let entry = 0; entry < 2000; entry += 7) {
      expect(values.of(entry)).to.have.length(33)
      expect(values.edgesOf(entry)).to.equal(edgesOf(values.of(entry)))
    }
  })

  it('refuses shapes that it cannot make', () => {
    for (const text of ['round', 'digits:9:100', 'paths:20:100', 'digits:16:1', 'digits:16']) {
      expect(() => parseShape(text), text).to.throw(RangeError)
    }
  })
})

describe('bench/workload', () => {
  it('draws the same numbers for the same seed', () => {
    const seed = testSeed()
    expect([...shuffled(1000, seed)].sort((a, b) => a - b)).to.deep.equal([...Array(1000).keys()])
    expect(drawn(100, 1000, seed)).to.deep.equal(drawn(100, 1000, seed))
    expect(Math.max(...drawn(1000, 10, seed))).to.equal(9)
  })

  it('draws few ranks often, and puts them anywhere', () => {
    const ranks = zipf(20_000, 1000, testSeed())
    const share = (below: number): number => ranks.filter((rank) => rank < below).length / 20_000
    expect(Math.max(...ranks)).to.be.below(1000)
    // Of 1,000 items the first has 13 % and the first ten have 38 %.
    expect(share(1)).to.be.within(0.11, 0.15)
    expect(share(10)).to.be.within(0.34, 0.43)
    expect(new Set([0, 1, 2, 3].map((rank) => scrambled(rank, 1000))).size).to.equal(4)
    expect([latest(0, 50), latest(49, 50), latest(50, 50)]).to.deep.equal([49, 0, 49])
  })

  it('has a name for each of its workloads, and refuses others', () => {
    expect(new Set(WORKLOADS.map(({ name }) => name)).size).to.equal(WORKLOADS.length)
    expect(() => workloadOf('fillnothing')).to.throw(RangeError, "'fillnothing'")
  })
})

describe('bench/histogram', () => {
  it('tells percentiles to within a 32nd', () => {
    const histogram = new Histogram()
    expect(histogram.percentiles()).to.equal(undefined)
    for (let us = 1; us <= 10_000; us++) histogram.record(us / 1000)
    const { count, p50, p99, p999, max } = histogram.percentiles()!
    expect(count).to.equal(10_000)
    expect(p50 / 5e6).to.be.within(1, 1 + 1 / 16)
    expect(p99 / 9.9e6).to.be.within(1, 1 + 1 / 16)
    expect(p999 / 9.99e6).to.be.within(1, 1 + 1 / 16)
    expect(max).to.equal(1e7)
    histogram.clear()
    expect(histogram.percentiles()).to.equal(undefined)
  })

  it('holds what takes no time and what takes for ever', () => {
    const histogram = new Histogram()
    for (const ms of [0, 0.000_003, 1e9]) histogram.record(ms)
    expect(histogram.percentiles()!.max).to.equal(1e15)
  })
})

describe('bench/statistics', () => {
  it('takes medians over rounds, by the time or the processor time', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).to.deep.equal([2, 2.5])
    const [own] = summarize(MEASUREMENTS)
    expect(own).to.include({ engine: 'sedgedb', rounds: 3, ns: 20_000, nsLeast: 10_000 })
    expect(summarize(MEASUREMENTS, 'cpu')[0]).to.include({ ns: 40_000 })
    expect(summarize(MEASUREMENTS, 'settled')[0]).to.include({ ns: 40_000, nsMost: 60_000 })
  })

  it('finds the best rival, which is neither ours nor a bound', () => {
    expect(bestRival(summarize(MEASUREMENTS), ['sedgedb', 'map'])?.engine).to.equal('lmdb')
  })
})

describe('bench/table', () => {
  it('writes times with three digits', () => {
    const texts = [0.5, 9.996, 123.4, 999.6, 1500, 2.5e7, 3e9].map(duration)
    const expected = ['0.50 ns', '10.0 ns', '123 ns', '1.00 µs', '1.50 µs', '25.0 ms', '3.00 s']
    expect(texts).to.deep.equal(expected)
  })

  it('shows every engine, what is missing, and the ratio to the best rival', () => {
    const summaries = summarize(MEASUREMENTS)
    const table = renderTable([workloadOf('put')], RUN.engineNames, summaries, TABLE)
    const [, , , row] = table.split('\n')
    expect(row).to.match(
      /^│ put +│ +20\.0 µs +±50% │ +50\.0 µs │ .* – │ +1\.00 µs │ +2\.50 × lmdb │$/,
    )
    const coloured = { ...TABLE, isColoured: true }
    const other = renderTable([workloadOf('put')], RUN.engineNames, summaries, coloured)
    expect(other).to.include('\u001b[32m')
  })
})

describe('bench/results', () => {
  it('are the same when they are read again, and give a page and a table', () => {
    const directory = tempDirectory()
    const file = join(directory, 'results.jsonl')
    writeResults(file, { run: RUN, measurements: MEASUREMENTS })
    const results = readResults(file)
    expect(results).to.deep.equal({ run: RUN, measurements: MEASUREMENTS })
    const html = renderHtml(results, TABLE, { script: 'draw()', styles: 'p {}' })
    expect(html).to.include('2.50 × lmdb').and.to.include('<script>draw()</script>')
    expect(html).to.include('Some &amp; Processor').and.to.include('fell &lt;over&gt;')
    expect(html).not.to.match(/(?:src|href)=/)
    const page = renderMarkdown(results, TABLE)
    expect(page).to.include('| put | 20.0 µs  ±50% | 50.0 µs |').and.to.include('fell <over>')
  })
})

describe('bench/copy', () => {
  it('copies folders, and leaves holes where there is nothing but zeros', () => {
    const directory = tempDirectory()
    const source = join(directory, 'source')
    mkdirSync(join(source, 'inner'), { recursive: true })
    const content = Buffer.alloc(3 << 20)
    content.write('begin')
    content.write('end', content.length - 3)
    writeFileSync(join(source, 'inner', 'file'), content)
    writeFileSync(join(source, 'zeros'), Buffer.alloc(5000))
    const target = join(directory, 'target')
    copySparse(source, target)
    const copied = readFileSync(join(target, 'inner', 'file'))
    expect(copied.equals(content)).to.equal(true)
    expect(statSync(join(target, 'zeros')).size).to.equal(5000)
  })
})
