import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { bytesMax, readText, splitAscii, writeText } from '../../src/kernel/text.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

function randomText(random: Random, length: number): string {
  const alphabet = random.pick([
    ['a', 'Z', '~', '\0'],
    ['a', 'é', '\u07ff', '\u0800', '\uffff', '😀'],
  ])
  return Array.from({ length }, () => random.pick(alphabet)).join('')
}

const memoryEnd = Buffer.alloc(8, 0xee)

describe('kernel/text', () => {
  it('writes and reads UTF-8 of any length as the runtime does, and nothing beside it', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 3000; round++) {
      const length = random.pick([0, 1, 23, 24, 25, 63, 64, 65, random.int(200)])
      const text = randomText(random, length)
      const wanted = Buffer.from(text, 'utf8')
      expect(bytesMax(text)).to.be.at.least(wanted.length)
      const at = random.int(9)
      const memory = Buffer.alloc(at + bytesMax(text) + 8, 0xee)
      expect(writeText(memory, at, text)).to.equal(wanted.length)
      expect(memory.subarray(at, at + wanted.length).equals(wanted)).to.equal(true)
      const around = [...memory.subarray(0, at), ...memory.subarray(at + bytesMax(text))]
      expect(around.every((byte) => byte === 0xee)).to.equal(true)
      expect(readText(memory, at, wanted.length)).to.equal(text)
    }
  })

  it('cuts ASCII that lies one behind the other into its texts, which keep little of each other', () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 300; round++) {
      const texts = Array.from({ length: random.int(60) }, () => {
        const length = random.pick([0, 1, 12, 13, 40, 1023, 1024, 1025, 5000])
        return Array.from({ length }, () => random.pick(['a', '~', '\0', '7'])).join('')
      })
      const at = random.int(5)
      const memory = Buffer.concat([Buffer.alloc(at, 0xee), Buffer.from(texts.join('')), memoryEnd])
      const lengths = Uint32Array.from(texts.flatMap(({ length }) => [99, length, 99]))
      expect(splitAscii(memory, at, lengths, 1, 3, texts.length)).to.deep.equal(texts)
    }
  })

  it('writes bytes as they are', () => {
    const memory = Buffer.alloc(20)
    const bytes = Uint8Array.of(255, 0, 128)
    expect(bytesMax(bytes)).to.equal(3)
    expect(writeText(memory, 5, bytes)).to.equal(3)
    expect([...memory.subarray(4, 9)]).to.deep.equal([0, 255, 0, 128, 0])
  })

  it('keeps U+FEFF, and reads what is not UTF-8 with U+FFFD in its place', () => {
    const memory = Buffer.alloc(100)
    for (const length of [10, 60]) {
      const text = `\ufeff${'x'.repeat(length)}`
      const bytes = writeText(memory, 0, text)
      expect(readText(memory, 0, bytes)).to.equal(text)
      memory[1] = 0xff
      expect(readText(memory, 1, bytes - 1)).to.include('\ufffd')
    }
  })
})
