import { expect } from 'chai'
import { type CompactionJob, runCompaction } from '../../src/compaction/compaction-job.ts'
import { borrowKernel, returnKernel } from '../../src/compaction/job-kernel.ts'
import type { Output } from '../../src/compaction/table-output.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { TableDescription } from '../../src/table/table-files.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { tableFileName } from '../../src/version/file-names.ts'
import { CHUNKS, compareEntries, compareKeys, type Entry } from '../reference/entry.ts'
import { survivors } from '../reference/survive.ts'
import { flipBit } from '../support/damaged-store.ts'
import { randomKeys } from '../support/entries.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { runSteps } from '../support/file-of-bytes.ts'
import { compactionOf, entriesOfTable, writeTable } from '../support/job-files.ts'
import { HASH_SEED } from '../support/kernel.ts'
import { thrownBy } from '../support/manifests.ts'
import { entriesOf } from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const INPUTS = ['000011.sst', '000012.sst', '000013.sst']

describe('compaction/compaction-job', () => {
  let fs: MemoryFileSystem
  let entries: Entry[]
  let lists: TableDescription[][]

  before(loadChecksums)

  /** The older half is one list of two tables that do not overlap, the newer half a table over both. */
  beforeEach(() => {
    fs = new MemoryFileSystem()
    const random = seededRandom(testSeed())
    entries = entriesOf(random, randomKeys(random, 60), 300)
    entries[299] = { ...entries[299]!, kind: CHUNKS, value: random.bytes(150_000) }
    const older = entries.slice(0, 150).sort(compareEntries)
    const middle = older[75]!.key
    const low = older.filter(({ key }) => compareKeys(key, middle) < 0)
    const high = older.filter(({ key }) => compareKeys(key, middle) >= 0)
    lists = [
      [writeTable(fs, '', 13, entries.slice(150))],
      [writeTable(fs, '', 11, low), writeTable(fs, '', 12, high)],
    ]
  })

  function run(options: Partial<CompactionJob> = {}): Output {
    return runSteps(runCompaction(fs, compactionOf('', lists, options)))
  }

  function content({ tables }: Output): Entry[] {
    return tables.flatMap((table) => entriesOfTable(fs, '', table))
  }

  function expected(snapshots: readonly number[], dropTombstones: boolean): Entry[] {
    return survivors([...entries].sort(compareEntries), snapshots, dropTombstones)
  }

  it('merges its inputs into what some reader sees, and drops tombstones only at the bottom [CMP-6]', () => {
    const some = [entries[100]!.sequence, entries[200]!.sequence]
    let first = 200
    for (const snapshots of [[], some]) {
      for (const dropTombstones of [false, true]) {
        const output = run({ snapshots, dropTombstones, tableNumbers: [first++] })
        const wanted = expected(snapshots, dropTombstones)
        expect(content(output)).to.deep.equal(wanted)
        expect(output.dropped).to.equal(entries.length - wanted.length)
        expect(output.tables[0]).to.include({ level: 1, entries: wanted.length })
      }
    }
  })

  it('gives all back that it took of the kernel, wherever memory ends [KRN-14]', () => {
    const kernel = borrowKernel(HASH_SEED)
    returnKernel(kernel)
    const { allocatedBytes, setAllocationLimit } = kernel.exports
    const runAgain = (): void => {
      for (const { number } of run().tables) fs.remove(`/${tableFileName(number)}`)
    }
    runAgain()
    const before = allocatedBytes()
    for (let room = 0; room < 40_000; room += 64) {
      setAllocationLimit(before + room)
      const { code } = thrownBy(runAgain)
      setAllocationLimit(2 ** 32 - 1)
      expect([code, allocatedBytes()]).to.deep.equal(['LIMIT', before])
    }
    expect(fs.list('/').sort()).to.deep.equal(INPUTS)
  })

  it('leaves its inputs as they are', () => {
    const before = lists.flat().map((table) => entriesOfTable(fs, '', table))
    run()
    expect(lists.flat().map((table) => entriesOfTable(fs, '', table))).to.deep.equal(before)
    expect(fs.list('/').sort()).to.deep.equal([...INPUTS, '000200.sst'])
  })

  it('begins new tables between keys, as many as it has numbers for', () => {
    const snapshots = entries.map(({ sequence }) => sequence)
    const output = run({ snapshots, tableBytes: 1, tableNumbers: [300, 305, 306] })
    expect(output.tables.map(({ number }) => number)).to.deep.equal([300, 305, 306])
    expect(content(output)).to.deep.equal(expected(snapshots, false))
    for (const [i, table] of output.tables.entries()) {
      const keys = entriesOfTable(fs, '', table).map(({ key }) => key)
      expect([table.smallest, table.largest]).to.deep.equal([keys[0], keys.at(-1)])
      const next = output.tables[i + 1]
      if (next !== undefined) expect(compareKeys(table.largest, next.smallest)).to.be.lessThan(0)
    }
  })

  it('makes no table where nothing survives', () => {
    const key = Uint8Array.of(1)
    const one = { key, kind: 2, sequence: 5, timestamp: 0, value: new Uint8Array(0) }
    lists = [[writeTable(fs, '', 14, [one])]]
    const output = run({ dropTombstones: true })
    expect(output).to.deep.include({ tables: [], dropped: 1 })
    expect(fs.list('/').sort()).to.deep.equal([...INPUTS, '000014.sst'])
  })

  it('compresses blocks, and its twin reads them back', () => {
    const value = new Uint8Array(1000).fill(9)
    const plain = entries.map((entry) => (entry.kind === 1 ? { ...entry, value } : entry))
    lists = [[writeTable(fs, '', 14, plain)]]
    const none = run({ tableNumbers: [400] })
    const lz4 = run({ tableNumbers: [401], compression: 'lz4' })
    const tables = [none, lz4].map((output) => content(output))
    expect(tables[1]).to.deep.equal(tables[0])
    expect(lz4.tables[0]!.size - 150_000).to.be.lessThan((none.tables[0]!.size - 150_000) / 2)
  })

  it('names the file of a damaged input, and leaves nothing behind [TBL-10]', () => {
    for (const offset of [3, 100, lists[1]![0]!.size - 1]) {
      flipBit(fs, '/000011.sst', offset)
      expect(thrownBy(run)).to.include({ code: 'CORRUPTION', file: '000011.sst' })
      expect(fs.list('/').sort()).to.deep.equal(INPUTS)
      flipBit(fs, '/000011.sst', offset)
    }
    expect(content(run())).to.deep.equal(expected([], false))
  })

  it('takes no chunk of a large value over that does not verify [TBL-10]', () => {
    const table = lists[0]![0]!
    flipBit(fs, '/000013.sst', Math.floor(table.size / 2))
    expect(thrownBy(run)).to.include({ code: 'CORRUPTION', file: '000013.sst' })
    expect(fs.list('/').sort()).to.deep.equal(INPUTS)
  })

  it('leaves nothing behind when it is given up, whatever has been finished', () => {
    const options = { tableBytes: 1, tableNumbers: [200, 201, 202] }
    const seen = new Set<string>()
    for (let steps = 1; ; steps++) {
      const steady = runCompaction(fs, compactionOf('', lists, options))
      let done = false
      for (let step = 0; step < steps && !done; step++) done = steady.next().done === true
      if (done) break
      for (const name of fs.list('/')) seen.add(name)
      steady.return(undefined as never)
      expect(fs.list('/').sort(), `after ${steps} steps`).to.deep.equal(INPUTS)
    }
    expect([...seen]).to.include.members(['000200.sst', '000201.sst'])
  })

  it('removes what it has finished when a later table fails', () => {
    const options = { tableBytes: 1, tableNumbers: [200, 201, 202] }
    const failing = faultFileSystem(fs, (call, path) =>
      call === 'rename' && path.includes('202') ? 'EIO' : undefined,
    )
    const error = thrownBy(() => runSteps(runCompaction(failing, compactionOf('', lists, options))))
    expect(error).to.include({ code: 'IO', file: '000202.sst' })
    expect(fs.list('/').sort()).to.deep.equal(INPUTS)
  })
})
