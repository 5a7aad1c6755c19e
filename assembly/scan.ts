/**
 * Scans: one call seeks every source of the view at the last key and fills three columns with the entries that a
 * sequence sees. Between calls nothing is kept, so the store may change under a scan at will.
 *
 *   rows    | key bytes u32 | value bytes u32 | kind u32 | where u32 | …
 *   keys    | key | key | …
 *   values  | value | value | …
 *
 * `where` names the memtable or table of a value in chunks (kind 3), with bit 0 set for a memtable. Call protocol:
 * scanBegin (scanFill)+ scanEnd: scanFill is called again after what it needed was installed.
 */
import { compareBytes, copyWords, isAscii } from './bytes'
import { enlarge, reallocate } from './memory'
import {
  DONE,
  KIND_CHUNKS,
  KIND_DELETE,
  MORE,
  NO_MEMORY,
  OK,
  RESULT_ADDRESS,
  RESULT_COUNT,
  RESULT_EXTRA_1,
  RESULT_EXTRA_2,
  RESULT_EXTRA_3,
  RESULT_EXTRA_4,
  RESULT_KEY_ADDRESS,
  RESULT_KEY_BYTES,
  RESULT_KIND,
  setResult,
} from './abi'
import { cursorCreateLevel, cursorCreateRun, cursorSource } from './cursor'
import { Cursor } from './cursor-state'
import { lookupEnd } from './block-cache'
import { Memtable } from './memtable-state'
import { memtableSortStep } from './memtable-order'
import {
  Merge,
  mergeAdd,
  mergeAdvance,
  mergeCreate,
  mergeCurrent,
  mergeFree,
  mergePrepare,
  mergeSeek,
  mergeToEnds,
} from './merge'
import { SEQUENCE_MAX, corrupt } from './table'
import {
  viewLevelCount,
  viewLevelTables,
  viewLevels,
  viewMemtableAt,
  viewMemtableCount,
} from './view'

const ROW: u32 = 16
/** Entries looked at in one call, so that a desert of tombstones does not hold the thread. */
const STEPS_MAX: u32 = 16384

export const SCAN_REVERSE: u32 = 1
export const SCAN_VALUES: u32 = 2
export const SCAN_HAS_START: u32 = 4
export const SCAN_START_INCLUSIVE: u32 = 8
export const SCAN_HAS_END: u32 = 16
export const SCAN_END_INCLUSIVE: u32 = 32
/** Values are wanted as text: say whether they are ASCII. */
export const SCAN_VALUE_TEXT: u32 = 64

let merge: usize = 0
let flags: u32 = 0
let visible: u64 = 0
/** Start key, then end key. */
let bounds: usize = 0
let startBytes: u32 = 0
let endBytes: u32 = 0
let rows: usize = 0
let keys: usize = 0
let keysBytes: u32 = 0
let values: usize = 0
let valuesBytes: u32 = 0
/** Rows so far. */
let count: u32 = 0
let entriesMax: u32 = 0
let bytesMax: u32 = 0
/** The user key met last: where it is in `keys`, behind the others unless it is one of them. */
let lastKey: u32 = 0
let lastKeyBytes: u32 = 0
let hasKey: bool = false
/** Forwards: the version of `lastKey` that the sequence sees has been met. */
let decided: bool = false
/** Backwards: the newest visible version so far of `lastKey` stands behind the rows and values, not counted yet. */
let hasCandidate: bool = false
/** Bytes of its value. */
let candidateBytes: u32 = 0
/** Bytes of the values in chunks that the rows refer to: the caller reads them all at once. */
let chunkedBytes: u64 = 0
/** The candidate's share of them. */
let candidateChunked: u64 = 0

/**
 * Begins a fill of at most `entries` entries and about `bytes` bytes, at least one entry. The start key (where the scan begins,
 * in its direction) and the end key lie one after the other at `boundKeys`. May grow.
 */
