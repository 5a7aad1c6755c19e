/**
 * `repair`: saves what verifies of a damaged store into a new one (REP-1 to REP-8 in `docs/spec.md`). The source is only read.
 *
 *     survey ─► each table, each segment: sound, or what can be saved ─► merge ─► manifest, marker
 *
 * The marker comes last: a target that was not finished never passes for a store.
 */

import type { ValueSource } from '../compaction/table-output.ts'
import { type Environment, laterTurn, nodeEnvironment } from '../env/environment.ts'
import { ioError } from '../env/file-io.ts'
import type { DirectoryLock, File, FileSystem } from '../env/file-system.ts'
import { runtimeZstd } from '../env/zstd.ts'
import { corruption, SedgeError } from '../errors.ts'
import { Kernel } from '../kernel/kernel.ts'
import { type SegmentHeader, segmentIdentity } from '../log/log-format.ts'
import type { BlockEntry } from '../table/block-decoder.ts'
import { type CheckedTable, checkTable } from '../table/table-check.ts'
import type { TableDescription } from '../table/table-files.ts'
import { equalBytes } from '../util/bytes.ts'
import { loadChecksums } from '../util/checksum.ts'
import { logFileName, parseFileName, tableFileName, valueFileName } from '../version/file-names.ts'
import { install, writeManifest } from '../version/manifest-files.ts'
import { listNames } from '../version/manifest-recovery.ts'
import type { TableMeta } from '../version/table-meta.ts'
import { Version } from '../version/version.ts'
import { Pacer } from './pacer.ts'
import { type LostStretch, SalvageLog } from './salvage-log.ts'
import { mergeTables, SalvagedEntries, type SalvageParts } from './salvage-output.ts'
import { openForSalvage, type SalvagedSegment, salvageSegment } from './salvage-segment.ts'
import {
  missing,
  missingSegments,
  type Survey,
  segmentHeader,
  surveyStore,
} from './salvage-survey.ts'
import { identifyTable, salvageTable } from './salvage-table.ts'
import { fileSystemOf, fixedPath, pathArgument } from './store-arguments.ts'

/** What `repair` found, saved and lost. */
export interface RepairReport {
  /** Tables of the source, and how many of them were damaged or missing. */
  readonly tables: number
  readonly tablesDamaged: number
  /** Log segments of the source, and how many of them were damaged or missing. */
  readonly segments: number
  readonly segmentsDamaged: number
  /** Keys in the new store. */
  readonly entries: number
  readonly lost: readonly LostStretch[]
  /** Everything that was found wrong, whether something was lost by it or not. */
  readonly problems: readonly SedgeError[]
}

export type { LostStretch }

export interface RepairOptions {
  /** For tests: another file system. */
  readonly fs?: FileSystem | undefined
}

const TEMPORARY_FOLDER = 'repair.tmp'
const CACHE_BYTES = 4 * 1024 * 1024

/**
 * Saves what verifies of the store in `source` to a new store in `target`, which must be missing or an empty directory (`EXISTS`).
 * Rejects with `LOCKED` while somebody writes to the source, `NOT_FOUND` where there is no store, `FORMAT` for one of a later
 * release, `UNSUPPORTED`, `IO`, `FULL`; nothing is left in the target then.
 */
export async function repair(
  source: string,
  target: string,
  options?: RepairOptions,
): Promise<RepairReport> {
  try {
    pathArgument(source, 'source')
    pathArgument(target, 'target')
    const fs = fileSystemOf(options)
    return await repairTo(nodeEnvironment({ fs }), fixedPath(source, fs), fixedPath(target, fs))
  } finally {
    await laterTurn()
  }
}

async function repairTo(env: Environment, source: string, target: string): Promise<RepairReport> {
  await loadChecksums()
  const log = new SalvageLog()
  const survey = await examine(env.fs, source, log)
  const isNew = prepareTarget(env.fs, target)
  let lock: DirectoryLock | undefined
  let done = false
  try {
    lock = await env.fs.lock(target)
    const report = await new Repair(env, source, target, survey, log).run()
    done = true
    return report
  } catch (error) {
    throw ioError(error, 'cannot repair to', target)
  } finally {
    // Without the lock, what is there is somebody else's.
    if (!done && lock !== undefined) clear(env.fs, target)
    lock?.release()
    if (!done && isNew) removeEmpty(env.fs, target)
  }
}

async function examine(fs: FileSystem, source: string, log: SalvageLog): Promise<Survey> {
  try {
    await checkSource(fs, source)
    return surveyStore(fs, source, log, runtimeZstd()?.decompress)
  } catch (error) {
    throw ioError(error, 'cannot read', source)
  }
}

async function checkSource(fs: FileSystem, source: string): Promise<void> {
  const status = fs.status(source)
  if (status === undefined) throw new SedgeError('NOT_FOUND', 'there is no store to repair')
  if (status.kind !== 'directory') throw new SedgeError('IO', 'the source is not a directory')
  const holder = await fs.lockHolder(source)
  if (holder !== undefined) {
    throw new SedgeError('LOCKED', 'the source is open for writing', { holder })
  }
}

