/**
 * The tables that a kernel reads: opens files when they are first touched, at most so many at a time, and brings
 * blocks from them into the kernel. Every byte is verified on its way [TBL-10].
 *
 * Call protocol: new (open | provide… | readValue | release)* close.
 */

import { closeQuietly, ioError, isOutOfHandles, readFully } from '../env/file-io.ts'
import type { File, FileSystem } from '../env/file-system.ts'
import { corruption, SedgeError } from '../errors.ts'
import type { Address } from '../kernel/exports.ts'
import type { Kernel, Need } from '../kernel/kernel.ts'
import { TableHandle } from '../kernel/table-handle.ts'
import type { BlockSource } from '../kernel/view.ts'
import { readChunks } from '../util/value-chunks.ts'
import { BLOCK_TRAILER_BYTES, BlockCodec, isSealed } from './block-decoder.ts'
import {
  decodeLayout,
  TABLE_FOOTER_BYTES,
  TABLE_HEADER_BYTES,
  tableIdentity,
} from './table-format.ts'

/** The kernel reads contents word by word. */
const WORD_BYTES = 8

/** What has to be known of a table to open it. */
export interface TableDescription {
  readonly number: number
  readonly size: number
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
}

interface OpenTable {
  readonly description: TableDescription
  readonly identity: bigint
  readonly handle: TableHandle
  readonly name: string
  file: File | undefined
  /** When its file was used last, by `#uses`. */
  used: number
}

export interface TableFilesOptions {
  readonly directory: string
  readonly storeId: Uint8Array
  readonly tableName: (number: number) => string
  /** Decompresses zstd; `undefined` where the runtime cannot. */
  readonly unzstd: ((bytes: Uint8Array, decoded: number) => Uint8Array) | undefined
  /** Most files kept open. */
  readonly filesMax: number
}

/** A scan over several levels reads from so many files in turn. */
const FILES_LEAST = 4

/** A block holds one entry beyond its closing weight at most: key and inline value at their largest. */
const ZSTD_CONTENT_MAX = 2 * 1024 * 1024

export class TableFiles implements BlockSource {
  readonly #kernel: Kernel
  readonly #fs: FileSystem
  readonly #options: TableFilesOptions
  /** Fewer than the options say once the process had no handles left. */
  #filesMax: number
  readonly #byNumber = new Map<number, OpenTable>()
  readonly #byAddress = new Map<Address, OpenTable>()
  /** Tables with an open file. */
  readonly #opened = new Set<OpenTable>()
  #uses = 0
  /** Bytes read from files. */
  bytesRead = 0

  constructor(kernel: Kernel, fs: FileSystem, options: TableFilesOptions) {
    this.#kernel = kernel
    this.#fs = fs
    this.#options = options
    this.#filesMax = options.filesMax
  }

  /** The handle of a table; nothing is read yet. */
  open(description: TableDescription): TableHandle {
    const known = this.#byNumber.get(description.number)
    if (known !== undefined) return known.handle
    const { storeId, tableName } = this.#options
    const identity = tableIdentity(storeId, description.number)
    const handle = new TableHandle(this.#kernel, { ...description, identity })
    const table: OpenTable = {
      description,
      identity,
      handle,
      name: tableName(description.number),
      file: undefined,
      used: 0,
    }
    this.#byNumber.set(description.number, table)
    this.#byAddress.set(handle.address, table)
    return handle
  }

  /** Forgets a table that is no longer part of the store, and closes its file. */
  release(number: number): void {
    const table = this.#byNumber.get(number)
    if (table === undefined) return
    this.#byNumber.delete(number)
    this.#byAddress.delete(table.handle.address)
    this.#opened.delete(table)
    this.#close(table)
    if (!this.#kernel.trapped) table.handle.free()
  }

  close(): void {
    for (const table of this.#opened) this.#close(table)
    this.#opened.clear()
    this.#byNumber.clear()
    this.#byAddress.clear()
  }

  provideTable(address: Address): void {
    const table = this.#at(address)
    const file = this.#file(table)
    const { size, number } = table.description
    const actual = this.#sizeOf(table, file)
    if (actual !== size || size < TABLE_HEADER_BYTES + TABLE_FOOTER_BYTES) {
      throw corruption(table.name, undefined, 'the file has the wrong size', {
        expected: size,
        actual,
      })
    }
    const header = this.#read(table, file, 0, TABLE_HEADER_BYTES)
    const footer = this.#read(table, file, size - TABLE_FOOTER_BYTES, TABLE_FOOTER_BYTES)
    const layout = decodeLayout(table.name, header, footer, size, number, table.identity)
    table.handle.setTop(layout)
  }

  provideBlock(need: Need): void {
    const table = this.#at(need.table)
    const { offset, bytes } = need
    if (offset + bytes > table.description.size) {
      throw corruption(table.name, offset, 'a block reaches beyond the end of the file')
    }
    let at = this.#kernel.staging(bytes)
    const block = this.#kernel.memory.view(at, bytes)
    this.#readInto(table, this.#file(table), block, offset)
    let decoded = 0
    const content = this.#unzstd(table, block, offset)
    if (content !== undefined) {
      // The kernel cannot decode zstd: it gets the content beside the block, in one larger region.
      const copy = block.slice()
      at = this.#kernel.staging(bytes + content.length + WORD_BYTES)
      decoded = at + bytes
      this.#kernel.memory.bytes.set(copy, at)
      this.#kernel.memory.bytes.set(content, decoded)
    }
    const outcome = table.handle.install(offset, need.kind, at, bytes, decoded)
    if (outcome !== 'installed') this.damaged(need.table, offset, outcome === 'unknown-format')
  }

  provideRun(address: Address, offset: number, target: Uint8Array): void {
    const table = this.#at(address)
    this.#readInto(table, this.#file(table), target, offset)
  }

  damaged(address: Address, offset: number, isUnknown: boolean): never {
    const { name: file } = this.#at(address)
    if (!isUnknown) throw corruption(file, offset, 'a block does not verify')
    const what = `${file} holds what this release does not know`
    throw new SedgeError('FORMAT', what, { file, offset })
  }

  /** Reads a value in chunks into `target`. */
  readValue(
    address: Address,
    offset: number,
    length: number,
    target: Uint8Array,
    targetOffset: number,
  ): void {
    const table = this.#at(address)
    const source = this.chunkSource(address)
    readChunks(source, table.name, offset, table.identity, length, target, targetOffset)
  }

  /** Throws `CORRUPTION` unless a value of `length` bytes can lie at `offset` of the table. */
  checkValue(address: Address, offset: number, length: number): void {
    const { name, description } = this.#at(address)
    if (offset + length > description.size) {
      throw corruption(name, offset, 'a value reaches beyond the end of the file')
    }
  }

  /** For copying chunks: reads, the identity that seals them, and the file's name. */
  chunkSource(address: Address): {
    read(target: Uint8Array, position: number): number
    identity: bigint
    name: string
  } {
    const table = this.#at(address)
    return {
      identity: table.identity,
      name: table.name,
      read: (target, position) => {
        const file = this.#file(table)
        try {
          const count = file.read(target, position)
          this.bytesRead += count
          return count
        } catch (error) {
          throw ioError(error, 'cannot read', table.name)
        }
      },
    }
  }

  #at(address: Address): OpenTable {
    const table = this.#byAddress.get(address)
    if (table === undefined) throw new SedgeError('FAILED', 'the kernel asked for an unknown table')
    return table
  }

  #read(table: OpenTable, file: File, position: number, length: number): Uint8Array {
    const target = new Uint8Array(length)
    this.#readInto(table, file, target, position)
    return target
  }

  #sizeOf(table: OpenTable, file: File): number {
    try {
      return file.size()
    } catch (error) {
      throw ioError(error, 'cannot read', table.name)
    }
  }

