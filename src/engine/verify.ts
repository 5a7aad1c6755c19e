/**
 * `verify`: reads every table and every log segment of an open store and says what is wrong with them (VER-1 to VER-5 in
 * `docs/spec.md`). It uses no code of the kernel, so that a mistake there shows here.
 */
import type { Environment } from '../env/environment.ts'
import { closeQuietly, errorCode, ioError, readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'
import { runtimeZstd } from '../env/zstd.ts'
import { corruption, type SedgeError } from '../errors.ts'
import { type CheckedTable, checkTable } from '../table/table-check.ts'
import { TABLE_HEADER_BYTES, tableIdentity } from '../table/table-format.ts'
import { equalBytes } from '../util/bytes.ts'
import { checksumText, Hash64, loadChecksums } from '../util/checksum.ts'
import { logFileName, tableFileName } from '../version/file-names.ts'
import type { TableMeta } from '../version/table-meta.ts'
import type { Version } from '../version/version.ts'
import type { VerifyReport } from './engine-types.ts'
import { Pacer } from './pacer.ts'
import { verifySegment } from './verify-segment.ts'

export interface StoreToVerify {
  readonly env: Environment
  readonly directory: string
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  readonly version: Version
  /** Lengths are the bytes that are in the file and count. */
  readonly segments: readonly { readonly number: number; readonly length: number }[]
  /** Whether a table still belongs to the store: one that has left it meanwhile is passed over. */
  readonly isLive: (table: number) => boolean
  readonly isLiveSegment: (segment: number) => boolean
}

const PIECE_BYTES = 256 * 1024

/** Damage is reported, not thrown. Rejects with `IO` when a file cannot be read, and with `UNSUPPORTED` for zstd without zstd. */
export async function verifyStore(store: StoreToVerify): Promise<VerifyReport> {
  // Another implementation than the kernel's, which has written the store.
  await loadChecksums()
  return new Verification(store).run()
}

class Verification {
  readonly #store: StoreToVerify
  readonly #pacer: Pacer
  #problems: SedgeError[] = []
  #tables = 0
  #blocks = 0
  #entries = 0
  #segments = 0
  #bytes = 0

  constructor(store: StoreToVerify) {
    this.#store = store
    this.#pacer = new Pacer(store.env)
  }

  async run(): Promise<VerifyReport> {
    const { version, segments, isLive, isLiveSegment } = this.#store
    for (const table of version.tables()) {
      await this.#part(
        () => isLive(table.number),
        () => this.#table(table),
      )
    }
    for (const segment of segments) {
      await this.#part(
        () => isLiveSegment(segment.number),
        () => this.#segment(segment),
      )
    }
    return {
      tables: this.#tables,
      blocks: this.#blocks,
      entries: this.#entries,
      logSegments: this.#segments,
      bytes: this.#bytes,
      problems: this.#problems,
    }
  }

  /** Checks one file. What is found in a file that has left the store meanwhile counts for nothing. */
  async #part(isLive: () => boolean, check: () => Promise<void>): Promise<void> {
    await this.#pacer.breathe()
    if (!isLive()) return
    const before = this.#problems
    this.#problems = []
    try {
      await check()
    } catch (error) {
      if (isLive()) throw error
    }
    this.#problems = isLive() ? [...before, ...this.#problems] : before
  }

  async #table(meta: TableMeta): Promise<void> {
    const name = tableFileName(meta.number)
    const file = this.#open(name)
    if (file === undefined) return
    this.#tables++
    try {
      const size = file.size()
      this.#bytes += size
      if (size !== meta.size) {
        const sizes = { expected: meta.size, actual: size }
        this.#note(corruption(name, undefined, 'the file has the wrong size', sizes))
        return
      }
      await this.#wholeChecksum(file, name, meta)
      await this.#content(file, name, meta)
    } catch (error) {
      throw ioError(error, 'cannot read', name)
    } finally {
      closeQuietly(file)
    }
  }

  /** The checksum over all of the file that the manifest keeps [TBL-3]. */
  async #wholeChecksum(file: File, name: string, meta: TableMeta): Promise<void> {
    const hash = new Hash64()
    const piece = new Uint8Array(PIECE_BYTES)
    const update = (from: number, to: number): number => {
      const count = readFully(file, piece.subarray(0, Math.min(piece.length, to - from)), from)
      hash.update(piece.subarray(0, count))
      return count
    }
    for (let at = TABLE_HEADER_BYTES; at < meta.size; ) {
      const count = update(at, meta.size)
      if (count === 0) break
      at += count
      await this.#pacer.breathe()
    }
    update(0, Math.min(TABLE_HEADER_BYTES, meta.size))
    const actual = hash.digest()
    if (actual === meta.checksum) return
    const sums = { expected: checksumText(meta.checksum), actual: checksumText(actual) }
    this.#note(corruption(name, undefined, 'the file has the wrong checksum', sums))
  }

  async #content(file: File, name: string, meta: TableMeta): Promise<void> {
    const { storeId, hashSeed } = this.#store
    const { number, size } = meta
    const identity = tableIdentity(storeId, number)
    const unzstd = runtimeZstd()?.decompress
    const before = this.#problems.length
    const table = { file, name, size, number, identity, unzstd }
    const steps = checkTable(table, hashSeed, (problem) => this.#note(problem))
    const checked = await this.#pacer.run(steps)
    if (checked === undefined) return
    this.#blocks += checked.blocks
    this.#entries += checked.entries
    if (this.#problems.length === before) this.#compare(name, meta, checked)
  }

  /** What the manifest says about a table is what the table says about itself. */
  #compare(name: string, meta: TableMeta, checked: CheckedTable): void {
    for (const field of ['entries', 'tombstones', 'minSequence', 'maxSequence'] as const) {
      const [expected, actual] = [meta[field], checked[field]]
      if (expected === actual) continue
      const what = `the manifest is wrong about ${field}`
      this.#note(corruption(name, undefined, what, { expected, actual }))
    }
    for (const field of ['smallest', 'largest'] as const) {
      if (equalBytes(meta[field], checked[field])) continue
      this.#note(corruption(name, undefined, `the manifest is wrong about the ${field} key`))
    }
  }

  async #segment({ number, length }: { number: number; length: number }): Promise<void> {
    if (length === 0) return
    const name = logFileName(number)
    const file = this.#open(name)
    if (file === undefined) return
    this.#segments++
    try {
      const { env, directory, storeId } = this.#store
      const segment = { fs: env.fs, directory, storeId, file, number, length }
      const steps = verifySegment(segment, (problem) => this.#note(problem))
      const { entries, bytes } = await this.#pacer.run(steps)
      this.#entries += entries
      this.#bytes += bytes
    } catch (error) {
      throw ioError(error, 'cannot read', name)
    } finally {
      closeQuietly(file)
    }
  }

  /** `undefined`, and a problem, when there is no such file. */
  #open(name: string): File | undefined {
    try {
      return this.#store.env.fs.open(`${this.#store.directory}/${name}`, 'read')
    } catch (error) {
      const code = errorCode(error)
      if (code !== 'ENOENT' && code !== 'EISDIR' && code !== 'ELOOP' && code !== 'EINVAL') {
        throw ioError(error, 'cannot open', name)
      }
      this.#note(corruption(name, undefined, 'the file is missing', { cause: error }))
      return undefined
    }
  }

  #note(problem: SedgeError): void {
    this.#problems.push(problem)
  }
}
