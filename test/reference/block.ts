/** Blocks of a table byte by byte from docs/table-format.md, TBL-4 and TBL-5: the oracle of assembly/block.ts. */
import { CHUNKS, compareEntries, compareKeys, DELETE, type Entry, INDEX, PUT } from './entry.ts'
import { join, littleEndian, readNumber, readUnsigned } from './little-endian.ts'
import { lz4Decompress } from './lz4.ts'
import { decodeVarint, encodeVarint } from './varint.ts'
import { xxh64 } from './xxh64.ts'

const TRAILER_BYTES = 16

interface Row {
  readonly kind: number
  readonly shared: number
  readonly suffixBytes: number
  readonly valueBytes: number
  readonly sequence: number
  readonly timestamp: number
}

/** The content of a block of entries in internal order; there must be one. */
export function encodeBlock(entries: readonly Entry[]): Uint8Array {
  const prefix = sharedPrefix(entries.map(({ key }) => key))
  const shared = sharedBytes(entries.map(({ key }) => key))
  const rows = entries.map(({ kind, key, value, sequence, timestamp }, i): Row => {
    const suffixBytes = key.length - prefix.length
    const behind = Math.max(0, shared[i]! - prefix.length)
    return { kind, shared: behind, suffixBytes, valueBytes: value.length, sequence, timestamp }
  })
  const least = (of: (row: Row) => number): number => Math.min(...rows.map(of))
  const width = (of: (row: Row) => number): number => bitsOf(Math.max(...rows.map(of)) - least(of))
  const sequence = least((row) => row.sequence)
  const sequenceBits = width((row) => row.sequence)
  const line = lineOf(rows, sequenceBits)
  const columns = [
    { of: (row: Row) => row.kind, base: least((row) => row.kind) },
    { of: (row: Row) => row.shared, base: 0 },
    { of: (row: Row) => row.suffixBytes, base: least((row) => row.suffixBytes) },
    { of: (row: Row) => row.valueBytes, base: least((row) => row.valueBytes) },
    { of: (row: Row) => row.sequence, base: sequence },
  ]
  const widths = [
    width((row) => row.kind),
    bitsOf(Math.max(...rows.map((row) => row.shared))),
    width((row) => row.suffixBytes),
    width((row) => row.valueBytes),
    sequenceBits,
    line.bits,
  ]
  const bits = rows.flatMap((row, i) => [
    ...columns.flatMap(({ of, base }, column) => toBits(BigInt(of(row) - base), widths[column]!)),
    ...toBits(line.left[i]!, line.bits),
  ])
  return join(
    encodeVarint(BigInt(entries.length)),
    encodeVarint(BigInt(prefix.length)),
    bytesOfBits([...toBits(BigInt(columns[0]!.base), 3), ...widthBits(widths)]),
    encodeVarint(BigInt(columns[2]!.base)),
    encodeVarint(BigInt(columns[3]!.base)),
    encodeVarint(BigInt(sequence)),
    encodeVarint(line.base < 0n ? -2n * line.base - 1n : 2n * line.base),
    encodeVarint(line.span),
    prefix,
    ...entries.map(({ value }) => value),
    ...entries.map(({ key }, i) => key.subarray(Math.max(prefix.length, shared[i]!))),
    bytesOfBits(bits),
  )
}

const WIDTH_BITS = [2, 5, 5, 5, 6, 6]

function widthBits(widths: readonly number[]): number[] {
  return widths.flatMap((width, i) => toBits(BigInt(width), WIDTH_BITS[i]!))
}

/** Bits of the number, low ones first. */
function toBits(number: bigint, width: number): number[] {
  return Array.from({ length: width }, (_, i) => Number((number >> BigInt(i)) & 1n))
}

function bytesOfBits(bits: readonly number[]): Uint8Array {
  return Uint8Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit, at) => byte + bit * 2 ** at, 0),
  )
}

function bitsOf(number: number | bigint): number {
  return number > 0 ? number.toString(2).length : 0
}

/** What a line through the timestamps, by sequence, leaves of each; or what the smallest one leaves, if that is no more. */
function lineOf(
  rows: readonly Row[],
  sequenceBits: number,
): { base: bigint; span: bigint; bits: number; left: bigint[] } {
  const above = (values: readonly bigint[]): { base: bigint; bits: number; left: bigint[] } => {
    const base = values.reduce((least, value) => (value < least ? value : least))
    const left = values.map((value) => value - base)
    return { base, left, bits: Math.max(...left.map(bitsOf)) }
  }
  const plain = { ...above(rows.map(({ timestamp }) => BigInt(timestamp))), span: 0n }
  const bySequence = rows.toSorted((a, b) => a.sequence - b.sequence)
  const [first, last] = [bySequence[0]!, bySequence.at(-1)!]
  const come = last.timestamp - first.timestamp
  if (sequenceBits === 0 || sequenceBits > 31 || come <= 0 || come >= 2 ** 32) return plain
  const shift = BigInt(sequenceBits)
  const span = (BigInt(come) << shift) / BigInt(last.sequence - first.sequence)
  if (sequenceBits + bitsOf(span) > 63) return plain
  const line = above(
    rows.map(({ sequence, timestamp }) => {
      return BigInt(timestamp) - ((BigInt(sequence - first.sequence) * span) >> shift)
    }),
  )
  return line.bits < plain.bits && line.base > -(2n ** 53n) ? { ...line, span } : plain
}

function sharedPrefix(keys: readonly Uint8Array[]): Uint8Array {
  return keys.reduce((prefix, key) => prefix.subarray(0, commonBytes(prefix, key)))
}

