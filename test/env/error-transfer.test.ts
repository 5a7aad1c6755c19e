import { expect } from 'chai'
import { flattenError, reviveError } from '../../src/env/error-transfer.ts'
import { SedgeError } from '../../src/errors.ts'

/** An error as it comes out on the other side. */
function crossed(error: unknown): Error {
  return reviveError(structuredClone(flattenError(error)))
}

describe('env/error-transfer', () => {
  it('brings a store error across with all it says [ENV-24]', () => {
    const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    const details = { file: 'a', offset: 7, expected: 'x', actual: 9, outcome: 'unknown' as const }
    const error = new SedgeError('FULL', 'cannot write', { ...details, cause })
    const copy = crossed(error)
    expect(copy).to.be.instanceOf(SedgeError)
    expect(copy).to.include({ code: 'FULL', message: 'cannot write', ...details })
    expect(copy.stack).to.equal(error.stack)
    expect(copy.cause).to.include({ message: 'no space', code: 'ENOSPC' })
  })

  it('keeps name and code of other errors [ENV-24]', () => {
    const error = crossed(Object.assign(new RangeError('too far'), { code: 'ERR_X' }))
    expect(error).to.include({ name: 'RangeError', message: 'too far', code: 'ERR_X' })
    expect(crossed(new Error('plain'))).not.to.have.property('code')
    expect(crossed('thrown')).to.include({ name: 'Error', message: 'thrown' })
    expect(crossed(undefined).message).to.equal('undefined')
  })

  it('does not follow causes for ever [ENV-24]', () => {
    const error = new Error('round')
    error.cause = error
    let copy: unknown = crossed(error)
    let depth = 0
    for (; copy instanceof Error; copy = copy.cause) depth++
    expect(depth).to.be.within(2, 10)
  })
})
