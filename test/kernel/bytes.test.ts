import { expect } from 'chai'
import {
  CODEC_TARGETS,
  type CodecExports,
  type CodecKernel,
  codecKernel,
} from '../support/codec-kernel.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

/** Strings of up to 70 bytes, mostly equal ones, so that they differ late. */
function similar(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.int(70) }, () =>
    random.chance(0.97) ? 7 : random.int(256),
  )
}

describe('kernel/bytes', () => {
  for (const target of CODEC_TARGETS) {
    describe(target, () => {
      let kernel: CodecKernel
      let exports: CodecExports
      let region: number

      before(async function () {
        this.timeout(60_000)
        kernel = await codecKernel(target)
        exports = kernel.exports
        region = kernel.allocate(4096)
      })

      it('orders byte strings as unsigned bytes, a prefix first', () => {
        const random = seededRandom(testSeed())
        for (let round = 0; round < 20_000; round++) {
          const a = similar(random)
          const b = similar(random)
          const atA = kernel.place(a, region + random.int(16))
          const atB = kernel.place(b, region + 1024 + random.int(16))
          const order = exports.compareBytes(atA, a.length, atB, b.length)
          expect(Math.sign(order)).to.equal(Buffer.compare(a, b))
        }
      })

      it('tells bytes of 128 and more from small ones in every position', () => {
        for (let length = 1; length <= 40; length++) {
          for (let at = 0; at < length; at++) {
            const bytes = new Uint8Array(length).fill(1)
            const a = kernel.place(bytes, region)
            bytes[at] = 0x80
            const b = kernel.place(bytes, region + 1024)
            expect(exports.compareBytes(a, length, b, length)).to.be.lessThan(0)
            expect(exports.compareBytes(b, length, a, length)).to.be.greaterThan(0)
            expect(exports.commonPrefix(a, length, b, length)).to.equal(at)
          }
        }
      })

      it('counts the bytes that two strings share', () => {
        const random = seededRandom(testSeed())
        for (let round = 0; round < 20_000; round++) {
          const a = similar(random)
          const b = similar(random)
          const atA = kernel.place(a, region + random.int(16))
          const atB = kernel.place(b, region + 1024 + random.int(16))
          let shared = 0
          while (shared < Math.min(a.length, b.length) && a[shared] === b[shared]) shared++
          expect(exports.commonPrefix(atA, a.length, atB, b.length)).to.equal(shared)
        }
      })

      it('looks at no byte beyond the lengths', () => {
        const random = seededRandom(testSeed())
        for (let length = 0; length <= 40; length++) {
          const shared = random.bytes(length)
          kernel.place(random.bytes(128), region)
          kernel.place(random.bytes(128), region + 1024)
          const a = kernel.place(shared, region + 32)
          const b = kernel.place(shared, region + 1024 + 29)
          expect(exports.compareBytes(a, length, b, length)).to.equal(0)
          expect(exports.commonPrefix(a, length, b, length)).to.equal(length)
        }
      })

      it('works at the very end of memory', () => {
        const end = kernel.bytes.length
        for (let length = 0; length <= 40; length++) {
          const bytes = new Uint8Array(length).fill(length)
          const at = kernel.place(bytes, end - length)
          const other = kernel.place(bytes, region)
          expect(exports.compareBytes(at, length, other, length)).to.equal(0)
          expect(exports.areEqualBytes(at, other, length)).to.equal(1)
          exports.putHead64(at, length, region + 64)
          exports.copyBytes(region + 128, at, length)
          expect(kernel.read(region + 128, length)).to.deep.equal(bytes)
          exports.copyBytes(at, region, length)
        }
      })

      it('makes heads that are the first bytes, big-endian and zero padded', () => {
        const random = seededRandom(testSeed())
        for (let round = 0; round < 5_000; round++) {
          const bytes = random.bytes(random.int(20))
          kernel.place(random.bytes(64), region)
          const at = kernel.place(bytes, region + random.int(16))
          const padded = new DataView(
            Uint8Array.from({ length: 8 }, (_, i) => bytes[i] ?? 0).buffer,
          )
          exports.putHead64(at, bytes.length, region + 256)
          expect(kernel.readU64(region + 256)).to.equal(padded.getBigUint64(0))
        }
      })

      it('finds a difference in any byte of those that are compared, and in no other', () => {
        for (let length = 0; length <= 40; length++) {
          const bytes = Uint8Array.from({ length: length + 1 }, (_, i) => i)
          const at = kernel.place(bytes, region)
          for (let i = 0; i <= length; i++) {
            const other = kernel.place(bytes, region + 128)
            kernel.place(Uint8Array.of(255), other + i)
            expect(exports.areEqualBytes(at, other, length)).to.equal(i === length ? 1 : 0)
          }
        }
      })

      it('copies words between regions apart, and no byte more', () => {
        const random = seededRandom(testSeed())
        for (let length = 0; length <= 1100; length += length < 80 ? 1 : 51) {
          const bytes = random.bytes(length)
          kernel.place(new Uint8Array(length + 2).fill(7), region + 2047)
          exports.copyWords(region + 2048, kernel.place(bytes, region + 3), length)
          expect(kernel.read(region + 2048, length)).to.deep.equal(bytes)
          expect(kernel.read(region + 2047, 1)[0]).to.equal(7)
          expect(kernel.read(region + 2048 + length, 1)[0]).to.equal(7)
        }
      })

      it('copies any number of bytes, regions that overlap included, and no byte more', () => {
        const random = seededRandom(testSeed())
        for (let length = 0; length <= 80; length++) {
          for (const distance of [-100, -40, -17, -8, -3, -1, 0, 1, 3, 8, 17, 40, 100]) {
            const before = random.bytes(512)
            kernel.place(before, region)
            exports.copyBytes(region + 200 + distance, region + 200, length)
            const expected = before.slice()
            expected.copyWithin(200 + distance, 200, 200 + length)
            expect(kernel.read(region, 512)).to.deep.equal(expected)
          }
        }
      })
    })
  }
})