export function scanBegin(
  scanFlags: u32,
  boundKeys: usize,
  scanStartBytes: u32,
  scanEndBytes: u32,
  sequence: f64,
  entries: u32,
  bytes: u32,
): i32 {
  scanEnd()
  lookupEnd()
  flags = scanFlags
  visible = <u64>sequence
  startBytes = scanStartBytes
  endBytes = scanEndBytes
  entriesMax = entries
  bytesMax = bytes
  keysBytes = 0
  valuesBytes = 0
  count = 0
  hasKey = false
  hasCandidate = false
  chunkedBytes = 0
  const room = reallocate(bounds, 0, scanStartBytes + scanEndBytes + 1)
  if (room == 0) return NO_MEMORY
  bounds = room
  memory.copy(bounds, boundKeys, scanStartBytes + scanEndBytes)
  merge = mergeCreate(flags & SCAN_REVERSE)
  if (merge == 0) return NO_MEMORY
  const status = addSources(changetype<Merge>(merge))
  if (status != OK) return status
  position(changetype<Merge>(merge))
  return OK
}

export function scanEnd(): void {
  if (merge != 0) mergeFree(merge)
  merge = 0
}

function addSources(m: Merge): i32 {
  for (let i: u32 = 0; i < viewMemtableCount(); i++) {
    const address = viewMemtableAt(i)
    let step = memtableSortStep(address, 0)
    while (step == MORE) step = memtableSortStep(address, 0)
    if (step != DONE) return step
    const t = changetype<Memtable>(address)
    for (let r: u32 = 0; r < t.runCount; r++) {
      const run = t.runs + ((<usize>r) << 3)
      const status = mergeAdd(m, cursorCreateRun(address, load<u32>(run), load<u32>(run, 4)))
      if (status != OK) return status
    }
  }
  for (let i: u32 = 0, n = viewLevelCount(0); i < n; i++) {
    const status = mergeAdd(m, cursorCreateLevel(viewLevelTables(0) + ((<usize>i) << 2), 1))
    if (status != OK) return status
  }
  for (let level: u32 = 1; level < viewLevels(); level++) {
    const count = viewLevelCount(level)
    if (count == 0) continue
    const status = mergeAdd(m, cursorCreateLevel(viewLevelTables(level), count))
    if (status != OK) return status
  }
  return OK
}

function position(m: Merge): void {
  if ((flags & SCAN_HAS_START) == 0) {
    mergeToEnds(m)
    return
  }
  const inclusive = (flags & SCAN_START_INCLUSIVE) != 0
  const reverse = (flags & SCAN_REVERSE) != 0
  // Forwards, (key, MAX) stands before every version and (key, 0) behind them; backwards the
  // other way round.
  mergeSeek(m, bounds, startBytes, inclusive != reverse ? SEQUENCE_MAX : 0)
}

/**
 * Fills on. DONE: the range is exhausted; MORE: a limit was reached and the scan goes on, exclusively, at the key in
 * RESULT_KEY_ADDRESS / RESULT_KEY_BYTES; else what is needed first. RESULT_COUNT, and RESULT_ADDRESS of the rows, RESULT_EXTRA_1
 * and _2, RESULT_EXTRA_3 and _4: address and bytes of the keys and of the values. RESULT_KIND: 1 when the keys are ASCII, and 2
 * when the values are. All of it holds until the next call. May grow.
 */
export function scanFill(): i32 {
  const m = changetype<Merge>(merge)
  const reverse = (flags & SCAN_REVERSE) != 0
  let status = mergePrepare(m)
  for (let steps: u32 = 0; status == OK; steps++) {
    const current = mergeCurrent(m)
    if (current == 0) return finish(DONE)
    const c = changetype<Cursor>(current)
    const order = hasKey ? compareBytes(c.key, c.keyBytes, keys + lastKey, lastKeyBytes) : 1
    if (order != 0) {
      // A block whose keys are not where its index says, which no checksum can tell.
      if (hasKey && reverse != (order < 0)) return corrupt(c.source, 0)
      // The key before this one has been passed whole, so here the scan may stop.
      if (hasCandidate) commitCandidate()
      if (isFull() || (steps >= STEPS_MAX && hasKey)) return finish(MORE)
      if (isBeyond(c)) return finish(DONE)
      if (!rememberKey(c)) return NO_MEMORY
    }
    if (c.sequence <= visible && (reverse || !decided)) {
      if (!take(c, reverse)) return NO_MEMORY
      decided = true
      // To look at the entry behind the last one might need a block that nobody asks for.
      if (!reverse && isFull()) return finish(MORE)
    }
    status = mergeAdvance(m)
  }
  return status
}

