import { expect } from 'chai'
import { SedgeError } from '../../src/errors.ts'
import {
  ALL_KEYS,
  type EncodedRange,
  encodeBound,
  encodeRange,
  limitOption,
  prefixSuccessor,
} from '../../src/iterator/range.ts'
import { codecFor } from '../../src/key/encoding.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const utf8 = codecFor('utf8', 'key')

describe('iterator/range', () => {
  it('has no bounds where none are given [ORD-2]', () => {
    expect(encodeRange({}, utf8)).to.equal(ALL_KEYS)
    expect(encodeRange({ gt: undefined, prefix: undefined, limit: 3 }, utf8)).to.equal(ALL_KEYS)
  })

  it('encodes each bound, including or excluding it [ORD-2]', () => {
    expect(encodeRange({ gt: 'a', lte: 'b' }, utf8)).to.deep.equal({
      lower: Uint8Array.of(0x61),
      lowerInclusive: false,
      upper: Uint8Array.of(0x62),
      upperInclusive: true,
    })
    expect(encodeRange({ gte: 'ü' }, utf8)).to.deep.equal({
      lower: Uint8Array.of(0xc3, 0xbc),
      lowerInclusive: true,
      upper: undefined,
      upperInclusive: true,
    })
  })

  it('refuses two bounds of one side [ORD-2]', () => {
    expect(() => encodeRange({ gt: 'a', gte: 'a' }, utf8)).to.throw(RangeError, /gt and gte/)
    expect(() => encodeRange({ lt: 'a', lte: 'a' }, utf8)).to.throw(RangeError, /lt and lte/)
  })

  it('takes the keys with a prefix [ORD-3]', () => {
    expect(prefixSuccessor(Uint8Array.of(1, 2))).to.deep.equal(Uint8Array.of(1, 3))
    expect(prefixSuccessor(Uint8Array.of(1, 255, 255))).to.deep.equal(Uint8Array.of(2))
    expect(prefixSuccessor(Uint8Array.of(255, 255))).to.equal(undefined)
    expect(prefixSuccessor(new Uint8Array(0))).to.equal(undefined)
    expect(encodeRange({ prefix: '' }, utf8)).to.deep.equal(ALL_KEYS)
  })

  it('takes a prefix as bytes, whatever the encoding of keys [ORD-3]', () => {
    const json = codecFor('json', 'key')
    const range = encodeRange({ prefix: '"a' }, json)
    expect(range?.lower).to.deep.equal(Uint8Array.of(0x22, 0x61))
    expect(encodeRange({ gte: 'a' }, json)?.lower).to.deep.equal(Uint8Array.of(0x22, 0x61, 0x22))
  })

  it('lets everything be after the empty bound and nothing before it [ORD-4]', () => {
    expect(encodeRange({ gte: '' }, utf8)?.lower).to.equal(undefined)
    expect(encodeRange({ gt: new Uint8Array(0) }, utf8)?.lower).to.equal(undefined)
    expect(encodeRange({ lt: '' }, utf8)).to.equal(undefined)
    expect(encodeRange({ lte: '' }, utf8)).to.equal(undefined)
  })

  it('knows ranges that no key can lie in [ORD-6]', () => {
    expect(encodeRange({ gt: 'b', lt: 'a' }, utf8)).to.equal(undefined)
    expect(encodeRange({ gt: 'a', lte: 'a' }, utf8)).to.equal(undefined)
    expect(encodeRange({ gte: 'a', lt: 'a' }, utf8)).to.equal(undefined)
    expect(encodeRange({ prefix: 'a', gte: 'b' }, utf8)).to.equal(undefined)
    expect(encodeRange({ gte: 'a', lte: 'a' }, utf8)).not.to.equal(undefined)
  })

  it('includes the keys that a plain filter includes [ORD-1, ORD-2, ORD-3, ORD-6]', () => {
    const random = seededRandom(testSeed())
    const binary = codecFor('binary', 'key')
    for (let round = 0; round < 3000; round++) {
      const bounds = randomBounds(random)
      const range = encodeRange(bounds, binary)
      for (let probe = 0; probe < 10; probe++) {
        const key = shortKey(random)
        if (key.length === 0) continue
        const told = range !== undefined && isInside(key, range)
        expect(told, JSON.stringify({ bounds, key: [...key] })).to.equal(isWanted(key, bounds))
      }
    }
  })

  it('keeps bounds when the caller changes his bytes [API-19]', () => {
    const bound = Uint8Array.of(5)
    const range = encodeRange({ gte: bound, prefix: bound }, codecFor('binary', 'key'))
    bound[0] = 9
    expect(range?.lower).to.deep.equal(Uint8Array.of(5))
    expect(range?.upper).to.deep.equal(Uint8Array.of(6))
  })

  it('refuses bounds that are longer than any key [LIM-4]', () => {
    const longest = new Uint8Array(1024 * 1024)
    const longer = new Uint8Array(longest.length + 1)
    const binary = codecFor('binary', 'key')
    for (const name of ['gt', 'gte', 'lt', 'lte', 'prefix']) {
      expect(() => encodeRange({ [name]: longest }, binary)).not.to.throw()
      expect(() => encodeRange({ [name]: longer }, binary))
        .to.throw(SedgeError, new RegExp(`^${name} `))
        .with.property('code', 'LIMIT')
    }
    expect(() => encodeBound(longer, 'key', binary)).to.throw(SedgeError, /^key /)
    expect(encodeBound('', 'key', binary)).to.deep.equal(new Uint8Array(0))
  })

  it('names a bound of the wrong type [ERR-2]', () => {
    for (const name of ['gt', 'gte', 'lt', 'lte', 'prefix']) {
      expect(() => encodeRange({ [name]: 5 }, utf8)).to.throw(TypeError, new RegExp(`^${name} `))
      expect(() => encodeRange({ [name]: null }, utf8)).to.throw(TypeError, new RegExp(`^${name} `))
      expect(() => encodeRange({ [name]: '\ud800' }, utf8)).to.throw(TypeError, /surrogate/)
    }
  })

  it('does not look at inherited bounds [OPT-3]', () => {
    expect(encodeRange(Object.create({ gt: 'a', prefix: 'b' }), utf8)).to.equal(ALL_KEYS)
    expect(limitOption(Object.create({ limit: 1 }))).to.equal(Number.POSITIVE_INFINITY)
  })

  it('takes limits that are whole numbers, Infinity or -1 [ORD-5]', () => {
    expect(limitOption({})).to.equal(Number.POSITIVE_INFINITY)
    expect(limitOption({ limit: -1 })).to.equal(Number.POSITIVE_INFINITY)
    expect(limitOption({ limit: Number.POSITIVE_INFINITY })).to.equal(Number.POSITIVE_INFINITY)
    expect(limitOption({ limit: 0 })).to.equal(0)
    expect(limitOption({ limit: 12 })).to.equal(12)
    for (const bad of [-2, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 60]) {
      expect(() => limitOption({ limit: bad }), String(bad)).to.throw(RangeError, /limit/)
    }
    for (const wrong of ['1', 1n, null, {}]) {
      expect(() => limitOption({ limit: wrong })).to.throw(TypeError, /limit/)
    }
  })
})

