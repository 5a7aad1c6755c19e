/**
 * The reading half of the operation runner: lookups, scans, and the snapshots and iterators that stay open from
 * operation to operation, all compared with the model.
 */
import type {
  Database,
  DatabaseIterator,
  SedgeError,
  Snapshot,
  SyncDatabaseIterator,
} from '../../src/index.ts'
import type { DatabaseModel, ModelEntry } from './database-model.ts'
import {
  argument,
  difference,
  type Form,
  keyBytes,
  modelKey,
  rangeArgument,
  spoil,
  valueBytes,
} from './operation-values.ts'
import type { BatchItem, Operation, RangeSpec } from './random-operations.ts'

export type AnyDatabase = Database<Uint8Array, Uint8Array>

type Of<T extends Operation['type']> = Extract<Operation, { type: T }>
export type ReadOperation = Of<
  'get' | 'getMany' | 'scan' | 'begin' | 'next' | 'seek' | 'end' | 'snapshot' | 'release'
>

type AnyIterator =
  | DatabaseIterator<[Uint8Array, Uint8Array], Uint8Array>
  | SyncDatabaseIterator<[Uint8Array, Uint8Array], Uint8Array>

/** An iterator, and what is needed to know what it says next. */
interface OpenIterator {
  readonly iterator: AnyIterator
  readonly sequence: number
  readonly range: RangeSpec
  /** It goes on here, or, when the key was handed out, behind it. */
  position: { readonly key: string; readonly isTaken: boolean } | undefined
  left: number
  hasEnded: boolean
}

interface OpenSnapshot {
  readonly snapshot: Snapshot
  readonly sequence: number
}

export class OpenReads {
  readonly #model: DatabaseModel
  readonly #time: { readonly now: number } | undefined
  readonly #snapshots = new Map<number, OpenSnapshot>()
  readonly #iterators = new Map<number, OpenIterator>()
  #db: AnyDatabase

  constructor(db: AnyDatabase, model: DatabaseModel, time: { readonly now: number } | undefined) {
    this.#db = db
    this.#model = model
    this.#time = time
  }

  /** Goes on with another opening of the store. */
  use(db: AnyDatabase): void {
    this.#db = db
  }

  /** Writes to the model. */
  note(items: readonly BatchItem[]): void {
    for (const { key, value } of items) {
      this.#model.write(key, value && valueBytes(value), this.#time?.now ?? 0)
    }
  }

  async perform(operation: ReadOperation): Promise<void> {
    switch (operation.type) {
      case 'get':
        return this.#get(operation)
      case 'getMany':
        return this.#getMany(operation)
      case 'scan':
        return this.#scan(operation)
      case 'begin':
        return this.#begin(operation)
      case 'next':
        return this.#next(operation)
      case 'seek':
        return this.#seek(operation)
      case 'end':
        return this.#end(operation.slot)
      case 'snapshot':
        return this.#snapshot(operation.slot)
      case 'release':
        return this.#release(operation.slot)
    }
  }

  /** After the store was closed: what was open is closed, what had ended is not [API-15, SNAP-3]. */
  async expectClosed(): Promise<void> {
    for (const { iterator, sequence, hasEnded } of this.#iterators.values()) {
      this.#model.unpin(sequence)
      const code = await codeOf(async () => (await iterator.next()).done)
      expectSame(code, hasEnded ? 'true' : 'CLOSED', 'next after the store was closed')
    }
    for (const { snapshot, sequence } of this.#snapshots.values()) {
      this.#model.unpin(sequence)
      const code = await codeOf(async () => this.#db.getSync('k', { snapshot }))
      expectSame(code, 'CLOSED', 'a snapshot after the store was closed')
    }
    this.#iterators.clear()
    this.#snapshots.clear()
  }

  // Lookups

  /** The snapshot of a slot as options, and the sequence that it sees; where there is none, the present. */
  #at(slot: number | undefined): { options: { snapshot?: Snapshot }; sequence: number } {
    const open = slot === undefined ? undefined : this.#snapshots.get(slot)
    if (open === undefined) return { options: {}, sequence: this.#model.sequence }
    return { options: { snapshot: open.snapshot }, sequence: open.sequence }
  }

  async #get({ via, key, given, form, snapshot: slot }: Of<'get'>): Promise<void> {
    const { options, sequence } = this.#at(slot)
    const expected = this.#model.find(key, sequence)
    const asked = argument(keyBytes(key), given)
    const whole = { ...options, valueEncoding: form }
    if (via === 'has' || via === 'hasSync') {
      const has = via === 'has' ? this.#db.has(asked, options) : this.#db.hasSync(asked, options)
      spoil(asked)
      expectSame(await has, expected !== undefined, via)
    } else if (via === 'into') {
      this.#getInto(asked, options, expected)
    } else if (via === 'entry') {
      const entry = this.#db.getEntry(asked, whole)
      spoil(asked)
      await this.#expectValue(async () => (await entry)?.value, expected, form)
      if (expected !== undefined) await this.#expectPlace(entry, expected)
    } else if (via === 'sync') {
      await this.#expectValue(async () => this.#db.getSync(asked, whole), expected, form)
    } else {
      const value = this.#db.get(asked, whole)
      spoil(asked)
      await this.#expectValue(() => value, expected, form)
    }
  }

