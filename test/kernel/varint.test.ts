import { expect } from 'chai'
import { decodeVarint, encodeVarint } from '../reference/varint.ts'
import {
  CODEC_TARGETS,
  type CodecExports,
  type CodecKernel,
  codecKernel,
  halves,
} from '../support/codec-kernel.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const LIMIT = 2n ** 56n

/** Numbers of every length, and their neighbours where the length changes. */
function numbers(random: Random): bigint[] {
  const found = new Set([0n, 1n, 300n, LIMIT - 1n])
  for (let bits = 1n; bits < 56n; bits++) {
    const power = 2n ** bits
    const part = BigInt(Math.floor(random.float() * 2 ** 53)) % power
    for (const value of [power - 1n, power, power + 1n, power + part]) found.add(value)
  }
  return [...found]
}

describe('kernel/varint', () => {
  for (const target of CODEC_TARGETS) {
    describe(target, () => {
      let kernel: CodecKernel
      let exports: CodecExports
      let region: number
      let out: number

      before(async function () {
        this.timeout(60_000)
        kernel = await codecKernel(target)
        exports = kernel.exports
        region = kernel.allocate(64)
        out = kernel.allocate(8)
      })

      /** What the kernel reads from `bytes`, as the twin tells it. */
      function read(bytes: Uint8Array): ReturnType<typeof decodeVarint> {
        const at = kernel.place(bytes, region + 16)
        const next = exports.readVarintTo(at, at + bytes.length, out)
        return next === 0 ? undefined : { value: kernel.readU64(out), bytes: next - at }
      }

      it('writes 7 bits a byte, low bits first [TBL-5]', () => {
        const next = exports.putVarintOf(region, 300, 0)
        expect(kernel.read(region, next - region)).to.deep.equal(Uint8Array.of(0xac, 0x02))
      })

      it('writes what its twin writes and says how long it is [TBL-5]', () => {
        for (const value of numbers(seededRandom(testSeed()))) {
          kernel.bytes.fill(0xa5, region, region + 16)
          const next = exports.putVarintOf(region, ...halves(value))
          const expected = encodeVarint(value)
          expect(kernel.read(region, next - region)).to.deep.equal(expected)
          expect(exports.varintBytesOf(...halves(value))).to.equal(expected.length)
          expect(kernel.bytes[next]).to.equal(0xa5)
        }
      })

      it('reads what it wrote, up to 8 bytes, and leaves the rest [TBL-5]', () => {
        for (const value of numbers(seededRandom(testSeed()))) {
          const bytes = encodeVarint(value)
          const followed = Uint8Array.of(...bytes, 0xff, 0x01)
          expect(read(bytes)).to.deep.equal({ value, bytes: bytes.length })
          expect(read(followed)).to.deep.equal({ value, bytes: bytes.length })
        }
      })

      it('refuses one that is cut off, wherever [TBL-5]', () => {
        for (const value of numbers(seededRandom(testSeed()))) {
          const bytes = encodeVarint(value)
          for (let length = 0; length < bytes.length; length++) {
            // What follows in memory would complete it.
            kernel.place(bytes, region + 16)
            const end = region + 16 + length
            expect(exports.readVarintTo(region + 16, end, out)).to.equal(0)
          }
        }
      })

      it('refuses padding and more than 8 bytes [TBL-5]', () => {
        for (let length = 2; length <= 12; length++) {
          const padded = new Uint8Array(length).fill(0x80)
          padded[length - 1] = 0
          expect(read(padded)).to.equal(undefined)
          const long = new Uint8Array(length).fill(0xff)
          long[length - 1] = 0x01
          expect(read(long) === undefined).to.equal(length > 8)
        }
      })

      it('agrees with its twin on any bytes [TBL-5]', () => {
        const random = seededRandom(testSeed())
        for (let round = 0; round < 20_000; round++) {
          const bytes = Uint8Array.from({ length: random.int(12) }, () =>
            random.chance(0.2) ? random.int(3) : random.int(256) | (random.chance(0.8) ? 128 : 0),
          )
          expect(read(bytes)).to.deep.equal(decodeVarint(bytes))
        }
      })
    })
  }

  it('stops a caller with a number of more than 56 bits in the checked build [TBL-5]', async () => {
    const kernel = await codecKernel('checked')
    const at = kernel.allocate(16)
    expect(() => kernel.exports.putVarintOf(at, ...halves(LIMIT))).to.throw('varint')
    expect(kernel.exports.putVarintOf(at, ...halves(LIMIT - 1n)) - at).to.equal(8)
  })
})
