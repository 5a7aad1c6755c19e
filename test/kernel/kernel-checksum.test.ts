import { expect } from 'chai'
import { Kernel } from '../../src/kernel/kernel.ts'
import { hash64By, kernelHash64 } from '../../src/kernel/kernel-checksum.ts'
import { Hash64, loadChecksums } from '../../src/util/checksum.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('kernel/kernel-checksum', () => {
  before(loadChecksums)

  it('is the XXH64 of another implementation, for any length and seed [KRN-19]', () => {
    const random = seededRandom(testSeed())
    const byStore = hash64By(Kernel.create(1 << 20, 0n))
    for (const length of [0, 1, 31, 32, 33, 4096, 4097, 200_000, 5, 70_000]) {
      const bytes = random.bytes(length)
      for (const seed of [0n, 1n, 2n ** 64n - 1n, BigInt(random.int(2 ** 52)) << 11n]) {
        const expected = new Hash64(seed).update(bytes).digest()
        expect(kernelHash64(bytes, seed), `${length} bytes`).to.equal(expected)
        expect(byStore(bytes, seed), `${length} bytes`).to.equal(expected)
      }
    }
  })

  it('changes none of the bytes', () => {
    const bytes = new Uint8Array(100).fill(7)
    kernelHash64(bytes, 3n)
    expect(bytes).to.deep.equal(new Uint8Array(100).fill(7))
  })
})
