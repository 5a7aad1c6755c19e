/**
 * Runs compactions: those that the picker wants, and the steps of a manual one, one at a time, and beside it one within
 * level 0, which goes first: it is what keeps reads cheap while a caller presses [CMP-18].
 *
 * Call protocol: (flushed | schedule | compactRange)* stop.
 */
import type { CompactionJob } from '../compaction/compaction-job.ts'
import {
  type Compaction,
  LEVEL_FACTOR,
  LEVEL0_TABLES,
  type PickerConfig,
  pickCompaction,
  pickManualStep,
  startManual,
} from '../compaction/compaction-picker.ts'
import { olderThan, pickWithinLevel0, ROWS } from '../compaction/level0-picker.ts'
import type { Output } from '../compaction/table-output.ts'
import { SedgeError } from '../errors.ts'
import { tableFileName } from '../version/file-names.ts'
import type { TableMeta } from '../version/table-meta.ts'
import type { EncodedRange } from './engine-types.ts'
import type { Executor, Ticket } from './executor.ts'
import { asSedgeError, closedError, isRetriable, type Store } from './store.ts'

const MIB = 1024 * 1024
const LEVEL_BYTES_LEAST: number = 10 * MIB
const TABLE_BYTES_LEAST: number = MIB
const TABLE_BYTES_MOST: number = 32 * MIB
const RETRY_MS = 1000
/** Two memtables in a shorter time than this are pressure, which ends when none has come for as long. */
const PRESSURE_MS = 1000
/** What stays in level 0 under pressure, in flushes and in bytes. */
const PRESSURE_FLUSHES = 128
const PRESSURE_BYTES_MOST: number = 4096 * MIB

type Priority = CompactionJob['priority']

interface Running {
  readonly compaction: Compaction
  readonly ticket: Ticket
}

export class Compactor {
  readonly #store: Store
  readonly #executor: Executor
  readonly #onChange: () => void
  readonly #config: PickerConfig
  /** At most one of each priority: `'middle'` is for one within level 0. */
  readonly #running = new Map<Priority, Running>()
  /** When a whole memtable became a table last, and how long after the one before. */
  #flushedAt = Number.NEGATIVE_INFINITY
  #flushGap = Number.POSITIVE_INFINITY
  #isWaiting = false
  /** Tables whose compaction has failed because they are damaged. */
  readonly #damaged = new Set<number>()
  #isStopped = false
  /** Manual compactions that have not ended, and the end of the last of them. */
  #manual = 0
  #lastManual: Promise<void> = Promise.resolve()
  #isRetrying = false
  /** The failure that keeps compactions from going on, until one succeeds. */
  blocked: SedgeError | undefined

