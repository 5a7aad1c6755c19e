import { expect } from 'chai'
import { assert, unreachable } from '../../src/util/assert.ts'

describe('util/assert', () => {
  it('throws an internal error only when the condition does not hold', () => {
    expect(() => assert(1 + 1 === 2, 'sum')).not.to.throw()
    expect(() => assert(false, 'sum')).to.throw('internal error: sum')
  })

  it('always throws where nothing can come', () => {
    expect(() => unreachable('level 9')).to.throw('internal error: level 9 cannot happen')
  })
})
