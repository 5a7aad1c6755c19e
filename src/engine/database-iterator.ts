/**
 * The iterators that callers hold [API-8]: `for await (… of db.iterator())`, `for (… of db.iteratorSync())`.
 *
 * Call protocol: (next | seek | all)* close. The end, a failure, leaving a loop and closing the store close too.
 * What they read is fixed when they are made.
 */
import { encodeBound, limitOption } from '../iterator/range.ts'
import type { Codec, Input } from '../key/encoding.ts'
import { optionalOptions } from '../util/own-option.ts'
import { closeWhenCollected } from './abandoned.ts'
import type { EntryReader } from './entry-reader.ts'

/** Options of `all`. */
export interface AllOptions {
  /** Most entries: a whole number or Infinity, the default. */
  readonly limit?: number | undefined
}

/** A long loop over entries that are at hand would otherwise starve timers and sockets. */
const FILLS_PER_TURN = 4

/** Entries of type `T`, asked for one by one; `K` is the type of keys. */
export class DatabaseIterator<T, K> implements AsyncIterableIterator<T, undefined> {
  readonly #reader: EntryReader<T>
  readonly #keys: Codec
  #fills = 0
  #isWatched = false
  /** What calls have to wait for, so that they are answered in order. */
  #busy: Promise<void> | undefined

  constructor(reader: EntryReader<T>, keys: Codec) {
    this.#reader = reader
    this.#keys = keys
  }

  /** The next entry. Rejects with `CLOSED` once the store was closed; after the end it is done. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#busy !== undefined) return this.#busy.then(() => this.next())
    this.#watch()
    try {
      if (!this.#reader.hasBuffered) {
        if (++this.#fills % FILLS_PER_TURN === 0) return this.#nextAfterTurn()
        if (!this.#reader.advance()) return Promise.resolve({ done: true, value: undefined })
        if (!this.#reader.hasBuffered) return this.#nextAfterTurn()
      }
      return Promise.resolve({ done: false, value: this.#reader.take() })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Goes on at the first entry at or after `key` in the direction of the iterator and within its range.
   *
   * Throws `CLOSED` after the end or close, `TypeError` for a wrong key.
   */
  seek(key: Input<K>): void {
    this.#reader.seek(encodeBound(key, 'key', this.#keys))
  }

  /** The next entries, at most `limit`. All that remain, and the iterator is closed, when there is no limit. */
  all(options?: AllOptions): Promise<T[]> {
    try {
      const limit = limitOption(optionalOptions(options))
      if (this.#busy !== undefined) return this.#busy.then(() => this.#collectInTurn(limit))
      this.#watch()
      return this.#collectInTurn(limit)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Lets go of what the iterator holds. Idempotent; `next` is done after it. */
  close(): Promise<void> {
    this.#reader.close()
    return Promise.resolve()
  }

  /** Closes. Loops call it when they are left early. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#reader.close()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Closes and rejects with `error`. */
  throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    this.#reader.close()
    return Promise.reject(error)
  }

  [Symbol.asyncIterator](): this {
    // A loop always closes: no need to watch for an abandoned iterator.
    this.#isWatched = true
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #nextAfterTurn(): Promise<IteratorResult<T, undefined>> {
    this.#busy = this.#reader.nextTurn().then(() => {
      this.#busy = undefined
    })
    return this.#busy.then(() => this.next())
  }

  #collectInTurn(limit: number): Promise<T[]> {
    if (this.#busy !== undefined) return this.#busy.then(() => this.#collectInTurn(limit))
    const collected = this.#collect(limit)
    const free = (): void => {
      this.#busy = undefined
    }
    this.#busy = collected.then(free, free)
    return collected
  }

  async #collect(limit: number): Promise<T[]> {
    const entries: T[] = []
    while (entries.length < limit) {
      if (!this.#reader.hasBuffered) {
        if (++this.#fills % FILLS_PER_TURN === 0) await this.#reader.nextTurn()
        if (!this.#reader.advance()) break
      }
      if (this.#reader.hasBuffered) entries.push(this.#reader.take())
    }
    return entries
  }

  #watch(): void {
    if (this.#isWatched) return
    this.#isWatched = true
    closeWhenCollected(this, this.#reader)
  }
}

/** The same without promises. */
export class SyncDatabaseIterator<T, K> implements IterableIterator<T, undefined>, Disposable {
  readonly #reader: EntryReader<T>
  readonly #keys: Codec
  #isWatched = false

  constructor(reader: EntryReader<T>, keys: Codec) {
    this.#reader = reader
    this.#keys = keys
  }

  /** The next entry. Throws `CLOSED` once the store was closed; after the end it is done. */
  next(): IteratorResult<T, undefined> {
    this.#watch()
    if (!this.#reader.hasBuffered && !this.#reader.fill()) return { done: true, value: undefined }
    return { done: false, value: this.#reader.take() }
  }

  /** As `DatabaseIterator.seek`. */
  seek(key: Input<K>): void {
    this.#reader.seek(encodeBound(key, 'key', this.#keys))
  }

  /** As `DatabaseIterator.all`. */
  all(options?: AllOptions): T[] {
    const limit = limitOption(optionalOptions(options))
    this.#watch()
    const entries: T[] = []
    while (entries.length < limit && (this.#reader.hasBuffered || this.#reader.fill())) {
      entries.push(this.#reader.take())
    }
    return entries
  }

  /** Lets go of what the iterator holds. Idempotent; `next` is done after it. */
  close(): void {
    this.#reader.close()
  }

  /** Closes. Loops call it when they are left early. */
  return(): IteratorResult<T, undefined> {
    this.#reader.close()
    return { done: true, value: undefined }
  }

  /** Closes and throws `error`. */
  throw(error?: unknown): IteratorResult<T, undefined> {
    this.#reader.close()
    throw error
  }

  [Symbol.iterator](): this {
    this.#isWatched = true
    return this
  }

  [Symbol.dispose](): void {
    this.#reader.close()
  }

  #watch(): void {
    if (this.#isWatched) return
    this.#isWatched = true
    closeWhenCollected(this, this.#reader)
  }
}
