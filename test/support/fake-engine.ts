/**
 * An engine without files for tests of what stands on it: every version of every key, in a map.
 *
 * It counts what is open and notes at which level writes were asked for. Keys are kept as latin1 text, whose
 * order is that of the bytes.
 */
import type {
  Durability,
  Encoded,
  EncodedRange,
  EngineLike,
  EntryResult,
  Operation,
  ResultForm,
  ScanBatch,
  ScanCursor,
  ScanOptions,
  SequencePin,
  Stats,
  VerifyReport,
} from '../../src/engine/engine-types.ts'
import { SedgeError } from '../../src/errors.ts'

interface StoredVersion {
  readonly sequence: number
  /** `undefined`: deleted. */
  readonly value: Buffer | undefined
}

const TIME = 1_700_000_000_000

export class FakeEngine implements EngineLike {
  readonly versions: Map<string, StoredVersion[]> = new Map()
  /** The level of every write, in order. */
  readonly levels: (Durability | undefined)[] = []
  /** Ranges that `clear` and `compact` were asked for. */
  readonly ranges: EncodedRange[] = []
  /** Names of the methods without arguments that were called. */
  readonly calls: string[] = []
  sequence = 0
  livePins = 0
  liveCursors = 0
  closes = 0
  /** Thrown by the next fill of a cursor. */
  fillError: Error | undefined
  /** Thrown by close. */
  closeError: Error | undefined
  /** Runs inside `close`. */
  onClose: () => void = () => {}

  async put(key: Encoded, value: Encoded, level: Durability | undefined): Promise<void> {
    this.putSync(key, value, level)
  }

  putSync(key: Encoded, value: Encoded, level: Durability | undefined): void {
    this.batchSync([{ kind: 'put', key, value }], level)
  }

  async delete(key: Encoded, level: Durability | undefined): Promise<void> {
    this.deleteSync(key, level)
  }

  deleteSync(key: Encoded, level: Durability | undefined): void {
    this.batchSync([{ kind: 'delete', key }], level)
  }

  async batch(operations: readonly Operation[], level: Durability | undefined): Promise<void> {
    this.batchSync(operations, level)
  }

  batchSync(operations: readonly Operation[], level: Durability | undefined): void {
    const names = operations.map(({ key }) => name(key))
    this.levels.push(level)
    for (const [index, operation] of operations.entries()) {
      const versions = this.versions.get(names[index]!) ?? []
      const value = operation.kind === 'put' ? bytes(operation.value) : undefined
      versions.push({ sequence: ++this.sequence, value })
      this.versions.set(names[index]!, versions)
    }
  }

  get(
    key: Encoded,
    form: ResultForm,
    sequence: number | undefined,
  ): string | Uint8Array | undefined {
    const value = this.#visible(name(key), sequence)?.value
    return value && formed(value, form)
  }

  getInto(
    key: Encoded,
    target: Uint8Array,
    offset: number,
    sequence: number | undefined,
  ): number | undefined {
    const value = this.#visible(name(key), sequence)?.value
    if (value !== undefined && offset + value.length <= target.length) target.set(value, offset)
    return value?.length
  }

  has(key: Encoded, sequence: number | undefined): boolean {
    return this.#visible(name(key), sequence)?.value !== undefined
  }

  getEntry(key: Encoded, form: ResultForm, sequence: number | undefined): EntryResult | undefined {
    const found = this.#visible(name(key), sequence)
    if (found?.value === undefined) return undefined
    const { value, sequence: at } = found
    return { value: formed(value, form), sequence: at, timestamp: TIME + at }
  }

  scan(options: ScanOptions): ScanCursor {
    this.liveCursors++
    return new FakeCursor(this, options)
  }

  pin(): SequencePin {
    this.livePins++
    let isLive = true
    return {
      sequence: this.sequence,
      release: () => {
        if (isLive) this.livePins--
        isLive = false
      },
    }
  }

  async clear(
    range: EncodedRange,
    reverse: boolean,
    limit: number,
    level: Durability | undefined,
  ): Promise<void> {
    this.ranges.push(range)
    const names = this.visibleNames(range, reverse, undefined).slice(0, limit)
    this.batchSync(
      names.map((key) => ({ kind: 'delete', key: Buffer.from(key, 'latin1') })),
      level,
    )
  }

