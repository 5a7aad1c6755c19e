/**
 * What the manifest knows about a table without opening it.
 */

/** All sizes are bytes. Immutable; the arrays must not be changed. */
export interface TableMeta {
  readonly number: number
  readonly level: number
  /** Of the file. */
  readonly size: number
  /** Of the whole file: TBL-3 in `docs/table-format.md`. */
  readonly checksum: bigint
  readonly entries: number
  readonly tombstones: number
  /** Entries that a newer one of the same key in the table hides: kept for snapshots only. */
  readonly shadowed: number
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
  readonly minSequence: number
  readonly maxSequence: number
  /** Of values that lie in chunks, as they are stored. */
  readonly valueBytes: number
  /** Of keys and values as the user gave them. */
  readonly rawBytes: number
}
