import * as zlib from 'node:zlib'
import { expect } from 'chai'
import { runtimeZstd } from '../../src/env/zstd.ts'

describe('env/zstd', () => {
  const zstd = runtimeZstd()

  it('is there if and only if the runtime has it [OPT-8]', () => {
    expect(zstd !== undefined).to.equal('zstdCompressSync' in zlib)
  })

  it('gives back what was compressed, and refuses what is not zstd or too large [OPT-8]', () => {
    // Node 20 has no zstd; the runtime matrix covers it on those that do.
    if (zstd === undefined) {
      expect(runtimeZstd()).to.equal(undefined)
      return
    }
    const bytes = new Uint8Array(10_000).fill(7)
    const packed = zstd.compress(bytes)
    expect(packed.length).to.be.lessThan(bytes.length)
    expect(Buffer.compare(zstd.decompress(packed, bytes.length), bytes)).to.equal(0)
    expect(() => zstd.decompress(packed, 10)).to.throw()
    expect(() => zstd.decompress(bytes, 10_000)).to.throw()
  })
})
