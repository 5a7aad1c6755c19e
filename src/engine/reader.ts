/**
 * Reads: point lookups and scans at a sequence. All of them are synchronous over the kernel; a block that is not
 * resident is read on the way.
 */
import { Buffer } from 'node:buffer'
import { ioError, readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { Find } from '../kernel/exports.ts'
import { EntryKind } from '../kernel/memtable.ts'
import { fill } from '../kernel/scan.ts'
import type { ChunkedValue } from '../kernel/view.ts'
import { readChunks } from '../util/value-chunks.ts'
import { valueFileName } from '../version/file-names.ts'
import type {
  Encoded,
  EntryResult,
  ResultForm,
  ScanBatch,
  ScanCursor,
  ScanOptions,
} from './engine-types.ts'
import { KEY_BYTES_MAX, keyLimit, VALUE_BYTES_MAX } from './limits.ts'
import { closedError, type Store } from './store.ts'

const SCAN_ENTRIES_FIRST = 16
const SCAN_ENTRIES_MAX = 1024
const SCAN_BYTES = 256 * 1024

export class Reader {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  get(
    key: Encoded,
    form: ResultForm,
    sequence: number | undefined,
  ): string | Uint8Array | undefined {
    const isText = form === 'utf8'
    if (!this.#find(key, sequence, isText ? 0 : Find.COPY)) return undefined
    const { view, kernel } = this.#store
    if (view.foundKind === EntryKind.CHUNKS) return this.#large(view.foundChunks(), form)
    if (isText) return kernel.take(view.foundAt, view.foundBytes, form)
    return kernel.slab.keep(view.foundCopy, form === 'buffer')
  }

  getInto(
    key: Encoded,
    target: Uint8Array,
    offset: number,
    sequence: number | undefined,
  ): number | undefined {
    if (!this.#find(key, sequence, Find.COPY)) return undefined
    const { view } = this.#store
    if (view.foundKind === EntryKind.CHUNKS) {
      const value = view.foundChunks()
      if (value.length <= target.length - offset) this.#readChunked(value, target, offset)
      return value.length
    }
    const length = view.foundBytes
    if (length <= target.length - offset) target.set(view.foundCopy, offset)
    return length
  }

  has(key: Encoded, sequence: number | undefined): boolean {
    return this.#find(key, sequence, 0)
  }

  getEntry(key: Encoded, form: ResultForm, sequence: number | undefined): EntryResult | undefined {
    if (!this.#find(key, sequence, 0)) return undefined
    const { view, kernel } = this.#store
    const { foundSequence, foundTimestamp } = view
    const value =
      view.foundKind === EntryKind.CHUNKS
        ? this.#large(view.foundChunks(), form)
        : kernel.take(view.foundAt, view.foundBytes, form)
    return { value, sequence: foundSequence, timestamp: foundTimestamp }
  }

  /** Whether the newest version of the key, if it is no tombstone, is newer than `sequence`. */
  isNewer(key: Encoded, sequence: number): boolean {
    const { kernel, view, sequence: newest } = this.#store
    return view.find(kernel.scratchKey(key), newest) && view.foundSequence > sequence
  }

  scan(options: ScanOptions): ScanCursor {
    this.#store.assertReadable()
    return new StoreCursor(this.#store, options, (value, form) => this.#large(value, form))
  }

  #find(key: Encoded, sequence: number | undefined, ways: number): boolean {
    const store = this.#store
    store.assertReadable()
    if (key.length > KEY_BYTES_MAX || key.length === 0) throw keyLimit()
    const bytes = store.kernel.scratchKey(key)
    if (bytes > KEY_BYTES_MAX) throw keyLimit()
    store.gets++
    if (sequence !== undefined) return store.view.find(bytes, sequence, ways)
    return store.view.find(bytes, store.sequence, ways | Find.NEWEST)
  }

  #large(value: ChunkedValue, form: ResultForm): string | Uint8Array {
    this.#check(value)
    const bytes = new Uint8Array(value.length)
    this.#readChunked(value, bytes, 0)
    const buffer = Buffer.from(bytes.buffer)
    return form === 'utf8' ? buffer.toString('utf8') : form === 'buffer' ? buffer : bytes
  }

  /** Before anything is allocated by a length that comes from a file. */
  #check(value: ChunkedValue): void {
    if (!value.inMemtable) {
      this.#store.tables.checkValue(value.source, value.offset, value.length)
    }
    if (value.length > VALUE_BYTES_MAX) {
      throw corruption('a table', value.offset, 'a value claims to be larger than any can be')
    }
  }

  #readChunked(value: ChunkedValue, target: Uint8Array, offset: number): void {
    const { tables, chain } = this.#store
    if (!value.inMemtable) {
      tables.readValue(value.source, value.offset, value.length, target, offset)
      return
    }
    const segment = chain.segments.find(({ memtable }) => memtable.address === value.source)
    if (segment === undefined) throw new SedgeError('FAILED', 'a value of an unknown memtable')
    const name = valueFileName(segment.number)
    const open = segment.writer?.values
    let file: File | undefined = open
    try {
      file ??= this.#store.env.fs.open(`${this.#store.directory}/${name}`, 'read')
      const from = file
      const source = { read: (to: Uint8Array, at: number) => readFully(from, to, at) }
      readChunks(source, name, value.offset, segment.identity, value.length, target, offset)
    } catch (error) {
      throw ioError(error, 'cannot read', name)
    } finally {
      if (open === undefined) file?.close()
    }
  }
}

/** A scan over the store. Between two batches it holds a sequence and a key, nothing else. */
class StoreCursor implements ScanCursor {
  readonly sequence: number
  readonly #store: Store
  readonly #options: ScanOptions
  readonly #large: (value: ChunkedValue, form: ResultForm) => string | Uint8Array
  readonly #release: () => void
  #start: Uint8Array | undefined
  #startInclusive: boolean
  #left: number
  #entries = SCAN_ENTRIES_FIRST
  #isDone = false
  #isClosed = false

  constructor(
    store: Store,
    options: ScanOptions,
    large: (value: ChunkedValue, form: ResultForm) => string | Uint8Array,
  ) {
    this.#store = store
    this.#options = options
    this.#large = large
    this.sequence = options.sequence ?? store.sequence
    this.#release = store.live.pin(this.sequence).release
    const { range, reverse } = options
    this.#start = reverse ? range.upper : range.lower
    this.#startInclusive = reverse ? range.upperInclusive : range.lowerInclusive
    this.#left = options.limit
  }

  next(): ScanBatch | undefined {
    if (this.#isClosed) throw closedError()
    this.#store.assertReadable()
    // In a desert of tombstones nothing comes for long: the caller may give way in between.
    return this.#isDone || this.#left <= 0 ? undefined : this.#fill()
  }

  #fill(): ScanBatch {
    const { kernel, tables } = this.#store
    const { range, reverse, keys, values } = this.#options
    const entries = Math.min(this.#entries, this.#left)
    this.#entries = Math.min(this.#entries * 4, SCAN_ENTRIES_MAX)
    const batch = fill(kernel, tables, {
      start: this.#start,
      startInclusive: this.#startInclusive,
      end: reverse ? range.lower : range.upper,
      endInclusive: reverse ? range.lowerInclusive : range.upperInclusive,
      reverse,
      sequence: this.sequence,
      entries,
      bytes: SCAN_BYTES,
      wanted: this.#left,
      keys,
      values,
    })
    for (const { index, value } of batch.chunked) {
      batch.values[index] = this.#large(value, values ?? 'binary')
    }
    this.#left -= batch.count
    if (batch.resume === undefined) this.#isDone = true
    this.#start = batch.resume
    this.#startInclusive = false
    return batch
  }

  seek(key: Encoded): void {
    if (this.#isClosed) throw closedError()
    const { range, reverse } = this.#options
    const target = typeof key === 'string' ? Buffer.from(key, 'utf8') : key
    const bound = reverse ? range.upper : range.lower
    const order = bound === undefined ? 0 : Buffer.compare(target, bound)
    const isInside = bound === undefined || (reverse ? order < 0 : order > 0)
    this.#start = isInside ? target.slice() : bound
    this.#startInclusive = isInside || (reverse ? range.upperInclusive : range.lowerInclusive)
    this.#isDone = false
    this.#entries = SCAN_ENTRIES_FIRST
  }

  close(): void {
    this.#isClosed = true
    this.#release()
  }
}
