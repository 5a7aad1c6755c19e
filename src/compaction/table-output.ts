/**
 * Writes the tables of one job: everything between the kernel's merge and finished, synced files.
 *
 *   NNN.tmp  created, written in order, header last, synced, closed  ->  renamed to NNN.sst  ->  directory synced once
 *
 * A job that fails or is cancelled leaves nothing behind that it can remove. Runs as a generator: each step takes a few
 * milliseconds and does its own synchronous I/O.
 */
import { closeQuietly, ioError, writeFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import type { Zstd } from '../env/zstd.ts'
import { SedgeError } from '../errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { Codec, type StepOutcome, TableJob, type TableJobOptions } from '../kernel/table-job.ts'
import type { BlockSource, ChunkedValue } from '../kernel/view.ts'
import { tableIdentity } from '../table/table-format.ts'
import { type ChunkSource, chunkedBytes, copyChunks } from '../util/value-chunks.ts'
import { tableFileName, temporaryFileName } from '../version/file-names.ts'
import type { TableMeta } from '../version/table-meta.ts'

export interface OutputOptions extends TableJobOptions {
  readonly directory: string
  readonly storeId: Uint8Array
  readonly level: number
  /** Numbers that the tables may take, in order. */
  readonly numbers: readonly number[]
  readonly codec: number
  readonly bitsPerKey: number
  readonly zstd: Zstd | undefined
}

/** Where a large value's chunks come from. */
export interface ValueSource extends ChunkSource {
  readonly identity: bigint
  readonly name: string
  /** Gets the damage of a chunk, which is then copied as damaged [TBL-12]. Without it the job fails. */
  readonly onDamage?: ((error: SedgeError) => void) | undefined
}

export interface Output {
  readonly tables: readonly TableMeta[]
  readonly bytesWritten: number
  readonly dropped: number
}

/** Entries merged in one step: about two milliseconds. */
const STEP_ENTRIES = 4096
/**
 * Bytes after which what was written is synced. The log's writes do not have to wait behind a whole table on the way to the
 * disk, and a step that syncs stays short.
 */
const SYNC_BYTES: number = 4 * 1024 * 1024

export class TableOutput {
  readonly #fs: FileSystem
  readonly #options: OutputOptions
  readonly #valueSource: (value: ChunkedValue) => ValueSource
  readonly #job: TableJob
  readonly #tables: TableMeta[] = []
  readonly #renamed: string[] = []
  #file: File | undefined
  #number = 0
  #identity = 0n
  #valueBytes = 0
  #shadowed = 0
  #bytesWritten = 0
  #unsynced = 0

  constructor(
    fs: FileSystem,
    kernel: Kernel,
    source: BlockSource,
    options: OutputOptions,
    valueSource: (value: ChunkedValue) => ValueSource,
  ) {
    this.#fs = fs
    this.#options = options
    this.#valueSource = valueSource
    this.#job = new TableJob(kernel, source, options)
  }

  /** The kernel's job, to add the inputs to before `run`. */
  get job(): TableJob {
    return this.#job
  }

  *run(): Generator<void, Output, void> {
    let done = false
    try {
      this.#start()
      this.#job.start()
      for (;;) {
        const outcome = this.#job.step(STEP_ENTRIES)
        if (outcome === 'done') break
        yield* this.#answer(outcome)
        yield
      }
      if (this.#tables.length > 0) this.#fs.syncDirectory(this.#options.directory)
      done = true
      return {
        tables: this.#tables,
        bytesWritten: this.#bytesWritten,
        dropped: this.#job.dropped,
      }
    } catch (error) {
      throw ioError(error, 'cannot write', tableFileName(this.#number))
    } finally {
      this.#job.free()
      if (!done) this.#abandon()
      else this.#discardOpen()
    }
  }

  #start(): void {
    const number = this.#options.numbers[this.#tables.length]
    if (number === undefined) throw new SedgeError('FAILED', 'a job ran out of table numbers')
    this.#number = number
    this.#identity = tableIdentity(this.#options.storeId, number)
    this.#valueBytes = 0
    this.#job.startTable(number, this.#identity, this.#options.codec, this.#options.bitsPerKey)
  }

  *#answer(outcome: StepOutcome): Generator<void, void, void> {
    if (outcome === 'output') this.#drain()
    else if (outcome === 'value') yield* this.#copyValue()
    else if (outcome === 'compress') this.#compress()
    else if (outcome === 'table') {
      this.#finish()
      if (this.#tables.length < this.#options.numbers.length) this.#start()
    }
  }

  #path(name: string): string {
    return `${this.#options.directory}/${name}`
  }

  /** The file of the table that is being built, created when its first bytes come. */
  #output(): File {
    if (this.#file === undefined) {
      const path = this.#path(temporaryFileName(this.#number))
      // Left by a job that died; nobody else writes here.
      if (this.#fs.status(path) !== undefined) this.#fs.remove(path)
      this.#file = this.#fs.open(path, 'create')
    }
    return this.#file
  }

  #write(bytes: Uint8Array, position: number): void {
    const file = this.#output()
    writeFully(file, bytes, position)
    this.#written(file, bytes.length)
  }

  #written(file: File, bytes: number): void {
    this.#bytesWritten += bytes
    this.#unsynced += bytes
    if (this.#unsynced < SYNC_BYTES) return
    file.sync()
    this.#unsynced = 0
  }

  #drain(): void {
    this.#job.drain((bytes, position) => this.#write(bytes, position))
  }

  #compress(): void {
    const { zstd } = this.#options
    if (zstd === undefined) throw new SedgeError('UNSUPPORTED', 'this runtime has no zstd')
    this.#job.compress((content) => zstd.compress(content))
  }

  *#copyValue(): Generator<void, void, void> {
    const value = this.#job.value()
    this.#drain()
    const at = this.#job.end
    const source = this.#valueSource(value)
    const file = this.#output()
    const target = {
      write: (bytes: Uint8Array, position: number) => {
        const count = file.write(bytes, position)
        this.#written(file, count)
        return count
      },
    }
    yield* copyChunks(
      source,
      source.name,
      value.offset,
      source.identity,
      target,
      at,
      this.#identity,
      value.length,
      (stored) => this.#job.foreign(stored),
      source.onDamage,
    )
    this.#valueBytes += chunkedBytes(value.length)
    this.#job.valueAt(at)
  }

  #finish(): void {
    this.#drain()
    const table = this.#job.finishTable()
    const file = this.#output()
    this.#write(table.header, 0)
    file.sync()
    file.close()
    this.#unsynced = 0
    const name = tableFileName(this.#number)
    this.#fs.rename(this.#path(temporaryFileName(this.#number)), this.#path(name))
    this.#file = undefined
    this.#renamed.push(name)
    this.#tables.push({
      number: this.#number,
      level: this.#options.level,
      size: table.size,
      checksum: table.checksum,
      entries: table.entries,
      tombstones: table.tombstones,
      shadowed: table.shadowed - this.#shadowed,
      smallest: table.smallest,
      largest: table.largest,
      minSequence: table.minSequence,
      maxSequence: table.maxSequence,
      valueBytes: this.#valueBytes,
      rawBytes: table.rawBytes + this.#valueBytes,
    })
    this.#shadowed = table.shadowed
  }

  /** Removes what an unfinished job has written, as far as that is possible. */
  #abandon(): void {
    this.#discardOpen()
    for (const name of this.#renamed) this.#removeQuietly(name)
  }

  #discardOpen(): void {
    if (this.#file === undefined) return
    closeQuietly(this.#file)
    this.#file = undefined
    this.#removeQuietly(temporaryFileName(this.#number))
  }

  /** An orphan that cannot be removed now is removed at the next open; the first failure is what matters. */
  #removeQuietly(name: string): void {
    try {
      this.#fs.remove(this.#path(name))
    } catch (error) {
      if (!(error instanceof Error)) throw error
    }
  }
}

/** The codec of a compression's name. */
export function codecOf(compression: 'none' | 'lz4' | 'zstd'): number {
  return compression === 'none' ? Codec.NONE : compression === 'lz4' ? Codec.LZ4 : Codec.ZSTD
}
