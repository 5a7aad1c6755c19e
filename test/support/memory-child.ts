/**
 * A process that does a lot of work in little memory, for the tests of memory. Prints one line of JSON.
 *
 *     memory-child.js fill <directory> <workers> <entries>     writes entries in no order, then scans them all
 *     memory-child.js stream <directory> <workers> <entries>   one compaction of them all, then verify and samples
 */
import { borrowKernel, returnKernel } from '../../src/compaction/job-kernel.ts'
import { type Database, open, type StoreEvent } from '../../src/index.ts'
import { isNumberedValue, numberedValue, orderedKey, scatteredKey } from './numbered-entries.ts'
import { peakResidentBytes } from './small-heap.ts'

export interface FillReport {
  readonly writeSeconds: number
  readonly scanSeconds: number
  readonly found: number
  /** Entries that came out of order, twice, or with another's value. */
  readonly wrong: number
  readonly peakBytes: number
  readonly kernelBytes: number
  readonly tableBytes: number
  readonly flushes: number
  readonly compactions: number
  readonly stalledMs: number
}

export interface StreamReport {
  readonly compactSeconds: number
  /** Of the largest compaction. */
  readonly outputBytes: number
  readonly inputTables: number
  readonly verified: number
  readonly problems: number
  readonly sampled: number
  readonly wrong: number
  readonly peakBytes: number
  /** Memory of the kernel that ran the jobs, which never shrinks; `undefined` if that was in the worker. */
  readonly jobKernelBytes: number | undefined
}

type Store = Database<string, Uint8Array>

/** Entries between two turns of the event loop. */
const TURN = 1000
/** One in so many entries is written again before the one large compaction, so that it overlaps everything. */
const REWRITTEN = 997

const [mode, directory = '', workers, entries] = process.argv.slice(2)
const count = Number(entries)

function openStore(more: object = {}): Promise<Store> {
  return open(directory, {
    preset: 'edge',
    valueEncoding: 'binary',
    workers: workers === '0' ? 0 : 1,
    ...more,
  })
}

/** Half of the turns write with promises, half without ever giving way. */
async function write(db: Store, from: number, to: number): Promise<void> {
  let last: Promise<void> = Promise.resolve()
  for (let n = from; n < to; n++) {
    const key = scatteredKey(n)
    if (Math.floor(n / TURN) % 2 === 0) last = db.put(key, numberedValue(key))
    else db.putSync(key, numberedValue(key))
    if (n % TURN === TURN - 1) await last
  }
  await last
}

async function fill(): Promise<FillReport> {
  const db = await openStore()
  const start = performance.now()
  await write(db, 0, count)
  const written = performance.now()
  let found = 0
  let wrong = 0
  let before = ''
  for await (const [key, value] of db.iterator()) {
    if (key <= before || !isNumberedValue(key, value)) wrong++
    before = key
    found++
  }
  const { kernelBytes, tableBytes, flushes, compactions, stalledMs } = db.stats()
  const scanSeconds = (performance.now() - written) / 1000
  await db.close()
  return {
    writeSeconds: (written - start) / 1000,
    scanSeconds,
    found,
    wrong,
    peakBytes: peakResidentBytes(),
    ...{ kernelBytes, tableBytes, flushes, compactions, stalledMs },
  }
}

/** With two levels, whatever overlaps the last level everywhere is merged with all of it at once. */
async function stream(): Promise<StreamReport> {
  const compactions: Extract<StoreEvent, { type: 'compaction' }>[] = []
  const db = await openStore({
    maxLevels: 2,
    onEvent: (event: StoreEvent) => {
      if (event.type === 'compaction') compactions.push(event)
    },
  })
  for (let n = 0; n < count; n++) {
    const key = orderedKey(n)
    const written = db.put(key, numberedValue(key))
    if (n % TURN === TURN - 1) await written
  }
  await db.compact()
  for (let n = 0; n < count; n += REWRITTEN) {
    const key = orderedKey(n)
    await db.put(key, numberedValue(key, 1))
  }
  const start = performance.now()
  await db.compact()
  const compactSeconds = (performance.now() - start) / 1000
  const samples = await sample(db)
  const { entries: verified, problems } = await db.verify()
  await db.close()
  const [largest] = compactions.sort((left, right) => right.bytes - left.bytes)
  return {
    ...{ compactSeconds, verified, problems: problems.length },
    ...samples,
    outputBytes: largest?.bytes ?? 0,
    inputTables: largest?.inputs ?? 0,
    jobKernelBytes: jobKernelBytes(),
    peakBytes: peakResidentBytes(),
  }
}

function jobKernelBytes(): number | undefined {
  if (workers !== '0') return undefined
  const kernel = borrowKernel(0n)
  const { bytes } = kernel
  returnKernel(kernel)
  return bytes
}

/** Every entry that was written again, and as many others. */
async function sample(db: Store): Promise<{ sampled: number; wrong: number }> {
  let sampled = 0
  let wrong = 0
  for (let first = 0; first < count; first += REWRITTEN) {
    for (const n of [first, Math.min(first + 1 + (first % (REWRITTEN - 1)), count - 1)]) {
      const key = orderedKey(n)
      const value = await db.get(key)
      if (value === undefined || !isNumberedValue(key, value, n % REWRITTEN === 0 ? 1 : 0)) wrong++
      sampled++
    }
  }
  return { sampled, wrong }
}

console.log(JSON.stringify(await (mode === 'fill' ? fill() : stream())))
