/** Workloads about the whole store: opening it, compacting it, and how little it can live on. */
import { edgesOf } from '../shapes.ts'
import { type Bench, expectSame, shuffled, type Workload } from '../workload.ts'
import { fillBatches } from './writes.ts'

const EDGE_BYTES = 4 << 20
/** What one memtable holds, of four that share the write buffers. */
const UNSCANNED_BYTES = 12 << 20
const ENTRY_BYTES = 32

export const LIFECYCLE: readonly Workload[] = [
  {
    name: 'open',
    about: 'opening a loaded store that was closed, and its first get, in a new process',
    start: 'closed',
    writes: true,
    level: 'process',
    latencyOf: 'open',
    operations: () => 1,
    fits: () => true,
    run: readOne,
  },
  {
    name: 'open-killed',
    about: 'the same after kill -9, with a log of three quarters of the write buffers',
    start: 'killed',
    writes: true,
    level: 'process',
    latencyOf: 'open',
    operations: () => 1,
    fits: () => true,
    run: readOne,
  },
  {
    name: 'firstscan',
    about: 'the first entry of the first scan, after 12 MiB of puts in no order',
    start: 'empty',
    writes: true,
    level: 'process',
    latencyOf: 'scan',
    operations: () => 1,
    fits: (engine) => engine.scan !== undefined,
    prepare: fillMemtable,
    run: scanOne,
  },
  {
    name: 'compact',
    about:
      'compacting all, of entries that were written twice, in no order; an entry is an operation',
    start: 'empty',
    writes: true,
    level: 'process',
    latencyOf: 'compaction',
    operations: (entries) => entries,
    fits: (engine) => engine.compact !== undefined,
    prepare: async (bench) => {
      await fillBatches(bench)
      await fillBatches(bench)
    },
    run: (bench) => bench.engine.compact!(),
  },
  {
    name: 'edge',
    about: 'batches of 1,000, then as many reads, with 4 MiB of cache and 4 MiB of write buffers',
    start: 'empty',
    writes: true,
    level: 'process',
    latencyOf: 'batch of 1,000',
    budget: () => ({ cacheBytes: EDGE_BYTES, writeBufferBytes: EDGE_BYTES }),
    operations: (entries) => entries,
    fits: (engine) => engine.getSync !== undefined || engine.get !== undefined,
    run: fillAndRead,
  },
]

/** The first entry must be there. */
async function readOne({ engine, keys, values }: Bench): Promise<void> {
  const key = keys.present(0)
  const value = engine.getSync ? engine.getSync(key) : await engine.get!(key)
  expectSame('bytes read', edgesOf(value!), values.edgesOf(0))
}

async function fillMemtable(bench: Bench): Promise<void> {
  const { keys, values, seed } = bench
  const entryBytes = keys.present(0).length + values.of(0).length + ENTRY_BYTES
  const operations = Math.floor(UNSCANNED_BYTES / entryBytes)
  await fillBatches({ ...bench, operations, order: shuffled(operations, seed) })
}

async function scanOne({ engine, keys }: Bench): Promise<void> {
  let first = ''
  const scanned = engine.scan!({ reverse: false, limit: 1 }, (key) => {
    first = key
  })
  if (scanned instanceof Promise) await scanned
  if (first === '' || first > keys.present(0)) throw new Error('the first entry is another')
}

async function fillAndRead(bench: Bench): Promise<void> {
  await fillBatches(bench)
  const { engine, keys, values, operations, order } = bench
  let seen = 0
  let expected = 0
  for (let i = 0; i < operations; i++) {
    const key = keys.present(order[i]!)
    seen += edgesOf((engine.getSync ? engine.getSync(key) : await engine.get!(key))!)
    expected += values.edgesOf(order[i]!)
  }
  expectSame('bytes read', seen, expected)
}