  constructor(store: Store, executor: Executor, onChange: () => void) {
    this.#store = store
    this.#executor = executor
    this.#onChange = onChange
    const { memtableSize, maxLevels } = store.options
    this.#config = {
      levelBytes: Math.max(LEVEL_BYTES_LEAST, memtableSize),
      levelFactor: LEVEL_FACTOR,
      level0Tables: LEVEL0_TABLES,
      tableBytes: Math.min(Math.max(TABLE_BYTES_LEAST, store.arenaBytes), TABLE_BYTES_MOST),
      maxLevels: Math.max(maxLevels, store.version.levels.length),
      // Level 0 is not compressed, so its tables only move down as they are when the others are not either.
      moveLevel0: store.options.compression === 'none',
      level0Bytes: 0,
      flushBytes: store.arenaBytes,
    }
  }

  get isRunning(): boolean {
    return this.#running.size > 0
  }

  /** A whole memtable has become a table of level 0. */
  flushed(): void {
    const now = this.#store.env.monotonic()
    this.#flushGap = now - this.#flushedAt
    this.#flushedAt = now
  }

  /** Starts the compactions that are wanted and do not run. */
  schedule(): void {
    if (this.#isStopped || this.#manual > 0 || this.#isRetrying) return
    if (this.#store.state !== 'open') return
    for (const priority of ['low', 'middle'] as const) {
      if (this.#running.has(priority)) continue
      const picked = priority === 'low' ? this.#pickLow() : this.#pickWithin('small')
      if (picked !== undefined) this.#start(picked, priority, () => this.schedule())
    }
  }

  /** Under pressure first what keeps the tables of level 0 few. */
  #pickLow(): Compaction | undefined {
    const config = { ...this.#config, level0Bytes: this.#level0Bytes() }
    const within = config.level0Bytes > 0 ? this.#pickWithin('large') : undefined
    if (within !== undefined) return within
    const older = olderThan(this.#store.version, this.#running.get('middle')?.compaction)
    return pickCompaction(older, config, this.#damaged)
  }

  /** Where jobs run on this thread whatever runs holds up the caller, so that nothing is merged twice. */
  #pickWithin(row: keyof typeof ROWS): Compaction | undefined {
    if (this.#store.options.workers === 0) return undefined
    const taken = [...this.#running.values()].flatMap(({ compaction }) => compaction.inputs)
    const except = new Set([...this.#damaged, ...taken.map(({ number }) => number)])
    return pickWithinLevel0(this.#store.version, this.#config, except, ROWS[row])
  }

  /** What may stay in level 0 now. Where jobs run on this thread nothing is put off: whatever runs holds up the caller. */
  #level0Bytes(): number {
    const isPressed =
      this.#flushGap < PRESSURE_MS &&
      this.#store.env.monotonic() - this.#flushedAt < PRESSURE_MS &&
      this.#store.options.workers > 0
    if (!isPressed) return 0
    if (!this.#isWaiting) {
      this.#isWaiting = true
      this.#store.env.delay(PRESSURE_MS, () => {
        this.#isWaiting = false
        this.#store.guarded(() => this.schedule())
      })
    }
    return Math.min(PRESSURE_FLUSHES * this.#config.flushBytes, PRESSURE_BYTES_MOST)
  }

  /** Pushes everything in the range down as far as there is data below, and once more through the last level. */
  compactRange(range: EncodedRange): Promise<void> {
    this.#manual++
    // One after the other: between its steps none of them runs, and another would take the same tables.
    const compacted = this.#lastManual.then(() => this.#compactInTurn(range))
    this.#lastManual = compacted.catch(() => {})
    return compacted
  }

  async #compactInTurn(range: EncodedRange): Promise<void> {
    try {
      await this.#idle()
      const { lower, upper } = range
      let state = startManual(this.#store.version, this.#config, lower, upper)
      for (;;) {
        if (this.#isStopped) throw closedError()
        const step = pickManualStep(this.#store.version, this.#config, this.#damaged, state)
        if (step.status === 'done') return
        if (step.status === 'blocked') throw this.#stuck()
        await this.#runStep(step.compaction)
        state = step.state
      }
    } finally {
      this.#manual--
      this.schedule()
    }
  }

  #runStep(compaction: Compaction): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#start(compaction, 'low', (error) => (error === undefined ? resolve() : reject(error)))
    })
  }

  /** Nothing else runs, so what is in the way are damaged tables. */
  #stuck(): SedgeError {
    return this.blocked ?? new SedgeError('FAILED', 'the range cannot be compacted')
  }

  async #idle(): Promise<void> {
    while (this.isRunning) {
      await new Promise<void>((resolve) => this.#idleWatchers.push(resolve))
    }
  }

  #idleWatchers: (() => void)[] = []

  #start(compaction: Compaction, priority: Priority, onDone: (error?: SedgeError) => void): void {
    const startedAt = this.#store.env.monotonic()
    if (compaction.kind === 'move') {
      this.#finish(this.#installed(compaction, undefined, startedAt), onDone)
      return
    }
    try {
      const ticket = this.#executor.run(
        () => this.#jobOf(compaction, priority),
        (result) => {
          this.#running.delete(priority)
          if (result.ok) {
            this.#finish(this.#installed(compaction, result.output, startedAt), onDone)
          } else if (result.cancelled || this.#isStopped) {
            this.#finish(closedError(), onDone)
          } else {
            this.#finish(this.#failed(compaction, asSedgeError(result.error)), onDone)
          }
        },
      )
      this.#running.set(priority, { compaction, ticket })
    } catch (error) {
      this.#finish(this.#failed(compaction, asSedgeError(error)), onDone)
    }
  }

  #finish(error: SedgeError | undefined, onDone: (error?: SedgeError) => void): void {
    const watchers = this.#idleWatchers
    this.#idleWatchers = []
    for (const watcher of watchers) watcher()
    // In a turn of its own: a long row of moves must not nest.
    queueMicrotask(() => onDone(error))
    this.#onChange()
  }

  #jobOf(compaction: Compaction, priority: Priority): CompactionJob {
    const { directory, storeId, hashSeed, live, manifest, options } = this.#store
    const { inputs, overlaps, level, outputLevel } = compaction
    const upper = level === 0 ? inputs.map((table) => [table]) : [inputs]
    const sources = overlaps.length > 0 ? [...upper, overlaps] : upper
    let bytes = 0
    for (const table of [...inputs, ...overlaps]) bytes += table.size
    // Within level 0 one table is made, raw as all of its level.
    const isWithin = outputLevel === 0
    const count = isWithin ? 1 : Math.ceil((bytes * 2) / this.#config.tableBytes) + 2
    const tableNumbers = Array.from({ length: count }, () => manifest?.allocateNumber() ?? 0)
    return {
      type: 'compact',
      priority,
      directory,
      storeId,
      hashSeed,
      inputs: sources.map((list) => list.map(describe)),
      outputLevel,
      snapshots: live.list(),
      dropTombstones: compaction.bottommost,
      tableBytes: this.#config.tableBytes,
      tableNumbers,
      compression: isWithin ? 'none' : options.compression,
      bitsPerKey: options.bloomBitsPerKey,
    }
  }

  /** What cannot be shown is in the manifest all the same: the store ends there, and its files stay. */
  #installed(
    compaction: Compaction,
    output: Output | undefined,
    startedAt: number,
  ): SedgeError | undefined {
    try {
      return this.#install(compaction, output, startedAt)
    } catch (error) {
      return this.#store.fail(asSedgeError(error))
    }
  }

  #install(
    compaction: Compaction,
    output: Output | undefined,
    startedAt: number,
  ): SedgeError | undefined {
    const store = this.#store
    if (this.#isStopped) {
      for (const { number } of output?.tables ?? []) this.#remove(number)
      return closedError()
    }
    const { inputs, overlaps, level, outputLevel } = compaction
    const removed = [...inputs, ...overlaps]
    const added = output?.tables ?? inputs.map((table) => ({ ...table, level: outputLevel }))
    try {
      store.manifest?.append({
        removeTables: removed.map(({ number, level: from }) => ({ level: from, number })),
        addTables: added,
      })
    } catch (error) {
      const reason = asSedgeError(error)
      if (!isRetriable(reason)) return store.fail(reason)
      if (output !== undefined) for (const table of added) this.#remove(table.number)
      return this.#failed(compaction, reason)
    }
    this.blocked = undefined
    store.reportSuccess()
    store.version = store.manifest?.version ?? store.version
    store.refreshView()
    if (output !== undefined) {
      for (const { number } of removed) this.#remove(number)
      store.compactions++
      store.tableBytesWritten += output.bytesWritten
    } else {
      store.trivialMoves++
    }
    let bytes = 0
    for (const { size } of added) bytes += size
    store.emit({
      type: 'compaction',
      level,
      inputs: removed.length,
      outputs: added.length,
      bytes,
      ms: store.env.monotonic() - startedAt,
      moved: output === undefined,
    })
    return undefined
  }

  /** Told, and tried again later; tables that are damaged are left alone from now on. */
  #failed(compaction: Compaction, error: SedgeError): SedgeError {
    this.blocked = error
    this.#store.reportError(error)
    if (error.code === 'CORRUPTION') {
      const tables = [...compaction.inputs, ...compaction.overlaps]
      const named = tables.filter(({ number }) => tableFileName(number) === error.file)
      for (const { number } of named.length > 0 ? named : tables) this.#damaged.add(number)
      return error
    }
    if (!this.#isRetrying) {
      this.#isRetrying = true
      this.#store.env.delay(RETRY_MS, () => {
        this.#isRetrying = false
        this.schedule()
      })
    }
    return error
  }

  #remove(number: number): void {
    this.#store.tables.release(number)
    this.#store.remover.remove(tableFileName(number))
  }

  stop(): void {
    this.#isStopped = true
    for (const { ticket } of this.#running.values()) ticket.cancel()
    for (const watcher of this.#idleWatchers) watcher()
    this.#idleWatchers = []
  }
}

function describe({ number, size, smallest, largest }: TableMeta): {
  number: number
  size: number
  smallest: Uint8Array
  largest: Uint8Array
} {
  return { number, size, smallest, largest }
}
