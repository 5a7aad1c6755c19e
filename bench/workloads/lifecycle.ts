/** Workloads about the whole store: opening it, compacting it, and how little it can live on. */
import { edgesOf } from '../shapes.ts'
import { type Bench, expectSame, type Workload } from '../workload.ts'
import { fillBatches } from './writes.ts'

const EDGE_BYTES = 4 << 20

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
