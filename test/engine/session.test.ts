import { expect } from 'chai'
import { Session } from '../../src/engine/session.ts'
import { codecFor } from '../../src/key/encoding.ts'
import { expectCode } from '../support/fake-database.ts'
import { FakeEngine } from '../support/fake-engine.ts'

function session(): Session & { readonly engine: FakeEngine } {
  const keys = codecFor('utf8', 'key')
  const values = codecFor('json', 'value')
  const defer = (fn: () => void): void => void setImmediate(fn)
  return new Session({ engine: new FakeEngine(), keys, values, defer }) as never
}

describe('engine/session', () => {
  it('uses its own codecs unless a call names others [API-5]', () => {
    const own = session()
    expect(own.encodeKey('k', undefined)).to.equal('k')
    expect(own.encodeKey('k', { keyEncoding: 'json' })).to.equal('"k"')
    expect(own.encodeKeys(['k'], { keyEncoding: 'json' })).to.deep.equal(['"k"'])
    expect(own.encodeValue('v', undefined)).to.equal('"v"')
    expect(own.encodeValue('v', { valueEncoding: 'utf8' })).to.equal('v')
    const put = { type: 'put', key: 'k', value: 'v' }
    const [first] = own.encodeOperations([put], { keyEncoding: 'json', valueEncoding: 'utf8' })
    expect(first).to.deep.equal({ kind: 'put', key: '"k"', value: 'v' })
    expect(own.encodeOperations([put], undefined)[0]).to.include({ key: 'k', value: '"v"' })
  })

  it('asks for the columns that a scan gives, in the form that they are decoded from [API-14]', () => {
    const own = session()
    const asked: unknown[] = []
    const scan = own.engine.scan.bind(own.engine)
    own.engine.scan = (options) => {
      asked.push([options.keys, options.values, options.limit])
      return scan(options)
    }
    own.scan({}, 'entries')
    own.scan({ limit: 3 }, 'keys')
    own.scan({ valueEncoding: 'binary' }, 'values')
    const all = Number.POSITIVE_INFINITY
    expect(asked).to.deep.equal([
      ['utf8', 'utf8', all],
      ['utf8', undefined, 3],
      [undefined, 'binary', all],
    ])
  })

  it('gives way to the event loop [API-18]', async () => {
    let isTurned = false
    setImmediate(() => {
      isTurned = true
    })
    await session().nextTurn()
    expect(isTurned).to.equal(true)
  })

  it('takes a turn now and then, by what was done, whatever comes of it [API-25]', async () => {
    const own = session()
    let turns = 0
    const count = (): void => {
      turns++
      immediate = setImmediate(count)
    }
    let immediate = setImmediate(count)
    for (let call = 0; call < 20_000; call++) await own.paced(Promise.resolve(call), 0)
    const afterCalls = turns
    expect(afterCalls).to.be.within(5, 20)
    for (let call = 0; call < 10; call++) await own.paced(Promise.resolve(call), 1024 * 1024)
    expect(turns - afterCalls).to.be.at.least(9)
    clearImmediate(immediate)
    const failure = new Error('as it was')
    const failed = own.paced(Promise.reject(failure), 1024 * 1024)
    expect(await failed.catch((error: unknown) => error)).to.equal(failure)
  })

  it('ends all that is open before the engine closes [API-21]', async () => {
    const own = session()
    own.scan({}, 'keys')
    own.snapshot()
    let live = -1
    own.engine.onClose = () => {
      live = own.engine.liveCursors + own.engine.livePins
    }
    expect(own.live.size).to.equal(2)
    await own.close()
    expect([live, own.live.size]).to.deep.equal([0, 0])
    await expectCode('CLOSED', () => own.assertOpen())
    await expectCode('CLOSED', () => own.scan({}, 'keys'))
  })
})
