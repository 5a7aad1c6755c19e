import { expect } from 'chai'
import type { StoreEvent } from '../../src/engine/engine-types.ts'
import { openStore } from '../../src/engine/opening.ts'
import { type OpenOptions, resolveOptions } from '../../src/engine/options.ts'
import { asSedgeError, definite, type Store } from '../../src/engine/store.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { SedgeError } from '../../src/errors.ts'

const IO = new SedgeError('IO', 'the disk is gone')

describe('engine/store', () => {
  let events: StoreEvent[]

  beforeEach(() => {
    events = []
  })

  async function makeStore(options: OpenOptions = {}): Promise<Store> {
    const given = {
      fs: new MemoryFileSystem(),
      onEvent: (event: StoreEvent) => events.push(event),
    }
    const { store } = await openStore(
      '/store',
      resolveOptions({ ...given, ...options }, () => undefined),
    )
    return store
  }

  const codeOf = (call: () => void): unknown => {
    try {
      call()
      return undefined
    } catch (error) {
      return (error as SedgeError).code
    }
  }

  it('tells events in order, in a turn of their own', async () => {
    const store = await makeStore()
    store.setState('full')
    store.setState('full')
    store.reportError(IO)
    expect(events).to.deep.equal([])
    await Promise.resolve()
    expect(events).to.deep.equal([
      { type: 'state', state: 'full' },
      { type: 'error', error: IO },
    ])
  })

  it('goes on telling events to a listener that throws [OPT-9]', async () => {
    let calls = 0
    const store = await makeStore({
      onEvent: () => {
        calls++
        throw new Error('from the listener')
      },
    })
    for (let i = 0; i < 3; i++) store.emit({ type: 'close' })
    await Promise.resolve()
    expect(calls).to.equal(3)
    expect(store.state).to.equal('open')
    expect(store.lastError).to.equal(undefined)
  })

  it('takes no notice of a listener whose promise is rejected [OPT-9]', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown): unknown => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    try {
      let calls = 0
      const store = await makeStore({
        onEvent: async () => {
          calls++
          throw new Error('from the listener')
        },
      })
      for (let i = 0; i < 3; i++) store.emit({ type: 'close' })
      // Such rejections are told when a turn ends.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
      expect(calls).to.equal(3)
      expect(unhandled).to.deep.equal([])
      expect(store.lastError).to.equal(undefined)
    } finally {
      process.off('unhandledRejection', listen)
    }
  })

  it('refuses writes for the first of its failures, and reads for none [DUR-11]', async () => {
    const store = await makeStore()
    expect(codeOf(() => store.assertWritable())).to.equal(undefined)
    expect(store.fail(IO)).to.equal(IO)
    const second = new SedgeError('CORRUPTION', 'more of it')
    expect(store.fail(second)).to.equal(second)
    expect(store.failure).to.equal(IO)
    expect(codeOf(() => store.assertReadable())).to.equal(undefined)
    expect(() => store.assertWritable())
      .to.throw(SedgeError, 'the disk is gone')
      .with.property('cause', IO)
    await Promise.resolve()
    expect(events.map(({ type }) => type)).to.deep.equal(['state', 'error'])
  })

  it('accepts attempts to write while it is full [DUR-9]', async () => {
    const store = await makeStore()
    store.setState('full')
    expect(codeOf(() => store.assertWritable())).to.equal(undefined)
    expect(codeOf(() => store.assertReadable())).to.equal(undefined)
  })

  it('stays closed once it is [API-21]', async () => {
    const store = await makeStore()
    store.setState('closed')
    store.setState('open')
    expect(store.state).to.equal('closed')
    expect(codeOf(() => store.assertReadable())).to.equal('CLOSED')
    expect(codeOf(() => store.assertWritable())).to.equal('CLOSED')
  })

  it('is not written to when it has no manifest to write [REC-8]', async () => {
    const fs = new MemoryFileSystem()
    const { lock, store } = await openStore(
      '/store',
      resolveOptions({ fs }, () => undefined),
    )
    store.manifest?.close()
    lock?.release()
    const reader = await makeStore({ fs, readOnly: true })
    expect(codeOf(() => reader.assertReadable())).to.equal(undefined)
    expect(codeOf(() => reader.assertWritable())).to.equal('UNSUPPORTED')
  })

  it('makes any failure a SedgeError, and a failure before a write a certain one [DUR-10]', () => {
    expect(asSedgeError(IO)).to.equal(IO)
    const cause = new TypeError('odd')
    expect(asSedgeError(cause)).to.include({ code: 'FAILED', message: 'odd', cause })
    expect(asSedgeError('text')).to.include({ code: 'FAILED', message: 'text' })
    const unknown = new SedgeError('IO', 'a sync failed', { outcome: 'unknown', file: '2.log' })
    const certain = definite(unknown)
    expect(certain).to.include({ code: 'IO', message: 'a sync failed', file: '2.log' })
    expect(certain).to.include({ outcome: undefined, cause: unknown })
    expect(definite(IO)).to.equal(IO)
  })
})
