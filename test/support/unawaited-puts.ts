/**
 * Puts that nobody awaits and that never give way to the event loop, as many as are wanted; and what they cost.
 */
import { open } from '../../src/index.ts'

const MIB = 1024 * 1024
const KEYS = 50_000

export interface PutsReport {
  /** Different keys that were written, and found afterwards, and among these with a wrong value. */
  readonly keys: number
  readonly found: number
  readonly wrong: number
  /** The most that the kernel took. */
  readonly kernelBytes: number
  /** The most by which the process grew. */
  readonly grownBytes: number
}

/** Writes to a store in the directory `path`. The memtables of the store take 4 MiB, its cache 1 MiB. */
export async function unawaitedPuts(
  path: string,
  { count, workers }: { count: number; workers: 0 | 1 },
): Promise<PutsReport> {
  const db = await open(path, { memtableSize: 4 * MIB, cacheSize: MIB, workers })
  const before = process.memoryUsage.rss()
  let kernelBytes = 0
  let grownBytes = 0
  for (let index = 0; index < count; index++) {
    void db.put(`key${(index * 7919) % KEYS}`, `${index}`)
    if (index % 10_000 !== 0) continue
    kernelBytes = Math.max(kernelBytes, db.stats().kernelBytes)
    grownBytes = Math.max(grownBytes, process.memoryUsage.rss() - before)
  }
  await db.sync()
  let found = 0
  let wrong = 0
  for await (const [key, value] of db.iterator()) {
    found++
    const isLast = Number(value) >= count - KEYS
    if (!isLast || key !== `key${(Number(value) * 7919) % KEYS}`) wrong++
  }
  await db.close()
  return { keys: Math.min(count, KEYS), found, wrong, kernelBytes, grownBytes }
}
