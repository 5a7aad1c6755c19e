/** Workloads that write into an empty store. */
import type { Bench, Workload } from '../workload.ts'

/** Puts of one turn, and operations of one batch. */
const TURN = 1000
const AT_ONCE = 64

const FILL = { start: 'empty', writes: true, level: 'process' } as const

export const WRITES: readonly Workload[] = [
  {
    ...FILL,
    name: 'fillseq',
    about: 'puts in the order of keys, 1,000 a turn, all awaited',
    latencyOf: 'turn of 1,000',
    operations: (entries) => entries,
    fits: (engine) => engine.put !== undefined,
    run: (bench) => fillTurns(bench, (i) => i, TURN),
  },
  {
    ...FILL,
    name: 'fillrandom',
    about: 'puts in no order, 1,000 a turn, all awaited',
    latencyOf: 'turn of 1,000',
    operations: (entries) => entries,
    fits: (engine) => engine.put !== undefined,
    run: (bench) => fillTurns(bench, (i) => bench.order[i]!, TURN),
  },
  {
    ...FILL,
    name: 'fillbatch',
    about: 'batches of 1,000 in no order, each awaited',
    latencyOf: 'batch of 1,000',
    operations: (entries) => entries,
    fits: () => true,
    run: fillBatches,
  },
  {
    ...FILL,
    name: 'put',
    about: 'one put at a time in no order, each awaited',
    latencyOf: 'put',
    operations: (entries) => Math.min(entries, 20_000),
    fits: (engine) => engine.put !== undefined,
    run: (bench) => fillTurns(bench, (i) => bench.order[i]!, 1),
  },
  {
    ...FILL,
    name: 'putsync',
    about: 'puts in no order by the synchronous call',
    latencyOf: 'put',
    operations: (entries) => Math.min(entries, 100_000),
    fits: (engine) => engine.putSync !== undefined,
    run: fillSynchronously,
  },
  {
    ...FILL,
    name: 'fillsync',
    about: 'one put at a time, each awaited until it is on the disk (fdatasync)',
    latencyOf: 'put',
    level: 'disk',
    operations: (entries) => Math.min(entries, 1000),
    fits: (engine) => engine.put !== undefined,
    run: (bench) => fillTurns(bench, (i) => bench.order[i]!, 1),
  },
  {
    ...FILL,
    name: 'fillsync-64',
    about: '64 puts at once, all awaited until they are on the disk (fdatasync)',
    latencyOf: '64 puts',
    level: 'disk',
    operations: (entries) => Math.min(entries, 64 * 300),
    fits: (engine) => engine.put !== undefined,
    run: (bench) => fillTurns(bench, (i) => bench.order[i]!, AT_ONCE),
  },
]

async function fillTurns(
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

function fillSynchronously({ engine, keys, values, operations, order, histogram }: Bench): void {
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
export async function fillBatches(bench: Bench): Promise<void> {
  const { engine, keys, values, operations, order, histogram } = bench
  let before = performance.now()
  for (let from = 0; from < operations; from += TURN) {
    const entries = order.subarray(from, from + TURN)
    const batchKeys: string[] = []
    const batchValues: Buffer[] = []
    for (const entry of entries) {
      batchKeys.push(keys.present(entry))
      batchValues.push(values.of(entry))
    }
    await engine.batch(batchKeys, batchValues)
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
}
