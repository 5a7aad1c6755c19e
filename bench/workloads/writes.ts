/** Workloads that write, into an empty store unless they say otherwise. */
import type { Bench, Workload } from '../workload.ts'

/** Puts of one turn, and operations of one batch. */
const TURN = 1000
const AT_ONCE = 64

const FILL = {
  start: 'empty',
  writes: true,
  level: 'process',
  operations: (entries: number) => entries,
} as const
const OVER = { ...FILL, start: 'loaded' } as const

export const WRITES: readonly Workload[] = [
  {
    ...FILL,
    name: 'fillseq',
    about: 'puts in the order of keys, 1,000 a turn, all awaited',
    latencyOf: 'turn of 1,000',
    fits: (engine) => engine.put !== undefined,
    run: (bench) => putTurns(bench, (i) => i, TURN),
  },
  {
    ...FILL,
    name: 'fillrandom',
    about: 'puts in no order, 1,000 a turn, all awaited',
    latencyOf: 'turn of 1,000',
    fits: (engine) => engine.put !== undefined,
    run: (bench) => putTurns(bench, (i) => bench.order[i]!, TURN),
  },
  {
    ...OVER,
    name: 'overwrite',
    about: 'puts of entries that are there, 1,000 a turn, all awaited',
    latencyOf: 'turn of 1,000',
    fits: (engine) => engine.put !== undefined,
    run: (bench) => putTurns(bench, (i) => bench.order[i]!, TURN),
  },
  {
    ...OVER,
    name: 'deleterandom',
    about: 'deletes of random entries, 1,000 a turn, all awaited',
    latencyOf: 'turn of 1,000',
    fits: (engine) => engine.delete !== undefined,
    run: deleteTurns,
  },
  {
    ...FILL,
    name: 'fillbatch',
    about: 'batches of 1,000 in no order, each awaited',
    latencyOf: 'batch of 1,000',
    fits: () => true,
    run: (bench) => fillBatches(bench),
  },
  {
    ...FILL,
    name: 'put',
    about: 'one put at a time in no order, each awaited',
    latencyOf: 'put',
    operations: (entries) => Math.min(entries, 50_000),
    fits: (engine) => engine.put !== undefined,
    run: (bench) => putTurns(bench, (i) => bench.order[i]!, 1),
  },
  {
    ...FILL,
    name: 'putsync',
    about: 'puts in no order by the synchronous call',
    latencyOf: 'put',
    operations: (entries) => Math.min(entries, 200_000),
    fits: (engine) => engine.putSync !== undefined,
    run: putSynchronously,
  },
  {
    ...FILL,
    name: 'fillsync',
    about: 'one put at a time, each on the disk (fdatasync) before the next',
    latencyOf: 'put',
    level: 'disk',
    operations: (entries) => Math.min(entries, 1000),
    fits: (engine) => engine.put !== undefined,
    run: (bench) => putTurns(bench, (i) => bench.order[i]!, 1),
  },
  {
    ...FILL,
    name: 'putsync-disk',
    about: 'one synchronous put at a time, each on the disk (fdatasync) when it returns',
    latencyOf: 'put',
    level: 'disk',
    operations: (entries) => Math.min(entries, 1000),
    fits: (engine) => engine.putSync !== undefined,
    run: putSynchronously,
  },
  {
    ...FILL,
    name: 'fillsync-64',
    about: '64 puts at once, or a batch of 64, all on the disk (fdatasync) before the next',
    latencyOf: '64 puts',
    level: 'disk',
    operations: (entries) => Math.min(entries, AT_ONCE * 300),
    fits: () => true,
    run: (bench) =>
      bench.engine.put
        ? putTurns(bench, (i) => bench.order[i]!, AT_ONCE)
        : fillBatches(bench, AT_ONCE),
  },
  {
    ...FILL,
    name: 'fill100K',
    about: 'one put of 100,000 bytes at a time in no order',
    latencyOf: 'put',
    valueBytes: 100_000,
    operations: (entries) => Math.min(Math.ceil(entries / 100), 2000),
    fits: () => true,
    run: (bench) =>
      bench.engine.put ? putTurns(bench, (i) => bench.order[i]!, 1) : putSynchronously(bench),
  },
]

async function putTurns(
  { engine, keys, values, operations, histogram }: Bench,
  entryOf: (i: number) => number,
  turn: number,
): Promise<void> {
  let before = performance.now()
  for (let from = 0; from < operations; from += turn) {
    const end = Math.min(from + turn, operations)
    if (turn === 1) await engine.put!(keys.present(entryOf(from)), values.of(entryOf(from)))
    else {
      const puts: Promise<unknown>[] = []
      for (let i = from; i < end; i++) {
        const entry = entryOf(i)
        puts.push(engine.put!(keys.present(entry), values.of(entry)))
      }
      await Promise.all(puts)
    }
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
}

async function deleteTurns({ engine, keys, operations, order, histogram }: Bench): Promise<void> {
  let before = performance.now()
  for (let from = 0; from < operations; from += TURN) {
    const deletes: Promise<unknown>[] = []
    for (const entry of order.subarray(from, from + TURN)) {
      deletes.push(engine.delete!(keys.present(entry)))
    }
    await Promise.all(deletes)
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
}

function putSynchronously({ engine, keys, values, operations, order, histogram }: Bench): void {
  let before = performance.now()
  for (let i = 0; i < operations; i++) {
    const entry = order[i]!
    engine.putSync!(keys.present(entry), values.of(entry))
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
}

/** Also how a store is loaded for the workloads that read. */
export async function fillBatches(bench: Bench, size: number = TURN): Promise<void> {
  const { engine, keys, values, operations, order, histogram } = bench
  let before = performance.now()
  for (let from = 0; from < operations; from += size) {
    const batchKeys: string[] = []
    const batchValues: Buffer[] = []
    for (const entry of order.subarray(from, Math.min(from + size, operations))) {
      batchKeys.push(keys.present(entry))
      batchValues.push(values.of(entry))
    }
    await engine.batch(batchKeys, batchValues)
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
}