function finish(status: i32): i32 {
  if (hasCandidate) commitCandidate()
  const textKeys = u32(isAscii(keys, keysBytes))
  const textValues = (flags & SCAN_VALUE_TEXT) != 0 && isAscii(values, valuesBytes) ? 2 : 0
  setResult(RESULT_COUNT, <f64>count)
  setResult(RESULT_ADDRESS, rows as f64)
  setResult(RESULT_EXTRA_1, keys as f64)
  setResult(RESULT_EXTRA_2, <f64>keysBytes)
  setResult(RESULT_EXTRA_3, values as f64)
  setResult(RESULT_EXTRA_4, <f64>valuesBytes)
  setResult(RESULT_KIND, <f64>(textKeys | textValues))
  setResult(RESULT_KEY_ADDRESS, (keys + lastKey) as f64)
  setResult(RESULT_KEY_BYTES, <f64>lastKeyBytes)
  return status
}

function isFull(): bool {
  if (count == 0) return false
  if (count >= entriesMax) return true
  return <u64>(count * ROW) + keysBytes + valuesBytes + chunkedBytes >= <u64>bytesMax
}

function isBeyond(c: Cursor): bool {
  if ((flags & SCAN_HAS_END) == 0) return false
  const order = compareBytes(c.key, c.keyBytes, bounds + startBytes, endBytes)
  if (order == 0) return (flags & SCAN_END_INCLUSIVE) == 0
  return (flags & SCAN_REVERSE) != 0 ? order < 0 : order > 0
}

function rememberKey(c: Cursor): bool {
  const room = enlarge(keys, keysBytes, keysBytes + c.keyBytes)
  if (room == 0) return false
  keys = room
  lastKey = keysBytes
  lastKeyBytes = c.keyBytes
  copyWords(keys + lastKey, c.key, c.keyBytes)
  hasKey = true
  decided = false
  return true
}

/** The candidate becomes a row; its key is the one met last. */
function commitCandidate(): void {
  keysBytes = lastKey + lastKeyBytes
  valuesBytes += candidateBytes
  chunkedBytes += candidateChunked
  count++
  hasCandidate = false
}

/** Writes a visible version behind the others; forwards it counts at once, backwards a newer one may replace it. */
function take(c: Cursor, reverse: bool): bool {
  hasCandidate = c.kind != KIND_DELETE
  if (!hasCandidate) return true
  const valueBytes = (flags & SCAN_VALUES) != 0 ? c.valueBytes : 0
  const roomForRow = enlarge(rows, count * ROW, (count + 1) * ROW)
  if (roomForRow == 0) return false
  rows = roomForRow
  const room = enlarge(values, valuesBytes, valuesBytes + valueBytes)
  if (room == 0) return false
  values = room
  const row = rows + (<usize>(count * ROW))
  store<u32>(row, c.keyBytes)
  store<u32>(row, valueBytes, 4)
  store<u32>(row, c.kind, 8)
  store<u32>(row, c.kind == KIND_CHUNKS ? cursorSource(c) : 0, 12)
  copyWords(values + valuesBytes, c.value, valueBytes)
  candidateBytes = valueBytes
  // Its length lies at the start of the reference.
  const isNamed = valueBytes != 0 && c.kind == KIND_CHUNKS
  candidateChunked = isNamed ? load<u64>(c.value) & 0xffffffffffff : 0
  if (!reverse) commitCandidate()
  return true
}
