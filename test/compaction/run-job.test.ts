import { expect } from 'chai'
import { runJob } from '../../src/compaction/run-job.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { compareEntries } from '../reference/entry.ts'
import { survivors } from '../reference/survive.ts'
import { randomKeys } from '../support/entries.ts'
import { runSteps } from '../support/file-of-bytes.ts'
import { compactionOf, entriesOfTable, writeSegment } from '../support/job-files.ts'
import { entriesOf } from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('compaction/run-job', () => {
  before(loadChecksums)

  it('runs either kind of job: flushes make tables that a compaction merges', () => {
    const fs = new MemoryFileSystem()
    const random = seededRandom(testSeed())
    const entries = entriesOf(random, randomKeys(random, 30), 200)
    const flushes = [
      writeSegment(fs, '', 1, entries.slice(0, 100)),
      writeSegment(fs, '', 2, entries.slice(100)),
    ]
    const flushed = flushes.flatMap((job) => runSteps(runJob(fs, job)).tables)
    expect(flushed.map(({ level, number }) => [level, number])).to.deep.equal([
      [0, 101],
      [0, 102],
    ])
    const lists = flushed.map((table) => [table]).reverse()
    const { tables } = runSteps(runJob(fs, compactionOf('', lists, { dropTombstones: true })))
    const wanted = survivors([...entries].sort(compareEntries), [], true)
    expect(tables.map(({ level, number }) => [level, number])).to.deep.equal([[1, 200]])
    expect(entriesOfTable(fs, '', tables[0]!)).to.deep.equal(wanted)
  })

  it('takes and gives what can be cloned to another thread', () => {
    const fs = new MemoryFileSystem()
    const random = seededRandom(testSeed())
    const job = writeSegment(fs, '', 1, entriesOf(random, randomKeys(random, 5), 10))
    const output = runSteps(runJob(fs, structuredClone(job)))
    expect(structuredClone(output)).to.deep.equal(output)
    const list = [structuredClone(output).tables]
    const merged = runSteps(runJob(fs, structuredClone(compactionOf('', list))))
    expect(merged.tables[0]!.entries).to.equal(output.tables[0]!.entries)
  })
})
