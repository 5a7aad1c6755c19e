/**
 * A process that writes four times as fast as its slow disk takes it, in one of three ways, and prints what that cost as JSON.
 *
 *     pressure-child.js <directory> <seconds> held        keeps the promises and waits for none
 *     pressure-child.js <directory> <seconds> abandoned   batches, whose promises are thrown away
 *     pressure-child.js <directory> <seconds> blocking    putSync
 */
import { borrowKernel, returnKernel } from '../../src/compaction/job-kernel.ts'
import { NodeFileSystem } from '../../src/env/node-file-system.ts'
import { type Database, open } from '../../src/index.ts'
import { slowFileSystem } from './slow-file-system.ts'

export type PressureWay = 'held' | 'abandoned' | 'blocking'

export interface PressureReport {
  /** Bytes a second that the disk took when nobody wrote more than that, and bytes a second that were offered. */
  readonly drained: number
  readonly offered: number
  /** Bytes a second that were taken in the end. */
  readonly taken: number
  readonly budget: number
  /** By how much the store's own memory, and the process, have grown at most since the store was opened. */
  readonly kernelBytes: number
  readonly grownBytes: number
  /** What the kernel of the jobs takes, which run in this process here. */
  readonly jobBytes: number
  /** The most level-0 tables, and bytes that were written and not acknowledged. */
  readonly level0: number
  readonly waitingBytes: number
  /** Milliseconds that an awaited put takes: before, and after the load has stopped. */
  readonly before: number
  readonly after: number
  readonly stalledMs: number
  readonly found: number
}

const MIB = 1024 * 1024
const WRITE_MS = 20
const VALUE_BYTES = 1000
const KEYS = 40_000
const TICK_MS = 5
/** Writes between two turns of the event loop. */
const TICK_WRITES = 5000
const BUDGET = { memtableSize: 32 * MIB, cacheSize: 16 * MIB }

const [directory = '', seconds, way] = process.argv.slice(2)
const value = 'v'.repeat(VALUE_BYTES)
let written = 0
let acknowledged = 0
let waitingBytes = 0

function nextKey(): string {
  return `key ${(written * 7919) % KEYS}`
}

function write(db: Database<string, string>): void {
  if (way === 'blocking') {
    db.putSync(nextKey(), value)
    written++
    acknowledged++
    return
  }
  const count = way === 'held' ? 1 : 8
  const keys = Array.from({ length: count }, () => {
    const key = nextKey()
    written++
    return key
  })
  const batch = keys.map((key) => ({ type: 'put' as const, key, value }))
  const promise = way === 'held' ? db.put(keys[0]!, value) : db.batch(batch)
  void promise.then(() => {
    acknowledged += count
  })
  waitingBytes = Math.max(waitingBytes, (written - acknowledged) * VALUE_BYTES)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** The median of some awaited puts. */
async function latency(db: Database<string, string>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 21; i++) {
    const start = performance.now()
    await db.put(`alone ${i}`, value)
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)[10]!
}

/** Bytes a second when every MiB is waited for. */
async function drainRate(db: Database<string, string>): Promise<number> {
  const start = performance.now()
  let count = 0
  while (count * VALUE_BYTES < BUDGET.memtableSize) {
    const some = Array.from({ length: 1000 }, () => db.put(`key ${(count++ * 31) % KEYS}`, value))
    await Promise.all(some)
  }
  await db.flush()
  return (count * VALUE_BYTES * 1000) / (performance.now() - start)
}

async function main(): Promise<PressureReport> {
  const fs = slowFileSystem(new NodeFileSystem(), WRITE_MS)
  const db: Database<string, string> = await open(directory, { fs, ...BUDGET })
  const before = await latency(db)
  const base = process.memoryUsage.rss()
  const baseKernel = db.stats().kernelBytes
  const drained = await drainRate(db)
  let [kernelBytes, grownBytes, level0] = [0, 0, 0]
  const start = performance.now()
  const end = start + Number(seconds) * 1000
  for (let now = start; now < end; now = performance.now()) {
    const due = (4 * drained * (now - start)) / 1000
    for (let i = 0; i < TICK_WRITES && written * VALUE_BYTES < due; i++) write(db)
    const stats = db.stats()
    kernelBytes = Math.max(kernelBytes, stats.kernelBytes - baseKernel)
    grownBytes = Math.max(grownBytes, process.memoryUsage.rss() - base)
    level0 = Math.max(level0, stats.levels[0]?.tables ?? 0)
    await sleep(TICK_MS)
  }
  const taken = (acknowledged * VALUE_BYTES * 1000) / (performance.now() - start)
  await db.flush()
  await sleep(500)
  const after = await latency(db)
  const { stalledMs } = db.stats()
  const job = borrowKernel(0n)
  const jobBytes = job.bytes
  returnKernel(job)
  const found = (await db.keys().all()).length
  await db.close()
  return {
    ...{
      drained,
      offered: drained * 4,
      taken,
      kernelBytes,
      grownBytes,
      jobBytes,
      level0,
    },
    ...{ budget: BUDGET.memtableSize + BUDGET.cacheSize, waitingBytes, before, after, stalledMs },
    found,
  }
}

console.log(JSON.stringify(await main()))