interface Bounds {
  gt?: Uint8Array
  gte?: Uint8Array
  lt?: Uint8Array
  lte?: Uint8Array
  prefix?: Uint8Array
}

/** Up to three bytes, most of them at the ends of what a byte can be. */
function shortKey(random: Random): Uint8Array {
  const byte = (): number => random.pick([0, 1, 0x7f, 0x80, 0xfe, 0xff, 0xff])
  return Uint8Array.from({ length: random.int(4) }, byte)
}

function randomBounds(random: Random): Bounds {
  const bounds: Bounds = {}
  if (random.chance(0.6)) bounds[random.pick(['gt', 'gte'] as const)] = shortKey(random)
  if (random.chance(0.6)) bounds[random.pick(['lt', 'lte'] as const)] = shortKey(random)
  if (random.chance(0.5)) bounds.prefix = shortKey(random)
  return bounds
}

function isWanted(key: Uint8Array, { gt, gte, lt, lte, prefix }: Bounds): boolean {
  if (gt !== undefined && Buffer.compare(key, gt) <= 0) return false
  if (gte !== undefined && Buffer.compare(key, gte) < 0) return false
  if (lt !== undefined && Buffer.compare(key, lt) >= 0) return false
  if (lte !== undefined && Buffer.compare(key, lte) > 0) return false
  return prefix === undefined || prefix.every((byte, index) => key[index] === byte)
}

function isInside(key: Uint8Array, range: EncodedRange): boolean {
  const { lower, lowerInclusive, upper, upperInclusive } = range
  const fromLower = lower === undefined ? 1 : Buffer.compare(key, lower)
  const toUpper = upper === undefined ? 1 : Buffer.compare(upper, key)
  return fromLower + (lowerInclusive ? 1 : 0) > 0 && toUpper + (upperInclusive ? 1 : 0) > 0
}
