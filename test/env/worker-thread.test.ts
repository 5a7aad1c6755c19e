import { expect } from 'chai'
import type { FromWorker } from '../../src/env/worker-protocol.ts'
import { areWorkersAllowed, WorkerThread } from '../../src/env/worker-thread.ts'
import { TOY_WORKER, toyConfiguration, toyWorkerText } from '../support/toy-pool.ts'

interface Started {
  readonly thread: WorkerThread
  /** The next message, waited for in this thread. */
  next(): FromWorker | undefined
  readonly ended: Promise<unknown>
}

describe('env/worker-thread', () => {
  const threads: WorkerThread[] = []

  function start(configuration = toyConfiguration()): Started {
    let tellEnd: (error: unknown) => void
    const ended = new Promise<unknown>((resolve) => {
      tellEnd = resolve
    })
    const thread = new WorkerThread(configuration, {
      onMessage: () => undefined,
      onEnd: (error) => tellEnd(error),
    })
    threads.push(thread)
    const next = (): FromWorker | undefined => {
      for (let attempt = 0; attempt < 100; attempt++) {
        const seen = thread.messageCount()
        const message = thread.receive()
        if (message !== undefined) return message
        thread.wait(seen, 100)
      }
      return undefined
    }
    return { thread, next, ended }
  }

  afterEach(() => Promise.all(threads.splice(0).map((thread) => thread.terminate())))

  it('may start where nothing forbids it [ENV-25]', () => {
    expect(areWorkersAllowed()).to.equal(true)
  })

  it('starts from the file, or from a text where there is none [ENV-18]', () => {
    const none = new URL('./none.js', TOY_WORKER)
    for (const format of ['esm', 'cjs'] as const) {
      const source = toyWorkerText(format)
      const job = { do: 'echo', value: format }
      for (const url of [undefined, none, new URL('https://example.org/worker.js'), TOY_WORKER]) {
        const { thread, next } = start({ url, source, setup: () => undefined })
        thread.post({ kind: 'run', id: 7, priority: 'low', job })
        expect(next()).to.deep.equal({ kind: 'ready' })
        expect(next()).to.deep.equal({ kind: 'done', id: 7, ok: true, value: format })
      }
    }
  })

  it('tells of its end and of what ended it [ENV-22]', async () => {
    const { thread, next, ended } = start()
    thread.keepAlive(true)
    thread.post({ kind: 'run', id: 1, priority: 'low', job: { do: 'exit' } })
    expect([next(), next()]).to.deep.equal([{ kind: 'ready' }, { kind: 'ended' }])
    expect(await ended).to.equal(undefined)

    const broken = start(toyConfiguration('export const broken = undefined.property'))
    broken.thread.keepAlive(true)
    expect(await broken.ended).to.be.instanceOf(Error)
  })
})
