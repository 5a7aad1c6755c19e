/** The failure cases of the plan: each is shown somewhere, and the page says where. */
import { expect } from 'chai'
import { projectText } from '../support/project.ts'
import { CASES, caseTable, placesOf, testFiles } from './cases.ts'
import { withCases } from './counts-page.ts'
import { DIMENSIONS } from './dimensions.ts'

/** How many cases each letter of the plan has. */
const COUNTS = { A: 14, B: 7, C: 7, D: 7, E: 10, F: 14, G: 9, H: 12, R: 20 }

describe('faults/cases', () => {
  it('are all of the plan', () => {
    const ids = Object.entries(COUNTS).flatMap(([letter, count]) => {
      return Array.from({ length: count }, (_, at) => `${letter}${at + 1}`)
    })
    expect(Object.keys(CASES)).to.deep.equal(ids)
  })

  it('are each shown by a suite, or by a test that names it, and no other is named', () => {
    const places = placesOf(DIMENSIONS, testFiles())
    expect(Object.keys(CASES).filter((id) => !places.has(id))).to.deep.equal([])
    expect([...places].filter(([id]) => CASES[id] === undefined)).to.deep.equal([])
  })

  it('stand in docs/reliability.md with their places: `npm run test:faults -- --list --write-docs`', () => {
    const page = projectText('docs/reliability.md')
    expect(withCases(page, caseTable(placesOf(DIMENSIONS, testFiles())))).to.equal(page)
  })

  it('are found in ranges of ids and in titles, not in the brackets of clauses or in other text', () => {
    const suite = { name: 'suite', ids: 'A1, E2-E4, M1-M9' } as (typeof DIMENSIONS)[number]
    const text = [
      "  it('H2: does a thing [G1]', () => {",
      '  it(`shows A9 of it: F1, R20 [B2]`, async () => {',
      '// it is A7',
      "  expect('C3')",
    ]
    const places = placesOf([suite], [{ path: 'test/a/b.test.ts', text: text.join('\n') }])
    const found = [...places].map(([id, where]) => `${id} ${where}`).join()
    expect(found).to.equal('A1 suite,E2 suite,E3 suite,E4 suite,H2 a/b,A9 a/b,F1 a/b,R20 a/b')
  })
})
