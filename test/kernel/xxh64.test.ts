import { expect } from 'chai'
import xxhash from 'xxhash-wasm'
import { xxh64 } from '../reference/xxh64.ts'
import {
  CODEC_TARGETS,
  type CodecExports,
  type CodecKernel,
  codecKernel,
  halves,
} from '../support/codec-kernel.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

/** Published results for seed 0. */
const VECTORS: readonly (readonly [text: string, hash: bigint])[] = [
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['abc', 0x44bc2cf5ad770999n],
]

function randomSeed(random: Random): bigint {
  const [low, high] = [random.int(2 ** 32), random.int(2 ** 32)]
  return random.pick([0n, 1n, 42n, 2n ** 64n - 1n, BigInt(low) + (BigInt(high) << 32n)])
}

describe('kernel/xxh64', () => {
  let independent: (bytes: Uint8Array, seed: bigint) => bigint

  before(async () => {
    const { h64Raw } = await xxhash()
    independent = (bytes, seed) => BigInt.asUintN(64, h64Raw(bytes, seed))
  })

  for (const target of CODEC_TARGETS) {
    describe(target, () => {
      let kernel: CodecKernel
      let exports: CodecExports
      let region: number
      let state: number
      let out: number

      before(async function () {
        this.timeout(60_000)
        kernel = await codecKernel(target)
        exports = kernel.exports
        region = kernel.allocate(16_384)
        state = kernel.allocate(exports.xxh64StateBytes())
        out = kernel.allocate(8)
      })

      function hash(bytes: Uint8Array, seed: bigint, shift: number): bigint {
        exports.putXxh64(kernel.place(bytes, region + shift), bytes.length, ...halves(seed), out)
        return kernel.readU64(out)
      }

      function digest(): bigint {
        exports.putXxh64Digest(state, out)
        return kernel.readU64(out)
      }

      it('gives the published results', () => {
        for (const [text, expected] of VECTORS) {
          const bytes = new TextEncoder().encode(text)
          expect(hash(bytes, 0n, 0)).to.equal(expected)
          expect(xxh64(bytes, 0n)).to.equal(expected)
        }
      })

      it('agrees with its twin and xxhash-wasm on 0 to 200 bytes, at any alignment', () => {
        const random = seededRandom(testSeed())
        for (let length = 0; length <= 200; length++) {
          const bytes = random.bytes(length)
          const seed = randomSeed(random)
          const expected = independent(bytes, seed)
          expect(xxh64(bytes, seed)).to.equal(expected)
          for (let shift = 0; shift < 9; shift++) {
            expect(hash(bytes, seed, shift)).to.equal(expected)
          }
        }
      })

      it('agrees with its twin and xxhash-wasm on the sizes of blocks', () => {
        const random = seededRandom(testSeed())
        for (const length of [1000, 4063, 4064, 4095, 4096, 4097, 4112, 5000, 16_000]) {
          const bytes = random.bytes(length)
          const seed = randomSeed(random)
          const expected = independent(bytes, seed)
          expect(xxh64(bytes, seed)).to.equal(expected)
          expect(hash(bytes, seed, 3)).to.equal(expected)
        }
      })

      it('gives the same from a stream in pieces of any size, asked at any time', () => {
        const random = seededRandom(testSeed())
        for (let round = 0; round < 300; round++) {
          const bytes = random.bytes(random.int(random.pick([40, 200, 5000])))
          const seed = randomSeed(random)
          kernel.place(bytes, region)
          exports.xxh64ResetTo(state, ...halves(seed))
          for (let at = 0; at < bytes.length; ) {
            const piece = Math.min(bytes.length - at, random.int(random.pick([2, 33, 100, 3000])))
            exports.xxh64Update(state, region + at, piece)
            at += piece
            if (random.chance(0.1)) {
              expect(digest()).to.equal(independent(bytes.subarray(0, at), seed))
            }
          }
          expect(digest()).to.equal(independent(bytes, seed))
        }
      })

      it('keeps streams apart and inside their state', () => {
        const bytes = kernel.exports.xxh64StateBytes()
        const place = kernel.allocate(bytes * 2 + 64)
        kernel.bytes.fill(0xa5, place, place + bytes * 2 + 64)
        const first = place + 16
        const second = first + bytes
        exports.xxh64ResetTo(first, 1, 0)
        exports.xxh64ResetTo(second, 2, 0)
        const input = seededRandom(testSeed()).bytes(1000)
        const at = kernel.place(input, region)
        for (let piece = 0; piece < 1000; piece += 50) {
          exports.xxh64Update(first, at + piece, 50)
          exports.xxh64Update(second, at + piece, 50)
        }
        for (const [stream, seed] of [
          [first, 1n],
          [second, 2n],
        ] as const) {
          exports.putXxh64Digest(stream, out)
          expect(kernel.readU64(out)).to.equal(independent(input, seed))
        }
        const zones = [kernel.read(place, 16), kernel.read(second + bytes, 48)]
        expect(zones.every((zone) => zone.every((byte) => byte === 0xa5))).to.equal(true)
      })
    })
  }
})
