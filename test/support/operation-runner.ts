/**
 * Runs operations on a store and on its model, and throws at the first difference.
 *
 * Call protocol: start run* finish. Knows nothing of mocha, so that it runs on every runtime.
 */
import { Buffer } from 'node:buffer'
import type { SedgeError } from '../../src/index.ts'
import { DatabaseModel } from './database-model.ts'
import { type AnyDatabase, OpenReads } from './operation-reads.ts'
import { argument, keyBytes, rangeArgument, spoil, valueBytes } from './operation-values.ts'
import type { BatchItem, Operation, RangeSpec, Refusal } from './random-operations.ts'

/** What the runner is run on. */
export interface RunnerTarget {
  /** Opens the store with binary keys and values; the same one each time. */
  open(): Promise<AnyDatabase>
  /** The time that the store is told; undefined where it has the machine's. */
  readonly time: { now: number } | undefined
  /** Looks at what a closed store has left behind. Throws. */
  closed?(): void
}

type Of<T extends Operation['type']> = Extract<Operation, { type: T }>

/** Promises of writes that are kept waiting at most. */
const PENDING_MAX = 64

export class OperationRunner {
  readonly #target: RunnerTarget
  readonly #model = new DatabaseModel()
  #reads: OpenReads | undefined
  #db: AnyDatabase | undefined
  #pending: Promise<void>[] = []
  /** Flushes, compactions and syncs under way. */
  #works: Promise<void>[] = []
  #steps = 0

  constructor(target: RunnerTarget) {
    this.#target = target
  }

  async start(): Promise<void> {
    this.#db = await this.#target.open()
    this.#reads = new OpenReads(this.#db, this.#model, this.#target.time)
  }

  async run(operation: Operation): Promise<void> {
    const { time } = this.#target
    // Mostly forward, sometimes back, and now and then further than a log segment can span.
    if (time !== undefined)
      time.now += this.#steps % 4999 === 4998 ? 2 ** 32 : (this.#steps % 7) - 2
    this.#steps++
    await this.#perform(operation)
    if (this.#pending.length > PENDING_MAX) await this.#settle()
  }

  /** Compares everything, closes, opens, compares again. */
  async finish(): Promise<void> {
    await this.#settle()
    await this.#reopen()
    await this.#check()
    await this.#verify()
    await this.#open.close()
    this.#target.closed?.()
  }

  /** Gives the store up after a failure. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#pending)
    await this.#db?.close()
  }

  get #open(): AnyDatabase {
    if (this.#db === undefined) throw new Error('the runner was not started')
    return this.#db
  }

  async #perform(operation: Operation): Promise<void> {
    switch (operation.type) {
      case 'write':
        return this.#write(operation)
      case 'batch':
        return this.#batch(operation)
      case 'refused':
        return this.#refused(operation)
      case 'clear':
        return this.#clear(operation.range)
      case 'compact':
        return this.#work(this.#open.compact(rangeArgument(operation.range)))
      case 'flush':
        return this.#work(this.#open.flush())
      case 'sync':
        return this.#work(this.#open.sync())
      case 'turn':
        return this.#turn()
      case 'settle':
        return this.#settle()
      case 'check':
        return this.#check()
      case 'verify':
        return this.#verify()
      case 'reopen':
        return this.#reopen()
      default:
        return this.#reads?.perform(operation)
    }
  }

  // Writes

  async #write({ via, item, sync }: Of<'write'>): Promise<void> {
    const { key, value } = encode(item)
    const options = sync === undefined ? undefined : { sync }
    let promise: Promise<void> | undefined
    if (via === 'sync') {
      if (value === undefined) this.#open.deleteSync(key, options)
      else this.#open.putSync(key, value, options)
    } else if (value === undefined) promise = this.#open.delete(key, options)
    else promise = this.#open.put(key, value, options)
    spoil(key)
    spoil(value)
    this.#note([item])
    await this.#wait(promise, via)
  }

  async #batch({ via, items, sync }: Of<'batch'>): Promise<void> {
    const options = sync === undefined ? undefined : { sync }
    const encoded = items.map(encode)
    let promise: Promise<void> | undefined
    if (via === 'chained') {
      const batch = this.#open.batch()
      for (const { key, value } of encoded) {
        if (value === undefined) batch.delete(key)
        else batch.put(key, value)
        spoil(key)
        spoil(value)
      }
      promise = batch.write(options)
    } else {
      const list = encoded.map(({ key, value }) =>
        value === undefined
          ? ({ type: 'delete', key } as const)
          : ({ type: 'put', key, value } as const),
      )
      if (via === 'sync') this.#open.batchSync(list, options)
      else promise = this.#open.batch(list, options)
      for (const { key, value } of encoded) {
        spoil(key)
        spoil(value)
      }
    }
    this.#note(items)
    await this.#wait(promise, via === 'awaited' ? 'awaited' : 'promise')
  }

  /** Writes to the model, and checks that the store has counted alike [ORD-7]. */
  #note(items: readonly BatchItem[]): void {
    this.#reads?.note(items)
    this.#checkSequence()
  }