  #readInto(table: OpenTable, file: File, target: Uint8Array, position: number): void {
    let count: number
    try {
      count = readFully(file, target, position)
    } catch (error) {
      throw ioError(error, 'cannot read', table.name)
    }
    this.bytesRead += count
    if (count < target.length) {
      throw corruption(table.name, position, 'the file is too short', {
        expected: target.length,
        actual: count,
      })
    }
  }

  /** The content of a sealed block that is zstd, `undefined` for others: of damage the kernel has the last word. */
  #unzstd(table: OpenTable, block: Uint8Array, offset: number): Uint8Array | undefined {
    const payload = block.length - BLOCK_TRAILER_BYTES
    if (payload <= 0 || block[payload] !== BlockCodec.zstd) return undefined
    if (!isSealed(block, table.identity, offset)) return undefined
    const view = new DataView(block.buffer, block.byteOffset + payload)
    const size = view.getUint32(4, true)
    const { unzstd } = this.#options
    if (unzstd === undefined) {
      throw new SedgeError('UNSUPPORTED', `${table.name} is compressed with zstd`, {
        file: table.name,
      })
    }
    if (size > ZSTD_CONTENT_MAX) {
      throw corruption(table.name, offset, 'a block claims too large a content')
    }
    let content: Uint8Array
    try {
      content = unzstd(block.subarray(0, payload), size)
    } catch (cause) {
      throw corruption(table.name, offset, 'a block cannot be decompressed', { cause })
    }
    if (content.length !== size) {
      throw corruption(table.name, offset, 'a block decompresses to the wrong size', {
        expected: size,
        actual: content.length,
      })
    }
    return content
  }

  #file(table: OpenTable): File {
    table.used = ++this.#uses
    if (table.file !== undefined) return table.file
    while (this.#opened.size >= this.#filesMax) this.#closeOldest()
    table.file = this.#openFile(table)
    this.#opened.add(table)
    return table.file
  }

  #openFile(table: OpenTable): File {
    const path = `${this.#options.directory}/${table.name}`
    for (;;) {
      try {
        return this.#fs.open(path, 'read')
      } catch (error) {
        const code = (error as { code?: unknown }).code
        if (code === 'ENOENT' || code === 'EISDIR' || code === 'ELOOP') {
          throw corruption(table.name, undefined, 'the file is missing', { cause: error })
        }
        // Too many open files: one of ours gives way.
        if (isOutOfHandles(error) && this.#opened.size > 0) {
          // Half of them: those who share the process's handles with us need some too, and will again.
          this.#filesMax = Math.max(FILES_LEAST, this.#opened.size >> 1)
          while (this.#opened.size > this.#filesMax) this.#closeOldest()
          if (this.#opened.size > 0) this.#closeOldest()
          continue
        }
        throw ioError(error, 'cannot open', table.name)
      }
    }
  }

  #closeOldest(): void {
    let oldest: OpenTable | undefined
    for (const table of this.#opened) {
      if (oldest === undefined || table.used < oldest.used) oldest = table
    }
    if (oldest === undefined) return
    this.#opened.delete(oldest)
    this.#close(oldest)
  }

  #close(table: OpenTable): void {
    closeQuietly(table.file)
    table.file = undefined
  }
}
