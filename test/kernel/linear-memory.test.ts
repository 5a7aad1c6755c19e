import { expect } from 'chai'
import { createKernel } from '../support/kernel.ts'

describe('kernel/linear-memory', () => {
  it('makes its views anew when memory has grown [KRN-3]', () => {
    const { exports, memory } = createKernel()
    const [bytes, results, size] = [memory.bytes, memory.results, memory.size]
    expect(memory.bytes).to.equal(bytes)
    expect(memory.results).to.equal(results)
    const at = exports.scratchReserve(4 << 20) >>> 0
    expect(memory.size).to.be.greaterThan(size + (3 << 20))
    expect(bytes.length).to.equal(0)
    expect(memory.bytes).to.not.equal(bytes)
    memory.bytes[at] = 77
    expect(memory.view(at, 2)[0]).to.equal(77)
    expect(memory.bytes.length).to.equal(memory.size)
    memory.results[3] = 1.5
    expect(memory.results[3]).to.equal(1.5)
    expect(memory.results.length).to.equal(16)
  })

  it('keeps views of small copies until memory grows, and makes them anew then [KRN-3]', () => {
    const { exports, memory } = createKernel()
    const small = memory.small(100)
    expect([small.length, small.byteOffset]).to.deep.equal([100, exports.resultAddress() + 128])
    expect(memory.small(100)).to.equal(small)
    expect(memory.small(0).length).to.equal(0)
    exports.scratchReserve(4 << 20)
    expect(memory.small(100)).to.not.equal(small)
    expect(memory.small(100).length).to.equal(100)
  })

  it('gives copies that stay, and views that do not [KRN-6]', () => {
    const kernel = createKernel()
    const at = kernel.scratch(16)
    const { memory } = kernel
    memory.bytes.fill(1, at, at + 16)
    const [copy, view] = [memory.copy(at, 16), memory.view(at, 16)]
    memory.bytes.fill(2, at, at + 16)
    expect([copy[0], view[0]]).to.deep.equal([1, 2])
  })
})
