/**
 * One table read without the kernel, on the cold paths: verify and repair. Every block is verified on its way; nothing is
 * kept (docs/table-format.md).
 *
 * Call protocol: new (layout | partitions | blocks | entries | filter)*; the file stays the caller's to close.
 */
import { ioError, readFully } from '../env/file-io.ts'
import type { File } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import { ByteReader, DecodeError } from '../util/coding.ts'
import {
  BLOCK_TRAILER_BYTES,
  type BlockEntry,
  decodeEntries,
  isSealed,
  openBlock,
  type Unzstd,
} from './block-decoder.ts'
import {
  decodeLayout,
  TABLE_FOOTER_BYTES,
  TABLE_HEADER_BYTES,
  type TableLayout,
} from './table-format.ts'

/** More than any top index of a sound table takes; bounds what is allocated. */
const STORED_BYTES_MAX = 64 * 1024 * 1024
const HANDLE_BYTES = 12

export interface TableToRead {
  readonly file: File
  /** Base name, for errors. */
  readonly name: string
  /** Bytes of the file. */
  readonly size: number
  readonly number: number
  readonly identity: bigint
  /** `undefined` where the runtime has no zstd. */
  readonly unzstd: Unzstd | undefined
}

/** Where a stored block is, with its trailer. */
export interface BlockHandle {
  readonly offset: number
  readonly bytes: number
}

/** A data block as the index names it: `key` is its index key [TBL-6]. */
export interface IndexedBlock extends BlockHandle {
  readonly key: Uint8Array
}

/** An index partition as the top index names it [TBL-7]. */
export interface Partition extends BlockHandle {
  readonly key: Uint8Array
  readonly filter: BlockHandle | undefined
}

export class TableReader {
  readonly #table: TableToRead

  constructor(table: TableToRead) {
    this.#table = table
  }

  /** Header and footer. Throws `CORRUPTION`, `FORMAT`, `IO`. */
  layout(): TableLayout {
    const { name, size, number, identity } = this.#table
    if (size < TABLE_HEADER_BYTES + TABLE_FOOTER_BYTES) {
      throw corruption(name, size, 'the file is too short for a table')
    }
    const header = this.read(0, TABLE_HEADER_BYTES)
    const footer = this.read(size - TABLE_FOOTER_BYTES, TABLE_FOOTER_BYTES)
    return decodeLayout(name, header, footer, size, number, identity)
  }

  /** What the top index lists. Throws as `layout`. */
  partitions(top: BlockHandle): Partition[] {
    return this.#index(top, HANDLE_BYTES).map(({ key, offset, bytes, value }) => {
      const reader = new ByteReader(value)
      const filter = { offset: this.#number(reader, top), bytes: reader.u32() }
      return { key, offset, bytes, filter: filter.bytes === 0 ? undefined : filter }
    })
  }

  /** The data blocks that a partition lists. Throws as `layout`. */
  blocks(partition: BlockHandle): IndexedBlock[] {
    return this.#index(partition, 0).map(({ key, offset, bytes }) => ({ key, offset, bytes }))
  }

  /** The entries of a data block. Throws as `layout`, and `UNSUPPORTED`. */
  entries(block: BlockHandle): BlockEntry[] {
    return this.#decode(block, (content) => decodeEntries(content))
  }

  /** The lines of a filter. Throws as `layout`. */
  filter(block: BlockHandle): Uint8Array {
    return this.#decode(block, (content) => content)
  }

  /** Bytes of the file, all of them. Throws `CORRUPTION` where the file ends before, `IO`. */
  read(offset: number, length: number): Uint8Array {
    const { file, name } = this.#table
    const target = new Uint8Array(length)
    let actual: number
    try {
      actual = readFully(file, target, offset)
    } catch (error) {
      throw ioError(error, 'cannot read', name)
    }
    if (actual === length) return target
    throw corruption(name, offset, 'the file is too short', { expected: length, actual })
  }

  #index(block: BlockHandle, valueBytes: number): (IndexedBlock & { value: Uint8Array })[] {
    return this.#decode(block, (content) => {
      return decodeEntries(content, true).map(({ key, sequence, timestamp, value }) => {
        if (value.length !== valueBytes) throw new DecodeError('this is no index block', 0)
        return { key, offset: sequence, bytes: timestamp, value }
      })
    })
  }

  #number(reader: ByteReader, { offset }: BlockHandle): number {
    try {
      return reader.u64()
    } catch (error) {
      throw this.#translated(error, offset)
    }
  }

  #decode<T>({ offset, bytes }: BlockHandle, decode: (content: Uint8Array) => T): T {
    const { name, size, identity, unzstd } = this.#table
    const isInside =
      offset >= TABLE_HEADER_BYTES &&
      bytes > BLOCK_TRAILER_BYTES &&
      bytes <= STORED_BYTES_MAX &&
      offset + bytes <= size
    if (!isInside) throw corruption(name, offset, 'the index points outside the table')
    const stored = this.read(offset, bytes)
    if (!isSealed(stored, identity, offset)) {
      throw corruption(name, offset, 'a block has the wrong checksum')
    }
    try {
      return decode(openBlock(stored, unzstd))
    } catch (error) {
      throw this.#translated(error, offset)
    }
  }

  /** A decoder's complaint with the file and the offset of the block. */
  #translated(error: unknown, offset: number): unknown {
    const { name } = this.#table
    if (error instanceof DecodeError) return corruption(name, offset, error.message)
    if (!(error instanceof SedgeError)) return error
    const message = `${name} at offset ${offset}: ${error.message}`
    return new SedgeError(error.code, message, { file: name, offset })
  }
}
