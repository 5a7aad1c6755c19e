/**
 * A batch built call by call [API-7]. Call protocol: (put | delete | clear)* (write | close).
 *
 * Keys and values are encoded and copied as they are added: what the caller does to them later is not seen.
 */
import { SedgeError } from '../errors.ts'
import type { Encoded, In } from '../key/encoding.ts'
import { optionalOptions } from '../util/own-option.ts'
import { levelOption } from './arguments.ts'
import type {
  BatchDeleteOptions,
  BatchPutOptions,
  BatchWriteOptions,
  CallEncoding,
} from './database-types.ts'
import type { Operation } from './engine-types.ts'
import type { Session } from './session.ts'

/** Operations that are written together or not at all. */
export class ChainedBatch<K, V> {
  readonly #session: Session
  /** `undefined` once written or closed. */
  #operations: Operation[] | undefined = []

  constructor(session: Session) {
    session.assertOpen()
    this.#session = session
  }

  /** Operations so far; 0 after `write` or `close`, of the batch or of the store. */
  get length(): number {
    const isOpen = this.#session.phase === 'open'
    return (isOpen && this.#operations?.length) || 0
  }

  /** Adds a put. Throws `TypeError` for a wrong key or value, `CLOSED` after `write` or `close`. */
  put<KE extends CallEncoding = undefined, VE extends CallEncoding = undefined>(
    key: In<KE, K>,
    value: In<VE, V>,
    options?: BatchPutOptions<KE, VE>,
  ): this {
    this.#open()
    const encodedKey = owned(this.#session.encodeKey(key, options))
    const encodedValue = owned(this.#session.encodeValue(value, options))
    this.#open().push({ kind: 'put', key: encodedKey, value: encodedValue })
    return this
  }

  /** Adds a deletion. Throws as `put` does. */
  delete<KE extends CallEncoding = undefined>(
    key: In<KE, K>,
    options?: BatchDeleteOptions<KE>,
  ): this {
    this.#open()
    const encodedKey = owned(this.#session.encodeKey(key, options))
    this.#open().push({ kind: 'delete', key: encodedKey })
    return this
  }

  /** Forgets the operations so far. Throws `CLOSED` after `write` or `close`. */
  clear(): this {
    this.#open().length = 0
    return this
  }

  /** Writes all operations atomically and ends the batch, whatever comes of it. Rejects as `Database.batch` does. */
  write(options?: BatchWriteOptions): Promise<void> {
    try {
      const operations = this.#open()
      const level = levelOption(optionalOptions(options))
      this.#operations = undefined
      return this.#session.batch(operations, level)
    } catch (error) {
      return this.#session.rejected(error)
    }
  }

  /** Ends the batch without writing it. Idempotent. */
  close(): Promise<void> {
    this.#operations = undefined
    return this.#session.paced(Promise.resolve(), 0)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(): Operation[] {
    this.#session.assertOpen()
    if (this.#operations === undefined) {
      throw new SedgeError('CLOSED', 'the batch was written or closed')
    }
    return this.#operations
  }
}

function owned(encoded: Encoded): Encoded {
  return typeof encoded === 'string' ? encoded : new Uint8Array(encoded)
}
