/**
 * Files of RustEdgeDB v1, written independently of what imports them.
 *
 *   log     (key bytes u32, value bytes u32, timestamp u64, sequence u64, key, value)*
 *   table   header (72), bloom filter, records, index, footer (32)
 */
import { Buffer } from 'node:buffer'

export interface ForeignEntry {
  readonly key: string
  /** `undefined`: deleted. */
  readonly value: string | undefined
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  /** Counted up from 1 in a file where it is absent. */
  readonly sequence?: number
}

function record(entry: ForeignEntry, sequence: number): Buffer {
  const key = Buffer.from(entry.key)
  const value = Buffer.from(entry.value ?? '')
  const head = Buffer.alloc(24)
  head.writeUInt32LE(key.length, 0)
  head.writeUInt32LE(value.length, 4)
  head.writeBigUInt64LE(BigInt(entry.timestamp), 8)
  head.writeBigUInt64LE(BigInt(entry.sequence ?? sequence), 16)
  return Buffer.concat([head, key, value])
}

/** `wal.log` or `wal_<ms>.log`. */
export function encodeForeignLog(entries: readonly ForeignEntry[]): Uint8Array {
  return Buffer.concat(entries.map((entry, i) => record(entry, i + 1)))
}

/** `sstable_<ms>.sst`. Entries come in the order of their keys. */
export function encodeForeignTable(
  entries: readonly ForeignEntry[],
  wrong: { entries?: number; version?: number; codec?: number } = {},
): Uint8Array {
  const records = entries.map((entry, i) => record(entry, i + 1))
  const data = Buffer.concat(records)
  const filter = Buffer.alloc(Math.ceil((entries.length * 10) / 8), 0xff)
  const header = Buffer.alloc(72)
  const dataOffset = header.length + filter.length
  header.write('RUSTEDGE', 0, 'latin1')
  header.writeUInt32LE(wrong.version ?? 1, 8)
  header.writeUInt32LE(wrong.entries ?? entries.length, 12)
  header.writeBigUInt64LE(BigInt(dataOffset + data.length), 16)
  header.writeBigUInt64LE(BigInt(header.length), 24)
  header.writeBigUInt64LE(BigInt(dataOffset), 32)
  header.writeUInt8(wrong.codec ?? 0, 40)
  const index = foreignIndex(entries, records)
  const footer = Buffer.alloc(32)
  footer.writeBigUInt64LE(BigInt(data.length), 4)
  footer.writeBigUInt64LE(BigInt(index.length), 12)
  return Buffer.concat([header, filter, data, index, footer])
}

/** A count, then for each key its place behind the 24 bytes that begin its record. */
function foreignIndex(entries: readonly ForeignEntry[], records: readonly Buffer[]): Buffer {
  const count = Buffer.alloc(4)
  count.writeUInt32LE(entries.length)
  const parts = [count]
  let offset = 0
  for (const [i, entry] of entries.entries()) {
    const key = Buffer.from(entry.key)
    const [length, place] = [Buffer.alloc(4), Buffer.alloc(16)]
    length.writeUInt32LE(key.length)
    place.writeBigUInt64LE(BigInt(offset + 24))
    place.writeUInt32LE(key.length, 8)
    place.writeUInt32LE(Buffer.byteLength(entry.value ?? ''), 12)
    parts.push(length, key, place)
    offset += records[i]!.length
  }
  return Buffer.concat(parts)
}