  async #expectPlace(
    found: Promise<{ sequence: number; timestamp: number } | undefined>,
    expected: ModelEntry,
  ): Promise<void> {
    // What cannot be decoded has no entry; its value was looked at already.
    const entry = await found.catch(() => undefined)
    if (entry === undefined) return
    expectSame(entry.sequence, expected.sequence, 'the sequence of an entry')
    if (this.#time !== undefined) {
      expectSame(entry.timestamp, expected.timestamp, 'the timestamp of an entry')
    }
  }

  #getInto(
    key: string | Uint8Array,
    options: { snapshot?: Snapshot },
    expected: ModelEntry | undefined,
  ): void {
    const length = expected?.value.length
    const small = new Uint8Array(Math.min(10, length ?? 10)).fill(7)
    expectSame(this.#db.getInto(key, small, 1, options), length, 'the length by getInto')
    if (length !== undefined && small.some((byte) => byte !== 7)) {
      throw new Error('getInto wrote where there was no room')
    }
    const target = new Uint8Array((length ?? 0) + 5).fill(7)
    this.#db.getInto(key, target, 3, options)
    if (expected === undefined) return
    const edges = [0, 1, 2, target.length - 2, target.length - 1]
    if (edges.some((at) => target[at] !== 7)) throw new Error('getInto wrote beyond the value')
    expectValue(target.subarray(3, -2), expected.value, 'binary', 'getInto')
  }

  async #getMany({ via, keys, given, form, snapshot: slot }: Of<'getMany'>): Promise<void> {
    const { options, sequence } = this.#at(slot)
    const wanted = form === 'json' ? 'buffer' : form
    const asked = keys.map((key) => argument(keyBytes(key), given))
    const whole = { ...options, valueEncoding: wanted }
    const values =
      via === 'sync' ? this.#db.getManySync(asked, whole) : this.#db.getMany(asked, whole)
    for (const key of asked) spoil(key)
    const found = await values
    expectSame(found.length, keys.length, 'the number of values')
    for (const [index, key] of keys.entries()) {
      const expected = this.#model.find(key, sequence)
      if (expected === undefined) expectSame(found[index], undefined, 'a value of getMany')
      else expectValue(found[index], expected.value, wanted, 'getMany')
      spoil(found[index])
    }
  }

  /** A value that is as expected, or, in JSON, refused because it is none. */
  async #expectValue(
    read: () => Promise<unknown>,
    expected: ModelEntry | undefined,
    form: Form,
  ): Promise<void> {
    if (expected !== undefined && form === 'json' && !isJson(expected.value)) {
      return expectSame(await codeOf(read), 'FORMAT', 'what is no JSON')
    }
    const value = await read()
    if (expected === undefined) return expectSame(value, undefined, 'a key that is not there')
    expectValue(value, expected.value, form, 'get')
    spoil(value)
  }

  // Scans

  async #scan(operation: Of<'scan'>): Promise<void> {
    const { shape, range, keyForm, valueForm, inside, snapshot: slot } = operation
    const { options, sequence } = this.#at(slot)
    const expected = this.#model.scan(range, { ...range, sequence })
    const whole = {
      ...{ ...rangeArgument(range), ...options },
      ...{ keyEncoding: keyForm, valueEncoding: valueForm },
    }
    let at = 0
    const take = (row: unknown): void => {
      const entry = expected[at]
      if (entry === undefined) throw new Error(`an entry beyond the ${at} expected`)
      const [key, value] = shape === 'entries' ? (row as [unknown, unknown]) : [row, row]
      if (shape !== 'values') expectValue(key, keyBytes(entry.key), keyForm, `key ${at} of a scan`)
      if (shape !== 'keys') expectValue(value, entry.value, valueForm, `value ${at} of a scan`)
      spoil(key)
      spoil(value)
      const item = inside[at++]
      if (item !== undefined) this.#writeInside(item)
    }
    await this.#eachRow(operation, whole, take)
    expectSame(at, expected.length, 'the number of entries of a scan')
  }

  async #eachRow(
    { via, shape }: Of<'scan'>,
    options: object,
    take: (row: unknown) => void,
  ): Promise<void> {
    const db = this.#db
    const async = { entries: () => db.iterator(options), keys: () => db.keys(options) }
    const sync = { entries: () => db.iteratorSync(options), keys: () => db.keysSync(options) }
    if (via === 'async' || via === 'all') {
      const rows = shape === 'values' ? db.values(options) : async[shape]()
      if (via === 'all') for (const row of await rows.all()) take(row)
      else for await (const row of rows) take(row)
    } else {
      const rows = shape === 'values' ? db.valuesSync(options) : sync[shape]()
      for (const row of via === 'allSync' ? rows.all() : rows) take(row)
    }
  }

  /** What a loop writes it does not see [SNAP-1, SNAP-5]. */
  #writeInside(item: BatchItem): void {
    const { key, value } = item
    if (value === undefined) this.#db.deleteSync(keyBytes(key))
    else this.#db.putSync(keyBytes(key), valueBytes(value))
    this.note([item])
  }

  // Iterators that stay open

  #begin({ slot, via, range, snapshot }: Of<'begin'>): void {
    this.#end(slot)
    const { options, sequence } = this.#at(snapshot)
    const whole = { ...rangeArgument(range), ...options }
    const iterator = via === 'async' ? this.#db.iterator(whole) : this.#db.iteratorSync(whole)
    this.#model.pin(sequence)
    this.#iterators.set(slot, {
      ...{ iterator, sequence, range, position: undefined, hasEnded: false },
      left: range.limit ?? Number.POSITIVE_INFINITY,
    })
  }

  /** Asks for several entries at once; they are answered in order [API-18]. */
  async #next({ slot, count }: Of<'next'>): Promise<void> {
    const open = this.#iterators.get(slot)
    if (open === undefined) return
    const { iterator, range, sequence, position } = open
    const asked: (IteratorResult<unknown> | Promise<IteratorResult<unknown>>)[] = []
    for (let call = 0; call < count; call++) asked.push(iterator.next())
    const expected = this.#model
      .scan(range, {
        ...{ reverse: range.reverse ?? false, limit: count + 1, sequence },
        ...(position === undefined ? {} : { start: position.key }),
      })
      .filter(({ key }) => !(position?.isTaken === true && key === position.key))
      .slice(0, Math.min(count, open.left))
    for (const [index, answer] of asked.entries()) {
      const { done, value } = await answer
      const entry = open.hasEnded ? undefined : expected[index]
      expectSame(done, entry === undefined, `the end at entry ${index} of a call of next`)
      if (entry === undefined) {
        open.hasEnded = true
        continue
      }
      const [key, found] = value as [Uint8Array, Uint8Array]
      expectSame(modelKey(key), entry.key, 'a key of an iterator')
      expectValue(found, entry.value, 'binary', 'an iterator')
      spoil(key)
      spoil(found)
      open.position = { key: entry.key, isTaken: true }
      open.left--
    }
  }

  #seek({ slot, key }: Of<'seek'>): void {
    const open = this.#iterators.get(slot)
    if (open === undefined) return
    const target = new Uint8Array(keyBytes(key))
    if (open.hasEnded) {
      const code = codeOfSync(() => open.iterator.seek(target))
      expectSame(code, 'CLOSED', 'seek after the end')
      return
    }
    open.iterator.seek(target)
    spoil(target)
    open.position = { key, isTaken: false }
  }

  #end(slot: number): void {
    const open = this.#iterators.get(slot)
    if (open === undefined) return
    this.#iterators.delete(slot)
    this.#model.unpin(open.sequence)
    void open.iterator.close()
  }

  // Snapshots

  #snapshot(slot: number): void {
    this.#release(slot)
    const snapshot = this.#db.snapshot()
    const sequence = this.#model.pin(this.#model.sequence)
    expectSame(snapshot.sequence, sequence, 'the sequence of a snapshot')
    this.#snapshots.set(slot, { snapshot, sequence })
  }

  #release(slot: number): void {
    const open = this.#snapshots.get(slot)
    if (open === undefined) return
    this.#snapshots.delete(slot)
    this.#model.unpin(open.sequence)
    open.snapshot.close()
    const code = codeOfSync(() => this.#db.getSync('k', { snapshot: open.snapshot }))
    expectSame(code, 'CLOSED', 'a closed snapshot')
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'))
    return true
  } catch {
    return false
  }
}

function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (actual === expected) return
  throw new Error(`${what}: ${show(actual)} instead of ${show(expected)}`)
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 100 ? `${text.slice(0, 100)}… (${text.length})` : text
}

function expectValue(actual: unknown, expected: Buffer, form: Form, what: string): void {
  const problem = difference(actual, expected, form)
  if (problem !== undefined) throw new Error(`${what}: ${problem}`)
}

/** The code or name of what `call` rejects with, or else what it resolves to, as a string. */
async function codeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    return String(await call())
  } catch (error) {
    return (error as SedgeError).code ?? String(error)
  }
}

function codeOfSync(call: () => unknown): string {
  try {
    return String(call())
  } catch (error) {
    return (error as SedgeError).code ?? String(error)
  }
}
