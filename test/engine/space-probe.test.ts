import { expect } from 'chai'
import { type FileSystem, MemoryFileSystem, open } from '../../src/index.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'

/** A disk that is full as long as `isFull` says so. */
function fullDisk(isFull: () => boolean): FileSystem {
  return faultFileSystem(new MemoryFileSystem(), (call) =>
    call.startsWith('write') && isFull() ? 'ENOSPC' : undefined,
  )
}

describe('engine/space-probe', () => {
  it('leaves the state full by itself when space returns, without a write or a new open [DUR-9]', async function () {
    this.timeout(60_000)
    let isFull = false
    const states: string[] = []
    const db = await open('/store', {
      fs: fullDisk(() => isFull),
      onEvent: (event) => {
        if (event.type === 'state') states.push(event.state)
      },
    })
    await db.put('before', 'v')
    isFull = true
    const error = await db.put('lost', 'v').catch((reason: unknown) => reason)
    expect(error).to.have.property('code', 'FULL')
    expect(db.stats()).to.include({ state: 'full', stall: 'space' })
    expect(db.getSync('before')).to.equal('v')
    expect(db.getSync('lost')).to.equal(undefined)
    isFull = false
    const deadline = Date.now() + 50_000
    while (db.stats().state === 'full' && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(db.stats()).to.include({ state: 'open', stall: 'none' })
    await db.put('after', 'v')
    expect(states).to.deep.equal(['full', 'open'])
    await db.close()
  })
})
