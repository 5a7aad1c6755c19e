/**
 * Opening a store, step by step; each step may be interrupted and repeated (REC-5).
 *
 *   lock ─► marker, manifest ─► replay the log ─► next epoch ─► [flush what a crash left] ─► withdraw CLOSED ─► remove orphans
 *
 * Nothing is changed before everything has been read and judged. The first write comes after the last step.
 */

import type { Environment, EnvironmentOverrides } from '../env/environment.ts'
import { nodeEnvironment } from '../env/environment.ts'
import { errorCode, ioError, parentPath } from '../env/file-io.ts'
import type { DirectoryLock, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { Kernel } from '../kernel/kernel.ts'
import { hash64By, kernelHash64 } from '../kernel/kernel-checksum.ts'
import { LogChain } from '../log/log-chain.ts'
import { TableFiles } from '../table/table-files.ts'
import { lendChecksums } from '../util/checksum.ts'
import { readClosed } from '../version/closed-statement.ts'
import { logFileName, parseFileName, tableFileName, valueFileName } from '../version/file-names.ts'
import { Manifest } from '../version/manifest.ts'
import type { Recovered } from '../version/manifest-recovery.ts'
import { recoverManifest } from '../version/manifest-recovery.ts'
import type { RecoveryReport } from './engine-types.ts'
import { checkLostEdits } from './lost-edits.ts'
import type { ResolvedOptions } from './options.ts'
import { LogRecovery, type RecoveredLog } from './recovery.ts'
import { Store } from './store.ts'
import { refuseZstdTables } from './zstd-tables.ts'

/** After a crash, so many sequences are passed over: more than can have been given out and lost. */
const SEQUENCE_GAP = 2 ** 25
const OPEN_FILES_MAX = 256

export interface Opened {
  readonly store: Store
  /** `undefined` for a store that is open for reading only. */
  readonly lock: DirectoryLock | undefined
  /** Whether the log has to become tables before the first write. */
  readonly mustFlush: boolean
}

export async function openStore(
  path: string,
  options: ResolvedOptions,
  overrides: EnvironmentOverrides = {},
): Promise<Opened> {
  const { fs, clock, random } = options
  const env = nodeEnvironment({ ...overrides, fs, clock, random })
  if (options.compression === 'zstd' && env.zstd() === undefined) {
    throw new SedgeError('UNSUPPORTED', 'this runtime has no zstd')
  }
  lendChecksums(kernelHash64)
  if (options.readOnly) return openForReading(env, path, options)
  prepareDirectory(env.fs, path, options)
  const lock = await lockStore(env.fs, path)
  try {
    return withKernel(env, options, (kernel) => openLocked(env, path, options, lock, kernel))
  } catch (error) {
    lock.release()
    throw ioError(error, 'cannot open', path)
  }
}

/** Makes the store's kernel, which computes the checksums meanwhile: another one is made when they are next needed. */
function withKernel<T>(env: Environment, options: ResolvedOptions, open: (kernel: Kernel) => T): T {
  const kernel = Kernel.create(options.cacheSize, 0n, env.protectBuffer)
  lendChecksums(hash64By(kernel))
  try {
    return open(kernel)
  } finally {
    lendChecksums(kernelHash64)
  }
}

async function lockStore(fs: FileSystem, path: string): Promise<DirectoryLock> {
  try {
    return await fs.lock(path)
  } catch (error) {
    throw ioError(error, 'cannot lock', path)
  }
}

function prepareDirectory(fs: FileSystem, path: string, options: ResolvedOptions): void {
  try {
    const status = fs.status(path)
    if (status !== undefined && status.kind !== 'directory') {
      throw new SedgeError('IO', 'the path of the store is not a directory')
    }
    if (status === undefined) {
      if (!options.createIfMissing) throw noStore()
      makeDirectory(fs, path)
    } else if (!options.createIfMissing && recoverManifest(fs, path) === undefined) {
      throw noStore()
    }
  } catch (error) {
    throw ioError(error, 'cannot open', path)
  }
}

/** What a system says that lets nobody look beyond the store's own directory. */
const DENIED: readonly string[] = ['EACCES', 'EPERM', 'ERR_ACCESS_DENIED', 'NotCapable']

/** Makes a directory and those that lead to it. A store whose directory a power cut takes away would be lost whole. */
function makeDirectory(fs: FileSystem, path: string): void {
  const parents: string[] = []
  let next = path
  do {
    next = parentPath(next)
    parents.push(next)
  } while (isMissing(fs, next) && next !== parentPath(next))
  fs.makeDirectory(path)
  for (const parent of parents) {
    try {
      fs.syncDirectory(parent)
    } catch (error) {
      if (!DENIED.includes(errorCode(error) ?? '')) throw error
    }
  }
}

function isMissing(fs: FileSystem, path: string): boolean {
  try {
    return fs.status(path) === undefined
  } catch {
    return false
  }
}

function noStore(): SedgeError {
  return new SedgeError('NOT_FOUND', 'there is no store here')
}

async function openForReading(
  env: Environment,
  path: string,
  options: ResolvedOptions,
): Promise<Opened> {
  try {
    const status = env.fs.status(path)
    if (status !== undefined && status.kind !== 'directory') {
      throw new SedgeError('IO', 'the path of the store is not a directory')
    }
    if (status === undefined) throw noStore()
    const holder = await env.fs.lockHolder(path)
    if (holder !== undefined) {
      throw new SedgeError('LOCKED', 'the store is open for writing', { holder })
    }
    return withKernel(env, options, (kernel) => {
      const recovered = recoverManifest(env.fs, path)
      if (recovered === undefined) throw noStore()
      const { log, clean } = readAll(env, path, options, recovered, kernel)
      const store = build(env, path, options, kernel, undefined, recovered, log, clean, 0)
      return { store, lock: undefined, mustFlush: false }
    })
  } catch (error) {
    throw ioError(error, 'cannot open', path)
  }
}

function openLocked(
  env: Environment,
  path: string,
  options: ResolvedOptions,
  lock: DirectoryLock,
  kernel: Kernel,
): Opened {
  const { fs } = env
  const recovered = recoverManifest(fs, path)
  if (recovered === undefined) {
    const manifest = Manifest.create(fs, path, {
      storeId: randomBytes(env, 16),
      hashSeed: new DataView(randomBytes(env, 8).buffer).getBigUint64(0, true),
      maxLevels: options.maxLevels,
    })
    kernel.seed(manifest.hashSeed)
    const store = build(env, path, options, kernel, manifest, manifest, EMPTY_LOG, true, 0)
    return { store, lock, mustFlush: false }
  }
  if (options.errorIfExists) throw new SedgeError('EXISTS', 'there is a store here already')
  const { log, clean } = readAll(env, path, options, recovered, kernel)
  const manifest = Manifest.takeOver(fs, path, recovered, {
    maxLevels: options.maxLevels,
    isClosed: clean,
  })
  try {
    const removed = removeOrphans(fs, path, manifest, log)
    const store = build(env, path, options, kernel, manifest, manifest, log, clean, removed)
    return { store, lock, mustFlush: !clean && log.segments.length > 0 }
  } catch (error) {
    manifest.close()
    throw error
  }
}

const EMPTY_LOG: RecoveredLog = {
  segments: [],
  lastSequence: 0,
  entries: 0,
  droppedBytes: 0,
  droppedSegments: 0,
  damage: undefined,
}

function randomBytes(env: Environment, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => Math.floor(env.random() * 256))
}

