/** Workloads that read entries in the order of their keys. */
import type { Scan, Visit } from '../engine.ts'
import { type Bench, expectSame, type Workload } from '../workload.ts'

const SEEK_ENTRIES = 10

const SCAN = {
  start: 'loaded',
  writes: false,
  level: 'process',
  latencyOf: 'scan',
  operations: (entries: number) => entries,
} as const

export const SCANS: readonly Workload[] = [
  {
    ...SCAN,
    name: 'readseq',
    isWhole: true,
    about: 'all entries from the first, keys as strings and values as bytes',
    fits: (engine) => engine.scan !== undefined,
    run: (bench) => scanAll(bench, { reverse: false }),
  },
  {
    ...SCAN,
    name: 'readreverse',
    isWhole: true,
    about: 'all entries from the last, keys as strings and values as bytes',
    fits: (engine) => engine.scan !== undefined,
    run: (bench) => scanAll(bench, { reverse: true }),
  },
  {
    ...SCAN,
    name: 'readseq-await',
    isWhole: true,
    about: 'all entries by `for await`',
    fits: (engine) => engine.scanAwait !== undefined,
    run: (bench) => scanAll(bench, { reverse: false }, true),
  },
  {
    ...SCAN,
    name: 'seekrandom',
    about: 'a new iterator from a random entry and 10 entries, which is one operation',
    latencyOf: 'seek',
    operations: (entries) => Math.min(entries, 50_000),
    fits: (engine) => engine.scan !== undefined,
    run: seekRandom,
  },
]

async function scanAll(bench: Bench, range: Scan, isAwaited = false): Promise<void> {
  const { engine, values, entries } = bench
  let seen = 0
  let count = 0
  let keyLengths = 0
  const visit: Visit = (key, value) => {
    seen += value[0]! + value[value.length - 1]!
    keyLengths += key.length
    count++
  }
  await (isAwaited ? engine.scanAwait!(range, visit) : engine.scan!(range, visit))
  let expected = 0
  for (let entry = 0; entry < entries; entry++) expected += values.edgesOf(entry)
  expectSame('entries', count, entries)
  expectSame('bytes of keys', keyLengths, entries * bench.keys.present(0).length)
  expectSame('bytes read', seen, expected)
}

async function seekRandom(bench: Bench): Promise<void> {
  const { engine, keys, operations, order, histogram } = bench
  let first = ''
  let count = 0
  let seen = 0
  const visit: Visit = (key, value) => {
    if (count === 0) first = key
    seen += value[0]! + value[value.length - 1]!
    count++
  }
  let before = performance.now()
  for (let i = 0; i < operations; i++) {
    const from = keys.present(order[i]!)
    count = 0
    const scanned = engine.scan!({ reverse: false, from, limit: SEEK_ENTRIES }, visit)
    if (scanned instanceof Promise) await scanned
    if (first !== from) throw new Error('a seek went elsewhere')
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
  if (seen === 0) throw new Error('nothing was read')
}
