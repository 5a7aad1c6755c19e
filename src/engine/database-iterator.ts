/**
 * The iterators that callers hold [API-8]: `for await (… of db.iterator())`, `for (… of db.iteratorSync())`.
 *
 * Call protocol: (next | seek | all)* close. The end, a failure, leaving a loop and closing the store close too.
 * What they read is fixed when they are made. Calls, `close` among them, act in order: those that wait make the next ones wait.
 */
import { encodeBound, limitOption } from '../iterator/range.ts'
import type { Codec, Input } from '../key/encoding.ts'
import { optionalOptions } from '../util/own-option.ts'
import { type EntryReader, iteratorClosed } from './entry-reader.ts'

/** Options of `all`. */
export interface AllOptions {
  /** Most entries: a whole number or Infinity, the default. */
  readonly limit?: number | undefined
}

/** A long loop over entries that are at hand would otherwise starve timers and sockets. */
const FILLS_PER_TURN = 4
/** What a call and a fill count for among all calls of the store, as many short iterators make many fills. */
const CALL_WORK = 128
const FILL_WORK = 2048

/** Entries of type `T`, asked for one by one; `K` is the type of keys. */
export class DatabaseIterator<T, K> implements AsyncIterableIterator<T, undefined> {
  readonly #reader: EntryReader<T>
  readonly #keys: Codec
  #fills = 0
  #isWatched = false
  /** A call waits for a turn of the event loop, or asks the engine, which may tell listeners who call again. */
  #isBusy = false
  /** The calls behind it. */
  #waiting: (() => void)[] = []
  #isResuming = false
  /** A call that closes was made. */
  #isEnding = false

  constructor(reader: EntryReader<T>, keys: Codec) {
    this.#reader = reader
    this.#keys = keys
  }

  /** The next entry. Rejects with `CLOSED` once the store was closed; after the end it is done. */
  next(): Promise<IteratorResult<T, undefined>> {
    this.#watch()
    return this.#mustWait ? this.#later(() => this.#next()) : this.#next()
  }

  /**
   * Goes on at the first entry at or after `key` in the direction of the iterator and within its range.
   *
   * Calls before it are not concerned. Throws `CLOSED` after the end or close, `TypeError` for a wrong key.
   */
  seek(key: Input<K>): void {
    const bound = encodeBound(key, 'key', this.#keys)
    if (!this.#mustWait) this.#reader.seek(bound)
    else if (this.#isEnding) throw iteratorClosed()
    else this.#waiting.push(() => this.#seekQuietly(bound))
  }

  /** The next entries, at most `limit`. All that remain, and the iterator is closed, when there is no limit. */
  all(options?: AllOptions): Promise<T[]> {
    try {
      const limit = limitOption(optionalOptions(options))
      this.#watch()
      return this.#inOrder(() => this.#collect(limit))
    } catch (error) {
      return this.#inOrder(() => this.#paced(Promise.reject(error)))
    }
  }

  /**
   * Lets go of what the iterator holds, as soon as the calls before it are answered [API-26]. Idempotent; `next` is done
   * after it.
   */
  close(): Promise<void> {
    return this.#end(() => Promise.resolve())
  }

  /** Closes. Loops call it when they are left early. */
  return(): Promise<IteratorResult<T, undefined>> {
    return this.#end(() => Promise.resolve({ done: true, value: undefined }))
  }

  /** Closes and rejects with `error`. */
  throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    return this.#end(() => Promise.reject(error))
  }

  [Symbol.asyncIterator](): this {
    // A loop always closes: no need to watch for an abandoned iterator.
    this.#isWatched = true
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Calls that wait are there until they have been made, those of a decoder in the middle of them come behind. */
  get #mustWait(): boolean {
    return this.#isBusy || this.#waiting.length > 0
  }

  #inOrder<R>(call: () => Promise<R>): Promise<R> {
    return this.#mustWait ? this.#later(call) : call()
  }

  /** Calls when all calls before have acted. */
  #later<R>(call: () => Promise<R>): Promise<R> {
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(call()))
    })
  }

  #end<R>(answer: () => Promise<R>): Promise<R> {
    this.#isEnding = true
    return this.#inOrder(() => {
      this.#reader.close()
      return this.#paced(answer())
    })
  }

  #next(): Promise<IteratorResult<T, undefined>> {
    try {
      if (!this.#reader.hasBuffered) {
        if (this.#isTurnDue()) return this.#nextAfterTurn()
        if (!this.#advance()) return Promise.resolve({ done: true, value: undefined })
        if (!this.#reader.hasBuffered) return this.#nextAfterTurn()
      }
      return Promise.resolve({ done: false, value: this.#reader.take() })
    } catch (error) {
      return Promise.reject(error)
    } finally {
      this.#resume()
    }
  }

  /** Before a fill. */
  #isTurnDue(): boolean {
    const isDue = this.#reader.isTurnDue(FILL_WORK)
    return ++this.#fills % FILLS_PER_TURN === 0 || isDue
  }

  #advance(): boolean {
    this.#isBusy = true
    try {
      return this.#reader.advance()
    } finally {
      this.#isBusy = false
    }
  }

  async #nextAfterTurn(): Promise<IteratorResult<T, undefined>> {
    this.#isBusy = true
    try {
      do {
        await this.#reader.nextTurn()
        if (!this.#reader.advance()) return { done: true, value: undefined }
      } while (!this.#reader.hasBuffered)
      return { done: false, value: this.#reader.take() }
    } finally {
      this.#isBusy = false
      this.#resume()
    }
  }

  /** What a call that has acted gives back, now and then after a turn, for which the calls behind it wait. */
  #paced<R>(answer: Promise<R>): Promise<R> {
    return this.#reader.isTurnDue(CALL_WORK) ? this.#afterTurn(answer) : answer
  }

  async #afterTurn<R>(answer: Promise<R>): Promise<R> {
    this.#isBusy = true
    try {
      return await answer
    } finally {
      await this.#reader.nextTurn()
      this.#isBusy = false
      this.#resume()
    }
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
      if (this.#reader.isTurnDue(CALL_WORK)) await this.#reader.nextTurn()
      while (entries.length < limit) {
        if (!this.#reader.hasBuffered) {
          if (this.#isTurnDue()) await this.#reader.nextTurn()
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
    this.#reader.watch(this)
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
    this.#reader.watch(this)
  }
}
