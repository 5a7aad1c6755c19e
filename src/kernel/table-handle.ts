/** A table as the kernel knows it: identity, key range, and which of its blocks are resident. */
import { type Address, Status } from './exports.ts'
import { halves, type Kernel, outOfMemory } from './kernel.ts'

/** What has to be known of a table before any of it is read. */
export interface TableIdentity {
  readonly number: number
  readonly identity: bigint
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
}

/** Where the top index is, and what has to be known before other blocks are read. */
export interface TopIndex {
  readonly topOffset: number
  readonly topBytes: number
  readonly limit: number
  /** Of the filters. */
  readonly bitsPerKey: number
  /** What blocks may be compressed with. */
  readonly codec: number
}

export type InstallOutcome = 'installed' | 'corrupt' | 'unknown-format'

export class TableHandle {
  readonly #kernel: Kernel
  readonly address: Address
  readonly number: number

  constructor(kernel: Kernel, table: TableIdentity) {
    this.#kernel = kernel
    this.number = table.number
    const { smallest, largest } = table
    const at = kernel.staging(smallest.length + largest.length + 1)
    kernel.memory.bytes.set(smallest, at)
    kernel.memory.bytes.set(largest, at + smallest.length)
    const [low, high] = halves(table.identity)
    const created = kernel.exports.tableCreate(
      table.number,
      low,
      high,
      at,
      smallest.length,
      largest.length,
    )
    this.address = (created >>> 0) as Address
    if (this.address === 0) throw outOfMemory()
  }

  /** Forgets the table and every block of it. No scan or job may stand on it. */
  free(): void {
    this.#kernel.exports.tableFree(this.address)
  }

  /** What header and footer say; handles of blocks must lie before `limit`. */
  setTop(top: TopIndex): void {
    const { topOffset, topBytes, limit, bitsPerKey, codec } = top
    this.#kernel.exports.tableSetTop(this.address, topOffset, topBytes, limit, bitsPerKey, codec)
  }

  /**
   * Verifies a block that lies in the staging region and enters it in the cache. `decoded` is the address of the
   * content when the caller decompressed it, else 0.
   */
  install(
    offset: number,
    kind: number,
    at: number,
    stored: number,
    decoded: number,
  ): InstallOutcome {
    const status = this.#kernel.exports.tableInstall(
      this.address,
      offset,
      kind,
      at,
      stored,
      decoded,
    )
    if (status === Status.OK) return 'installed'
    if (status === Status.NO_MEMORY) throw outOfMemory()
    return status === Status.CORRUPT ? 'corrupt' : 'unknown-format'
  }
}
