import { expect } from 'chai'
import { type FlushJob, flushMemtable, runFlush } from '../../src/compaction/flush-job.ts'
import type { Output } from '../../src/compaction/table-output.ts'
import { readFile } from '../../src/env/file-io.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { readSegment } from '../../src/log/segment-reader.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { CHUNKS, compareEntries, DELETE, type Entry, PUT } from '../reference/entry.ts'
import { survivors } from '../reference/survive.ts'
import { fileChecksum } from '../reference/table.ts'
import { flipBit, truncate } from '../support/damaged-store.ts'
import { bytesOf, randomKeys } from '../support/entries.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { runSteps } from '../support/file-of-bytes.ts'
import { entriesOfTable, writeSegment } from '../support/job-files.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { thrownBy } from '../support/manifests.ts'
import { STORE_ID } from '../support/memory-tables.ts'
import { appendAll, BASE_TIMESTAMP, entriesOf, newMemtable } from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const LOG = '000007.log'
const VALUES = '000007.val'
const TABLE = '000107.sst'

describe('compaction/flush-job', () => {
  let fs: MemoryFileSystem
  let entries: Entry[]
  let job: FlushJob

  before(loadChecksums)

  beforeEach(() => {
    fs = new MemoryFileSystem()
    const random = seededRandom(testSeed())
    entries = entriesOf(random, randomKeys(random, 40), 200)
    // The newest of all has a large value, and a key has nothing but a tombstone: both survive.
    const value = random.bytes(200_000)
    const key = new Uint8Array(60).fill(7)
    entries[198] = { ...entries[198]!, kind: DELETE, key, value: new Uint8Array(0) }
    entries[199] = { ...entries[199]!, kind: CHUNKS, value }
    job = writeSegment(fs, '', 7, entries)
  })

  function run(overrides: Partial<FlushJob> = {}): Output {
    return runSteps(runFlush(fs, { ...job, ...overrides }))
  }

  function expected(snapshots: readonly number[]): Entry[] {
    return survivors([...entries].sort(compareEntries), snapshots, false)
  }

  it('makes a table of level 0 of the newest versions, tombstones and large values included [LOG-6]', () => {
    const { tables, dropped } = run()
    const wanted = expected([])
    expect(tables).to.have.length(1)
    expect(entriesOfTable(fs, '', tables[0]!)).to.deep.equal(wanted)
    expect(dropped).to.equal(entries.length - wanted.length)
    expect(tables[0]).to.include({ number: 107, level: 0, entries: wanted.length, shadowed: 0 })
    expect(wanted.some(({ kind }) => kind === DELETE)).to.equal(true)
    expect(fs.list('/').sort()).to.deep.equal([LOG, VALUES, TABLE])
  })

  it('keeps the versions that live snapshots see', () => {
    const snapshots = [entries[50]!.sequence, entries[120]!.sequence]
    const { tables } = run({ snapshots })
    const wanted = expected(snapshots)
    expect(entriesOfTable(fs, '', tables[0]!)).to.deep.equal(wanted)
    expect(tables[0]!.shadowed).to.equal(wanted.length - expected([]).length)
  })

  it('describes the table as its file is', () => {
    const { tables, bytesWritten } = run()
    const file = readFile(fs, `/${TABLE}`)
    const wanted = expected([])
    const sequences = wanted.map(({ sequence }) => sequence)
    const rawBytes = wanted.reduce((sum, { key, kind, value }) => {
      return sum + key.length + (kind === CHUNKS ? 0 : value.length)
    }, 0)
    expect(tables[0]).to.deep.include({
      ...{ size: file.length, checksum: fileChecksum(file), valueBytes: 200_032 },
      ...{ smallest: wanted[0]!.key, largest: wanted.at(-1)!.key },
      ...{ minSequence: Math.min(...sequences), maxSequence: Math.max(...sequences) },
      tombstones: wanted.filter(({ kind }) => kind === DELETE).length,
    })
    expect(tables[0]!.rawBytes - 200_032).to.be.within(rawBytes, rawBytes + 16)
    expect(bytesWritten).to.equal(file.length)
  })

  it('takes a segment that recovery has cut back up to that length only', () => {
    // Without the seal, which is a frame without a payload.
    const { tables } = run({ length: job.length - 32 })
    expect(entriesOfTable(fs, '', tables[0]!)).to.deep.equal(expected([]))
  })

  it('refuses a segment that does not read back whole, and leaves nothing behind: B7 [LOG-3]', () => {
    flipBit(fs, `/${LOG}`, 200)
    expect(thrownBy(run)).to.include({ code: 'CORRUPTION', file: LOG, offset: 80 })
    flipBit(fs, `/${LOG}`, 200)
    flipBit(fs, `/${LOG}`, 20)
    expect(thrownBy(run)).to.include({ code: 'CORRUPTION', file: LOG, offset: 0 })
    flipBit(fs, `/${LOG}`, 20)
    const short = thrownBy(() => run({ length: job.length + 1 }))
    expect(short).to.include({ code: 'CORRUPTION', expected: job.length + 1, actual: job.length })
    truncate(fs, `/${LOG}`, job.length - 32)
    expect(thrownBy(run)).to.include({ code: 'CORRUPTION', file: LOG })
    expect(fs.list('/').sort()).to.deep.equal([LOG, VALUES])
  })

  it('refuses a large value that does not verify, and leaves nothing behind [LOG-6]', () => {
    flipBit(fs, `/${VALUES}`, 100_000)
    expect(thrownBy(run)).to.include({ code: 'CORRUPTION', file: VALUES, offset: 65_544 })
    expect(fs.list('/').sort()).to.deep.equal([LOG, VALUES])
    flipBit(fs, `/${VALUES}`, 100_000)
    expect(run().tables).to.have.length(1)
  })

  it('leaves it to the system to say why a value file cannot be read [ERR-7]', () => {
    fs.remove(`/${VALUES}`)
    expect(thrownBy(run)).to.include({ code: 'IO', file: VALUES })
    expect(fs.list('/').sort()).to.deep.equal([LOG])
  })

  it('leaves nothing behind when it is given up at any step', () => {
    for (let steps = 1; ; steps++) {
      const flush = runFlush(fs, job)
      let done = false
      for (let step = 0; step < steps && !done; step++) done = flush.next().done === true
      if (done) {
        expect(steps).to.be.greaterThan(4)
        break
      }
      flush.return(undefined as never)
      expect(fs.list('/').sort(), `after ${steps} steps`).to.deep.equal([LOG, VALUES])
    }
    expect(fs.list('/')).to.include(TABLE)
  })

  it('tells what the file system did, and removes its file where it can', () => {
    for (const [call, code] of [
      ['write', 'FULL'],
      ['sync', 'FULL'],
      ['rename', 'FULL'],
      ['read', 'FULL'],
    ] as const) {
      const failing = faultFileSystem(fs, (what) => (what === call ? 'ENOSPC' : undefined))
      const error = thrownBy(() => runSteps(runFlush(failing, job)))
      expect(error.code, call).to.equal(code)
      expect(fs.list('/').sort(), call).to.deep.equal([LOG, VALUES])
    }
    fs.remove(`/${LOG}`)
    expect(thrownBy(run)).to.include({ code: 'IO', file: LOG })
  })

  it('flushes the arena where the file is lost', () => {
    const kernel = createKernel()
    const source = { path: `/${LOG}`, name: LOG, storeId: STORE_ID, hashSeed: HASH_SEED, number: 7 }
    const { memtable, identity } = readSegment(kernel, fs, source)!
    fs.remove(`/${LOG}`)
    const { tables } = runSteps(flushMemtable(fs, kernel, job, memtable, identity))
    expect(entriesOfTable(fs, '', tables[0]!)).to.deep.equal(expected([]))
  })

  it('gives all back that it took of the kernel, wherever memory ends [KRN-14]', () => {
    const kernel = createKernel()
    const { allocatedBytes, setAllocationLimit } = kernel.exports
    const memtable = newMemtable(kernel, 1 << 20)
    appendAll(kernel, memtable, entries.slice(0, 100))
    const flush = (): Output => runSteps(flushMemtable(fs, kernel, job, memtable, 0n))
    flush()
    fs.remove(`/${TABLE}`)
    const before = allocatedBytes()
    for (let room = 0; room < 40_000; room += 16) {
      setAllocationLimit(before + room)
      const { code } = thrownBy(flush)
      setAllocationLimit(2 ** 32 - 1)
      expect([code, allocatedBytes()]).to.deep.equal(['LIMIT', before])
    }
    expect(fs.list('/').sort()).to.deep.equal([LOG, VALUES])
  })

  it('flushes an arena that is sorted on between its steps, as in idle time [KRN-9, KRN-10]', () => {
    const kernel = createKernel()
    const random = seededRandom(testSeed())
    // Two runs that would be made one.
    const keys = random.shuffle(Array.from({ length: 14_000 }, (_, i) => bytesOf(`${i + 10_000}`)))
    const rest = { kind: PUT, timestamp: BASE_TIMESTAMP, value: new Uint8Array(0) }
    const memtable = newMemtable(kernel, 2 << 20)
    appendAll(
      kernel,
      memtable,
      keys.map((key, i) => ({ ...rest, key, sequence: 1000 + i })),
    )
    const steps = flushMemtable(fs, kernel, job, memtable, 0n)
    let step = steps.next()
    while (!step.done) {
      memtable.sortStep()
      step = steps.next()
    }
    const made = entriesOfTable(fs, '', step.value.tables[0]!).map(({ key }) => key.join())
    expect(made).to.deep.equal(keys.map((key) => key.join()).sort())
  })
})
