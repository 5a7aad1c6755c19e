import { expect } from 'chai'
import {
  bar,
  bytes,
  count,
  displayWidth,
  duration,
  pad,
  percent,
  plural,
  quantile,
  rate,
  table,
  wrap,
} from '../../demo/format.ts'

describe('demo/format', () => {
  it('puts commas between thousands', () => {
    expect([0, 7, 999, 1000, 171_075, 1e9].map(count)).to.deep.equal([
      ...['0', '7', '999', '1,000', '171,075', '1,000,000,000'],
    ])
  })

  it('gives sizes and times the unit that suits them', () => {
    expect([0, 999, 1000, 1536, 20 * 2 ** 20, 3 * 2 ** 40].map(bytes)).to.deep.equal([
      ...['0 B', '999 B', '0.98 KiB', '1.50 KiB', '20.0 MiB', '3,072 GiB'],
    ])
    expect([0.0012, 0.5, 1, 12.34, 999, 1234].map(duration)).to.deep.equal([
      ...['1.20 µs', '500 µs', '1.00 ms', '12.3 ms', '999 ms', '1.23 s'],
    ])
  })

  it('never rounds a share to all or to nothing', () => {
    expect([0, 0.000001, 0.5, 0.995, 0.999999, 1].map(percent)).to.deep.equal([
      ...['0.0 %', '0.01 %', '50.0 %', '99.50 %', '99.99 %', '100.0 %'],
    ])
  })

  it('rounds rates to three digits, and counts in the singular', () => {
    expect(rate(342_150, 1000)).to.equal('342,000 /s')
    expect(rate(3, 2000)).to.equal('2 /s')
    expect([plural(1, 'table'), plural(2, 'city', 'cities')]).to.deep.equal(['1 table', '2 cities'])
  })

  it('draws a table whose lines are equally wide, numbers on the right', () => {
    const lines = table(
      [{ title: 'name' }, { title: 'size', align: 'right' }],
      [
        ['Ōgimi', '1'],
        ['東京', '1,000'],
      ],
    )
    expect(lines).to.deep.equal([
      '╭───────┬───────╮',
      '│ name  │  size │',
      '├───────┼───────┤',
      '│ Ōgimi │     1 │',
      '│ 東京  │ 1,000 │',
      '╰───────┴───────╯',
    ])
  })

  it('measures texts as a terminal shows them', () => {
    expect(['abc', 'e\u0301', '東京', '\x1b[32m✓\x1b[39m'].map(displayWidth)).to.deep.equal([
      ...[3, 1, 4, 1],
    ])
    expect(pad('é', 3, 'right')).to.equal('  é')
  })

  it('draws a bar in half steps, within its bounds', () => {
    expect([-1, 0, 0.5, 0.625, 1, 2].map((part) => bar(part, 4))).to.deep.equal([
      ...['    ', '    ', '━━  ', '━━╸ ', '━━━━', '━━━━'],
    ])
  })

  it('breaks lines between words and nowhere else', () => {
    expect(wrap('one two three', 7)).to.deep.equal(['one two', 'three'])
    expect(wrap('incomprehensible', 7)).to.deep.equal(['incomprehensible'])
  })

  it('finds quantiles of sorted numbers', () => {
    const sorted = Float64Array.from([1, 2, 3, 4])
    expect([0, 0.5, 1].map((part) => quantile(sorted, part))).to.deep.equal([1, 3, 4])
    expect(quantile(new Float64Array(0), 0.5)).to.equal(0)
  })
})
