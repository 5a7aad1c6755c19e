/**
 * Workloads that read and write at once: db_bench's readwhilewriting, and YCSB's A to F. A program of one thread does
 * what it has to do in turns: it reads, synchronously where the engine can, starts its writes, and awaits them.
 *
 *     A  50 % reads, 50 % updates      D  95 % reads of what is new, 5 % inserts
 *     B  95 % reads,  5 % updates      E  95 % scans of up to 100 entries, 5 % inserts
 *     C  reads only                    F  50 % reads, 50 % reads followed by an update of the same
 */
import type { Engine, Visit } from '../engine.ts'
import { edgesOf } from '../shapes.ts'
import { type Bench, expectSame, generator, type Workload } from '../workload.ts'
import { latest, scrambled, zipf } from '../zipf.ts'

const TURN = 100
const SCAN_ENTRIES_MAX = 100
const READS_A_WRITE = 50

const MIX = {
  start: 'loaded',
  writes: true,
  level: 'process',
  latencyOf: 'turn of 100',
  operations: (entries: number) => Math.min(entries, 200_000),
  fits: (engine: Engine) => engine.get !== undefined || engine.getSync !== undefined,
} as const

/** Parts of a hundred operations; the rest reads. */
interface Mix {
  readonly update?: number
  readonly insert?: number
  readonly scan?: number
  readonly modify?: number
  readonly isLatest?: boolean
}

export const MIXES: readonly Workload[] = [
  {
    ...MIX,
    name: 'readwhilewriting',
    about: 'reads of random entries, and a put for every 50 of them; the time is that of a read',
    run: readWhileWriting,
  },
  ycsb('ycsb-a', 'half reads, half updates, zipfian', { update: 50 }),
  ycsb('ycsb-b', '95 % reads, 5 % updates, zipfian', { update: 5 }),
  ycsb('ycsb-c', 'reads, zipfian', {}),
  ycsb('ycsb-d', '95 % reads of new entries, 5 % inserts', { insert: 5, isLatest: true }),
  {
    ...ycsb('ycsb-e', '95 % scans of up to 100 entries, 5 % inserts', { scan: 95, insert: 5 }),
    operations: (entries) => Math.min(entries, 20_000),
    fits: (engine) => engine.scan !== undefined,
  },
  ycsb('ycsb-f', 'half reads, half reads each followed by an update', { modify: 50 }),
]

function ycsb(name: string, about: string, mix: Mix): Workload {
  return { ...MIX, name, about: `${about}; turns of 100`, run: (bench) => runMix(bench, mix) }
}

/** What a turn has begun. */
class Turn {
  readonly #engine: Engine
  readonly #pending: unknown[] = []
  found = 0
  seen = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  read(key: string): void {
    if (this.#engine.getSync) this.#take(this.#engine.getSync(key))
    else this.#pending.push(this.#engine.get!(key).then((value) => this.#take(value)))
  }

  put(key: string, value: Buffer): void {
    if (this.#engine.put) this.#pending.push(this.#engine.put(key, value))
    else this.#engine.putSync!(key, value)
  }

  /** A read, and a put that needs what was read. */
  modify(key: string, value: Buffer): void {
    if (this.#engine.getSync || !this.#engine.put) {
      this.read(key)
      this.put(key, value)
      return
    }
    const change = async (): Promise<void> => {
      this.#take(await this.#engine.get!(key))
      await this.#engine.put!(key, value)
    }
    this.#pending.push(change())
  }

  scan(from: string, limit: number, visit: Visit): void {
    this.#pending.push(this.#engine.scan!({ reverse: false, from, limit }, visit))
  }

  async end(): Promise<void> {
    await Promise.all(this.#pending)
    this.#pending.length = 0
  }

  #take(value: Uint8Array | undefined): void {
    if (value === undefined) return
    this.found++
    this.seen += edgesOf(value)
  }
}

async function readWhileWriting(bench: Bench): Promise<void> {
  const { engine, keys, values, order, operations, histogram } = bench
  const turn = new Turn(engine)
  let before = performance.now()
  for (let i = 0; i < operations; i++) {
    const entry = order[i]!
    turn.read(keys.present(entry))
    if (i % READS_A_WRITE === 0) turn.put(keys.present(order[operations - 1 - i]!), values.of(i))
    if (i % TURN !== TURN - 1) continue
    await turn.end()
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
  await turn.end()
  expectSame('entries read', turn.found, operations)
}

async function runMix(bench: Bench, mix: Mix): Promise<void> {
  const { engine, keys, values, entries, operations, histogram, seed } = bench
  const { update = 0, insert = 0, scan = 0, modify = 0 } = mix
  const random = generator(seed)
  const ranks = zipf(operations, entries, seed)
  const turn = new Turn(engine)
  let stored = entries
  // What a turn has inserted need not be there before its end.
  let visible = entries
  let reads = 0
  let scanned = 0
  const visit: Visit = (key, value) => {
    scanned += key.length + value[0]!
  }
  let before = performance.now()
  for (let i = 0; i < operations; i++) {
    const rank = ranks[i]!
    const entry = mix.isLatest ? latest(rank, visible) : scrambled(rank, entries)
    const kind = random() % 100
    if (kind < update) turn.put(keys.present(entry), values.of(entry + i))
    else if (kind < update + insert) turn.put(keys.present(stored), values.of(stored++))
    else if (kind < update + insert + scan) {
      turn.scan(keys.present(entry), 1 + (random() % SCAN_ENTRIES_MAX), visit)
    } else if (kind < update + insert + scan + modify) {
      turn.modify(keys.present(entry), values.of(entry + i))
      reads++
    } else {
      turn.read(keys.present(entry))
      reads++
    }
    if (i % TURN !== TURN - 1) continue
    await turn.end()
    visible = stored
    const now = performance.now()
    histogram.record(now - before)
    before = now
  }
  await turn.end()
  expectSame('entries read', turn.found, reads)
  if (scan > 0 && scanned === 0) throw new Error('nothing was scanned')
}
