import { expect } from 'chai'
import { Pacer } from '../../src/engine/pacer.ts'
import { nodeEnvironment } from '../../src/env/environment.ts'

/** A pacer on a clock that the test sets, and how often it gave way. */
function pacerAt(): { pacer: Pacer; setTime: (ms: number) => void; turns: () => number } {
  let now = 0
  let turns = 0
  const environment = nodeEnvironment({
    monotonic: () => now,
    defer: (fn) => {
      turns++
      setImmediate(fn)
    },
  })
  const pacer = new Pacer(environment)
  return { pacer, setTime: (ms) => (now = ms), turns: () => turns }
}

describe('engine/pacer', () => {
  it('gives way once a slice is used up, and not before', async () => {
    const { pacer, setTime, turns } = pacerAt()
    await pacer.breathe()
    setTime(4)
    await pacer.breathe()
    expect(turns()).to.equal(0)
    setTime(6)
    await pacer.breathe()
    expect(turns()).to.equal(1)
    await pacer.breathe()
    expect(turns()).to.equal(1)
  })

  it('runs steps to their end, breathing between them', async () => {
    const { pacer, setTime, turns } = pacerAt()
    function* steps(): Generator<void, string, void> {
      for (let ms = 10; ms <= 50; ms += 10) {
        setTime(ms)
        yield
      }
      return 'done'
    }
    expect(await pacer.run(steps())).to.equal('done')
    expect(turns()).to.equal(5)
  })
})
