import { expect } from 'chai'
import type { Job } from '../../src/compaction/run-job.ts'
import type { Output } from '../../src/compaction/table-output.ts'
import type { WorkerSetup } from '../../src/compaction/worker-setup.ts'
import { NodeFileSystem } from '../../src/env/node-file-system.ts'
import { WorkerPool, type WorkerResult } from '../../src/env/worker-pool.ts'
import { kernelModule } from '../../src/kernel/kernel.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { compareEntries, type Entry } from '../reference/entry.ts'
import { survivors } from '../reference/survive.ts'
import { flipBit } from '../support/damaged-store.ts'
import { randomKeys } from '../support/entries.ts'
import { compactionOf, entriesOfTable, writeSegment } from '../support/job-files.ts'
import { useTarget } from '../support/kernel.ts'
import { entriesOf } from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { tempDirectory } from '../support/temp.ts'

const WORKER = new URL('../../src/compaction/worker.js', import.meta.url)

describe('compaction/worker', () => {
  const fs = new NodeFileSystem()
  let directory: string
  let entries: Entry[]
  let pool: WorkerPool

  before(async () => {
    await loadChecksums()
    useTarget()
  })

  beforeEach(() => {
    directory = tempDirectory()
    const random = seededRandom(testSeed())
    entries = entriesOf(random, randomKeys(random, 30), 200)
    const setup = (): WorkerSetup => ({ kernel: kernelModule() })
    pool = new WorkerPool({ url: WORKER, source: '', setup })
  })

  afterEach(() => pool.terminate())

  function ask(job: Job): Promise<WorkerResult> {
    return new Promise((resolve) => pool.run(job, resolve, { ...job, keepAlive: true }))
  }

  async function output(job: Job): Promise<Output> {
    const result = await ask(job)
    if (!result.ok) throw result.error
    return result.value as Output
  }

  it('flushes and compacts files of the disk with the kernel of the main thread', async () => {
    const jobs = [
      writeSegment(fs, directory, 1, entries.slice(0, 100)),
      writeSegment(fs, directory, 2, entries.slice(100)),
    ]
    const flushed = (await Promise.all(jobs.map(output))).flatMap(({ tables }) => tables)
    expect(flushed.map(({ number }) => number)).to.deep.equal([101, 102])
    const lists = flushed.map((table) => [table]).reverse()
    const { tables } = await output(compactionOf(directory, lists))
    const wanted = survivors([...entries].sort(compareEntries), [], false)
    expect(entriesOfTable(fs, directory, tables[0]!)).to.deep.equal(wanted)
  })

  it('tells why a job failed, and takes the next one', async () => {
    const job = writeSegment(fs, directory, 1, entries)
    flipBit(fs, `${directory}/000001.log`, 200)
    const result = await ask(job)
    expect(result).to.deep.include({ ok: false, reason: 'failed' })
    const { error } = result as { error: unknown }
    expect(error).to.include({ code: 'CORRUPTION', file: '000001.log', offset: 80 })
    flipBit(fs, `${directory}/000001.log`, 200)
    expect((await output(job)).tables).to.have.length(1)
  })
})