  async sync(): Promise<void> {
    this.calls.push('sync')
  }

  async flush(): Promise<void> {
    this.calls.push('flush')
  }

  async compact(range: EncodedRange): Promise<void> {
    this.ranges.push(range)
  }

  async verify(): Promise<VerifyReport> {
    return { tables: 0, blocks: 0, entries: 0, logSegments: 0, bytes: 0, problems: [] }
  }

  stats(): Stats {
    const state = this.closes > 0 ? 'closed' : 'open'
    return { state, sequence: this.sequence, liveSnapshots: this.livePins } as Stats
  }

  async close(): Promise<void> {
    this.closes++
    this.onClose()
    await Promise.resolve()
    if (this.closeError !== undefined) throw this.closeError
  }

  /** The keys of a range that have a value at `sequence`, in the order of the scan. */
  visibleNames(range: EncodedRange, reverse: boolean, sequence: number | undefined): string[] {
    const names = [...this.versions.keys()].sort((a, b) => (a < b ? -1 : 1))
    const visible = names.filter(
      (key) => isInside(key, range) && this.#visible(key, sequence)?.value !== undefined,
    )
    return reverse ? visible.reverse() : visible
  }

  valueAt(key: string, sequence: number): Buffer {
    return this.#visible(key, sequence)!.value!
  }

  #visible(key: string, sequence = this.sequence): StoredVersion | undefined {
    return this.versions.get(key)?.findLast((version) => version.sequence <= sequence)
  }
}

class FakeCursor implements ScanCursor {
  readonly sequence: number
  readonly #engine: FakeEngine
  readonly #options: ScanOptions
  #names: string[]
  #left: number
  #batchSize = 16
  #isOpen = true

  constructor(engine: FakeEngine, options: ScanOptions) {
    this.sequence = options.sequence ?? engine.sequence
    this.#engine = engine
    this.#options = options
    this.#left = options.limit
    this.#names = engine.visibleNames(options.range, options.reverse, this.sequence)
  }

  next(): ScanBatch | undefined {
    if (!this.#isOpen) throw new SedgeError('CLOSED', 'the cursor is closed')
    if (this.#engine.fillError !== undefined) throw this.#engine.fillError
    const names = this.#names.splice(0, Math.min(this.#batchSize, this.#left))
    if (names.length === 0) return undefined
    this.#left -= names.length
    this.#batchSize = Math.min(1024, this.#batchSize * 2)
    const { keys, values } = this.#options
    const column = (form: ResultForm | undefined, of: (key: string) => Buffer) =>
      form === undefined ? [] : names.map((key) => formed(of(key), form))
    return {
      keys: column(keys, (key) => Buffer.from(key, 'latin1')),
      values: column(values, (key) => this.#engine.valueAt(key, this.sequence)),
      count: names.length,
    }
  }

  seek(key: Encoded): void {
    const { range, reverse } = this.#options
    const target = bytes(key).toString('latin1')
    const names = this.#engine.visibleNames(range, reverse, this.sequence)
    this.#names = names.filter((one) => (reverse ? one <= target : one >= target))
  }

  close(): void {
    if (this.#isOpen) this.#engine.liveCursors--
    this.#isOpen = false
  }
}

function isInside(key: string, range: EncodedRange): boolean {
  const { lower, lowerInclusive, upper, upperInclusive } = range
  const bytesOfKey = Buffer.from(key, 'latin1')
  const fromLower = lower === undefined ? 1 : Buffer.compare(bytesOfKey, lower)
  const toUpper = upper === undefined ? 1 : Buffer.compare(upper, bytesOfKey)
  return (
    (fromLower > 0 || (lowerInclusive && fromLower === 0)) &&
    (toUpper > 0 || (upperInclusive && toUpper === 0))
  )
}

function name(key: Encoded): string {
  const text = bytes(key).toString('latin1')
  if (text === '') throw new SedgeError('LIMIT', 'the key is empty')
  return text
}

function bytes(encoded: Encoded): Buffer {
  return typeof encoded === 'string' ? Buffer.from(encoded, 'utf8') : Buffer.from(encoded)
}

function formed(stored: Buffer, form: ResultForm): string | Uint8Array {
  if (form === 'utf8') return stored.toString('utf8')
  return form === 'buffer' ? Buffer.from(stored) : new Uint8Array(stored)
}