  #checkSequence(): void {
    const { sequence } = this.#open.stats()
    if (sequence === this.#model.sequence) return
    throw new Error(`the sequence is ${sequence} instead of ${this.#model.sequence}`)
  }

  async #wait(
    promise: Promise<void> | undefined,
    via: 'awaited' | 'promise' | 'sync',
  ): Promise<void> {
    if (promise === undefined) return
    if (via === 'awaited') return promise
    // Settled later; without a handler a failure would end the process before it can be told.
    promise.catch(() => {})
    this.#pending.push(promise)
  }

  /** A batch that fails changes nothing [API-20, LIM-5]. */
  async #refused({ how, items }: Of<'refused'>): Promise<void> {
    const good = items.map((item) => {
      const { key, value = 'v' } = encode(item)
      return { type: 'put', key, value } as const
    })
    const { bad, options, isExpected } = refusal(how)
    const list = [...good, bad] as { type: 'put'; key: Uint8Array; value: Uint8Array }[]
    const attempts = [
      async () => this.#open.batch(list, options),
      async () => this.#open.batchSync(list, options),
      async () => this.#open.putSync(bad.key as Uint8Array, bad.value as Uint8Array, options),
    ]
    for (const attempt of attempts) {
      const error = await attempt().then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (!isExpected(error)) throw new Error(`${how}: ${String(error)}`)
      this.#checkSequence()
    }
  }

  async #clear(range: RangeSpec): Promise<void> {
    const entries = this.#model.scan(range, range)
    await this.#open.clear(rangeArgument(range))
    this.#note(entries.map(({ key }) => ({ key, given: 'bytes' })))
  }

  // The store as a whole

  /** Every other one is awaited at once. */
  async #work(work: Promise<void>): Promise<void> {
    if (this.#steps % 2 === 0) return work
    work.catch(() => {})
    this.#works.push(work)
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    const { lastError, cacheBytes, state } = this.#open.stats()
    if (lastError !== undefined) throw lastError
    if (state !== 'open') throw new Error(`the state is ${state}`)
    if (cacheBytes > this.#open.stats().kernelBytes) throw new Error('the cache has burst')
  }

  async #settle(): Promise<void> {
    const pending = [...this.#pending, ...this.#works]
    this.#pending = []
    this.#works = []
    await Promise.all(pending)
  }

  async #check(): Promise<void> {
    for (const reverse of [false, true]) {
      await this.#reads?.perform({
        ...{ type: 'scan', via: 'sync', shape: 'entries', range: { reverse } },
        ...{ keyForm: 'binary', valueForm: 'binary', inside: [] },
      })
    }
  }

  async #verify(): Promise<void> {
    const { problems } = await this.#open.verify()
    if (problems[0] !== undefined) throw problems[0]
  }

  /** Closes with writes under way, and opens again [DUR-7]. */
  async #reopen(): Promise<void> {
    const works = this.#works
    this.#works = []
    const closing = this.#open.close()
    await this.#settle()
    await closing
    for (const work of works) await work.catch(expectClosing)
    await this.#reads?.expectClosed()
    this.#target.closed?.()
    this.#db = await this.#target.open()
    this.#reads?.use(this.#db)
    const { recovery } = this.#db.stats()
    if (!recovery.cleanClose || recovery.droppedBytes > 0 || recovery.removedFiles > 0) {
      throw new Error(`recovered ${JSON.stringify(recovery)} after a clean close`)
    }
    this.#checkSequence()
  }
}

function encode({ key, value, given }: BatchItem): {
  key: string | Uint8Array
  value: string | Uint8Array | undefined
} {
  return {
    key: argument(keyBytes(key), given),
    value: value && argument(valueBytes(value), given),
  }
}

/** Closing ends what is under way. */
function expectClosing(error: unknown): void {
  if ((error as SedgeError).code !== 'CLOSED') throw error
}

const THROWN = new Error('thrown by an encoder')

function refusal(how: Refusal): {
  bad: { type: 'put'; key: unknown; value: unknown }
  options: { valueEncoding: { encode(): Uint8Array; decode(): unknown } } | undefined
  isExpected(error: unknown): boolean
} {
  const isLimit = (error: unknown): boolean => (error as SedgeError)?.code === 'LIMIT'
  const isType = (error: unknown): boolean => error instanceof TypeError
  const put = (key: unknown, value: unknown) => ({ type: 'put', key, value }) as const
  const none = { options: undefined }
  if (how === 'empty key') return { bad: put('', 'v'), ...none, isExpected: isLimit }
  if (how === 'long key') {
    return { bad: put(Buffer.alloc(2 ** 20 + 1), 'v'), ...none, isExpected: isLimit }
  }
  if (how === 'lone surrogate') return { bad: put('\ud800', 'v'), ...none, isExpected: isType }
  if (how === 'bad type') return { bad: put('k', 5), ...none, isExpected: isType }
  let calls = 0
  const encode = (): Uint8Array => {
    if (++calls > 0) throw THROWN
    return new Uint8Array(0)
  }
  const options = { valueEncoding: { encode, decode: () => undefined } }
  return { bad: put('k', 'v'), options, isExpected: (error) => error === THROWN }
}
