/**
 * The types of the public face: what each call of a `Database` takes and gives.
 *
 * `KE` and `VE` are the encodings that a call names, `undefined` where it names none and the store's own hold.
 */
import type { RangeBounds } from '../iterator/range.ts'
import type { AnyEncoding } from '../key/encoding.ts'
import type { Snapshot } from './snapshot.ts'

/** An encoding that a call may or may not name. */
export type CallEncoding = AnyEncoding | undefined

interface KeyEncodingOption<KE> {
  /** The encoding of keys in this call; the store's when absent. */
  readonly keyEncoding?: KE | undefined
}

interface ValueEncodingOption<VE> {
  /** The encoding of values in this call; the store's when absent. */
  readonly valueEncoding?: VE | undefined
}

interface SnapshotOption {
  /** Read what this snapshot sees; what is there now when absent. */
  readonly snapshot?: Snapshot | undefined
}

interface SyncOption {
  /** True: acknowledged at `'disk'`. False: at `'process'`. Absent: at the store's `durability`. */
  readonly sync?: boolean | undefined
}

/** Options of `has` and `getInto`. */
export interface KeyReadOptions<KE = undefined> extends KeyEncodingOption<KE>, SnapshotOption {}

/** Options of `get`, `getMany` and `getEntry`. */
export interface ReadOptions<KE = undefined, VE = undefined>
  extends KeyReadOptions<KE>,
    ValueEncodingOption<VE> {}

/** Options of `delete`. */
export interface DeleteOptions<KE = undefined> extends KeyEncodingOption<KE>, SyncOption {}

/** Options of `put` and `batch`. */
export interface WriteOptions<KE = undefined, VE = undefined>
  extends DeleteOptions<KE>,
    ValueEncodingOption<VE> {}

/** Options of `write` of a chained batch. */
export interface BatchWriteOptions extends SyncOption {}

/** Options of `put` of a chained batch. */
export interface BatchPutOptions<KE = undefined, VE = undefined>
  extends KeyEncodingOption<KE>,
    ValueEncodingOption<VE> {}

/** Options of `delete` of a chained batch. */
export interface BatchDeleteOptions<KE = undefined> extends KeyEncodingOption<KE> {}

interface DirectionOptions {
  /** From the last key to the first. Default false. */
  readonly reverse?: boolean | undefined
  /** Most entries: a whole number or Infinity, the default; -1 is Infinity. */
  readonly limit?: number | undefined
}

/** Options of iterators: bounds, direction and number, and how entries come out. */
export interface RangeOptions<K, KE = undefined, VE = undefined>
  extends RangeBounds<K>,
    DirectionOptions,
    ReadOptions<KE, VE> {}

/** Options of `clear`. `limit` counts deleted keys, from the end that `reverse` names. */
export interface ClearOptions<K, KE = undefined>
  extends RangeBounds<K>,
    DirectionOptions,
    DeleteOptions<KE> {}

/** Options of `compact`. */
export interface CompactOptions<K, KE = undefined> extends RangeBounds<K>, KeyEncodingOption<KE> {}

/** One operation of a batch. */
export type BatchOperation<K, V> =
  | { readonly type: 'put'; readonly key: K; readonly value: V }
  | { readonly type: 'delete'; readonly key: K }

/** What `getEntry` gives. */
export interface Entry<V> {
  readonly value: V
  /** The entry's place in the order of all writes to the store. */
  readonly sequence: number
  /** When it was written, in milliseconds since the epoch. */
  readonly timestamp: number
}

/** `'full'` and `'failed'`: reads work, writes do not. */
export type DatabaseStatus = 'open' | 'full' | 'failed' | 'closing' | 'closed'
