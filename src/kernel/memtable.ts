/**
 * A memtable: the arena whose bytes are a log segment's, and its index. The owner does the accounting that keeps the
 * arena from overflowing (56 + key + value an entry, LOG-4), numbers the entries, and writes the bytes to the file.
 *
 * Call protocol: new bind (append* sealFrame bytes)* sealSegment? free, or new load bind replay free.
 */
import { type Address, Result, Status } from './exports.ts'
import { halves, type Kernel, outOfMemory } from './kernel.ts'

export const EntryKind = { PUT: 1, DELETE: 2, CHUNKS: 3 } as const

export const SEGMENT_HEADER_BYTES = 80
export const FRAME_HEADER_BYTES = 32
/** What an entry is charged beside its key and value: header, padding and a frame of its own. */
export const ENTRY_CHARGE = 56

export interface ReplayResult {
  /** Offset where the valid frames end. */
  readonly end: number
  /** Zero bytes behind `end` are no damage [LOG-13]. */
  readonly ending: 'damage' | 'seal' | 'end'
  /** Synced point that frames state: segments back, and offset; `undefined` when none does. */
  readonly synced: SyncedPoint | undefined
  /** Bytes of the value file that the valid frames refer to. */
  readonly valueBytes: number
  readonly lastSequence: number
  readonly count: number
  /** True when a valid frame holds something of the future; nothing else is meaningful then. */
  readonly unknownFormat: boolean
}

export interface SyncedPoint {
  /** How many segment numbers back from the segment that says so. */
  readonly distance: number
  readonly offset: number
}

const NO_DISTANCE = 0xffffffff

export class Memtable {
  readonly #kernel: Kernel
  readonly address: Address
  /** Bytes of the arena. */
  readonly capacity: number
  /** End of the arena in memory. */
  readonly #end: number
  #next = 0
  #firstSequence = 0

  constructor(kernel: Kernel, capacity: number) {
    this.#kernel = kernel
    this.capacity = capacity
    this.address = (kernel.exports.memtableCreate(capacity) >>> 0) as Address
    if (this.address === 0) throw outOfMemory()
    this.#end = (kernel.exports.memtableArena(this.address) >>> 0) + capacity
  }

  free(): void {
    this.#kernel.exports.memtableFree(this.address)
  }