/** How many bytes each key takes from the one before: all that they share, up to 65,536 in all. */
export function sharedBytes(keys: readonly Uint8Array[]): number[] {
  let sum = 0
  return keys.map((key, i) => {
    const common = i === 0 ? 0 : commonBytes(keys[i - 1]!, key)
    if (sum + common > 65_536) return 0
    sum += common
    return common
  })
}

function commonBytes(a: Uint8Array, b: Uint8Array): number {
  let length = 0
  while (length < a.length && length < b.length && a[length] === b[length]) length++
  return length
}

/** The entries of a content. Throws when a rule is broken. Keys of an index block may repeat. */
export function decodeBlock(content: Uint8Array, isIndex = false): Entry[] {
  let at = 0
  const varint = (): bigint => {
    const read = decodeVarint(content.subarray(at, at + 8))
    if (read === undefined) throw new Error('a bad varint')
    at += read.bytes
    return read.value
  }
  const take = (length: number): Uint8Array => {
    if (at + length > content.length) throw new Error('a part is cut off')
    at += length
    return content.slice(at - length, at)
  }
  const [count, prefixBytes] = [Number(varint()), Number(varint())]
  if (count === 0) throw new Error('a block without entries')
  const packed = bitsOfBytes(take(4))
  const kindBase = fromBits(packed.splice(0, 3))
  const widths = WIDTH_BITS.map((bits) => Number(fromBits(packed.splice(0, bits))))
  const bases = [kindBase, 0n, varint(), varint(), varint()]
  const zigzag = varint()
  const timestamp = zigzag % 2n === 0n ? zigzag / 2n : -(zigzag + 1n) / 2n
  const span = varint()
  const rowBits = widths.reduce((sum, width) => sum + width, 0)
  const rowsAt = content.length - Math.ceil((count * rowBits) / 8)
  const prefix = take(prefixBytes)
  const bits = bitsOfBytes(content.subarray(rowsAt))
  const rows = Array.from({ length: count }, () => {
    const fields = widths.map((width) => fromBits(bits.splice(0, width)))
    const come = (fields[4]! * span) >> BigInt(widths[4]!)
    const values = fields.map((field, i) => Number(field + (bases[i] ?? timestamp + come)))
    return values as [number, number, number, number, number, number]
  })
  const values = rows.map(([, , , valueBytes]) => take(valueBytes))
  let before: Uint8Array = new Uint8Array(0)
  const entries = rows.map(([kind, shared, suffixBytes, , sequence, time], i): Entry => {
    if (shared > before.length || shared > suffixBytes) throw new Error('shares too much')
    before = join(before.subarray(0, shared), take(suffixBytes - shared))
    return { kind, key: join(prefix, before), sequence, timestamp: time, value: values[i]! }
  })
  if (at !== rowsAt) throw new Error('bytes behind the last key')
  if (bits.some((bit) => bit !== 0)) throw new Error('bits behind the last row')
  const bad = entries.some(
    (entry, i) =>
      entry.key.length === 0 ||
      entry.sequence >= 2 ** 53 ||
      !(isIndex ? [INDEX] : [PUT, DELETE, CHUNKS]).includes(entry.kind) ||
      (i > 0 && !isInOrder(entries[i - 1]!, entry, isIndex)) ||
      (isIndex && ![0, 12].includes(entry.value.length)),
  )
  if (bad) throw new Error('an entry breaks a rule')
  return entries
}

function isInOrder(before: Entry, entry: Entry, isIndex: boolean): boolean {
  return isIndex ? compareKeys(before.key, entry.key) <= 0 : compareEntries(before, entry) < 0
}

function bitsOfBytes(bytes: Uint8Array): number[] {
  return [...bytes].flatMap((byte) => toBits(BigInt(byte), 8))
}

function fromBits(bits: readonly number[]): bigint {
  return bits.reduce((sum, bit, i) => sum + (BigInt(bit) << BigInt(i)), 0n)
}

/** Puts a trailer behind a content that is stored as it is, or as `packed` with the codec given. */
export function sealBlock(
  content: Uint8Array,
  identity: bigint,
  offset: number,
  packed: { readonly codec: number; readonly bytes: Uint8Array } = { codec: 0, bytes: content },
): Uint8Array {
  const sealed = join(packed.bytes, littleEndian(packed.codec, 4), littleEndian(content.length, 4))
  const seed = BigInt.asUintN(64, identity + BigInt(offset))
  return join(sealed, littleEndian(xxh64(sealed, seed), 8))
}

/** The content of a stored block, decompressed if it is LZ4. Throws when a rule is broken. */
export function openBlock(stored: Uint8Array, identity: bigint, offset: number): Uint8Array {
  const end = stored.length - TRAILER_BYTES
  const seed = BigInt.asUintN(64, identity + BigInt(offset))
  const sum = xxh64(stored.subarray(0, stored.length - 8), seed)
  if (readUnsigned(stored, end + 8, 8) !== sum) throw new Error('a bad checksum')
  const codec = readNumber(stored, end, 4)
  const bytes = readNumber(stored, end + 4, 4)
  const payload = stored.subarray(0, end)
  if (codec === 0 && payload.length === bytes) return payload
  const content = codec === 1 ? lz4Decompress(payload, bytes) : undefined
  if (content?.length !== bytes) throw new Error('a bad trailer')
  if (payload.length > bytes - Math.floor(bytes / 8)) throw new Error('compressed in vain')
  return content
}
