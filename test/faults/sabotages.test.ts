/** The frame of the sabotages: what counts as caught, and that no edit goes astray. */
import { expect } from 'chai'
import { projectText } from '../support/project.ts'
import { type Outcome, replaced, type Sabotage, verdictOf } from './sabotages/sabotage.ts'
import { SLICES } from './sabotages/slices.ts'
import { SABOTAGES } from './sabotages/table.ts'

const PASSED: Outcome = { kind: 'passed' }
const BROKEN: Outcome = { kind: 'broken', message: 'it did not run' }

function complained(message: string): Outcome {
  return { kind: 'complained', message }
}

describe('faults/sabotages', () => {
  const sabotage: Sabotage = {
    id: 'S0',
    what: 'does wrong',
    slice: 'model',
    complaint: /k1/,
    edits: [],
  }

  it('counts as caught only what the oracle complains of, and only in the broken store', () => {
    const verdict = (sound: Outcome, broken: Outcome, isBlind = false): string =>
      verdictOf({ ...sabotage, isBlind }, sound, broken).name
    expect(verdict(PASSED, complained('Error: k1 is wrong'))).to.equal('caught')
    expect(verdict(PASSED, PASSED)).to.equal('survived')
    expect(verdict(complained('Error: k1'), complained('Error: k1'))).to.equal('not measured')
    expect(verdict(PASSED, complained('ReferenceError: k1'))).to.equal('harness broken')
    expect(verdict(PASSED, complained('Error: k2 is wrong'))).to.equal('harness broken')
    expect(verdict(BROKEN, complained('Error: k1'))).to.equal('harness broken')
    expect(verdict(PASSED, BROKEN)).to.equal('harness broken')
    expect(verdict(PASSED, PASSED, true)).to.equal('caught')
    expect(verdict(PASSED, complained('Error: k1'), true)).to.equal('harness broken')
  })

  it('replaces a text that is there once, whatever its white space, and no other', () => {
    const edit = { file: 'x.ts', text: 'a (b) c', by: 'd' }
    expect(replaced('1 a\n  (b)  c 2', edit)).to.equal('1 d 2')
    expect(() => replaced('1 a (c) 2', edit)).to.throw('has 0 times')
    expect(() => replaced('a (b) c a (b) c', edit)).to.throw('has 2 times')
  })

  it('has sabotages with names of their own, slices that exist and texts that are there', () => {
    expect(new Set(SABOTAGES.map(({ id }) => id)).size).to.equal(SABOTAGES.length)
    expect(SABOTAGES.length).to.be.at.least(30)
    for (const { id, slice, edits } of SABOTAGES) {
      expect(Object.keys(SLICES), id).to.include(slice)
      expect(edits, id).to.have.length.greaterThan(0)
      for (const edit of edits) replaced(projectText(edit.file), edit)
    }
  })
})
