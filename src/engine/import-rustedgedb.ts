/**
 * Brings what a RustEdgeDB v1 store holds into an open store (IMP-1 to IMP-7 in `docs/spec.md`). The source is only read.
 *
 *     tables, oldest first ─► logs, all together in the order of their records' timestamps ─► batches
 *
 * After a restart RustEdgeDB goes on with `wal.log`, although its other logs are newer than most of that: so no order of the
 * logs as a whole is right, and they are merged record by record, each kept in its own order.
 */
import { laterTurn, nodeEnvironment } from '../env/environment.ts'
import { ioError } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { Database } from './database.ts'
import type { BatchOperation } from './database-types.ts'
import {
  type ForeignRecord,
  type RecordReader,
  readForeignLog,
  readForeignTable,
} from './rustedgedb-reader.ts'
import { fileSystemOf, fixedPath, pathArgument } from './store-arguments.ts'

/** What was imported. */
export interface ImportReport {
  readonly tables: number
  readonly logs: number
  /** Records brought over: later ones of a key replace earlier ones. */
  readonly puts: number
  readonly deletes: number
  /** Of keys and values. */
  readonly bytes: number
  /** Where files could not be read on: what lies behind in the same file is not imported. */
  readonly problems: readonly SedgeError[]
}

export interface ImportOptions {
  /** For tests: another file system. */
  readonly fs?: FileSystem | undefined
}

const BATCH_RECORDS = 1024
const BATCH_BYTES = 1024 * 1024
const ACTIVE_LOG = 'wal.log'
const NUMBERED_LOG = /^wal_(\d{1,16})\.log$/
const TABLE = /^sstable_(\d{1,16})\.sst$/

/**
 * Imports the RustEdgeDB v1 store in `directory`. Rejects with `NOT_FOUND` where there is none, `IO`, and what writing to `db`
 * rejects with. Damage is reported, not thrown.
 */
export async function importRustEdgeDB<K, V>(
  directory: string,
  db: Database<K, V>,
  options?: ImportOptions,
): Promise<ImportReport> {
  try {
    pathArgument(directory, 'directory')
    if (!(db instanceof Database)) throw new TypeError('db must be an open store')
    const given = fileSystemOf(options)
    const { fs } = nodeEnvironment({ fs: given })
    const source = fixedPath(directory, given)
    return await runImport(new Import(fs, source, db as Database<unknown, unknown>), directory)
  } finally {
    await laterTurn()
  }
}

async function runImport(run: Import, directory: string): Promise<ImportReport> {
  try {
    return await run.run()
  } catch (error) {
    throw ioError(error, 'cannot import', directory)
  }
}

interface ForeignFile {
  readonly name: string
  /** What its name says, milliseconds since the epoch. */
  readonly time: number
}

class Import {
  readonly #fs: FileSystem
  readonly #directory: string
  readonly #db: Database<unknown, unknown>
  readonly #problems: SedgeError[] = []
  #batch: BatchOperation<Uint8Array, Uint8Array>[] = []
  #batchBytes = 0
  #puts = 0
  #deletes = 0
  #bytes = 0

  constructor(fs: FileSystem, directory: string, db: Database<unknown, unknown>) {
    this.#fs = fs
    this.#directory = directory
    this.#db = db
  }

  async run(): Promise<ImportReport> {
    const names = this.#fs.status(this.#directory) && this.#fs.list(this.#directory)
    const tables = numbered(names ?? [], TABLE)
    const logs = this.#orderedLogs(names ?? [])
    if (tables.length + logs.length === 0) {
      throw new SedgeError('NOT_FOUND', 'there is no store of RustEdgeDB here')
    }
    for (const { name } of tables) await this.#table(name)
    await this.#logs(logs)
    await this.#write()
    return {
      tables: tables.length,
      logs: logs.length,
      puts: this.#puts,
      deletes: this.#deletes,
      bytes: this.#bytes,
      problems: this.#problems,
    }
  }

