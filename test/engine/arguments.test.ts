import { expect } from 'chai'
import {
  checkTarget,
  codecOption,
  encodeOperations,
  levelOption,
} from '../../src/engine/arguments.ts'
import { codecFor } from '../../src/key/encoding.ts'

const keys = codecFor('utf8', 'key')
const values = codecFor('utf8', 'value')

describe('engine/arguments', () => {
  it('turns sync into a level, and its absence into none [DUR-4]', () => {
    expect(levelOption({ sync: true })).to.equal('disk')
    expect(levelOption({ sync: false })).to.equal('process')
    expect(levelOption({})).to.equal(undefined)
    expect(levelOption(Object.create({ sync: true }))).to.equal(undefined)
    expect(() => levelOption({ sync: 'disk' })).to.throw(TypeError, /^sync /)
  })

  it('prefers the encoding of a call to that of the store [API-5]', () => {
    expect(codecOption({}, 'key', keys)).to.equal(keys)
    expect(codecOption({ valueEncoding: 'json' }, 'key', keys)).to.equal(keys)
    expect(codecOption({ keyEncoding: 'json' }, 'key', keys)).to.equal(codecFor('json', 'key'))
    expect(codecOption({ valueEncoding: 'buffer' }, 'value', values).form).to.equal('buffer')
  })

  it('encodes operations in their order and names the wrong one [API-9, ERR-2]', () => {
    const put = { type: 'put', key: 'a', value: '1' }
    const gone = { type: 'delete', key: 'b', value: 'ignored' }
    expect(encodeOperations([put, gone], keys, values)).to.deep.equal([
      { kind: 'put', key: 'a', value: '1' },
      { kind: 'delete', key: 'b' },
    ])
    for (const wrong of [undefined, 'x', { type: 'merge', key: 'a' }, { key: 'a' }]) {
      const run = (): unknown => encodeOperations([put, wrong], keys, values)
      expect(run).to.throw(TypeError, /^operations\[1\]/)
    }
    expect(() => encodeOperations(new Set(), keys, values)).to.throw(TypeError, /^operations /)
    const noValue = { type: 'put', key: 'a' }
    expect(() => encodeOperations([noValue], keys, values)).to.throw(TypeError, /value/)
  })

  it('takes operations of any class, with getters [API-20]', () => {
    class Put {
      readonly type = 'put'
      get key(): string {
        return 'k'
      }
      get value(): string {
        return 'v'
      }
    }
    const expected = [{ kind: 'put', key: 'k', value: 'v' }]
    expect(encodeOperations([new Put()], keys, values)).to.deep.equal(expected)
  })

  it('checks where a value is to be copied to [API-11, ERR-2]', () => {
    expect(() => checkTarget(new Uint8Array(1), 5)).not.to.throw()
    expect(() => checkTarget([], 0)).to.throw(TypeError, /^target /)
    expect(() => checkTarget(new Uint8Array(1), '0')).to.throw(TypeError, /^offset /)
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(() => checkTarget(new Uint8Array(1), bad)).to.throw(RangeError, /^offset /)
    }
  })
})
