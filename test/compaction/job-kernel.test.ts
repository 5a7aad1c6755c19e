import { expect } from 'chai'
import { runFlush } from '../../src/compaction/flush-job.ts'
import { borrowKernel, returnKernel } from '../../src/compaction/job-kernel.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { Memtable } from '../../src/kernel/memtable.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { bytesOf } from '../support/entries.ts'
import { runSteps } from '../support/file-of-bytes.ts'
import { entriesOfTable, writeSegment } from '../support/job-files.ts'
import { HASH_SEED, useTarget } from '../support/kernel.ts'
import { BASE_TIMESTAMP, HEADER } from '../support/memtables.ts'

const MIB = 1024 * 1024

describe('compaction/job-kernel', () => {
  before(async () => {
    await loadChecksums()
    useTarget()
  })

  it('lends each kernel to one job at a time, and keeps those of a flush within a compaction', () => {
    const compaction = borrowKernel(1n)
    const flush = borrowKernel(1n)
    const third = borrowKernel(1n)
    expect(new Set([compaction, flush, third]).size).to.equal(3)
    returnKernel(flush)
    returnKernel(compaction)
    returnKernel(third)
    const next = [borrowKernel(2n), borrowKernel(2n), borrowKernel(2n)]
    expect(next.slice(0, 2)).to.have.members([compaction, flush])
    expect(next[2]).not.to.equal(third)
  })

  it('keeps one kernel of a middling size, and no second', () => {
    const [one, other] = [borrowKernel(1n), borrowKernel(1n)]
    new Memtable(one, 10 * MIB).free()
    new Memtable(other, 10 * MIB).free()
    returnKernel(one)
    returnKernel(other)
    expect(borrowKernel(1n)).to.equal(one)
    expect(borrowKernel(1n)).not.to.equal(other)
  })

  it('does not keep a kernel that has grown large', () => {
    const kernel = borrowKernel(1n)
    new Memtable(kernel, 70 * MIB).free()
    expect(kernel.bytes).to.be.greaterThan(64 * MIB)
    returnKernel(kernel)
    const next = borrowKernel(1n)
    expect(next).not.to.equal(kernel)
    expect(next.bytes).to.be.lessThan(8 * MIB)
  })

  it('does not keep a kernel that has trapped', () => {
    const kernel = borrowKernel(1n)
    returnKernel(Object.create(kernel, { trapped: { value: true }, bytes: { value: 0 } }))
    expect(Object.getPrototypeOf(borrowKernel(1n))).not.to.equal(kernel)
  })

  it('lends a kernel with the hash seed of the job, not of the one before it', () => {
    const fs = new MemoryFileSystem()
    const entries = Array.from({ length: 50 }, (_, i) => ({
      ...{ key: bytesOf(`key ${i}`), kind: 1, value: bytesOf('v') },
      ...{ sequence: HEADER.firstSequence + i, timestamp: BASE_TIMESTAMP },
    }))
    for (const [i, hashSeed] of [HASH_SEED, 42n, HASH_SEED].entries()) {
      const job = { ...writeSegment(fs, '', i + 1, entries), hashSeed }
      const { tables } = runSteps(runFlush(fs, job))
      // Reading the table back verifies its filters, which are made of the seed.
      expect(entriesOfTable(fs, '', tables[0]!, hashSeed)).to.have.length(50)
    }
  })
})
