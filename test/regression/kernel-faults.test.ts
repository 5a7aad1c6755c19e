/**
 * Kernels that trap, and memory that ends, at some of the places that the fault suites try: flushes were waited for without end once, and
 * writes that were on disk were never acknowledged.
 */
import { expect } from 'chai'
import { runKernelFault } from '../faults/kernel-faults.ts'
import { testSeed } from '../support/seed.ts'

describe('regression/kernel-faults', function () {
  this.timeout(60_000)

  it('leaves nobody waiting when the kernel traps, and never calls it again: G5 [DUR-13, KRN-5]', async () => {
    let count = 0
    for (let trapAt = 1; trapAt < 3000; trapAt += 61) {
      await runKernelFault({ trapAt }, testSeed())
      count++
    }
    // Those that were seen to hang.
    for (const trapAt of [116, 181, 234]) await runKernelFault({ trapAt }, 3)
    expect(count).to.equal(50)
  })

  it('goes on when there is memory again: G4 [LIM-5, DUR-5]', async () => {
    let count = 0
    for (let roomBytes = 0; roomBytes < 400_000; roomBytes += 10_007) {
      await runKernelFault({ roomBytes }, testSeed())
      count++
    }
    expect(count).to.equal(40)
  })
})
