import { expect } from 'chai'
import * as twin from '../reference/bloom-filter.ts'
import {
  CODEC_TARGETS,
  type CodecExports,
  type CodecKernel,
  codecKernel,
  halves,
} from '../support/codec-kernel.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

const REDZONE = 64

function randomHash(random: Random): bigint {
  return (BigInt(random.int(2 ** 32)) << 32n) | BigInt(random.int(2 ** 32))
}

function randomHashes(random: Random, count: number): bigint[] {
  return Array.from({ length: count }, () => randomHash(random))
}

/**
 * The rate of false positives to expect of this layout: a line holds a Poisson number of keys, and its bits are
 * set as if drawn independently.
 */
function expectedRate(keys: number, lines: number, probes: number): number {
  const mean = keys / lines
  let weight = Math.exp(-mean)
  let rate = 0
  for (let inLine = 1; inLine < 500; inLine++) {
    weight *= mean / inLine
    rate += weight * (1 - (1 - 1 / 512) ** (inLine * probes)) ** probes
  }
  return rate
}

describe('kernel/bloom-filter', () => {
  for (const target of CODEC_TARGETS) {
    describe(target, () => {
      let kernel: CodecKernel
      let exports: CodecExports
      let region: number

      before(async function () {
        this.timeout(60_000)
        kernel = await codecKernel(target)
        exports = kernel.exports
        region = kernel.allocate(1 << 20)
      })

      /** Makes a filter at `region + REDZONE`, with 0xa5 on both sides, and returns its bytes. */
      function build(lines: number, probes: number, hashes: readonly bigint[]): Uint8Array {
        const filter = region + REDZONE
        const end = filter + lines * 64
        kernel.bytes.fill(0xa5, region, end + REDZONE).fill(0, filter, end)
        for (const hash of hashes) {
          exports.bloomFilterAddHash(filter, lines, probes, ...halves(hash))
        }
        const zones = [kernel.read(region, REDZONE), kernel.read(end, REDZONE)]
        expect(zones.every((zone) => zone.every((byte) => byte === 0xa5))).to.equal(true)
        return kernel.read(filter, lines * 64)
      }

      function mayContain(lines: number, probes: number, hash: bigint): boolean {
        const filter = region + REDZONE
        return exports.bloomFilterMayContainHash(filter, lines, probes, ...halves(hash)) !== 0
      }

      it('has the lines and probes that the format says [TBL-8]', () => {
        const random = seededRandom(testSeed())
        for (let bits = 1; bits <= 64; bits++) {
          expect(exports.bloomFilterProbes(bits)).to.equal(twin.bloomFilterProbes(bits))
          for (const keys of [0, 1, 51, 52, 512, 1000, random.int(1e6), 30_000_000]) {
            const lines = twin.bloomFilterLines(keys, bits)
            expect(exports.bloomFilterLines(keys, bits)).to.equal(lines)
          }
        }
        expect(exports.bloomFilterProbes(10)).to.equal(7)
        expect(exports.bloomFilterLines(1000, 10)).to.equal(20)
        // Their product needs 64 bits.
        expect(exports.bloomFilterLines(2 ** 31, 10)).to.equal((2 ** 31 * 10) / 512)
      })

      it('sets the bits that the format says, by a worked example [TBL-8]', () => {
        // Line 1 of 2; probes 0x81020304 >> 23 = 258, then * 0x9e3779b9 = 0x4bbd11e4 >> 23 = 151.
        const filter = build(2, 2, [0x8000000081020304n])
        const bits = [...filter].flatMap((byte, index) =>
          [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => index * 8 + bit),
        )
        expect(bits).to.deep.equal([512 + 151, 512 + 258])
      })

      it('is its twin, bit by bit [TBL-8, TBL-11]', () => {
        const random = seededRandom(testSeed())
        for (const [keys, bitsPerKey] of [
          [0, 10],
          [1, 1],
          [1, 10],
          [40, 10],
          [333, 4],
          [1000, 14],
          [2000, 20],
        ] as const) {
          const hashes = randomHashes(random, keys)
          const lines = twin.bloomFilterLines(keys, bitsPerKey)
          const probes = twin.bloomFilterProbes(bitsPerKey)
          const filter = build(lines, probes, hashes)
          expect(filter).to.deep.equal(twin.bloomFilter(lines, probes, hashes))
          for (const hash of randomHashes(random, 1000)) {
            const expected = twin.bloomFilterMayContain(filter, probes, hash)
            expect(mayContain(lines, probes, hash)).to.equal(expected)
          }
        }
      })

      it('never denies a key that was added [TBL-8]', () => {
        const random = seededRandom(testSeed())
        for (const bitsPerKey of [1, 5, 10, 16]) {
          const hashes = [0n, 2n ** 64n - 1n, 2n ** 32n, ...randomHashes(random, 3000)]
          const lines = twin.bloomFilterLines(hashes.length, bitsPerKey)
          const probes = twin.bloomFilterProbes(bitsPerKey)
          build(lines, probes, hashes)
          expect(hashes.every((hash) => mayContain(lines, probes, hash))).to.equal(true)
        }
      })

      it('lets through about one other key in a hundred at 10 bits a key [TBL-8]', () => {
        const random = seededRandom(testSeed())
        const keys = 20_000
        const lines = exports.bloomFilterLines(keys, 10)
        const probes = exports.bloomFilterProbes(10)
        build(lines, probes, randomHashes(random, keys))
        const questions = 100_000
        let positives = 0
        for (let asked = 0; asked < questions; asked++) {
          if (mayContain(lines, probes, randomHash(random))) positives++
        }
        const expected = expectedRate(keys, lines, probes)
        expect(expected).to.be.within(0.008, 0.012)
        expect(positives / questions).to.be.within(expected / 1.3, expected * 1.3)
      })

      it('denies everything while it is empty [TBL-8]', () => {
        build(4, 7, [])
        const random = seededRandom(testSeed())
        expect(randomHashes(random, 1000).some((hash) => mayContain(4, 7, hash))).to.equal(false)
      })
    })
  }
})
