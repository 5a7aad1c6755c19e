import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { closeWhenCollected, forgetCollected, type Revocable } from '../../src/engine/abandoned.ts'

/** Counts how often it is closed. */
class Inside implements Revocable {
  closes = 0

  close(): void {
    this.closes++
  }

  revoke(): void {
    this.close()
  }
}

describe('engine/abandoned', () => {
  it('closes what a collected handle stood for, unless told to forget it [SNAP-6]', async () => {
    const abandoned = new Inside()
    const closed = new Inside()
    const held = new Inside()
    const handle = {}
    closeWhenCollected({}, abandoned)
    closeWhenCollected({}, closed)
    closeWhenCollected(handle, held)
    forgetCollected(closed)
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    for (let turn = 0; turn < 50 && abandoned.closes === 0; turn++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect([abandoned.closes, closed.closes, held.closes]).to.deep.equal([1, 0, 0])
    expect(handle).to.be.an('object')
  })
})