/** True when the directory is new. */
function prepareTarget(fs: FileSystem, target: string): boolean {
  try {
    const status = fs.status(target)
    const isFree =
      status === undefined || (status.kind === 'directory' && fs.list(target).length === 0)
    if (!isFree) throw new SedgeError('EXISTS', 'the target is there already and not empty')
    return fs.makeDirectory(target)
  } catch (error) {
    throw ioError(error, 'cannot make', target)
  }
}

class Repair {
  readonly #env: Environment
  readonly #source: string
  readonly #target: string
  readonly #survey: Survey
  readonly #log: SalvageLog
  readonly #pacer: Pacer
  readonly #parts: SalvageParts
  readonly #temporary: string
  /** Of the new store. */
  readonly #storeId: Uint8Array
  readonly #entries: SalvagedEntries
  readonly #sound: TableDescription[] = []
  #lastSequence = 0
  #tablesDamaged = 0
  #segmentsDamaged = 0

  constructor(env: Environment, source: string, target: string, survey: Survey, log: SalvageLog) {
    this.#env = env
    this.#source = source
    this.#target = target
    this.#survey = survey
    this.#log = log
    this.#pacer = new Pacer(env)
    const hashSeed = new DataView(randomBytes(env, 8).buffer).getBigUint64(0, true)
    const kernel = Kernel.create(CACHE_BYTES, hashSeed)
    this.#parts = { env, kernel, hashSeed, pacer: this.#pacer }
    this.#storeId = randomBytes(env, 16)
    this.#temporary = `${target}/${TEMPORARY_FOLDER}`
    this.#entries = new SalvagedEntries(this.#parts, this.#temporary, randomBytes(env, 16))
  }

