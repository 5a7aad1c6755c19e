/**
 * The store as its users see it [API-1]: checks arguments, encodes, asks the engine, decodes.
 *
 * Everything that a call sees is fixed, and all of the caller's code has run, when the call returns its promise.
 * Methods that return promises reject and never throw; all others throw. `SedgeError` `CLOSED` after `close`.
 */
import { limitOption } from '../iterator/range.ts'
import type { In, Out } from '../key/encoding.ts'
import { booleanOption } from '../util/own-option.ts'
import { checkTarget, levelOption, rangeArgument } from './arguments.ts'
import { ChainedBatch } from './chained-batch.ts'
import { DatabaseIterator, SyncDatabaseIterator } from './database-iterator.ts'
import type {
  BatchOperation,
  CallEncoding,
  ClearOptions,
  CompactOptions,
  DatabaseStatus,
  DeleteOptions,
  Entry,
  KeyReadOptions,
  RangeOptions,
  ReadOptions,
  WriteOptions,
} from './database-types.ts'
import type { Stats, VerifyReport } from './engine-types.ts'
import { Session, type SessionParts } from './session.ts'
import type { Snapshot } from './snapshot.ts'

/** An open store with keys of type `K` and values of type `V`. `open` makes it. */
export class Database<K, V> implements AsyncDisposable {
  readonly #session: Session

  constructor(parts: SessionParts) {
    this.#session = new Session(parts)
  }

  get status(): DatabaseStatus {
    const { phase, engine } = this.#session
    return phase === 'open' ? engine.stats().state : phase
  }

  // Writes

