import { expect } from 'chai'
import { LiveSequences } from '../../src/engine/live-sequences.ts'

describe('engine/live-sequences', () => {
  it('lists each sequence that is pinned once, ascending as numbers', () => {
    const live = new LiveSequences()
    for (const sequence of [100, 9, 20, 9]) live.pin(sequence)
    expect(live.list()).to.deep.equal([9, 20, 100])
    expect(live.size).to.equal(4)
  })

  it('keeps a sequence until the last of its pins is released', () => {
    const live = new LiveSequences()
    const pins = [live.pin(7), live.pin(7), live.pin(7)]
    for (const [index, pin] of pins.entries()) {
      expect(pin.sequence).to.equal(7)
      expect(live.list()).to.deep.equal([7])
      pin.release()
      expect(live.size).to.equal(2 - index)
    }
    expect(live.list()).to.deep.equal([])
  })

  it('counts a pin that is released twice once [SNAP-3]', () => {
    const live = new LiveSequences()
    const first = live.pin(0)
    const second = live.pin(0)
    first.release()
    first.release()
    expect(live.list()).to.deep.equal([0])
    second.release()
    first.release()
    expect(live.size).to.equal(0)
    live.pin(0)
    second.release()
    expect(live.list()).to.deep.equal([0])
  })
})
