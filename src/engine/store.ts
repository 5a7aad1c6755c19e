/**
 * What the parts of an open engine share: the kernel, the log, the tables, the manifest, and the state that the store
 * is in. It decides nothing; writer, reader and background work do.
 */
import type { Environment } from '../env/environment.ts'
import { ioError } from '../env/file-io.ts'
import { SedgeError } from '../errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { View } from '../kernel/view.ts'
import type { LogChain } from '../log/log-chain.ts'
import type { TableFiles } from '../table/table-files.ts'
import type { Manifest } from '../version/manifest.ts'
import type { Version } from '../version/version.ts'
import type { RecoveryReport, Stats, StoreEvent } from './engine-types.ts'
import { LiveSequences } from './live-sequences.ts'
import type { ResolvedOptions } from './options.ts'
import { Remover } from './remover.ts'

export type StallReason = 'memtables' | 'level0' | 'space'

export interface StoreParts {
  readonly env: Environment
  readonly directory: string
  readonly options: ResolvedOptions
  readonly kernel: Kernel
  readonly tables: TableFiles
  readonly chain: LogChain
  /** `undefined` when the store is open for reading only. */
  readonly manifest: Manifest | undefined
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  readonly version: Version
  readonly sequence: number
  readonly recovery: RecoveryReport
}

export class Store {
  readonly env: Environment
  readonly directory: string
  readonly options: ResolvedOptions
  readonly kernel: Kernel
  readonly view: View
  readonly tables: TableFiles
  readonly chain: LogChain
  readonly manifest: Manifest | undefined
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  readonly recovery: RecoveryReport
  readonly live: LiveSequences = new LiveSequences()
  readonly remover: Remover
  version: Version
  /** The last sequence given out. */
  sequence: number
  state: Stats['state'] = 'open'
  /** Sequences were given to writes that have failed: no log tells of them. */
  hasLostSequences = false
  /** Why the state is `failed`. */
  failure: SedgeError | undefined
  lastError: SedgeError | undefined
  /** The failure that keeps flushes from going on, until one succeeds. */
  flushFailure: SedgeError | undefined
  /** Why writers wait for background work. */
  wait: Exclude<StallReason, 'space'> | undefined
  stalledMs = 0
  flushes = 0
  compactions = 0
  trivialMoves = 0
  tableBytesWritten = 0
  puts = 0
  deletes = 0
  gets = 0
  readonly #failedWatchers: (() => void)[] = []

  constructor(parts: StoreParts) {
    this.env = parts.env
    this.directory = parts.directory
    this.options = parts.options
    this.kernel = parts.kernel
    this.tables = parts.tables
    this.chain = parts.chain
    this.manifest = parts.manifest
    this.storeId = parts.storeId
    this.hashSeed = parts.hashSeed
    this.version = parts.version
    this.sequence = parts.sequence
    this.recovery = parts.recovery
    this.view = new View(this.kernel, this.tables)
    // Whoever it was that called the kernel, nobody can write any more.
    this.kernel.onTrap = (error) => void this.fail(error)
    this.remover = new Remover(this.env, this.directory, (error) => this.reportError(error))
  }

  get stall(): Stats['stall'] {
    if (this.state === 'full' || this.flushFailure?.code === 'FULL') return 'space'
    return this.wait ?? 'none'
  }

  /** Bytes of charge that one memtable takes before it is sealed: four share the budget. */
  get arenaBytes(): number {
    return Math.floor(this.options.memtableSize / 4)
  }

  /** Shows the kernel what the store consists of now. */
  refreshView(): void {
    const memtables = this.chain.segments.map(({ memtable }) => memtable).reverse()
    const levels = this.version.levels.map((level) => level.map((table) => this.tables.open(table)))
    this.view.set(memtables, levels)
  }

  /** Tells an event, in a turn of its own: a listener may call the store. Its failures are ignored [OPT-9]. */
  emit(event: StoreEvent): void {
    const { onEvent } = this.options
    if (onEvent === undefined) return
    queueMicrotask(() => {
      try {
        // Typed as if it gave nothing back, but an async function is a listener too.
        const answer: unknown = onEvent(event)
        Promise.resolve(answer).catch(() => {})
      } catch {
        // The store owes its listener nothing; what it throws is its own affair.
      }
    })
  }

  setState(state: Stats['state']): void {
    if (this.state === state || this.state === 'closed') return
    this.state = state
    this.emit({ type: 'state', state })
  }

  /** No write is accepted any more; reads go on. Returns the error for whoever caused it. */
  fail(error: SedgeError): SedgeError {
    if (this.state !== 'failed') {
      this.failure = error
      this.setState('failed')
      this.reportError(error)
      queueMicrotask(() => {
        for (const watcher of this.#failedWatchers) watcher()
      })
    }
    return error
  }

  /** `watcher` is called soon after the store has failed: it wakes those who would wait in vain. */
  whenFailed(watcher: () => void): void {
    this.#failedWatchers.push(watcher)
  }

  /** Runs what nobody has called who could be told of a failure. A kernel that has trapped has told of that itself. */
  guarded(run: () => void): void {
    try {
      run()
    } catch (error) {
      if (!this.kernel.trapped) throw error
    }
  }

  /** Background work has succeeded: earlier failures are history, unless they are why the state is what it is. */
  reportSuccess(): void {
    if (this.state === 'open') this.lastError = undefined
  }

  reportError(error: SedgeError): void {
    this.lastError = error
    this.emit({ type: 'error', error })
  }

  /** Throws unless reads are possible. */
  assertReadable(): void {
    if (this.state === 'closed') throw closedError()
  }

  /** Throws unless writes are accepted. */
  assertWritable(): void {
    if (this.state === 'open' || this.state === 'full') {
      if (this.manifest !== undefined) return
      throw new SedgeError('UNSUPPORTED', 'the store is open for reading only')
    }
    if (this.state === 'closed') throw closedError()
    throw failedError(this.failure)
  }

  /** The lock is not ours any more: no write is accepted. Returns the error. */
  failWithoutLock(): SedgeError {
    const error = this.#isDirectoryThere()
      ? new SedgeError('LOCKED', 'another process has taken the store over')
      : directoryGone()
    return this.fail(error)
  }

  #isDirectoryThere(): boolean {
    try {
      return this.env.fs.status(this.directory)?.kind === 'directory'
    } catch (error) {
      throw ioError(error, 'cannot look at', this.directory)
    }
  }
}

export function directoryGone(): SedgeError {
  return new SedgeError('IO', 'the directory of the store is gone')
}

/** What is told of a store that an earlier failure has ended writing to. */
export function failedError(cause: SedgeError | undefined): SedgeError {
  return new SedgeError('FAILED', `the store has failed: ${cause?.message ?? ''}`, { cause })
}

export function closedError(): SedgeError {
  return new SedgeError('CLOSED', 'the store is closed')
}

/** Any failure as a `SedgeError`. */
export function asSedgeError(error: unknown): SedgeError {
  if (error instanceof SedgeError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new SedgeError('FAILED', message, { cause: error })
}

/** Whether an edit of the manifest has failed without a trace, so that it may be tried again. */
export function isRetriable({ code, outcome }: SedgeError): boolean {
  return (code === 'FULL' || code === 'IO') && outcome !== 'unknown'
}

/** For a write that had not begun: it is not there, whatever is unknown about what has failed. */
export function definite(error: SedgeError): SedgeError {
  if (error.outcome === undefined) return error
  return new SedgeError(error.code, error.message, { cause: error, file: error.file })
}