  /** Stores `value` under `key`. Resolves when the write is acknowledged. */
  put<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    key: In<KE, K>,
    value: In<VE, V>,
    options?: WriteOptions<KE, VE>,
  ): Promise<void> {
    try {
      const session = this.#session
      session.assertOpen()
      const encodedKey = session.encodeKey(key, options)
      const encodedValue = session.encodeValue(value, options)
      const level = options && levelOption(options)
      const written = session.engine.put(encodedKey, encodedValue, level)
      return session.paced(written, encodedKey.length + encodedValue.length)
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  /** As `put`; the write is acknowledged when the call returns. */
  putSync<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    key: In<KE, K>,
    value: In<VE, V>,
    options?: WriteOptions<KE, VE>,
  ): void {
    const session = this.#session
    session.assertOpen()
    const encodedKey = session.encodeKey(key, options)
    const encodedValue = session.encodeValue(value, options)
    session.engine.putSync(encodedKey, encodedValue, options && levelOption(options))
  }

  /** Removes `key`, whether it is there or not. Resolves when the write is acknowledged. */
  delete<KE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: DeleteOptions<KE>,
  ): Promise<void> {
    try {
      const session = this.#session
      session.assertOpen()
      const encoded = session.encodeKey(key, options)
      const level = options && levelOption(options)
      return session.paced(session.engine.delete(encoded, level), encoded.length)
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  /** As `delete`; the write is acknowledged when the call returns. */
  deleteSync<KE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: DeleteOptions<KE>,
  ): void {
    const session = this.#session
    session.assertOpen()
    const encoded = session.encodeKey(key, options)
    session.engine.deleteSync(encoded, options && levelOption(options))
  }

  /** Starts a batch that is built call by call. */
  batch(): ChainedBatch<K, V>
  /** Writes all operations, in order, or none. Resolves when the write is acknowledged. */
  batch<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    operations: readonly BatchOperation<In<KE, K>, In<VE, V>>[],
    options?: WriteOptions<KE, VE>,
  ): Promise<void>
  batch(...given: [operations?: unknown, options?: object]): ChainedBatch<K, V> | Promise<void> {
    // An argument that is undefined by mistake must not turn a write into a batch that is never written.
    if (given.length === 0) return new ChainedBatch(this.#session)
    const [operations, options] = given
    try {
      const session = this.#session
      session.assertOpen()
      const encoded = session.encodeOperations(operations, options)
      return session.batch(encoded, options && levelOption(options))
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  /** As `batch`; the write is acknowledged when the call returns. */
  batchSync<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    operations: readonly BatchOperation<In<KE, K>, In<VE, V>>[],
    options?: WriteOptions<KE, VE>,
  ): void {
    const session = this.#session
    session.assertOpen()
    const encoded = session.encodeOperations(operations, options)
    session.engine.batchSync(encoded, options && levelOption(options))
  }

  /** Deletes the keys that are in the range now, all by default, and nothing written later. Not atomic. */
  clear<KE extends CallEncoding = undefined>(range?: ClearOptions<In<KE, K>, KE>): Promise<void> {
    return this.#session.call(async (session) => {
      const options = rangeArgument(range)
      const encoded = session.encodeRange(options)
      const reverse = booleanOption(options, 'reverse') ?? false
      const limit = limitOption(options)
      const level = levelOption(options)
      if (encoded === undefined || limit === 0) return
      return session.engine.clear(encoded, reverse, limit, level)
    })
  }

  // Reads

  /** The value under `key`, `undefined` when there is none. */
  get<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: ReadOptions<KE, VE>,
  ): Promise<Out<VE, V> | undefined> {
    try {
      const value = this.getSync(key, options)
      return this.#session.paced(Promise.resolve(value), lengthOf(value))
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  /** The value under `key`, `undefined` when there is none. */
  getSync<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: ReadOptions<KE, VE>,
  ): Out<VE, V> | undefined {
    const session = this.#session
    session.assertOpen()
    const { form, decode } = session.valueCodec(options)
    const encoded = session.encodeKey(key, options)
    const stored = session.engine.get(encoded, form, session.sequence(options))
    if (stored === undefined || decode === undefined) return stored as Out<VE, V> | undefined
    return decode(stored) as Out<VE, V>
  }

  /** The values under `keys`, in their order, `undefined` where there is none. All are of one moment. */
  getMany<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    keys: readonly In<KE, K>[],
    options?: ReadOptions<KE, VE>,
  ): Promise<(Out<VE, V> | undefined)[]> {
    try {
      const values = this.getManySync(keys, options)
      const bytes = values.reduce<number>((sum, value) => sum + KEY_WORK + lengthOf(value), 0)
      return this.#session.paced(Promise.resolve(values), bytes)
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  /** As `getMany`. */
  getManySync<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    keys: readonly In<KE, K>[],
    options?: ReadOptions<KE, VE>,
  ): (Out<VE, V> | undefined)[] {
    const session = this.#session
    session.assertOpen()
    const { form, decode } = session.valueCodec(options)
    const encoded = session.encodeKeys(keys, options)
    const sequence = session.sequence(options)
    const stored = encoded.map((key) => session.engine.get(key, form, sequence))
    // Only now the caller's decoder, which might write, runs.
    const found = decode && stored.map((value) => (value === undefined ? value : decode(value)))
    return (found ?? stored) as (Out<VE, V> | undefined)[]
  }

  /**
   * Copies the value under `key` to `target` from `offset` on, if it fits there, and returns its length in bytes.
   *
   * Returns `undefined` when there is no value. Nothing is copied when the value does not fit.
   */
  getInto<KE extends CallEncoding = undefined>(
    key: In<KE, K>,
    target: Uint8Array,
    offset = 0,
    options?: KeyReadOptions<KE>,
  ): number | undefined {
    const session = this.#session
    session.assertOpen()
    checkTarget(target, offset)
    const encoded = session.encodeKey(key, options)
    return session.engine.getInto(encoded, target, offset, session.sequence(options))
  }

  /** True if there is a value under `key`. */
  has<KE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: KeyReadOptions<KE>,
  ): Promise<boolean> {
    try {
      return this.#session.paced(Promise.resolve(this.hasSync(key, options)), 0)
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  /** True if there is a value under `key`. */
  hasSync<KE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: KeyReadOptions<KE>,
  ): boolean {
    const session = this.#session
    session.assertOpen()
    const encoded = session.encodeKey(key, options)
    return session.engine.has(encoded, session.sequence(options))
  }

  /** The value under `key` with its sequence and time, `undefined` when there is none. */
  getEntry<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: ReadOptions<KE, VE>,
  ): Promise<Entry<Out<VE, V>> | undefined> {
    try {
      const entry = this.#entry<Out<VE, V>>(key, options)
      return this.#session.paced(Promise.resolve(entry), lengthOf(entry?.value))
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  #entry<T>(key: unknown, options: object | undefined): Entry<T> | undefined {
    const session = this.#session
    session.assertOpen()
    const { form, decode } = session.valueCodec(options)
    const encoded = session.encodeKey(key, options)
    const found = session.engine.getEntry(encoded, form, session.sequence(options))
    if (found === undefined) return undefined
    const value = (decode === undefined ? found.value : decode(found.value)) as T
    return { value, sequence: found.sequence, timestamp: found.timestamp }
  }

  // Scans

  /** Entries `[key, value]` in the order of keys. Throws for wrong arguments, as do the next five. */
  iterator<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    range?: RangeOptions<In<KE, K>, KE, VE>,
  ): DatabaseIterator<[Out<KE, K>, Out<VE, V>], Out<KE, K>> {
    return new DatabaseIterator(...this.#session.scan<[Out<KE, K>, Out<VE, V>]>(range, 'entries'))
  }

  /** Keys in their order. Values are not read. */
  keys<KE extends CallEncoding = undefined>(
    range?: RangeOptions<In<KE, K>, KE, CallEncoding>,
  ): DatabaseIterator<Out<KE, K>, Out<KE, K>> {
    return new DatabaseIterator(...this.#session.scan<Out<KE, K>>(range, 'keys'))
  }

  /** Values in the order of their keys. */
  values<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    range?: RangeOptions<In<KE, K>, KE, VE>,
  ): DatabaseIterator<Out<VE, V>, Out<KE, K>> {
    return new DatabaseIterator(...this.#session.scan<Out<VE, V>>(range, 'values'))
  }

  /** As `iterator`, for loops without `await`. */
  iteratorSync<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    range?: RangeOptions<In<KE, K>, KE, VE>,
  ): SyncDatabaseIterator<[Out<KE, K>, Out<VE, V>], Out<KE, K>> {
    return new SyncDatabaseIterator(
      ...this.#session.scan<[Out<KE, K>, Out<VE, V>]>(range, 'entries'),
    )
  }

  /** As `keys`, for loops without `await`. */
  keysSync<KE extends CallEncoding = undefined>(
    range?: RangeOptions<In<KE, K>, KE, CallEncoding>,
  ): SyncDatabaseIterator<Out<KE, K>, Out<KE, K>> {
    return new SyncDatabaseIterator(...this.#session.scan<Out<KE, K>>(range, 'keys'))
  }

  /** As `values`, for loops without `await`. */
  valuesSync<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    range?: RangeOptions<In<KE, K>, KE, VE>,
  ): SyncDatabaseIterator<Out<VE, V>, Out<KE, K>> {
    return new SyncDatabaseIterator(...this.#session.scan<Out<VE, V>>(range, 'values'))
  }

  /** Fixes what the store looks like now, for reads to come. Close it: it keeps old versions alive. */
  snapshot(): Snapshot {
    return this.#session.snapshot()
  }

  // The store as a whole

  /** Resolves when all that is acknowledged is on disk. Writes no table. */
  sync(): Promise<void> {
    return this.#session.call(({ engine }) => engine.sync())
  }

  /** Resolves when all that is in memory is in tables on disk. */
  flush(): Promise<void> {
    return this.#session.call(({ engine }) => engine.flush())
  }

  /** Compacts the tables that overlap the range, all of them by default. */
  compact<KE extends CallEncoding = undefined>(
    range?: CompactOptions<In<KE, K>, KE>,
  ): Promise<void> {
    return this.#session.call(async (session) => {
      const encoded = session.encodeRange(rangeArgument(range))
      if (encoded !== undefined) await session.engine.compact(encoded)
    })
  }

  /** Reads and checks every file of the store. Problems are reported and do not reject. */
  verify(): Promise<VerifyReport> {
    return this.#session.call(({ engine }) => engine.verify())
  }

  /** Counters and sizes. Cheap, and works after `close`. */
  stats(): Stats {
    return this.#session.engine.stats()
  }

  /** Ends iterators and snapshots, waits for accepted writes, closes. Every call gives the same promise. */
  close(): Promise<void> {
    return this.#session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** What one key of many counts for beside its value. */
const KEY_WORK = 64

/** Of a string or of bytes; what else a decoder makes has cost what it has cost. */
function lengthOf(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0
}
