import { expect } from 'chai'
import { decodeLz4 } from '../../src/table/lz4-decoder.ts'
import { lz4Compress, lz4Decompress } from '../reference/lz4.ts'
import { ascii, BROKEN, GOLDEN } from '../reference/lz4-vectors.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('table/lz4-decoder', () => {
  it('decodes what the reference tool has encoded', () => {
    for (const [name, block, content] of GOLDEN) {
      const expected = Uint8Array.from(ascii(content))
      expect(decodeLz4(Uint8Array.from(block), expected.length), name).to.deep.equal(expected)
    }
  })

  it('refuses blocks that are not well formed', () => {
    for (const [name, block, bytes] of BROKEN) {
      expect(decodeLz4(Uint8Array.from(block), bytes), name).to.equal(undefined)
    }
  })

  it('refuses a size that is not that of the content', () => {
    const content = Uint8Array.from(ascii('abcabcabcabcabcabcabcabcabcabc, and so on'))
    const block = lz4Compress(content)
    expect(decodeLz4(block, content.length)).to.deep.equal(content)
    expect(decodeLz4(block, content.length - 1)).to.equal(undefined)
    expect(decodeLz4(block, content.length + 1)).to.equal(undefined)
  })

  it('agrees with its twin about random, repetitive and damaged blocks', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 300; round++) {
      const content = random.bytes(random.int(0, 400))
      for (let i = 20; i < content.length; i++) if (random.chance(0.7)) content[i] = content[i - 7]!
      const block = lz4Compress(content)
      expect(decodeLz4(block, content.length)).to.deep.equal(content)
      if (block.length > 0) block[random.int(block.length)]! ^= 1 << random.int(8)
      const expected = lz4Decompress(block, content.length)
      const isWhole = expected?.length === content.length
      expect(decodeLz4(block, content.length)).to.deep.equal(isWhole ? expected : undefined)
    }
  })
})
