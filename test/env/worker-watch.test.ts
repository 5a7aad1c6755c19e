import { expect } from 'chai'
import { LOOK_MS, LOOKS_MAX, WorkerWatch } from '../../src/env/worker-watch.ts'

describe('env/worker-watch', () => {
  let watch: WorkerWatch
  let now: number

  beforeEach(() => {
    watch = new WorkerWatch()
    now = 1000
    watch.start(7, now)
  })

  /** Looks after so many milliseconds. */
  const lookAfter = (ms: number, signs: number): boolean => {
    now += ms
    return watch.look(signs, now)
  }

  it('gives up after so many looks without a sign [ENV-26]', () => {
    for (let look = 1; look < LOOKS_MAX; look++) expect(lookAfter(LOOK_MS, 7)).to.equal(false)
    expect(lookAfter(LOOK_MS, 7)).to.equal(true)
  })

  it('begins anew with every sign and every start [ENV-26]', () => {
    for (let look = 0; look < 3 * LOOKS_MAX; look++)
      expect(lookAfter(LOOK_MS, look)).to.equal(false)
    watch.start(1, now)
    for (let look = 1; look < LOOKS_MAX; look++) expect(lookAfter(LOOK_MS, 1)).to.equal(false)
    watch.start(1, now)
    for (let look = 1; look < LOOKS_MAX; look++) expect(lookAfter(LOOK_MS, 1)).to.equal(false)
    expect(lookAfter(LOOK_MS, 1)).to.equal(true)
  })

  it('counts looks, neither those that come too soon nor the time that passes [ENV-26]', () => {
    for (let look = 0; look < 10 * LOOKS_MAX; look++) expect(lookAfter(1, 7)).to.equal(false)
    expect(lookAfter(1000 * LOOK_MS * LOOKS_MAX, 7)).to.equal(false)
    expect(lookAfter(1000 * LOOK_MS * LOOKS_MAX, 8)).to.equal(false)
  })
})
