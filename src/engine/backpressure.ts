/**
 * What keeps writers from outrunning the disk [LIM-6]. Promised writes are acknowledged later while a memtable waits to be
 * flushed, so that a caller who awaits them never blocks; a caller who does not give way is blocked when the
 * budget is used up.
 *
 *   room for another memtable ─► acknowledged at once
 *   none, and this one half full ─► acknowledged when a flush is installed
 *   none, and this one full ─► makeRoom blocks
 */
import { SedgeError } from '../errors.ts'
import type { LiveSegment } from '../log/log-chain.ts'
import type { Compactor } from './compactor.ts'
import type { Executor } from './executor.ts'
import type { Store } from './store.ts'
import type { Waiting } from './waiters.ts'

/** Level-0 tables beyond which acknowledgements are slowed, held, and writers blocked, while a compaction runs. */
const LEVEL0_SLOW = 20
const LEVEL0_HOLD = 22
const LEVEL0_STOP = 24
const SLOW_MS = 1

/** What background work tells. */
export interface FlushState {
  /** Segments that wait to become tables. */
  readonly sealed: readonly LiveSegment[]
  flushSealed(): void
}

export class Backpressure {
  readonly #store: Store
  readonly #executor: Executor
  readonly #compactor: Compactor
  readonly #flushes: FlushState
  #held: Waiting[] = []
  #heldSince = 0
  #isStopped = false

  constructor(store: Store, executor: Executor, compactor: Compactor, flushes: FlushState) {
    this.#store = store
    this.#executor = executor
    this.#compactor = compactor
    this.#flushes = flushes
  }

  /** Acknowledges writes, now or when there is room. */
  admit(waiting: Waiting): void {
    const reason = this.#holdReason()
    if (reason !== undefined) {
      if (this.#held.length === 0) this.#heldSince = this.#store.env.monotonic()
      this.#store.wait = reason
      this.#held.push(waiting)
      // Segments that were there at open are only flushed when their room is needed.
      this.#flushes.flushSealed()
    } else if (this.#level0 >= LEVEL0_SLOW && this.#compactor.isRunning) {
      this.#store.stalledMs += SLOW_MS
      this.#store.env.pause(SLOW_MS, waiting.resolve)
    } else {
      waiting.resolve()
    }
  }

  /** Something has been installed or has failed: acknowledges what was held, if there is room now. */
  release(): void {
    if (this.#held.length === 0 || this.#holdReason() !== undefined) return
    const held = this.#held
    this.#held = []
    this.#stallEnded(this.#heldSince)
    for (const { resolve } of held) resolve()
  }

  /** Blocks until a memtable of `bytes` may be begun. Throws what keeps it from being flushed. */
  makeRoom(bytes: number): void {
    if (this.#hasRoom(bytes)) return
    const start = this.#store.env.monotonic()
    this.#store.wait = this.#memtablesHaveRoom(bytes) ? 'level0' : 'memtables'
    try {
      while (!this.#hasRoom(bytes)) this.#waitOnce(bytes)
    } finally {
      this.#stallEnded(start)
    }
  }

  /** Holds nobody any more. */
  stop(): void {
    this.#isStopped = true
    this.release()
  }

  #stallEnded(since: number): void {
    const { wait } = this.#store
    const ms = this.#store.env.monotonic() - since
    this.#store.stalledMs += ms
    if (wait === undefined) return
    this.#store.wait = undefined
    this.#store.emit({ type: 'stall', reason: wait, ms })
  }

  #waitOnce(bytes: number): void {
    this.#flushes.flushSealed()
    // What was ready and could not be installed before may have made room just now.
    if (this.#executor.waitSync() || this.#hasRoom(bytes)) return
    const { failure, flushFailure, state } = this.#store
    if (state === 'failed' && failure !== undefined) throw failure
    // Nothing runs, so what has to be done has failed and waits for its next try.
    throw (
      flushFailure ?? this.#compactor.blocked ?? new SedgeError('FAILED', 'no flush can be started')
    )
  }

  /** A kernel that has trapped makes no room any more: nobody is held for that. */
  #holdReason(): Store['wait'] {
    try {
      return this.#reasonNow()
    } catch (error) {
      if (!this.#store.kernel.trapped) throw error
      return undefined
    }
  }

  #reasonNow(): Store['wait'] {
    if (this.#store.kernel.trapped) return undefined
    if (this.#isStopped || this.#store.flushFailure !== undefined) return undefined
    const { arenaBytes, chain } = this.#store
    const isHalfFull = (chain.open?.charge ?? 0) * 2 > arenaBytes
    // The next memtable needs room beside those that wait and the open one.
    if (isHalfFull && !this.#memtablesHaveRoom(2 * arenaBytes)) return 'memtables'
    return this.#level0 >= LEVEL0_HOLD && this.#compactor.isRunning ? 'level0' : undefined
  }

  #hasRoom(bytes: number): boolean {
    if (!this.#memtablesHaveRoom(bytes)) return false
    if (this.#level0 < LEVEL0_STOP) return true
    this.#compactor.schedule()
    return !this.#compactor.isRunning
  }

  /** How much an index takes is only known afterwards: the next ones are expected to be like those that wait. */
  #memtablesHaveRoom(bytes: number): boolean {
    let taken = 0
    let indexShare = 0
    for (const { memtable } of this.#flushes.sealed) {
      const { capacity, indexBytes } = memtable
      taken += capacity + indexBytes
      indexShare = Math.max(indexShare, indexBytes / capacity)
    }
    return taken === 0 || taken + bytes * (1 + indexShare) <= this.#store.options.memtableSize
  }

  get #level0(): number {
    return this.#store.version.levels[0]?.length ?? 0
  }
}