  /** Oldest first, as far as whole logs have an order: it decides between records of the same timestamp. */
  #orderedLogs(names: readonly string[]): string[] {
    const logs = numbered(names, NUMBERED_LOG).map(({ name }) => name)
    if (!names.includes(ACTIVE_LOG)) return logs
    const modified = this.#modified(ACTIVE_LOG)
    const isNewest = logs.every((name) => modified > this.#modified(name))
    return isNewest ? [...logs, ACTIVE_LOG] : [ACTIVE_LOG, ...logs]
  }

  #modified(name: string): number {
    return this.#fs.status(`${this.#directory}/${name}`)?.modified ?? 0
  }

  async #table(name: string): Promise<void> {
    await this.#reading(name, async (file) => {
      const { records, entries, end } = readForeignTable(file, name)
      let count = 0
      for (let one = records.next(); one !== undefined; one = records.next()) {
        await this.#take(one)
        count++
      }
      if (count === entries) return
      throw corruption(name, end, 'the header counts other entries', {
        expected: entries,
        actual: count,
      })
    })
  }

  /** Reads one file. What is wrong with it ends it and is noted. */
  async #reading(name: string, action: (file: File) => Promise<void>): Promise<void> {
    const file = this.#open(name)
    try {
      await this.#noting(() => action(file))
    } finally {
      file.close()
    }
  }

  #open(name: string): File {
    try {
      return this.#fs.open(`${this.#directory}/${name}`, 'read')
    } catch (error) {
      throw ioError(error, 'cannot open', name)
    }
  }

  async #noting<T>(action: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await action()
    } catch (error) {
      const isFault = error instanceof SedgeError && error.file !== undefined
      if (!isFault || (error.code !== 'CORRUPTION' && error.code !== 'UNSUPPORTED')) throw error
      this.#problems.push(error)
      return undefined
    }
  }

  async #logs(names: readonly string[]): Promise<void> {
    const files = names.map((name) => ({ name, file: this.#open(name) }))
    try {
      const open = files.map(({ name, file }) => new TimedLog(readForeignLog(file, name)))
      for (;;) {
        const log = await this.#earliest(open)
        if (log === undefined) return
        const record = await this.#noting(() => log.take())
        if (record === undefined) log.isDone = true
        else await this.#take(record)
      }
    } finally {
      for (const { file } of files) file.close()
    }
  }

  /** The log whose next record comes first; of equals the first log. */
  async #earliest(logs: readonly TimedLog[]): Promise<TimedLog | undefined> {
    let earliest: TimedLog | undefined
    for (const log of logs) {
      if (log.isDone) continue
      if (log.time === undefined) await this.#noting(() => log.look())
      if (log.time === undefined) log.isDone = true
      else if (earliest?.time === undefined || log.time < earliest.time) earliest = log
    }
    return earliest
  }

  async #take({ key, value }: ForeignRecord): Promise<void> {
    if (value === undefined) {
      this.#deletes++
      this.#batch.push({ type: 'delete', key })
    } else {
      this.#puts++
      this.#batch.push({ type: 'put', key, value })
    }
    const bytes = key.length + (value?.length ?? 0)
    this.#bytes += bytes
    this.#batchBytes += bytes
    const isFull = this.#batch.length >= BATCH_RECORDS || this.#batchBytes >= BATCH_BYTES
    if (isFull) await this.#write()
  }

  async #write(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    this.#batchBytes = 0
    await this.#db.batch(batch, { keyEncoding: 'binary', valueEncoding: 'binary' })
  }
}

/** A log with the time of its next record, which never goes back within a log, whatever its clock did. */
class TimedLog {
  readonly #records: RecordReader
  #last = 0
  isDone = false
  /** `undefined` before the next record was looked at. */
  time: number | undefined

  constructor(records: RecordReader) {
    this.#records = records
  }

  look(): void {
    const head = this.#records.peek()
    this.time = head && Math.max(this.#last, head.timestamp)
  }

  take(): ForeignRecord | undefined {
    this.#last = this.time ?? this.#last
    this.time = undefined
    return this.#records.next()
  }
}

/** The files whose names match, by the number in them. */
function numbered(names: readonly string[], pattern: RegExp): ForeignFile[] {
  const files = names.flatMap((name) => {
    const match = pattern.exec(name)
    return match === null ? [] : [{ name, time: Number(match[1]) }]
  })
  return files.sort((left, right) => left.time - right.time)
}
