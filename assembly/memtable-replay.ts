/**
 * Reading a segment back: which frames of the bytes in an arena are valid (LOG-3), and what those behind damage still prove (LOG-10).
 *
 * Call protocol: memtableCreate, the caller fills the arena, memtableBind memtableReplay (memtableProof)?.
 */
import { isReference } from './bytes'
import { xxh64 } from './xxh64'
import {
  KEY_BYTES_MAX,
  KIND_CHUNKS,
  KIND_DELETE,
  KIND_RESERVED_MAX,
  NO_MEMORY,
  OK,
  VALUE_INLINE_MAX,
} from './abi'
import {
  indexWaiting,
  putInOrder,
  putWaiting,
  reserveIndex,
  reserveOrder,
} from './memtable-index'
import {
  FRAME_HEADER,
  FRAME_RECORDS,
  FRAME_SEAL,
  Memtable,
  RECORD_HEADER,
  SEGMENT_HEADER,
  recordBytes,
  recordKey,
  recordKeyBytes,
  recordKind,
  recordSequenceDelta,
  recordValueBytes,
} from './memtable-state'

@unmanaged
export class Replay {
  /** Where the valid frames end. */
  end: u32
  /** 1: a seal was met; 2: the bytes end with a frame; 0: what follows `end` is neither a valid frame nor prepared space. */
  ending: u32
  /** Highest synced point that a frame states: distance and offset. 0xffffffff if none does. */
  distance: u32
  synced: u32
  values: u32
  lastDelta: u32
}

/** True if a frame header with a good checksum is at `offset` and its payload lies below `length`. */
function headerHolds(m: Memtable, offset: u32, length: u32): bool {
  if (offset + FRAME_HEADER > length) return false
  const header = m.arena + offset
  const sum = xxh64(header + 4, FRAME_HEADER - 4, m.identity + <u64>offset) as u32
  if (load<u32>(header) != sum) return false
  const payload = load<u32>(header, 8)
  return payload <= length - offset - FRAME_HEADER && (payload & 3) == 0
}

/** 0: not valid [LOG-3]; otherwise the frame's kind. A frame that is or holds something of the future gives 255. */
function frameHolds(m: Memtable, offset: u32, length: u32, lastDelta: i64): u32 {
  if (!headerHolds(m, offset, length)) return 0
  const header = m.arena + offset
  const payload = load<u32>(header, 8)
  const start = header + FRAME_HEADER
  if (load<u32>(header, 4) != (xxh64(start, payload, m.identity + <u64>offset + 1) as u32)) return 0
  const kind = load<u32>(header, 12) & 0xff
  const count = load<u32>(header, 12) >> 8
  if (kind == FRAME_SEAL) return payload == 0 && count == 0 ? FRAME_SEAL : 0
  if (kind != FRAME_RECORDS) return kind == 0 || kind > KIND_RESERVED_MAX ? 0 : 255
  if (count == 0) return 0
  const end = start + payload
  let p = start
  let last: i64 = -1
  let future = false
  for (let i: u32 = 0; i < count; i++) {
    if (p + RECORD_HEADER > end) return 0
    const recordsKind = recordKind(p)
    const keyBytes = recordKeyBytes(p)
    const valueBytes = recordValueBytes(p)
    if (keyBytes == 0 || keyBytes > KEY_BYTES_MAX || valueBytes > VALUE_INLINE_MAX) return 0
    if (recordsKind == 0 || recordsKind > KIND_RESERVED_MAX) return 0
    if (recordsKind > KIND_CHUNKS) future = true
    if (recordsKind == KIND_DELETE && valueBytes != 0) return 0
    if (recordsKind == KIND_CHUNKS && valueBytes != 16) return 0
    if (<i64>recordSequenceDelta(p) <= last) return 0
    last = recordSequenceDelta(p)
    if (i == 0 && recordSequenceDelta(p) != load<u32>(header, 16)) return 0
    const bytes = recordBytes(keyBytes, valueBytes)
    if (<usize>bytes > end - p) return 0
    if (recordsKind == KIND_CHUNKS && !isReference(recordKey(p) + keyBytes)) return 0
    p += bytes
  }
  if (p != end) return 0
  if (future) return 255
  return <i64>load<u32>(header, 16) > lastDelta ? FRAME_RECORDS : 0
}

/**
 * Takes in the frames of a segment whose `length` bytes are in the arena, up to the first that is not valid. With `indexed` 0 only
 * for sorting: no key is found then.
 * Fills `Replay` at `out`. UNKNOWN_FORMAT comes back as 12 when a valid frame holds a kind of the future. May grow.
 */
export function memtableReplay(address: usize, length: u32, indexed: u32, out: usize): i32 {
  const m = changetype<Memtable>(address)
  const result = changetype<Replay>(out)
  result.distance = 0xffffffff
  result.synced = 0
  result.values = 0
  result.lastDelta = 0
  result.ending = 2
  let offset = SEGMENT_HEADER
  let last: i64 = -1
  while (offset < length) {
    const kind = frameHolds(m, offset, length, last)
    if (kind == 255) return 12
    if (kind == 0) {
      if (!isZero(m.arena + offset, length - offset)) result.ending = 0
      break
    }
    const header = m.arena + offset
    noteSynced(header, result)
    if (load<u32>(header, 28) < result.values) {
      result.ending = 0
      break
    }
    result.values = load<u32>(header, 28)
    const next = offset + FRAME_HEADER + load<u32>(header, 8)
    if (kind == FRAME_SEAL) {
      offset = next
      result.ending = isZero(m.arena + offset, length - offset) ? 1 : 0
      break
    }
    if (!takeFrame(m, offset, next, indexed)) return NO_MEMORY
    last = load<u32>(m.arena + load<u32>(m.order + ((<usize>(m.count - 1)) << 2)), 8)
    result.lastDelta = last as u32
    offset = next
  }
  result.end = offset
  m.tail = offset
  return OK
}

/** Space that was prepared and not used, none of it at all included [LOG-13]. */
function isZero(from: usize, bytes: u32): bool {
  const end = from + bytes
  let p = from
  for (; p + 8 <= end; p += 8) if (load<u64>(p) != 0) return false
  for (; p < end; p++) if (load<u8>(p) != 0) return false
  return true
}

function takeFrame(m: Memtable, offset: u32, next: u32, indexed: u32): bool {
  let at = offset + FRAME_HEADER
  while (at < next) {
    const record = m.arena + at
    if (indexed) {
      if (!reserveIndex(m)) return false
      putWaiting(m, at)
    } else {
      if (!reserveOrder(m)) return false
      putInOrder(m, at)
    }
    at += recordBytes(recordKeyBytes(record), recordValueBytes(record))
  }
  indexWaiting(m)
  return true
}

/** Keeps the highest synced point: the smallest distance, then the largest offset. */
function noteSynced(header: usize, result: Replay): void {
  const distance = load<u32>(header, 20)
  const synced = load<u32>(header, 24)
  if (distance < result.distance || (distance == result.distance && synced > result.synced)) {
    result.distance = distance
    result.synced = synced
  }
}

/**
 * Looks behind damage at `from` for frame headers that still hold and notes what they state as synced: the proof
 * that tells corruption from a torn tail [LOG-10].
 */
export function memtableProof(address: usize, from: u32, length: u32, out: usize): void {
  const m = changetype<Memtable>(address)
  const result = changetype<Replay>(out)
  result.distance = 0xffffffff
  result.synced = 0
  for (let offset = (from + 4) & ~3; offset + FRAME_HEADER <= length; offset += 4) {
    if (headerHolds(m, offset, length)) noteSynced(m.arena + offset, result)
  }
}
