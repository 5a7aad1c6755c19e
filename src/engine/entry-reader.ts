/**
 * The inside of an iterator: one buffered batch of a scan, turned into what the caller gets.
 *
 * Call protocol: (fill take* | seek)* close. It closes itself at the end of the scan and at any failure.
 */
import { SedgeError } from '../errors.ts'
import type { Codec } from '../key/encoding.ts'
import { closeWhenCollected, forgetCollected, type Revocable } from './abandoned.ts'
import type { Encoded, EngineLike, ScanBatch, ScanCursor, ScanOptions } from './engine-types.ts'

/** Makes an entry of the caller's from row `index` of a batch. */
export type EntryMaker<T> = (batch: ScanBatch, index: number) => T

/** Where a reader comes from. */
export interface ReaderHome {
  readonly engine: EngineLike
  /** What is open. */
  readonly live: Set<Revocable>
  /** Resolves in a later turn of the event loop. */
  nextTurn(): Promise<void>
  /** True if a call that does this work must take a turn before it is answered [API-25]. */
  isTurnDue(work: number): boolean
}

export class EntryReader<T> implements Revocable {
  readonly #home: ReaderHome
  readonly #options: ScanOptions
  readonly #make: EntryMaker<T>
  #cursor: ScanCursor | undefined
  #batch: ScanBatch = NO_ENTRIES
  #index = 0
  /** Entries that may still be taken. */
  #left: number
  #revoked = false
  #isWatched = false

  /** Starts the scan and adds itself to what is open until it is closed. A limit of 0 does not reach the engine. */
  constructor(home: ReaderHome, options: ScanOptions, make: EntryMaker<T>) {
    this.#home = home
    this.#options = options
    this.#make = make
    this.#left = options.limit
    this.#cursor = options.limit === 0 ? NO_SCAN : home.engine.scan(options)
    home.live.add(this)
  }

  /** True if `take` has an entry without asking the engine. */
  get hasBuffered(): boolean {
    return this.#index < this.#batch.count
  }

  /** Fetches the next entries. False at the end and after close. Throws `CLOSED` once the store was closed. */
  fill(): boolean {
    while (this.advance()) if (this.hasBuffered) return true
    return false
  }

  /** Fetches the next batch, which may be empty. Else as `fill`. */
  advance(): boolean {
    if (this.#revoked) throw storeClosed()
    if (this.#cursor === undefined) return false
    try {
      const batch = this.#cursor.next()
      // A listener that heard of what the engine did may have closed the store, or this.
      if (this.#cursor === undefined) return this.advance()
      this.#index = 0
      if (batch !== undefined) {
        this.#batch = batch
        return true
      }
    } catch (error) {
      this.close()
      throw error
    }
    this.close()
    return false
  }

  /** Requires: `hasBuffered`. Throws what the caller's decoder throws. */
  take(): T {
    this.#left--
    try {
      return this.#make(this.#batch, this.#index++)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Goes on at the first entry at or after `key` in the scan's direction. Throws `CLOSED` after the end. */
  seek(key: Encoded): void {
    if (this.#revoked) throw storeClosed()
    const cursor = this.#cursor
    if (cursor === undefined) throw iteratorClosed()
    this.#batch = NO_ENTRIES
    this.#index = 0
    if (this.#left === 0) return
    try {
      // The cursor has counted entries against its limit that were never taken: start another one.
      if (Number.isFinite(this.#left)) this.#restart(cursor)
      this.#cursor?.seek(key)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** True if a call that does this work must take a turn before it is answered. */
  isTurnDue(work: number): boolean {
    return this.#home.isTurnDue(work)
  }

  /** Resolves in a later turn of the event loop. */
  nextTurn(): Promise<void> {
    return this.#home.nextTurn()
  }

  /** Closes when `handle`, which must not be reachable from here, is collected. */
  watch(handle: object): void {
    this.#isWatched = true
    closeWhenCollected(handle, this)
  }

  close(): void {
    const cursor = this.#cursor
    if (cursor === undefined) return
    this.#cursor = undefined
    this.#batch = NO_ENTRIES
    this.#index = 0
    this.#home.live.delete(this)
    if (this.#isWatched) forgetCollected(this)
    cursor.close()
  }

  revoke(): void {
    if (this.#cursor === undefined) return
    this.#revoked = true
    this.close()
  }

  #restart(old: ScanCursor): void {
    const options = { ...this.#options, sequence: old.sequence, limit: this.#left }
    // Only then may the old one let go of the sequence.
    this.#cursor = this.#home.engine.scan(options)
    old.close()
  }
}

/** What a scan of entries, keys or values makes of a row. */
export function entryMaker<T>(
  shape: 'entries' | 'keys' | 'values',
  keys: Codec,
  values: Codec,
): EntryMaker<T> {
  return makerOf(shape, keys.decode, values.decode) as EntryMaker<T>
}

function makerOf(
  shape: 'entries' | 'keys' | 'values',
  decodeKey: Codec['decode'] = asIs,
  decodeValue: Codec['decode'] = asIs,
): EntryMaker<unknown> {
  if (shape === 'keys') return (batch, index) => decodeKey(batch.keys[index]!)
  if (shape === 'values') return (batch, index) => decodeValue(batch.values[index]!)
  if (decodeKey === asIs && decodeValue === asIs) return entryAsIs
  return (batch, index) => [decodeKey(batch.keys[index]!), decodeValue(batch.values[index]!)]
}

function entryAsIs({ keys, values }: ScanBatch, index: number): unknown {
  return [keys[index], values[index]]
}

/** The error of every call after `close`. */
export function storeClosed(): SedgeError {
  return new SedgeError('CLOSED', 'the store is closed')
}

/** The error of a seek after the end or close. */
export function iteratorClosed(): SedgeError {
  return new SedgeError('CLOSED', 'the iterator is closed')
}

const NO_ENTRIES: ScanBatch = { keys: [], values: [], count: 0 }

const NO_SCAN: ScanCursor = {
  sequence: 0,
  next: () => undefined,
  seek: () => {},
  close: () => {},
}

function asIs(stored: string | Uint8Array): unknown {
  return stored
}
