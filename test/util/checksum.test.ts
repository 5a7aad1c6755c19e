import { expect } from 'chai'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { addSeed, checksumText, Hash64, hash64, loadChecksums } from '../../src/util/checksum.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('util/checksum', () => {
  before(loadChecksums)

  it('loads once', () => {
    expect(loadChecksums()).to.equal(loadChecksums())
  })

  it('is XXH64', () => {
    expect(hash64(new Uint8Array(0))).to.equal(0xef46db3751d8e999n)
    expect(hash64(encodeUtf8('a'))).to.equal(0xd24ec4f1a98c6e5bn)
    expect(hash64(encodeUtf8('abc'))).to.equal(0x44bc2cf5ad770999n)
  })

  it('gives the same for a whole and for its parts', () => {
    const random = seededRandom(testSeed())
    for (const length of [0, 1, 31, 32, 33, 1000, 65_536, 65_537, 200_000]) {
      const bytes = random.bytes(length)
      const seed = BigInt(random.int(2 ** 52))
      const stream = new Hash64(seed)
      for (let start = 0; start < length; ) {
        const end = Math.min(length, start + random.int(1, 90_000))
        stream.update(bytes.subarray(start, end))
        start = end
      }
      expect(stream.digest()).to.equal(hash64(bytes, seed))
    }
  })

  it('keeps two streams apart', () => {
    const one = new Hash64(7n).update(encodeUtf8('ab'))
    const other = new Hash64(7n).update(encodeUtf8('a'))
    one.update(encodeUtf8('c'))
    other.update(encodeUtf8('bc'))
    expect(one.digest())
      .to.equal(other.digest())
      .and.to.equal(hash64(encodeUtf8('abc'), 7n))
  })

  it('adds an offset to a seed modulo 2^64', () => {
    expect(addSeed(2n ** 64n - 1n, 3)).to.equal(2n)
    expect(addSeed(0n, 2 ** 53 - 1)).to.equal(2n ** 53n - 1n)
  })

  it('shows a checksum as 16 digits', () => {
    expect(checksumText(0xabcn)).to.equal('0000000000000abc')
  })
})
