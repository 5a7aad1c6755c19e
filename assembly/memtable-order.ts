/**
 * Sorted runs over a memtable's records, made late: a stream of puts and gets never pays for order.
 *
 *   order   | run 0 | run 1 | … | records not sorted yet, in the order of appending |
 *
 * A run is in internal order: key ascending, then newest first (a larger offset is a newer version). New
 * records become runs of at most RUN_RECORDS; neighbours of similar size are merged up to MERGE_RECORDS.
 * A step takes a few milliseconds at most.
 */
import { commonPrefix, compareBytes, head64 } from './bytes'
import { allocate, free, reallocate } from './memory'
import { DONE, MORE, NO_MEMORY } from './abi'
import { Memtable, recordKey, recordKeyBytes } from './memtable-state'

const RUN_RECORDS: u32 = 8192
const MERGE_RECORDS: u32 = 32768
/** Sort keys: head u64, offset u32, pad u32. */
const SORT_KEY: u32 = 16

// @ts-ignore: decorator
@inline
function orderAt(m: Memtable, i: u32): u32 {
  return load<u32>(m.order + ((<usize>i) << 2))
}

/** Internal order of two records of one arena. */
export function compareRecords(m: Memtable, a: u32, b: u32): i32 {
  const left = m.arena + a
  const right = m.arena + b
  const order = compareBytes(
    recordKey(left),
    recordKeyBytes(left),
    recordKey(right),
    recordKeyBytes(right),
  )
  if (order != 0) return order
  return a > b ? -1 : a < b ? 1 : 0
}

/** True if the run `a` stands before the run `b`, by head first. */
// @ts-ignore: decorator
@inline
function before(m: Memtable, a: usize, b: usize): bool {
  const left = load<u64>(a)
  const right = load<u64>(b)
  if (left != right) return left < right
  return compareRecords(m, load<u32>(a, 8), load<u32>(b, 8)) < 0
}

// @ts-ignore: decorator
@inline
function moveKey(to: usize, from: usize): void {
  v128.store(to, v128.load(from))
}

function insertionSort(m: Memtable, keys: usize, start: u32, end: u32, spare: usize): void {
  for (let i = start + 1; i < end; i++) {
    const at = keys + ((<usize>i) << 4)
    if (!before(m, at, at - SORT_KEY)) continue
    moveKey(spare, at)
    let p = at
    const first = keys + ((<usize>start) << 4)
    do {
      moveKey(p, p - SORT_KEY)
      p -= SORT_KEY
    } while (p > first && before(m, spare, p - SORT_KEY))
    moveKey(p, spare)
  }
}

function mergeKeys(m: Memtable, from: usize, to: usize, start: u32, middle: u32, end: u32): void {
  let a = from + ((<usize>start) << 4)
  let b = from + ((<usize>middle) << 4)
  let out = to + ((<usize>start) << 4)
  const aEnd = b
  const bEnd = from + ((<usize>end) << 4)
  // Runs that already follow each other, as with keys put in order, are copied whole.
  if (a < aEnd && b < bEnd && !before(m, b, aEnd - SORT_KEY)) {
    memory.copy(out, a, bEnd - a)
    return
  }
  // Which one is next is nothing that a processor could guess, so there is no branch for it unless heads are equal.
  while (a < aEnd && b < bEnd) {
    const left = load<u64>(a)
    const right = load<u64>(b)
    const takesRight = left == right ? before(m, b, a) : right < left
    v128.store(out, v128.load(select<usize>(b, a, takesRight)))
    b += select<usize>(SORT_KEY, 0, takesRight)
    a += select<usize>(0, SORT_KEY, takesRight)
    out += SORT_KEY
  }
  if (a < aEnd) memory.copy(out, a, aEnd - a)
  else if (b < bEnd) memory.copy(out, b, bEnd - b)
}

/** How many leading bytes the keys of `count` records from `start` share. */
function sharedPrefix(m: Memtable, start: u32, count: u32): u32 {
  const first = m.arena + orderAt(m, start)
  let prefix = recordKeyBytes(first)
  for (let i: u32 = 1; i < count && prefix > 0; i++) {
    const record = m.arena + orderAt(m, start + i)
    prefix = commonPrefix(recordKey(first), prefix, recordKey(record), recordKeyBytes(record))
  }
  return prefix
}

