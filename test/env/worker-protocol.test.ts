import { expect } from 'chai'
import { SIGNAL_BYTES, SIGNAL_MESSAGES, SIGNAL_STEPS } from '../../src/env/worker-protocol.ts'
import { WorkerThread } from '../../src/env/worker-thread.ts'
import { toyConfiguration } from '../support/toy-pool.ts'

describe('env/worker-protocol', () => {
  it('has room for each of its counts [ENV-21]', () => {
    const indexes = [SIGNAL_MESSAGES, SIGNAL_STEPS]
    expect(new Set(indexes).size).to.equal(indexes.length)
    for (const index of indexes) expect((index + 1) * 4).to.be.at.most(SIGNAL_BYTES)
  })

  it('counts each message after it was posted, and each step [ENV-21]', async () => {
    const messages: unknown[] = []
    const ignore = (): void => undefined
    const thread = new WorkerThread(toyConfiguration(), { onMessage: ignore, onEnd: ignore })
    thread.post({ kind: 'run', id: 1, priority: 'low', job: { do: 'steps', steps: 4 } })
    while (messages.length < 2) {
      const count = thread.messageCount()
      let arrived = 0
      for (let message = thread.receive(); message; message = thread.receive()) {
        messages.push(message)
        arrived++
      }
      // Whatever was counted has been received by now.
      expect(messages.length).to.be.at.least(count)
      if (arrived === 0) thread.wait(count, 10_000)
    }
    expect(thread.messageCount()).to.be.at.most(2)
    expect(thread.stepCount()).to.equal(5)
    await thread.terminate()
  })
})