/** Reads and judges everything, changing nothing. */
function readAll(
  env: Environment,
  path: string,
  options: ResolvedOptions,
  recovered: Recovered,
  kernel: Kernel,
): { log: RecoveredLog; clean: boolean } {
  checkTables(env.fs, path, recovered)
  checkLostEdits(env.fs, path, recovered, env.zstd()?.decompress)
  if (env.zstd() === undefined) {
    const { storeId, version } = recovered
    refuseZstdTables(env.fs, { directory: path, storeId, tables: version.tables() })
  }
  const closed = readClosed(env.fs, path, recovered)
  kernel.seed(recovered.hashSeed)
  const { names, storeId, hashSeed, epoch, logNumber, lastSequence } = recovered
  const recovery = new LogRecovery(env.fs, kernel, {
    directory: path,
    names,
    storeId,
    hashSeed,
    epoch,
    logNumber,
    lastSequence,
    closed,
    mode: options.recovery,
  })
  const log = recovery.run()
  return { log, clean: closed !== undefined && log.damage === undefined }
}

/** Every table of the version is there and has its size; their content is verified when it is read. */
function checkTables(fs: FileSystem, path: string, recovered: Recovered): void {
  for (const { number, size } of recovered.version.tables()) {
    const name = tableFileName(number)
    const status = fs.status(`${path}/${name}`)
    if (status?.kind === 'file' && status.size === size) continue
    throw corruption(name, undefined, 'the table is missing or has the wrong size', {
      expected: size,
      actual: status?.size ?? 'missing',
    })
  }
}

