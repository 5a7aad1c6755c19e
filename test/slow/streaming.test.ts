/** A compaction of inputs that are larger than all of memory. */
import { expect } from 'chai'
import type { StreamReport } from '../support/memory-child.ts'
import { ENTRY_BYTES } from '../support/numbered-entries.ts'
import { MIB, runSmallHeap } from '../support/small-heap.ts'
import { tempDirectory } from '../support/temp.ts'

const ENTRIES = 2_800_000
const RESIDENT_MIB_MAX = 256
const JOB_KERNEL_MIB_MAX = 16

describe('slow/streaming', function () {
  this.timeout(3_600_000)

  for (const workers of [1, 0]) {
    it(`compacts 570 MiB at once in less than ${RESIDENT_MIB_MAX} MiB, and loses nothing, with workers: ${workers} [LIM-6, KRN-10]`, async () => {
      const args = ['stream', tempDirectory(), workers, ENTRIES]
      const report = await runSmallHeap<StreamReport>('memory-child.js', args)
      const peakMib = report.peakBytes / MIB
      const kernelMib = (report.jobKernelBytes ?? 0) / MIB
      const [mib, seconds] = [
        Math.round(report.outputBytes / MIB),
        report.compactSeconds.toFixed(1),
      ]
      console.log(`        ${mib} MiB out of ${report.inputTables} tables in ${seconds} s`)
      console.log(`        ${peakMib.toFixed(0)} MiB resident at most; ${JSON.stringify(report)}`)
      expect(report.outputBytes).to.be.greaterThan(ENTRIES * ENTRY_BYTES * 0.9)
      expect(report.problems).to.equal(0)
      expect(report.verified).to.equal(ENTRIES)
      expect(report.sampled).to.be.greaterThan(5000)
      expect(report.wrong).to.equal(0)
      expect(peakMib).to.be.lessThan(RESIDENT_MIB_MAX)
      expect(kernelMib).to.be.lessThan(JOB_KERNEL_MIB_MAX)
    })
  }
})
