import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import {
  booleanOption,
  choiceOption,
  functionOption,
  optionalOptions,
  optionsObject,
  ownOption,
  plainOptions,
  wholeOption,
} from '../../src/util/own-option.ts'

describe('util/own-option', () => {
  it('takes objects only, and nothing for undefined [ERR-2]', () => {
    const given = { a: 1 }
    expect(optionsObject(given)).to.equal(given)
    for (const wrong of [null, 1, 'x', true, [], () => {}]) {
      expect(() => optionsObject(wrong, 'range'), String(wrong)).to.throw(TypeError, /range/)
      expect(() => optionalOptions(wrong), String(wrong)).to.throw(TypeError, /options/)
    }
    expect(() => optionsObject(undefined)).to.throw(TypeError)
    expect(Object.keys(optionalOptions(undefined))).to.deep.equal([])
  })

  it('reads own properties only [OPT-3]', () => {
    expect(ownOption({ sync: true }, 'sync')).to.equal(true)
    expect(ownOption(Object.create({ sync: true }), 'sync')).to.equal(undefined)
    expect(ownOption({}, 'constructor')).to.equal(undefined)
    expect(ownOption(JSON.parse('{"__proto__": {"sync": true}}'), 'sync')).to.equal(undefined)
    expect(ownOption(Object.assign(Object.create(null), { sync: 1 }), 'sync')).to.equal(1)
  })

  it('tells a wrong type from a bad value and names the option [ERR-2]', () => {
    expect(booleanOption({ sync: false }, 'sync')).to.equal(false)
    expect(booleanOption({ sync: undefined }, 'sync')).to.equal(undefined)
    expect(() => booleanOption({ sync: 1 }, 'sync')).to.throw(TypeError, /sync/)

    expect(choiceOption({ mode: 'a' }, 'mode', ['a', 'b'])).to.equal('a')
    expect(choiceOption({}, 'mode', ['a', 'b'])).to.equal(undefined)
    expect(() => choiceOption({ mode: 'c' }, 'mode', ['a', 'b'])).to.throw(RangeError, /mode.*'a'/)
    expect(() => choiceOption({ mode: 1 }, 'mode', ['a', 'b'])).to.throw(TypeError, /mode/)

    expect(wholeOption({ size: 2 }, 'size', 2, 4)).to.equal(2)
    expect(wholeOption({ size: 4 }, 'size', 2, 4)).to.equal(4)
    expect(wholeOption({}, 'size', 2, 4)).to.equal(undefined)
    for (const bad of [1, 5, 2.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => wholeOption({ size: bad }, 'size', 2, 4), String(bad)).to.throw(
        RangeError,
        /size/,
      )
    }
    for (const wrong of ['2', 2n, null]) {
      expect(() => wholeOption({ size: wrong }, 'size', 2, 4)).to.throw(TypeError, /size/)
    }

    const run = (): void => {}
    expect(functionOption({ run }, 'run')).to.equal(run)
    expect(() => functionOption({ run: 'x' }, 'run')).to.throw(TypeError, /run/)
  })

  it('takes plain objects with known names only where it is asked to [OPT-12, OPT-3]', () => {
    const names = ['limit', 'prefix']
    const given = { limit: 1, prefix: undefined }
    expect(plainOptions(given, 'range', names)).to.equal(given)
    expect(plainOptions(runInNewContext('({ limit: 1 })'), 'range', names)).to.have.keys('limit')
    const bare = Object.assign(Object.create(null), { limit: 2 })
    expect(plainOptions(bare, 'range', names)).to.equal(bare)
    expect(Object.keys(plainOptions(undefined, 'range', names))).to.deep.equal([])
    for (const name of ['prefx', 'Limit', '__proto__']) {
      const unknown = JSON.parse(`{"limit": 1, "${name}": 1}`)
      expect(() => plainOptions(unknown, 'range', names)).to.throw(RangeError, name)
    }
    expect(() => plainOptions({ prefx: undefined }, 'range', names)).to.throw(RangeError, /prefx/)
    const odd = [new Map(), new Set(), new Uint8Array(3), new Date(), Object.create(given)]
    for (const one of [...odd, [], null, 'k', 1, new (class Range {})(), Promise.resolve()]) {
      expect(() => plainOptions(one, 'range', names)).to.throw(TypeError, /range/)
    }
  })
})
