/** Blocks of a table byte by byte from docs/table-format.md, TBL-4 and TBL-5: the oracle of assembly/block.ts. */
import { compareEntries, type Entry } from './entry.ts'
import { join, littleEndian, readNumber, readSigned, readUnsigned } from './little-endian.ts'
import { lz4Decompress } from './lz4.ts'
import { decodeVarint, encodeVarint } from './varint.ts'
import { xxh64 } from './xxh64.ts'

const TRAILER_BYTES = 16

/** The content of a block of entries in internal order; there must be one. */
export function encodeBlock(entries: readonly Entry[]): Uint8Array {
  const prefix = sharedPrefix(entries.map(({ key }) => key))
  const sequence = Math.min(...entries.map((entry) => entry.sequence))
  const timestamp = Math.min(...entries.map((entry) => entry.timestamp))
  const bodies = entries.map((entry) =>
    join(
      [entry.kind],
      encodeVarint(BigInt(entry.key.length - prefix.length)),
      encodeVarint(BigInt(entry.value.length)),
      encodeVarint(BigInt(entry.sequence - sequence)),
      encodeVarint(BigInt(entry.timestamp - timestamp)),
      entry.key.subarray(prefix.length),
      entry.value,
    ),
  )
  return join(
    littleEndian(entries.length, 4),
    littleEndian(prefix.length, 4),
    littleEndian(sequence, 8),
    littleEndian(timestamp, 8),
    prefix,
    ...bodies,
  )
}

function sharedPrefix(keys: readonly Uint8Array[]): Uint8Array {
  const first = keys[0]!
  let length = 0
  while (length < first.length && keys.every((key) => key[length] === first[length])) length++
  return first.subarray(0, length)
}

/** The entries of a content. Throws when a rule is broken. Keys of an index block may repeat. */
export function decodeBlock(content: Uint8Array, isIndex = false): Entry[] {
  const count = readNumber(content, 0, 4)
  const prefixBytes = readNumber(content, 4, 4)
  const baseSequence = readNumber(content, 8, 8)
  const baseTimestamp = readSigned(content, 16, 8)
  const prefix = content.subarray(24, 24 + prefixBytes)
  if (prefix.length !== prefixBytes) throw new Error('the prefix is cut off')
  if (count === 0) throw new Error('a block without entries')
  let at = 24 + prefixBytes
  const varint = (): number => {
    const read = decodeVarint(content.subarray(at, at + 8))
    if (read === undefined) throw new Error('a bad varint')
    at += read.bytes
    return Number(read.value)
  }
  const take = (length: number): Uint8Array => {
    if (at + length > content.length) throw new Error('an entry is cut off')
    at += length
    return content.slice(at - length, at)
  }
  const entries: Entry[] = []
  for (let i = 0; i < count; i++) {
    const kind = take(1)[0]!
    const [suffixBytes, valueBytes] = [varint(), varint()]
    const [sequence, timestamp] = [baseSequence + varint(), baseTimestamp + varint()]
    const key = join(prefix, take(suffixBytes))
    entries.push({ kind, key, sequence, timestamp, value: take(valueBytes) })
  }
  if (at !== content.length) throw new Error('bytes behind the last entry')
  const bad = entries.some(
    (entry, i) =>
      entry.key.length === 0 ||
      entry.sequence >= 2 ** 53 ||
      ![1, 2, 3].includes(entry.kind) ||
      (i > 0 && compareEntries(entries[i - 1]!, entry) >= (isIndex ? 1 : 0)) ||
      (isIndex && (entry.kind !== 1 || ![12, 24].includes(entry.value.length))),
  )
  if (bad) throw new Error('an entry breaks a rule')
  return entries
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
