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
  /** A call waits for a turn of the event loop: those behind it wait for it, so that all act in order. */
  #isBusy = false
  #waiting: (() => void)[] = []
  #isResuming = false

  constructor(reader: EntryReader<T>, keys: Codec) {
    this.#reader = reader
    this.#keys = keys
  }

  /** The next entry. Rejects with `CLOSED` once the store was closed; after the end it is done. */
  next(): Promise<IteratorResult<T, undefined>> {
    this.#watch()
    if (this.#isBusy) return this.#later(() => this.next())
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
   * Calls before it are not concerned. Throws `CLOSED` after the end or close, `TypeError` for a wrong key.
   */
  seek(key: Input<K>): void {
    const bound = encodeBound(key, 'key', this.#keys)
    if (!this.#isBusy) this.#reader.seek(bound)
    else this.#waiting.push(() => this.#seekQuietly(bound))
  }

  /** The next entries, at most `limit`. All that remain, and the iterator is closed, when there is no limit. */
  all(options?: AllOptions): Promise<T[]> {
    try {
      const limit = limitOption(optionalOptions(options))
      this.#watch()
      return this.#isBusy ? this.#later(() => this.#collect(limit)) : this.#collect(limit)
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

  async #nextAfterTurn(): Promise<IteratorResult<T, undefined>> {
    this.#isBusy = true
    await this.#reader.nextTurn()
    this.#isBusy = false
    const next = this.next()
    this.#resume()
    return next
  }

  /** Calls again when all calls before have acted. */
  #later<R>(call: () => Promise<R>): Promise<R> {
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(call()))
    })
  }

  /** Makes the calls that wait, as far as none of them has to wait again. */
  #resume(): void {
    // A call that is made here ends here, too: a long row of them must not nest.
    if (this.#isResuming || this.#waiting.length === 0) return
    this.#isResuming = true
    let made = 0
    while (made < this.#waiting.length && !this.#isBusy) this.#waiting[made++]?.()
    this.#waiting.splice(0, made)
    this.#isResuming = false
  }

  /** A seek that had to wait for the end of the entries does nothing any more; the calls behind it tell. */
  #seekQuietly(bound: Uint8Array): void {
    try {
      this.#reader.seek(bound)
    } catch {
      // Told.
    }
  }

  async #collect(limit: number): Promise<T[]> {
    this.#isBusy = true
    try {
      const entries: T[] = []
      while (entries.length < limit) {
        if (!this.#reader.hasBuffered) {
          if (++this.#fills % FILLS_PER_TURN === 0) await this.#reader.nextTurn()
          if (!this.#reader.advance()) break
        }
        if (this.#reader.hasBuffered) entries.push(this.#reader.take())
      }
      return entries
    } finally {
      this.#isBusy = false
      this.#resume()
    }
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
