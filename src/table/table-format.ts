/**
 * Header and footer of a table, on the cold path (docs/table-format.md, TBL-1 and TBL-2).
 *
 *   header  | RUSTEDGE | 2 u32 | entries u32 | index u64 | filter u64 | data u64 | codec u8 | number u64 | identity u64 | bits u8 | 0 ×6 | checksum u64 |
 *   footer  | checksum u32 | data bytes u64 | index bytes u64 | top offset u64 | top stored bytes u32 |
 */
import { corruption, SedgeError } from '../errors.ts'
import { checksumText, hash64 } from '../util/checksum.ts'

/** Part of the file format. Do not change. */
export const TABLE_MAGIC = 'RUSTEDGE'
export const TABLE_VERSION = 2
export const TABLE_HEADER_BYTES = 72
export const TABLE_FOOTER_BYTES = 32
/** Where the header says how data and index blocks are compressed. */
export const TABLE_HEADER_CODEC = 40
const HEADER_CHECKSUM = 64
const BLOCK_TRAILER_BYTES = 16

export interface TableLayout {
  readonly entries: number
  readonly dataOffset: number
  readonly filterOffset: number
  readonly indexOffset: number
  readonly topOffset: number
  /** With its trailer. */
  readonly topBytes: number
  /** Where the footer begins: no block reaches beyond. */
  readonly limit: number
  /** Bits a key of the filters, 0 when there are none. */
  readonly bitsPerKey: number
  /** Compression of data and index blocks. */
  readonly codec: number
}

/** What seals the blocks of a table [TBL-2]. */
export function tableIdentity(storeId: Uint8Array, number: number): bigint {
  const bytes = new Uint8Array(24)
  bytes.set(storeId)
  new DataView(bytes.buffer).setBigUint64(16, BigInt(number), true)
  return hash64(bytes)
}

function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true))
}

export interface TableHeader {
  readonly number: number
  readonly identity: bigint
  readonly filterOffset: number
  /** Of data and index blocks, by the number of a `BlockCodec`. */
  readonly codec: number
}

export interface TableFooter {
  readonly dataBytes: number
  readonly indexBytes: number
  readonly topOffset: number
  readonly topBytes: number
}

/** What a header says; `undefined` when it does not verify. Throws `FORMAT` for a version of the future. */
export function decodeHeader(file: string, header: Uint8Array): TableHeader | undefined {
  const view = new DataView(header.buffer, header.byteOffset, TABLE_HEADER_BYTES)
  const magic = String.fromCharCode(...header.subarray(0, 8))
  const sum = hash64(header.subarray(0, HEADER_CHECKSUM))
  if (magic !== TABLE_MAGIC || sum !== view.getBigUint64(HEADER_CHECKSUM, true)) return undefined
  const version = view.getUint32(8, true)
  if (version !== TABLE_VERSION) {
    throw new SedgeError('FORMAT', `${file}: table version ${version} is not known here`, {
      file,
      offset: 8,
      expected: TABLE_VERSION,
      actual: version,
    })
  }
  return {
    number: u64(view, 41),
    identity: view.getBigUint64(49, true),
    filterOffset: u64(view, 24),
    codec: view.getUint8(TABLE_HEADER_CODEC),
  }
}

/** What a footer says; `undefined` when it does not verify. */
export function decodeFooter(footer: Uint8Array, identity: bigint): TableFooter | undefined {
  const view = new DataView(footer.buffer, footer.byteOffset, TABLE_FOOTER_BYTES)
  const sum = Number(hash64(footer.subarray(4), identity) & 0xffffffffn)
  if (sum !== view.getUint32(0, true)) return undefined
  return {
    dataBytes: u64(view, 4),
    indexBytes: u64(view, 12),
    topOffset: u64(view, 20),
    topBytes: view.getUint32(28, true),
  }
}

/**
 * Checks header and footer against each other and the file, and says where things are. Throws `CORRUPTION`, and `FORMAT`
 * for a version of the future.
 */
export function decodeLayout(
  file: string,
  header: Uint8Array,
  footer: Uint8Array,
  size: number,
  number: number,
  identity: bigint,
): TableLayout {
  const head = decodeHeader(file, header)
  if (head === undefined) throw corruption(file, 0, 'the header is damaged', headerSums(header))
  if (head.identity !== identity || head.number !== number) {
    const numbers = { expected: number, actual: head.number }
    throw corruption(file, 41, 'this is another table', numbers)
  }
  const limit = size - TABLE_FOOTER_BYTES
  const foot = decodeFooter(footer, identity)
  if (foot === undefined) throw corruption(file, limit, 'the footer has the wrong checksum')
  const view = new DataView(header.buffer, header.byteOffset, TABLE_HEADER_BYTES)
  const layout: TableLayout = {
    entries: view.getUint32(12, true),
    dataOffset: u64(view, 32),
    filterOffset: head.filterOffset,
    indexOffset: u64(view, 16),
    topOffset: foot.topOffset,
    topBytes: foot.topBytes,
    limit,
    bitsPerKey: view.getUint8(57),
    codec: view.getUint8(40),
  }
  const holds =
    layout.dataOffset === TABLE_HEADER_BYTES &&
    layout.filterOffset === layout.dataOffset + foot.dataBytes &&
    layout.indexOffset >= layout.filterOffset &&
    layout.indexOffset + foot.indexBytes === limit &&
    layout.topOffset >= layout.indexOffset &&
    layout.topOffset + layout.topBytes === limit &&
    layout.topBytes > BLOCK_TRAILER_BYTES &&
    layout.entries > 0
  if (!holds) throw corruption(file, limit, 'header and footer contradict each other')
  return layout
}

function headerSums(header: Uint8Array): { expected: string; actual: string } {
  const view = new DataView(header.buffer, header.byteOffset, TABLE_HEADER_BYTES)
  return {
    expected: checksumText(view.getBigUint64(HEADER_CHECKSUM, true)),
    actual: checksumText(hash64(header.subarray(0, HEADER_CHECKSUM))),
  }
}