  async run(): Promise<RepairReport> {
    const { fs } = this.#env
    const { tables, segments, lastSequence } = this.#survey
    fs.makeDirectory(this.#temporary)
    for (const number of tables) await this.#table(number)
    const missed = await this.#segments(segments)
    const merged = await this.#merge()
    clearFolder(fs, this.#temporary)
    fs.removeDirectory(this.#temporary)
    await checkSource(fs, this.#source)
    this.#lastSequence = Math.max(this.#lastSequence, lastSequence, this.#entries.lastSequence)
    this.#install(merged)
    return {
      tables: tables.length,
      tablesDamaged: this.#tablesDamaged,
      segments: segments.length + missed,
      segmentsDamaged: this.#segmentsDamaged,
      entries: merged.reduce((sum, table) => sum + table.entries, 0),
      lost: this.#log.losses,
      problems: this.#log.problems,
    }
  }

  #open(name: string): File | undefined {
    return openForSalvage(this.#env.fs, `${this.#source}/${name}`)
  }

  /** A sound table takes part in the merge as it is; of others what can be saved becomes temporary tables. */
  async #table(number: number): Promise<void> {
    const name = tableFileName(number)
    const file = this.#open(name)
    if (file === undefined) {
      this.#tablesDamaged++
      this.#log.lost(missing('table', number), undefined)
      return
    }
    try {
      const table = { file, name, number, unzstd: runtimeZstd()?.decompress }
      const before = this.#log.problems.length
      const identity = identifyTable(table, this.#survey.storeId, this.#log)
      if (identity === undefined) {
        this.#tablesDamaged++
        this.#log.lost(corruption(name, 0, 'all of the table is lost'), file.size())
        return
      }
      const checked = await this.#check({ ...table, identity })
      const isSound = checked !== undefined && this.#log.problems.length === before
      if (isSound && this.#survey.storeId !== undefined) {
        this.#sound.push({ number, size: file.size(), ...checked })
        this.#lastSequence = Math.max(this.#lastSequence, checked.maxSequence)
        return
      }
      if (!isSound) this.#tablesDamaged++
      await this.#save(
        salvageTable({ ...table, identity }, this.#log),
        valueSource(file, name, identity),
      )
    } finally {
      file.close()
    }
  }

  #check(table: Parameters<typeof salvageTable>[0]): Promise<CheckedTable | undefined> {
    const withSize = { ...table, size: table.file.size() }
    const note = (problem: SedgeError): void => {
      // What a later release has written is not damage, and must not be dropped as if it were.
      if (problem.code === 'FORMAT') throw problem
      this.#log.problem(problem)
    }
    return this.#pacer.run(checkTable(withSize, undefined, note))
  }

  /** Turns what a salvage hands out into temporary tables, and returns what it returns. */
  async #save<T>(
    steps: Generator<readonly BlockEntry[], T, void>,
    source: ValueSource | undefined,
  ): Promise<T> {
    for (;;) {
      const step = steps.next()
      if (step.done) {
        await this.#entries.flush()
        return step.value
      }
      await this.#entries.add(step.value, source)
      await this.#pacer.breathe()
    }
  }

  /** Returns how many segments are missing altogether. */
  async #segments(numbers: readonly number[]): Promise<number> {
    const headers: SegmentHeader[] = []
    for (const [index, number] of numbers.entries()) {
      const before = this.#log.problems.length
      const header = await this.#segment(number, index === numbers.length - 1)
      if (header !== undefined) headers.push(header)
      if (this.#log.problems.length > before) this.#segmentsDamaged++
    }
    const missed = missingSegments(this.#survey, headers)
    for (const number of missed) this.#log.lost(missing('log', number), undefined)
    this.#segmentsDamaged += missed.length
    return missed.length
  }

  async #segment(number: number, isLast: boolean): Promise<SegmentHeader | undefined> {
    const name = logFileName(number)
    const file = this.#open(name)
    if (file === undefined) {
      this.#log.lost(missing('log', number), undefined)
      return undefined
    }
    let values: File | undefined
    try {
      values = this.#open(valueFileName(number))
      const header = segmentHeader(this.#env.fs, this.#source, number)
      if (header === undefined || !this.#isOwn(header, number)) {
        if (file.size() > 0) {
          this.#log.lost(corruption(name, 0, 'the header does not verify'), file.size())
        } else {
          // One that was created and never written, with nothing to lose, is the last.
          this.#checkEnd(name, number, 0, { end: 0, isSealed: false }, isLast)
        }
        return undefined
      }
      const source = values && valueSource(values, valueFileName(number), segmentIdentity(header))
      const end = await this.#save(salvageSegment({ file, header, values }, this.#log), source)
      this.#checkEnd(name, number, file.size(), end, isLast)
      return header
    } finally {
      file.close()
      values?.close()
    }
  }

  #isOwn(header: SegmentHeader, number: number): boolean {
    const { storeId } = this.#survey
    return header.number === number && equalBytes(header.storeId, storeId ?? header.storeId)
  }

  /** Whether something is missing at the end of a segment, by the last close and by the segment behind it. */
  #checkEnd(
    name: string,
    number: number,
    size: number,
    { end, isSealed }: SalvagedSegment,
    isLast: boolean,
  ): void {
    const stated = this.#survey.closed?.segments.find((one) => one.number === number)
    if (stated !== undefined && stated.logLength > size) {
      const sizes = { expected: stated.logLength, actual: size }
      const problem = corruption(name, size, 'the file is cut off', sizes)
      this.#log.lost(problem, stated.logLength - size)
    } else if (!isLast && !isSealed) {
      const what = 'the segment has no end, and another follows'
      this.#log.lost(corruption(name, end, what), undefined)
    }
  }

  async #merge(): Promise<readonly TableMeta[]> {
    const saved = await this.#entries.finish()
    const { storeId = saved.storeId, levels } = this.#survey
    const sound = { directory: this.#source, storeId, tables: this.#sound }
    const folders = [sound, saved].filter(({ tables }) => tables.length > 0)
    if (folders.length === 0) return []
    const target = { directory: this.#target, storeId: this.#storeId, level: levels - 1 }
    return (await mergeTables(this.#parts, folders, target)).tables
  }

  /** Makes the tables a store, all at once. */
  #install(tables: readonly TableMeta[]): void {
    const { fs } = this.#env
    const number = tables.length + 1
    const header = {
      storeId: this.#storeId,
      hashSeed: this.#parts.hashSeed,
      number,
      epoch: 1,
    }
    const state = {
      version: Version.empty(this.#survey.levels).apply({ addTables: tables }),
      nextFileNumber: number + 1,
      lastSequence: this.#lastSequence,
      logNumber: 0,
      syncedLog: undefined,
    }
    const manifest = writeManifest(fs, this.#target, header, state)
    manifest.file.close()
    install(fs, this.#target, header, () => false)
  }
}

function valueSource(file: File, name: string, identity: bigint): ValueSource {
  return { name, identity, read: (target, position) => file.read(target, position) }
}

function randomBytes(env: Environment, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => Math.floor(env.random() * 256))
}

/** Takes back what an unfinished repair has made. The failure itself is what matters, so this one fails silently. */
function clear(fs: FileSystem, target: string): void {
  try {
    const temporary = `${target}/${TEMPORARY_FOLDER}`
    if (fs.status(temporary) !== undefined) {
      clearFolder(fs, temporary)
      fs.removeDirectory(temporary)
    }
    clearFolder(fs, target)
  } catch {
    // Without a marker what is left never passes for a store.
  }
}

function removeEmpty(fs: FileSystem, directory: string): void {
  try {
    fs.removeDirectory(directory)
  } catch {
    // Somebody has put something there meanwhile.
  }
}

/** Removes the store's files from a directory, but for locks, which their owner removes. */
function clearFolder(fs: FileSystem, directory: string): void {
  for (const name of listNames(fs, directory)) {
    const parsed = parseFileName(name)
    if (parsed !== undefined && parsed.type !== 'lock') fs.remove(`${directory}/${name}`)
  }
}
