/**
 * Reading the log at open: which segments count, where the log ends, and whether what is wrong is a crash or damage
 * (LOG-10 of docs/log-format.md, REC-1 to REC-3 of docs/spec.md). Changes no file.
 *
 *   segments from the manifest's log number on ─► replay in order ─► memtables, or CORRUPTION
 */
import { ioError, readFully } from '../env/file-io.ts'
import type { FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { SyncedPoint } from '../kernel/memtable.ts'
import type { RecoveredSegment } from '../log/log-chain.ts'
import { proofWithoutHeader } from '../log/segment-proof.ts'
import { type ReadSegment, readSegment } from '../log/segment-reader.ts'
import { findBadValue } from '../log/value-check.ts'
import type { ClosedStatement } from '../version/closed-statement.ts'
import { logFileName, parseFileName, valueFileName } from '../version/file-names.ts'
import type { RecoveryMode } from './options.ts'

export interface LogToRecover {
  readonly directory: string
  /** Base names of the files that are there. */
  readonly names: readonly string[]
  readonly storeId: Uint8Array
  readonly hashSeed: bigint
  /** The highest that a segment can be of. */
  readonly epoch: number
  /** The first segment that is still needed; 0 before there was one. */
  readonly logNumber: number
  /** The highest sequence that tables hold. */
  readonly lastSequence: number
  /** What the last close stated, if it was clean. */
  readonly closed: ClosedStatement | undefined
  readonly mode: RecoveryMode
}

export interface RecoveredLog {
  readonly segments: readonly RecoveredSegment[]
  readonly lastSequence: number
  readonly entries: number
  readonly droppedBytes: number
  readonly droppedSegments: number
  /** With `pointInTime`: where the log was cut. */
  readonly damage: SedgeError | undefined
}

interface Damage {
  readonly segment: number
  readonly offset: number
  readonly what: string
}

export class LogRecovery {
  readonly #fs: FileSystem
  readonly #kernel: Kernel
  readonly #log: LogToRecover
  readonly #segments: RecoveredSegment[] = []
  #lastSequence: number
  #entries = 0
  #droppedBytes = 0
  #droppedSegments = 0
  #previous: number | undefined
  #isPreviousSealed = true
  #damage: Damage | undefined
  #contradiction: SedgeError | undefined
  #proof: { segment: number; offset: number } | undefined

  constructor(fs: FileSystem, kernel: Kernel, log: LogToRecover) {
    this.#fs = fs
    this.#kernel = kernel
    this.#log = log
    this.#lastSequence = log.lastSequence
  }

  /** Throws `CORRUPTION`, `FORMAT`, `IO`, `LIMIT`. */
  run(): RecoveredLog {
    const numbers = this.#listSegments()
    this.#checkClosed(numbers)
    const last = numbers.at(-1)
    for (const number of numbers) {
      // The last segment may have been created and not written: that is no damage.
      const isBlank = number === last && this.#size(logFileName(number)) === 0
      if (!isBlank) this.#readOne(number)
    }
    const damage = this.#judge()
    return {
      segments: this.#segments,
      lastSequence: this.#lastSequence,
      entries: this.#entries,
      droppedBytes: this.#droppedBytes,
      droppedSegments: this.#droppedSegments,
      damage,
    }
  }

  #path(name: string): string {
    return `${this.#log.directory}/${name}`
  }

  #listSegments(): number[] {
    const numbers: number[] = []
    for (const name of this.#log.names) {
      const parsed = parseFileName(name)
      if (parsed?.type === 'log' && parsed.number >= this.#log.logNumber) {
        numbers.push(parsed.number)
      }
    }
    return numbers.sort((a, b) => a - b)
  }

  /** After a clean close every file has the length that was stated. */
  #checkClosed(numbers: readonly number[]): void {
    const { closed } = this.#log
    if (closed === undefined) return
    for (const { number, logLength, valueLength } of closed.segments) {
      this.#checkLength(logFileName(number), logLength)
      if (valueLength > 0) this.#checkLength(valueFileName(number), valueLength)
    }
    const stated = new Set(closed.segments.map(({ number }) => number))
    const extra = numbers.find((number) => !stated.has(number))
    if (extra !== undefined) {
      const what = 'this segment was not there at the last clean close'
      this.#contradicts(corruption(logFileName(extra), 0, what))
    }
  }

  /** Bytes; `undefined` when there is no such file. */
  #size(name: string): number | undefined {
    return this.#fs.status(this.#path(name))?.size
  }

  #checkLength(name: string, expected: number): void {
    const actual = this.#size(name)
    if (actual === expected) return
    this.#contradicts(
      corruption(name, actual, 'the file is not as the last clean close left it', {
        expected,
        actual: actual ?? 'missing',
      }),
    )
  }

  /** What the closing statement says is not so: refused, unless whoever opens wants what is left. */
  #contradicts(error: SedgeError): void {
    if (this.#log.mode !== 'pointInTime') throw error
    this.#contradiction ??= error
  }

  #readOne(number: number): void {
    const name = logFileName(number)
    const { storeId, hashSeed } = this.#log
    const path = this.#path(name)
    let read: ReadSegment | undefined
    try {
      const leftoversBelow = this.#log.logNumber
      const segment = { path, name, storeId, hashSeed, number, leftoversBelow }
      read = readSegment(this.#kernel, this.#fs, segment)
      if (read === undefined) {
        const segment = { path, storeId, number, epoch: this.#log.epoch }
        this.#noteProof(number, proofWithoutHeader(this.#kernel, this.#fs, segment))
      }
    } catch (error) {
      throw ioError(error, 'cannot read', name)
    }
    if (read === undefined) {
      this.#dropWhole(this.#size(name))
      this.#noteDamage(number, 0, 'the header does not verify')
      return
    }
    this.#take(number, name, read)
  }

  #take(number: number, name: string, read: ReadSegment): void {
    const { header, replay, memtable, length } = read
    if (replay.unknownFormat) {
      throw new SedgeError('FORMAT', `${name} holds what this release does not know`, {
        file: name,
        offset: replay.end,
      })
    }
    this.#noteProof(number, replay.synced)
    this.#checkChain(number, header.previous)
    if (this.#damage !== undefined) {
      this.#dropWhole(length)
      memtable.free()
      return
    }
    if (header.firstSequence <= this.#lastSequence && replay.count > 0) {
      this.#checkSequence(name, header.firstSequence)
    }
    // Zeros behind the frames are prepared space, but what a clean close leaves has none [LOG-13].
    const isShort = this.#log.closed !== undefined && replay.end < length
    if (replay.ending === 'damage' || isShort) {
      this.#noteProof(number, memtable.proof(replay.end, length))
      this.#noteDamage(number, replay.end, 'a frame does not verify')
      this.#droppedBytes += length - replay.end
    }
    const isClean = this.#log.closed !== undefined && this.#log.mode !== 'pointInTime'
    const bad = isClean ? undefined : this.#badValue(number, read)
    if (bad === undefined) {
      this.#keep(read, number, replay.end)
      this.#isPreviousSealed = replay.ending === 'seal'
      this.#previous = number
    } else {
      this.#cut(number, name, read, bad.frame, bad.what)
    }
  }

  #keep(read: ReadSegment, number: number, length: number): void {
    const { memtable, identity, replay } = read
    const { valueBytes, lastSequence, count } = replay
    this.#segments.push({ number, identity, memtable, length, valueBytes, lastSequence })
    if (count > 0) this.#lastSequence = Math.max(this.#lastSequence, lastSequence)
    this.#entries += count
  }

  /** A value of the segment is not there: the log ends before the frame that refers to it. */
  #cut(number: number, name: string, read: ReadSegment, frame: number, what: string): void {
    read.memtable.free()
    const { storeId, hashSeed } = this.#log
    const path = this.#path(name)
    const segment = { path, name, storeId, hashSeed, number, length: frame }
    const again = readSegment(this.#kernel, this.#fs, segment)
    if (again === undefined) throw corruption(name, 0, 'the header does not verify')
    this.#noteDamage(number, frame, what)
    this.#droppedBytes += Math.max(0, read.replay.end - frame)
    this.#keep(again, number, again.replay.end)
  }

  #badValue(number: number, read: ReadSegment): { frame: number; what: string } | undefined {
    if (read.replay.valueBytes === 0) return undefined
    const name = valueFileName(number)
    const path = this.#path(name)
    const file = this.#fs.status(path) === undefined ? undefined : this.#fs.open(path, 'read')
    try {
      const source = {
        size: file?.size() ?? 0,
        read: (target: Uint8Array, at: number) =>
          file === undefined ? 0 : readFully(file, target, at),
      }
      const bytes = read.memtable.bytes(0, read.replay.end)
      return findBadValue(bytes.slice(), source, name, read.identity)
    } finally {
      file?.close()
    }
  }

  #checkSequence(name: string, first: number): void {
    if (first > this.#lastSequence) return
    throw corruption(name, 48, 'the segment begins with sequences that are taken', {
      expected: this.#lastSequence + 1,
      actual: first,
    })
  }

  /** Segments follow each other without a gap, and every one but the last is sealed. */
  #checkChain(number: number, previous: number): void {
    const expected = this.#previous
    if (expected === undefined) {
      if (previous !== 0 && previous >= this.#log.logNumber) {
        this.#noteDamage(previous, 0, 'the segment is missing')
      }
    } else if (previous !== expected) {
      this.#noteDamage(previous > expected ? previous : number, 0, 'a segment is missing')
    } else if (!this.#isPreviousSealed) {
      const end = this.#segments.at(-1)?.length ?? 0
      this.#noteDamage(expected, end, 'the segment has no end, and another follows')
    }
  }

  #noteDamage(segment: number, offset: number, what: string): void {
    this.#damage ??= { segment, offset, what }
  }

  #noteProof(segment: number, synced: SyncedPoint | undefined): void {
    if (synced === undefined) return
    const point = { segment: segment - synced.distance, offset: synced.offset }
    const known = this.#proof
    const isFurther =
      known === undefined ||
      point.segment > known.segment ||
      (point.segment === known.segment && point.offset > known.offset)
    if (isFurther) this.#proof = point
  }

  #dropWhole(bytes: number | undefined): void {
    // A segment that was created and never written holds nothing to be dropped.
    if (bytes === undefined || bytes === 0) return
    this.#droppedBytes += bytes
    this.#droppedSegments++
  }

  /** Whether the damage may be what a crash leaves. Throws `CORRUPTION` where it may not. */
  #judge(): SedgeError | undefined {
    const damage = this.#damage
    if (damage === undefined) return this.#contradiction
    const proof = this.#proof
    const isProven =
      this.#log.closed !== undefined ||
      (proof !== undefined &&
        (proof.segment > damage.segment ||
          (proof.segment === damage.segment && proof.offset > damage.offset)))
    const error = corruption(logFileName(damage.segment), damage.offset, damage.what)
    const { mode } = this.#log
    if (mode === 'pointInTime') return error
    if (isProven || mode === 'strict') throw error
    return undefined
  }
}
