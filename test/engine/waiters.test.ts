import { expect } from 'chai'
import { Waiters } from '../../src/engine/waiters.ts'

describe('engine/waiters', () => {
  it('gives one promise to all who come before it is taken', async () => {
    const waiters = new Waiters()
    expect(waiters.isEmpty).to.equal(true)
    const { promise } = waiters
    expect(waiters.promise).to.equal(promise)
    expect(waiters.isEmpty).to.equal(false)
    waiters.take().resolve()
    expect(await promise).to.equal(undefined)
    expect(waiters.isEmpty).to.equal(true)
  })

  it('does not let who comes later share what happens to those before', async () => {
    const waiters = new Waiters()
    const early = waiters.promise
    const taken = waiters.take()
    const late = waiters.promise
    expect(late).to.not.equal(early)
    const reason = new Error('the early ones only')
    taken.reject(reason)
    waiters.take().resolve()
    expect(await early.catch((error: unknown) => error)).to.equal(reason)
    expect(await late).to.equal(undefined)
  })

  it('rejects those who wait now, and is empty then', async () => {
    const waiters = new Waiters()
    const { promise } = waiters
    const reason = new Error('no')
    waiters.reject(reason)
    expect(waiters.isEmpty).to.equal(true)
    expect(await promise.catch((error: unknown) => error)).to.equal(reason)
  })

  it('has nobody to tell when nobody waits', () => {
    const waiters = new Waiters()
    waiters.reject(new Error('would be unhandled if somebody had made a promise of it'))
    waiters.take().resolve()
    waiters.take().reject(new Error('likewise'))
    expect(waiters.isEmpty).to.equal(true)
  })
})
