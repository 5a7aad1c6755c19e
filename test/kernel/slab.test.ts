import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { Slab } from '../../src/kernel/slab.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('kernel/slab', () => {
  it('hands out copies that nobody else writes to [KRN-6]', () => {
    const random = seededRandom(testSeed())
    const slab = new Slab(() => {})
    const source = random.bytes(10_000)
    const kept = source.slice()
    const taken = Array.from({ length: 500 }, () => {
      const at = random.int(5000)
      const length = random.pick([0, 1, 7, 8, 9, 100, 4096, 4097, 5000])
      return { at, length, bytes: slab.keep(source.subarray(at, at + length), random.chance(0.5)) }
    })
    source.fill(0)
    for (const { at, length, bytes } of random.shuffle(taken)) {
      expect(Buffer.compare(bytes, kept.subarray(at, at + length))).to.equal(0)
      bytes.fill(255)
    }
  })

  it('goes on in another slab when somebody has transferred this one [API-19, KRN-6]', () => {
    for (const length of [0, 10]) {
      const slab = new Slab(() => {})
      const source = new Uint8Array(length).fill(7)
      for (let round = 0; round < 3; round++) {
        const buffer = slab.keep(source, false).buffer as ArrayBuffer
        structuredClone(buffer, { transfer: [buffer] })
        expect(slab.keep(source, true)).to.deep.equal(Buffer.from(source))
        const shared = slab.share(source)
        structuredClone(shared.buffer, { transfer: [shared.buffer] })
      }
      const { buffer, start } = slab.share(source)
      expect(new Uint8Array(buffer, start, length)).to.deep.equal(source)
    }
  })

  it('hands out plain arrays or buffers [KRN-6]', () => {
    const slab = new Slab(() => {})
    for (const length of [10, 10_000]) {
      const source = new Uint8Array(length)
      expect(Buffer.isBuffer(slab.keep(source.subarray(0, length), false))).to.equal(false)
      expect(Buffer.isBuffer(slab.keep(source.subarray(0, length), true))).to.equal(true)
    }
  })

  it('cuts small copies from shared memory, which is protected, and gives large ones their own', () => {
    const shared: ArrayBuffer[] = []
    const slab = new Slab((buffer) => shared.push(buffer))
    const source = new Uint8Array(10_000)
    const small = Array.from({ length: 100 }, () => slab.keep(source.subarray(0, 100), false))
    expect(new Set(small.map(({ buffer }) => buffer))).to.deep.equal(new Set(shared))
    expect(shared.length).to.equal(1)
    const large = slab.keep(source.subarray(0, 5000), false)
    expect(large.buffer.byteLength).to.equal(5000)
    expect(shared).to.not.include(large.buffer)
    for (let i = 0; i < 1000; i++) slab.keep(source.subarray(0, 100), false)
    expect(shared.length).to.equal(2)
    expect(shared.every(({ byteLength }) => byteLength === 65_536)).to.equal(true)
  })

  it('copies the results of a batch as one, which is protected', () => {
    const shared: ArrayBuffer[] = []
    const slab = new Slab((buffer) => shared.push(buffer))
    for (const length of [20, 6000]) {
      const source = Uint8Array.from({ length: 7000 }, (_, i) => i)
      const { buffer, start } = slab.share(source.subarray(10, 10 + length))
      source.fill(0)
      const copy = new Uint8Array(buffer, start, length)
      expect([...copy]).to.deep.equal(Array.from({ length }, (_, i) => (i + 10) % 256))
      expect(shared.at(-1)).to.equal(buffer)
    }
    expect(shared.length).to.equal(2)
  })
})
