/**
 * Workloads that read single entries of a loaded store. What ends in `-4x` has a cache for a quarter of the data; the
 * system's page cache holds it all.
 */
import { edgesOf } from '../shapes.ts'
import { type Bench, expectSame, type Workload } from '../workload.ts'

const READ = {
  start: 'loaded',
  writes: false,
  level: 'process',
  latencyOf: 'get',
  operations: (entries: number) => Math.min(entries, 500_000),
} as const

const QUARTER = {
  budget: (dataBytes: number) => ({ cacheBytes: Math.max(1 << 20, Math.ceil(dataBytes / 4)) }),
} as const

/** Operations whose durations are recorded, after the others. */
const LATENCY_PART = 0.2
const AT_ONCE = 100

export const READS: readonly Workload[] = [
  {
    ...READ,
    name: 'readrandom',
    about: 'getSync of random entries, each value a copy of its own',
    fits: (engine) => engine.getSync !== undefined,
    ...bothPasses(readSync),
  },
  {
    ...READ,
    name: 'readrandom-string',
    about: 'getSync of random entries, values as strings',
    fits: (engine) => engine.getString !== undefined,
    ...bothPasses(readStrings),
  },
  {
    ...READ,
    name: 'readrandom-into',
    about: 'random entries, values in memory that is used again (getInto, getBinaryFast)',
    fits: (engine) => engine.sumReused !== undefined,
    ...bothPasses(readReused),
  },
  {
    ...READ,
    name: 'readrandom-promise',
    about: 'get of random entries, one at a time, each awaited',
    fits: (engine) => engine.get !== undefined,
    ...bothPasses(readAwaited),
  },
  {
    ...READ,
    name: 'readrandom-promises',
    about: 'get of random entries, 100 at once, all awaited',
    fits: (engine) => engine.get !== undefined,
    latencyOf: '100 gets',
    run: readTogether,
  },
  {
    ...READ,
    name: 'readmissing',
    about: 'getSync of keys that are not there, each beside one that is',
    fits: (engine) => engine.getSync !== undefined,
    ...bothPasses(readMissing),
  },
  {
    ...READ,
    name: 'readhot',
    about: 'getSync of one entry in a hundred',
    fits: (engine) => engine.getSync !== undefined,
    ...bothPasses(readHot),
  },
  {
    ...READ,
    ...QUARTER,
    name: 'readrandom-4x',
    about: 'getSync of random entries, the data four times the cache',
    fits: (engine) => engine.getSync !== undefined,
    ...bothPasses(readSync),
  },
  {
    ...READ,
    ...QUARTER,
    name: 'readrandom-promise-4x',
    about: 'get of random entries, one at a time, each awaited, the data four times the cache',
    fits: (engine) => engine.get !== undefined,
    ...bothPasses(readAwaited),
  },
]

type Loop = (bench: Bench, count: number, isTimed: boolean) => unknown

/** The same loop does the operations, and afterwards some of them with a clock. */
function bothPasses(loop: Loop): Pick<Workload, 'run' | 'latencies'> {
  return {
    run: (bench) => loop(bench, bench.operations, false),
    latencies: (bench) => loop(bench, Math.ceil(bench.operations * LATENCY_PART), true),
  }
}

function readSync(bench: Bench, count: number, isTimed: boolean): void {
  const { engine, keys, values, order, histogram } = bench
  let seen = 0
  let expected = 0
  for (let i = 0; i < count; i++) {
    const entry = order[i]!
    const from = isTimed ? performance.now() : 0
    seen += edgesOf(engine.getSync!(keys.present(entry))!)
    if (isTimed) histogram.record(performance.now() - from)
    expected += values.edgesOf(entry)
  }
  expectSame('bytes read', seen, expected)
}

function readHot(bench: Bench, count: number, isTimed: boolean): void {
  const { engine, keys, values, order, entries, histogram } = bench
  const hot = Math.max(1, Math.floor(entries / 100))
  let seen = 0
  let expected = 0
  for (let i = 0; i < count; i++) {
    const entry = (order[i]! % hot) * 100 < entries ? (order[i]! % hot) * 100 : 0
    const from = isTimed ? performance.now() : 0
    seen += edgesOf(engine.getSync!(keys.present(entry))!)
    if (isTimed) histogram.record(performance.now() - from)
    expected += values.edgesOf(entry)
  }
  expectSame('bytes read', seen, expected)
}

function readStrings(bench: Bench, count: number, isTimed: boolean): void {
  const { engine, keys, values, order, histogram } = bench
  let seen = 0
  let expected = 0
  for (let i = 0; i < count; i++) {
    const entry = order[i]!
    const from = isTimed ? performance.now() : 0
    const text = engine.getString!(keys.present(entry))!
    seen += text.charCodeAt(0) + text.charCodeAt(text.length - 1)
    if (isTimed) histogram.record(performance.now() - from)
    expected += values.edgesOf(entry)
  }
  expectSame('bytes read', seen, expected)
}

function readReused(bench: Bench, count: number, isTimed: boolean): void {
  const { engine, keys, values, order, histogram } = bench
  let seen = 0
  let expected = 0
  for (let i = 0; i < count; i++) {
    const entry = order[i]!
    const from = isTimed ? performance.now() : 0
    seen += engine.sumReused!(keys.present(entry))!
    if (isTimed) histogram.record(performance.now() - from)
    expected += values.edgesOf(entry)
  }
  expectSame('bytes read', seen, expected)
}

function readMissing(bench: Bench, count: number, isTimed: boolean): void {
  const { engine, keys, order, histogram } = bench
  let found = 0
  for (let i = 0; i < count; i++) {
    const from = isTimed ? performance.now() : 0
    if (engine.getSync!(keys.missing(order[i]!)) !== undefined) found++
    if (isTimed) histogram.record(performance.now() - from)
  }
  expectSame('missing keys found', found, 0)
}

async function readAwaited(bench: Bench, count: number, isTimed: boolean): Promise<void> {
  const { engine, keys, values, order, histogram } = bench
  let seen = 0
  let expected = 0
  for (let i = 0; i < count; i++) {
    const entry = order[i]!
    const from = isTimed ? performance.now() : 0
    seen += edgesOf((await engine.get!(keys.present(entry)))!)
    if (isTimed) histogram.record(performance.now() - from)
    expected += values.edgesOf(entry)
  }
  expectSame('bytes read', seen, expected)
}

async function readTogether(bench: Bench): Promise<void> {
  const { engine, keys, values, order, operations, histogram } = bench
  let seen = 0
  let expected = 0
  let before = performance.now()
  for (let from = 0; from < operations; from += AT_ONCE) {
    const entries = order.subarray(from, from + AT_ONCE)
    const gets: Promise<Uint8Array | undefined>[] = []
    for (const entry of entries) gets.push(engine.get!(keys.present(entry)))
    for (const value of await Promise.all(gets)) seen += edgesOf(value!)
    for (const entry of entries) expected += values.edgesOf(entry)
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
  expectSame('bytes read', seen, expected)
}
