import { expect } from 'chai'
import {
  compareBytes,
  concat,
  encodeUtf8,
  equalBytes,
  fromHex,
  isWellFormed,
  toHex,
} from '../../src/util/bytes.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('util/bytes', () => {
  it('orders bytes as unsigned numbers, a prefix first', () => {
    const sorted = ['', '00', '0000', '01', '61', '6100', '61ff', '7f', '80', 'ff', 'ff00', 'ffff']
    const shuffled = seededRandom(testSeed()).shuffle(sorted.map(fromHex))
    expect(shuffled.sort(compareBytes).map(toHex)).to.deep.equal(sorted)
  })

  it('agrees with Buffer on random bytes', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 2000; round++) {
      const left = random.bytes(random.int(0, 6)).map((byte) => byte & 3)
      const right = random.bytes(random.int(0, 6)).map((byte) => byte & 3)
      expect(Math.sign(compareBytes(left, right))).to.equal(Buffer.compare(left, right))
      expect(equalBytes(left, right)).to.equal(Buffer.compare(left, right) === 0)
    }
  })

  it('writes and reads hexadecimal text', () => {
    const all = Uint8Array.from({ length: 256 }, (_, index) => index)
    expect(toHex(all)).to.equal(Buffer.from(all).toString('hex'))
    expect(fromHex(toHex(all).toUpperCase())).to.deep.equal(all)
    expect(() => fromHex('abc')).to.throw(RangeError)
    expect(() => fromHex('0x')).to.throw(RangeError)
  })

  it('joins parts into an array of its own', () => {
    const part = Uint8Array.of(1, 2)
    const whole = concat(part, new Uint8Array(0), Uint8Array.of(3))
    part[0] = 9
    expect([...whole]).to.deep.equal([1, 2, 3])
    expect(concat().length).to.equal(0)
  })

  it('encodes UTF-8 and knows the strings that have none', () => {
    expect(toHex(encodeUtf8('aé€😀'))).to.equal('61c3a9e282acf09f9880')
    expect(isWellFormed('aé€😀')).to.equal(true)
    expect(isWellFormed('a\ud83d')).to.equal(false)
    expect(isWellFormed('\ude00a')).to.equal(false)
  })
})
