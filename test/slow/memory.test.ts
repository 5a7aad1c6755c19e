/** How much memory a store takes while millions of entries go through it. */
import { expect } from 'chai'
import type { FillReport } from '../support/memory-child.ts'
import { ENTRY_BYTES } from '../support/numbered-entries.ts'
import { MIB, runSmallHeap } from '../support/small-heap.ts'
import { tempDirectory } from '../support/temp.ts'

const ENTRIES = 4_000_000
const RESIDENT_MIB_MAX = 256

describe('slow/memory', function () {
  this.timeout(3_600_000)

  for (const workers of [1, 0]) {
    it(`writes and scans 4,000,000 entries in less than ${RESIDENT_MIB_MAX} MiB with workers: ${workers} [LIM-6]`, async () => {
      const args = ['fill', tempDirectory(), workers, ENTRIES]
      const report = await runSmallHeap<FillReport>('memory-child.js', args)
      const peakMib = report.peakBytes / MIB
      const written = Math.round((ENTRIES * ENTRY_BYTES) / MIB)
      const [write, scan] = [report.writeSeconds.toFixed(0), report.scanSeconds.toFixed(0)]
      console.log(`        ${written} MiB written in ${write} s, scanned in ${scan} s`)
      console.log(`        ${peakMib.toFixed(0)} MiB resident at most; ${JSON.stringify(report)}`)
      expect(report.found).to.equal(ENTRIES)
      expect(report.wrong).to.equal(0)
      expect(peakMib).to.be.lessThan(RESIDENT_MIB_MAX)
    })
  }
})