  /** Says which segment the arena is. `hashSeed` is the store's. */
  bind(
    segment: number,
    identity: bigint,
    hashSeed: bigint,
    firstSequence: number,
    baseTimestamp: number,
  ): void {
    const [low, high] = halves(identity)
    const [seedLow, seedHigh] = halves(hashSeed)
    this.#firstSequence = firstSequence
    this.#kernel.exports.memtableBind(
      this.address,
      segment,
      low,
      high,
      seedLow,
      seedHigh,
      firstSequence,
      baseTimestamp,
    )
  }

  /** Writes bytes into the arena: the segment's header, or a segment read from a file. */
  load(source: Uint8Array, offset: number): void {
    const at = (this.#kernel.exports.memtableArena(this.address) >>> 0) + offset
    this.#kernel.memory.bytes.set(source, at)
  }

  /** The arena from `from` to `to`. Valid until the next call of the kernel that may grow. */
  bytes(from: number, to: number): Uint8Array {
    const at = this.#kernel.exports.memtableArena(this.address) >>> 0
    return this.#kernel.memory.view(at + from, to - from)
  }

  /** Makes sure that the next `records` appends cannot fail. */
  reserve(records: number): void {
    if (this.#kernel.exports.memtableReserve(this.address, records) !== Status.OK) {
      throw outOfMemory()
    }
  }

  /** Where the key of the next record may be written, and its value behind it, if `bytes` fit there; else 0. */
  room(bytes: number): number {
    return this.#next + bytes <= this.#end ? this.#next : 0
  }

  /** Appends an entry whose key and value lie in the kernel's memory at the given addresses. Unchanged when it throws. */
  append(
    kind: number,
    key: number,
    keyBytes: number,
    value: number,
    valueBytes: number,
    sequence: number,
    timestampDelta: number,
  ): void {
    const next = this.#kernel.exports.memtableAppend(
      this.address,
      kind,
      key,
      keyBytes,
      value,
      valueBytes,
      sequence - this.#firstSequence,
      timestampDelta,
    )
    if (next === 0) throw outOfMemory()
    this.#next = next >>> 0
  }

  /** Closes the open frame, stating what is known to be synced; returns the arena's tail. */
  sealFrame(synced: SyncedPoint | undefined, valueBytes: number): number {
    const { distance, offset } = synced ?? { distance: NO_DISTANCE, offset: 0 }
    return this.#kernel.exports.memtableSealFrame(this.address, distance, offset, valueBytes) >>> 0
  }

  /** Ends the segment with a seal frame; returns the arena's tail. */
  sealSegment(synced: SyncedPoint | undefined, valueBytes: number): number {
    const { distance, offset } = synced ?? { distance: NO_DISTANCE, offset: 0 }
    return (
      this.#kernel.exports.memtableSealSegment(this.address, distance, offset, valueBytes) >>> 0
    )
  }

  /** Takes every frame at or behind `from` out of the view. Nothing may be appended any more. */
  drop(from: number): void {
    this.#kernel.exports.memtableDrop(this.address, from)
  }

  /** Offset behind the last record. */
  get tail(): number {
    return this.#kernel.exports.memtableTail(this.address) >>> 0
  }

  /** Records, all versions and tombstones counted. */
  get count(): number {
    return this.#kernel.exports.memtableCount(this.address) >>> 0
  }

  /** Bytes of the hash table and the order array. */
  get indexBytes(): number {
    return this.#kernel.exports.memtableIndexBytes(this.address) >>> 0
  }

  /** Records that are in no sorted run yet. */
  get unsorted(): number {
    return this.#kernel.exports.memtableUnsorted(this.address) >>> 0
  }

  /** One step of sorting, a few milliseconds at most; false when there is nothing left to do. */
  sortStep(): boolean {
    return this.#sortStep(1)
  }

  /**
   * `sortStep` for a job: it merges runs itself, so that making fewer of them would be done twice. Whoever did so before the job
   * is over would move what it reads.
   */
  sortStepForJob(): boolean {
    return this.#sortStep(0)
  }

  #sortStep(merge: number): boolean {
    const status = this.#kernel.exports.memtableSortStep(this.address, merge)
    if (status === Status.NO_MEMORY) throw outOfMemory()
    return status === Status.MORE
  }

  /**
   * Takes in the frames among the first `length` bytes of the arena. Unless `indexed`, which costs about as much as all else,
   * the memtable serves for sorting and for jobs, and no key is found in it.
   */
  replay(length: number, indexed = true): ReplayResult {
    const status = this.#kernel.exports.memtableReplay(this.address, length, indexed ? 1 : 0)
    if (status === Status.NO_MEMORY) throw outOfMemory()
    const r = this.#kernel.memory.results
    return {
      end: r[Result.OFFSET] as number,
      ending: (['damage', 'seal', 'end'] as const)[r[Result.KIND] as number] ?? 'damage',
      synced: this.#synced(),
      valueBytes: r[Result.EXTRA_3] as number,
      lastSequence: this.#firstSequence + (r[Result.SEQUENCE] as number),
      count: this.count,
      unknownFormat: status === Status.UNKNOWN_FORMAT,
    }
  }

  /** The highest synced point that valid frame headers state behind damage at `from`. */
  proof(from: number, length: number): SyncedPoint | undefined {
    this.#kernel.exports.memtableProof(this.address, from, length)
    return this.#synced()
  }

  #synced(): SyncedPoint | undefined {
    const r = this.#kernel.memory.results
    const distance = r[Result.EXTRA_1] as number
    return distance === NO_DISTANCE ? undefined : { distance, offset: r[Result.EXTRA_2] as number }
  }
}