function sortRun(m: Memtable, start: u32, count: u32): bool {
  const keys = allocate(((count + 1) << 4) * 2)
  if (keys == 0) return false
  const other = keys + ((<usize>(count + 1)) << 4)
  const prefix = sharedPrefix(m, start, count)
  for (let i: u32 = 0; i < count; i++) {
    const offset = orderAt(m, start + i)
    const record = m.arena + offset
    const key = keys + ((<usize>i) << 4)
    store<u64>(key, head64(recordKey(record) + prefix, recordKeyBytes(record) - prefix))
    store<u32>(key, offset, 8)
  }
  const spare = keys + ((<usize>count) << 4)
  for (let i: u32 = 0; i < count; i += 16) insertionSort(m, keys, i, min(i + 16, count), spare)
  let from = keys
  let to = other
  for (let width: u32 = 16; width < count; width <<= 1) {
    for (let i: u32 = 0; i < count; i += width << 1) {
      mergeKeys(m, from, to, i, min(i + width, count), min(i + (width << 1), count))
    }
    const swap = from
    from = to
    to = swap
  }
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(m.order + ((<usize>(start + i)) << 2), load<u32>(from + ((<usize>i) << 4), 8))
  }
  free(keys)
  return true
}

// @ts-ignore: decorator
@inline
function runStart(m: Memtable, run: u32): u32 {
  return load<u32>(m.runs + ((<usize>run) << 3))
}
// @ts-ignore: decorator
@inline
function runCount(m: Memtable, run: u32): u32 {
  return load<u32>(m.runs + ((<usize>run) << 3), 4)
}

/** Merges the last two runs in place. */
function mergeLastRuns(m: Memtable): bool {
  const left = m.runCount - 2
  const start = runStart(m, left)
  const leftCount = runCount(m, left)
  const count = leftCount + runCount(m, left + 1)
  if (compareRecords(m, orderAt(m, start + leftCount - 1), orderAt(m, start + leftCount)) > 0) {
    const copy = allocate(leftCount << 2)
    if (copy == 0) return false
    memory.copy(copy, m.order + ((<usize>start) << 2), leftCount << 2)
    let a: u32 = 0
    let b = start + leftCount
    let out = start
    const end = start + count
    while (a < leftCount) {
      const left = load<u32>(copy + ((<usize>a) << 2))
      if (b < end && compareRecords(m, orderAt(m, b), left) < 0) {
        store<u32>(m.order + ((<usize>out) << 2), orderAt(m, b))
        b++
      } else {
        store<u32>(m.order + ((<usize>out) << 2), left)
        a++
      }
      out++
    }
    free(copy)
  }
  store<u32>(m.runs + ((<usize>left) << 3), count, 4)
  m.runCount--
  return true
}

/** True if the last two runs are of similar size and small enough to become one. */
function wantsMerge(m: Memtable): bool {
  if (m.runCount < 2) return false
  const newer = runCount(m, m.runCount - 1)
  const older = runCount(m, m.runCount - 2)
  return older < newer << 1 && older + newer <= MERGE_RECORDS
}

/**
 * One step towards order: DONE when every record is in a run and no neighbours want merging, else MORE. With
 * `merge` 0 only what is needed before a scan is done. May grow.
 */
export function memtableSortStep(address: usize, merge: i32): i32 {
  const m = changetype<Memtable>(address)
  // Small runs are merged at once: alternating puts and scans must not leave a run for each put.
  if (wantsMerge(m) && (merge != 0 || runCount(m, m.runCount - 2) < 1024)) {
    return mergeLastRuns(m) ? MORE : NO_MEMORY
  }
  const pending = m.count - m.sorted
  if (pending == 0) return DONE
  if (m.runCount == m.runsCapacity) {
    const runs = reallocate(m.runs, m.runCount << 3, m.runsCapacity << 4)
    if (runs == 0) return NO_MEMORY
    m.runs = runs
    m.runsCapacity <<= 1
  }
  const count = min(pending, RUN_RECORDS)
  if (!sortRun(m, m.sorted, count)) return NO_MEMORY
  store<u32>(m.runs + ((<usize>m.runCount) << 3), m.sorted)
  store<u32>(m.runs + ((<usize>m.runCount) << 3), count, 4)
  m.runCount++
  m.sorted += count
  return MORE
}

/** How many records wait to be sorted. */
export function memtableUnsorted(address: usize): u32 {
  const m = changetype<Memtable>(address)
  return m.count - m.sorted
}
