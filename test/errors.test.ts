import { expect } from 'chai'
import { corruption, SedgeError } from '../src/errors.ts'

describe('errors', () => {
  it('carries a stable code, a message and what is known [ERR-1]', () => {
    const cause = new Error('disk')
    const error = new SedgeError('IO', 'cannot read x', { cause, file: 'x', offset: 7 })
    expect(error).to.be.instanceOf(Error)
    expect(error.name).to.equal('SedgeError')
    expect(error).to.include({ code: 'IO', message: 'cannot read x', file: 'x', offset: 7 })
    expect(error.cause).to.equal(cause)
    expect(error.outcome).to.equal(undefined)
    expect(error.holder).to.equal(undefined)
  })

  it('leaves out a cause that there is not', () => {
    expect(Object.hasOwn(new SedgeError('CLOSED', 'closed'), 'cause')).to.equal(false)
  })

  it('says where a file is damaged, and what was expected there [ERR-1]', () => {
    const error = corruption('000007.sst', 4096, 'a block does not verify', {
      expected: 'aa',
      actual: 'bb',
    })
    expect(error.code).to.equal('CORRUPTION')
    expect(error.message).to.equal('000007.sst at offset 4096: a block does not verify')
    expect(error).to.include({ file: '000007.sst', offset: 4096, expected: 'aa', actual: 'bb' })
  })

  it('says so without an offset when the whole file is meant', () => {
    expect(corruption('CLOSED', undefined, 'is missing').message).to.equal('CLOSED: is missing')
  })
})
