/**
 * What the public `Database` asks of the engine below it. Keys and values are encoded already:
 * a string stands for its UTF-8 bytes (it has no lone surrogates), anything else is bytes.
 */
import type { SedgeError } from '../errors.ts'
import type { EncodedRange } from '../iterator/range.ts'
import type { Encoded, ResultForm } from '../key/encoding.ts'

// The engine does not keep or change a `Uint8Array` that it is given.
export type { Encoded, EncodedRange, ResultForm }

export type Durability = 'none' | 'process' | 'disk'

export interface PutOperation {
  readonly kind: 'put'
  readonly key: Encoded
  readonly value: Encoded
}

export interface DeleteOperation {
  readonly kind: 'delete'
  readonly key: Encoded
}

export type Operation = PutOperation | DeleteOperation

export interface ScanOptions {
  readonly range: EncodedRange
  readonly reverse: boolean
  /** Most entries to hand out; Infinity for all. */
  readonly limit: number
  /** A sequence to read at; `undefined` fixes the current one. */
  readonly sequence: number | undefined
  /** The form of keys, `undefined` to leave them out. */
  readonly keys: ResultForm | undefined
  /** The form of values, `undefined` to leave them out. */
  readonly values: ResultForm | undefined
}

/** One batch of a scan, columns side by side; a column that was not asked for is empty. */
export interface ScanBatch {
  readonly keys: (string | Uint8Array)[]
  readonly values: (string | Uint8Array)[]
  readonly count: number
}

/** Call protocol: next* close. Holds nothing but a live sequence. */
export interface ScanCursor {
  /** The sequence that the scan reads at; live until close. */
  readonly sequence: number
  /**
   * The next batch in growing sizes (16 to 1,024 entries), `undefined` at the end. It is empty when nothing was found
   * for long. Throws `CLOSED` after close.
   */
  next(): ScanBatch | undefined
  /** Continues at the first entry at or after `key`, which may be empty, in the direction of the scan, within the range. */
  seek(key: Encoded): void
  /** Idempotent. */
  close(): void
}

/** A pinned sequence. */
export interface SequencePin {
  readonly sequence: number
  /** Idempotent. */
  release(): void
}

export interface EntryResult {
  readonly value: string | Uint8Array
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

export interface LevelStats {
  readonly level: number
  readonly tables: number
  /** Bytes. */
  readonly bytes: number
  readonly entries: number
}

/** Synchronous and cheap. Counters run from open. Sizes are bytes. */
export interface Stats {
  readonly state: 'open' | 'full' | 'failed' | 'closed'
  readonly levels: readonly LevelStats[]
  readonly tables: number
  readonly tableBytes: number
  readonly logSegments: number
  readonly logBytes: number
  readonly memtableBytes: number
  readonly memtableEntries: number
  readonly immutableMemtables: number
  /** The last sequence given out. */
  readonly sequence: number
  readonly liveSnapshots: number
  readonly kernelBytes: number
  readonly cacheBytes: number
  readonly cacheHits: number
  readonly cacheMisses: number
  readonly filterChecks: number
  /** Filter checks that said "not here" and saved a block. */
  readonly filterNegatives: number
  /** Filter checks that said "maybe" for a key that was not there. */
  readonly filterFalsePositives: number
  readonly flushes: number
  readonly compactions: number
  readonly trivialMoves: number
  readonly bytesWritten: number
  readonly bytesRead: number
  readonly puts: number
  readonly deletes: number
  readonly gets: number
  /** Why writes are being slowed or held, if they are. */
  readonly stall: 'none' | 'memtables' | 'level0' | 'space'
  /** Milliseconds that writers have been held or slowed in all. */
  readonly stalledMs: number
  /** The last failure of background work, until one succeeds. */
  readonly lastError: SedgeError | undefined
  /** What recovery did at open. */
  readonly recovery: RecoveryReport
}

/** What open found and did. */
export interface RecoveryReport {
  readonly cleanClose: boolean
  readonly segments: number
  readonly entries: number
  /** Bytes of the log that were dropped because a crash may legally have torn them. */
  readonly droppedBytes: number
  /** Segments discarded because the log ended before them. */
  readonly droppedSegments: number
  readonly removedFiles: number
  /** With `recovery: 'pointInTime'`: where the damage was. */
  readonly damage: SedgeError | undefined
}

export interface VerifyReport {
  readonly tables: number
  readonly blocks: number
  readonly entries: number
  readonly logSegments: number
  readonly bytes: number
  readonly problems: readonly SedgeError[]
}

export type StoreEvent =
  | { readonly type: 'open'; readonly recovery: RecoveryReport }
  | {
      readonly type: 'flush'
      readonly table: number
      readonly entries: number
      readonly bytes: number
      readonly ms: number
    }
  | {
      readonly type: 'compaction'
      readonly level: number
      readonly inputs: number
      readonly outputs: number
      readonly bytes: number
      readonly ms: number
      readonly moved: boolean
    }
  | {
      readonly type: 'stall'
      readonly reason: 'memtables' | 'level0' | 'space'
      readonly ms: number
    }
  | { readonly type: 'state'; readonly state: Stats['state'] }
  | { readonly type: 'error'; readonly error: SedgeError }
  | { readonly type: 'close' }

/** The engine under a `Database`. Every method throws `CLOSED` after `close` began, except `close` and `stats`. */
export interface EngineLike {
  /** Level `undefined` is the store's. The promise settles once the level is reached; writes of one turn may share it. */
  put(key: Encoded, value: Encoded, level: Durability | undefined): Promise<void>
  putSync(key: Encoded, value: Encoded, level: Durability | undefined): void
  delete(key: Encoded, level: Durability | undefined): Promise<void>
  deleteSync(key: Encoded, level: Durability | undefined): void
  /** Atomic. An empty list does nothing. */
  batch(operations: readonly Operation[], level: Durability | undefined): Promise<void>
  batchSync(operations: readonly Operation[], level: Durability | undefined): void

  get(key: Encoded, form: ResultForm, sequence: number | undefined): string | Uint8Array | undefined
  /** Value length in bytes; copies nothing unless `target` has room from `offset`. */
  getInto(
    key: Encoded,
    target: Uint8Array,
    offset: number,
    sequence: number | undefined,
  ): number | undefined
  has(key: Encoded, sequence: number | undefined): boolean
  getEntry(key: Encoded, form: ResultForm, sequence: number | undefined): EntryResult | undefined
  scan(options: ScanOptions): ScanCursor
  pin(): SequencePin

  /** Deletes the keys of a range that are there now, in batches. */
  clear(
    range: EncodedRange,
    reverse: boolean,
    limit: number,
    level: Durability | undefined,
  ): Promise<void>
  sync(): Promise<void>
  flush(): Promise<void>
  compact(range: EncodedRange): Promise<void>
  verify(): Promise<VerifyReport>
  stats(): Stats
  close(): Promise<void>
}
