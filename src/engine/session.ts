/**
 * What the calls of one open store share: its engine, its codecs, what is still open, and whether it is closed.
 *
 * All of the caller's code (encoders, getters, `toJSON`) runs in the encoding methods, before the engine is
 * asked for anything.
 */
import { ALL_KEYS, type EncodedRange, encodeRange, limitOption } from '../iterator/range.ts'
import type { Codec, Encoded } from '../key/encoding.ts'
import { booleanOption, optionalOptions, optionsObject, ownValue } from '../util/own-option.ts'
import type { Revocable } from './abandoned.ts'
import { codecOption, encodeOperations } from './arguments.ts'
import type { Durability, EngineLike, Operation, ScanOptions } from './engine-types.ts'
import { EntryReader, entryMaker, type ReaderHome, storeClosed } from './entry-reader.ts'
import { PinHandle, Snapshot } from './snapshot.ts'

/** What comes out of an iterator. */
export type ScanShape = 'entries' | 'keys' | 'values'

/** What a call counts for beside its bytes, and how much may happen in one turn of the event loop: a few milliseconds. */
const CALL_WORK = 128
const SLOW_CALL_WORK = 2048
const WORK_PER_TURN = 256 * 1024

/** What a session is made of. */
export interface SessionParts {
  readonly engine: EngineLike
  /** The store's own codecs. */
  readonly keys: Codec
  readonly values: Codec
  /** Calls back in a later turn of the event loop. */
  readonly defer: (fn: () => void) => void
}

export class Session implements ReaderHome {
  readonly engine: EngineLike
  /** The store's own codecs. */
  readonly keys: Codec
  readonly values: Codec
  /** Open iterators and snapshots. */
  readonly live: Set<Revocable> = new Set<Revocable>()
  readonly #defer: (fn: () => void) => void
  #closing: Promise<void> | undefined
  #isClosed = false
  /** Since the last promise that took a turn. */
  #work = 0

  constructor({ engine, keys, values, defer }: SessionParts) {
    this.engine = engine
    this.keys = keys
    this.values = values
    this.#defer = defer
  }

  get phase(): 'open' | 'closing' | 'closed' {
    if (this.#closing === undefined) return 'open'
    return this.#isClosed ? 'closed' : 'closing'
  }

  /** Throws `CLOSED` once `close` was called. */
  assertOpen(): void {
    if (this.#closing !== undefined) throw storeClosed()
  }

  encodeKey(key: unknown, options: object | undefined): Encoded {
    if (options === undefined) return this.keys.encode(key, 'key')
    return codecOption(optionsObject(options), 'key', this.keys).encode(key, 'key')
  }

  encodeValue(value: unknown, options: object | undefined): Encoded {
    return this.valueCodec(options).encode(value, 'value')
  }

  valueCodec(options: object | undefined): Codec {
    if (options === undefined) return this.values
    return codecOption(optionsObject(options), 'value', this.values)
  }

  encodeKeys(keys: unknown, options: object | undefined): Encoded[] {
    if (!Array.isArray(keys)) throw new TypeError('keys must be an array')
    const codec =
      options === undefined ? this.keys : codecOption(optionsObject(options), 'key', this.keys)
    return Array.from(keys as unknown[], (key) => codec.encode(key, 'a key of keys'))
  }

  encodeOperations(operations: unknown, options: object | undefined): Operation[] {
    if (options === undefined) return encodeOperations(operations, this.keys, this.values)
    const keys = codecOption(optionsObject(options), 'key', this.keys)
    return encodeOperations(operations, keys, codecOption(options, 'value', this.values))
  }

  /** `undefined` when no key can be in the range. */
  encodeRange(options: object): EncodedRange | undefined {
    return encodeRange(options, codecOption(options, 'key', this.keys))
  }

  /** The sequence of the snapshot that a call names, `undefined` for now. Throws `TypeError` or `CLOSED`. */
  sequence(options: object | undefined): number | undefined {
    if (options === undefined) return undefined
    const snapshot = ownValue(options, 'snapshot', (options as { snapshot?: unknown }).snapshot)
    return snapshot === undefined ? undefined : Snapshot.sequenceOf(snapshot, this)
  }

  /** Starts a scan, which fixes what it sees. Also returns the codec of its keys, for `seek`. */
  scan<T>(range: object | undefined, shape: ScanShape): [EntryReader<T>, Codec] {
    this.assertOpen()
    const options = optionalOptions(range, 'range')
    const keys = codecOption(options, 'key', this.keys)
    const values = codecOption(options, 'value', this.values)
    const encoded = encodeRange(options, keys)
    const limit = limitOption(options)
    const scan: ScanOptions = {
      range: encoded ?? ALL_KEYS,
      reverse: booleanOption(options, 'reverse') ?? false,
      limit: encoded === undefined ? 0 : limit,
      sequence: this.sequence(options),
      keys: shape === 'values' ? undefined : keys.form,
      values: shape === 'keys' ? undefined : values.form,
    }
    const make = entryMaker<T>(shape, keys, values)
    return [new EntryReader(this, scan, make), keys]
  }

  snapshot(): Snapshot {
    this.assertOpen()
    return new Snapshot(new PinHandle(this.engine.pin(), this, this.live))
  }

  /**
   * What a call gives back that has dealt with `bytes`, whatever came of it. Every so often it is settled in a later turn of the
   * event loop: a caller who awaits one call after the other would otherwise keep timers and sockets waiting until the last [API-25].
   */
  paced<T>(promise: Promise<T>, bytes: number): Promise<T> {
    return this.isTurnDue(CALL_WORK + bytes) ? this.#afterTurn(promise) : promise
  }

  /** A call that is not for speed: what `run` gives, paced, or `CLOSED`. */
  call<T>(run: (session: this) => Promise<T>): Promise<T> {
    try {
      this.assertOpen()
      return this.paced(run(this), SLOW_CALL_WORK)
    } catch (error) {
      return this.rejected(error)
    }
  }

  /** What a call gives back that throws before there is a promise. */
  rejected(error: unknown): Promise<never> {
    return this.paced(Promise.reject(error), 0)
  }

  /**
   * True if the call that does this work must take a turn of the event loop before it is answered. That goes by what was done and
   * not by time, so that the same calls take the same turns everywhere.
   */
  isTurnDue(work: number): boolean {
    this.#work += work
    if (this.#work < WORK_PER_TURN) return false
    this.#work = 0
    return true
  }

  async #afterTurn<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise
    } finally {
      await this.nextTurn()
    }
  }

  /** A batch, paced. */
  batch(operations: readonly Operation[], level: Durability | undefined): Promise<void> {
    let bytes = 0
    for (const operation of operations) {
      bytes += CALL_WORK / 4 + operation.key.length
      if (operation.kind === 'put') bytes += operation.value.length
    }
    return this.paced(this.engine.batch(operations, level), bytes)
  }

  nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#defer(resolve)
    })
  }

  /** Ends what is open, then closes the engine. Idempotent; every call gives the same promise. */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing
    let begin: (closed: Promise<void>) => void = () => {}
    // Set before anything happens: a listener that hears of the closing may call this again.
    this.#closing = new Promise((resolve) => {
      begin = resolve
    })
    begin(this.#closeAll())
    return this.#closing
  }

  async #closeAll(): Promise<void> {
    try {
      for (const one of [...this.live]) one.revoke()
      await this.engine.close()
    } finally {
      this.#isClosed = true
      await this.nextTurn()
    }
  }
}