function build(
  env: Environment,
  directory: string,
  options: ResolvedOptions,
  kernel: Kernel,
  manifest: Manifest | undefined,
  state: Pick<Recovered, 'storeId' | 'hashSeed' | 'version' | 'lastSequence' | 'epoch'>,
  log: RecoveredLog,
  cleanClose: boolean,
  removedFiles: number,
): Store {
  const { storeId, hashSeed, version, epoch } = state
  const tables = new TableFiles(kernel, env.fs, {
    directory,
    storeId,
    tableName: tableFileName,
    unzstd: env.zstd()?.decompress,
    filesMax: OPEN_FILES_MAX,
  })
  const chain = new LogChain(kernel, env.fs, {
    directory,
    storeId,
    hashSeed,
    epoch,
    logName: logFileName,
    valueName: valueFileName,
  })
  for (const segment of log.segments) chain.adopt(segment)
  const gap = cleanClose ? 0 : SEQUENCE_GAP
  const { segments, entries, droppedBytes, droppedSegments, damage } = log
  const recovery: RecoveryReport = {
    cleanClose,
    segments: segments.length,
    entries,
    droppedBytes,
    droppedSegments,
    removedFiles,
    damage,
  }
  const store = new Store({
    env,
    directory,
    options,
    kernel,
    tables,
    chain,
    manifest,
    storeId,
    hashSeed,
    version,
    sequence: Math.max(state.lastSequence, log.lastSequence) + gap,
    recovery,
  })
  store.refreshView()
  return store
}

/**
 * Removes files of ours that nothing refers to: left by jobs that died, by removals that were cut short. What was cut off from the
 * log goes last: a table of its entries without it would be proof of a lost edit [MAN-22].
 */
function removeOrphans(
  fs: FileSystem,
  path: string,
  manifest: Manifest,
  log: RecoveredLog,
): number {
  const { cutOff, others } = orphansOf(fs, path, manifest, log)
  let removed = 0
  for (const name of others) {
    try {
      fs.remove(`${path}/${name}`)
      removed++
    } catch (error) {
      // Alone it does no harm, and goes at a later open.
      if (cutOff.length > 0) throw error
    }
  }
  // Nor may a power cut bring it back when what came before it has become a table.
  if (removed > 0) fs.syncDirectory(path)
  for (const name of cutOff) fs.remove(`${path}/${name}`)
  if (cutOff.length > 0) fs.syncDirectory(path)
  return removed + cutOff.length
}

function orphansOf(
  fs: FileSystem,
  path: string,
  manifest: Manifest,
  log: RecoveredLog,
): { cutOff: string[]; others: string[] } {
  const tables = new Set(manifest.version.tables().map(({ number }) => number))
  const segments = new Set(log.segments.map(({ number }) => number))
  const cutOff: string[] = []
  const others: string[] = []
  for (const name of fs.list(path)) {
    const parsed = parseFileName(name)
    if (parsed === undefined || !('number' in parsed)) continue
    const { type, number } = parsed
    if (type === 'log' || type === 'values') {
      if (segments.has(number)) continue
      if (number >= manifest.logNumber) cutOff.push(name)
      else others.push(name)
    } else if (type === 'temporary' || (type === 'table' && !tables.has(number))) {
      others.push(name)
    }
  }
  return { cutOff, others }
}
