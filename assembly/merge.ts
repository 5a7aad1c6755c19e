/**
 * K-way merge: a binary heap of cursors, forwards or backwards in internal order. It yields every entry of every
 * source; which of them survive is the caller's business (`scan.ts`).
 *
 * Call protocol: create add* position prepare (current, advance)* free. `prepare` and `advance` return OK, or what a cursor
 * needs; after it was installed call `prepare` again.
 */
import { allocate, free, reallocate } from './memory'
import { NO_MEMORY, OK } from './abi'
import {
  cursorFirst,
  cursorFree,
  cursorLast,
  cursorNext,
  cursorPrevious,
  cursorResolve,
  cursorSeek,
  cursorSeekBefore,
} from './cursor'
import { Cursor, compareCursors } from './cursor-state'

@unmanaged
export class Merge {
  cursors: usize
  count: u32
  capacity: u32
  /** Cursor addresses in heap order; the current entry's first. */
  heap: usize
  heapCount: u32
  /** How many cursors have been resolved into the heap. */
  prepared: u32
  reverse: u32
  /** 1: the cursor at the heap's root has been moved and not yet resolved. */
  moving: u32
}

export function mergeCreate(reverse: u32): usize {
  const address = allocate(offsetof<Merge>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<Merge>())
  const m = changetype<Merge>(address)
  m.reverse = reverse
  m.capacity = 16
  m.cursors = allocate(16 * 4)
  m.heap = allocate(16 * 4)
  if (m.cursors == 0 || m.heap == 0) {
    mergeFree(address)
    return 0
  }
  return address
}

export function mergeFree(address: usize): void {
  const m = changetype<Merge>(address)
  for (let i: u32 = 0; i < m.count; i++) cursorFree(load<u32>(m.cursors + ((<usize>i) << 2)))
  free(m.cursors)
  free(m.heap)
  free(address)
}

/** Takes a cursor over; 0 says that it could not be made, and is answered with NO_MEMORY. */
export function mergeAdd(m: Merge, cursor: usize): i32 {
  if (cursor == 0) return NO_MEMORY
  if (m.count == m.capacity) {
    const cursors = reallocate(m.cursors, m.count << 2, m.capacity << 3)
    if (cursors != 0) m.cursors = cursors
    const heap = reallocate(m.heap, 0, m.capacity << 3)
    if (heap != 0) m.heap = heap
    if (cursors == 0 || heap == 0) {
      cursorFree(cursor)
      return NO_MEMORY
    }
    m.capacity <<= 1
  }
  store<u32>(m.cursors + ((<usize>m.count) << 2), cursor as u32)
  m.count++
  return OK
}

// @ts-ignore: decorator
@inline
function cursorAt(m: Merge, i: u32): Cursor {
  return changetype<Cursor>(<usize>load<u32>(m.cursors + ((<usize>i) << 2)))
}

export function mergeToEnds(m: Merge): void {
  restart(m)
  for (let i: u32 = 0; i < m.count; i++) {
    if (m.reverse) cursorLast(cursorAt(m, i))
    else cursorFirst(cursorAt(m, i))
  }
}

/** Forwards: to (key, sequence) or after it. Backwards: before it. */
export function mergeSeek(m: Merge, key: usize, keyBytes: u32, sequence: u64): void {
  restart(m)
  for (let i: u32 = 0; i < m.count; i++) {
    if (m.reverse) cursorSeekBefore(cursorAt(m, i), key, keyBytes, sequence)
    else cursorSeek(cursorAt(m, i), key, keyBytes, sequence)
  }
}

function restart(m: Merge): void {
  m.heapCount = 0
  m.prepared = 0
  m.moving = 0
}

// @ts-ignore: decorator
@inline
function precedes(m: Merge, a: usize, b: usize): bool {
  const order = compareCursors(changetype<Cursor>(a), changetype<Cursor>(b))
  return m.reverse ? order > 0 : order < 0
}

function siftUp(m: Merge, start: u32): void {
  let i = start
  const item = <usize>load<u32>(m.heap + ((<usize>i) << 2))
  while (i > 0) {
    const parent = (i - 1) >> 1
    const above = <usize>load<u32>(m.heap + ((<usize>parent) << 2))
    if (!precedes(m, item, above)) break
    store<u32>(m.heap + ((<usize>i) << 2), above as u32)
    i = parent
  }
  store<u32>(m.heap + ((<usize>i) << 2), item as u32)
}

function siftDown(m: Merge): void {
  const count = m.heapCount
  const item = <usize>load<u32>(m.heap)
  let i: u32 = 0
  while (true) {
    let child = (i << 1) + 1
    if (child >= count) break
    let below = <usize>load<u32>(m.heap + ((<usize>child) << 2))
    if (child + 1 < count) {
      const other = <usize>load<u32>(m.heap + ((<usize>(child + 1)) << 2))
      if (precedes(m, other, below)) {
        below = other
        child++
      }
    }
    if (!precedes(m, below, item)) break
    store<u32>(m.heap + ((<usize>i) << 2), below as u32)
    i = child
  }
  store<u32>(m.heap + ((<usize>i) << 2), item as u32)
}

/** Resolves what has been moved. OK: `mergeCurrent` is right. */
export function mergePrepare(m: Merge): i32 {
  if (m.moving) {
    const root = changetype<Cursor>(<usize>load<u32>(m.heap))
    const status = cursorResolve(root)
    if (status != OK) return status
    m.moving = 0
    if (!root.valid) {
      m.heapCount--
      store<u32>(m.heap, load<u32>(m.heap + ((<usize>m.heapCount) << 2)))
    }
    if (m.heapCount > 1) siftDown(m)
  }
  while (m.prepared < m.count) {
    const cursor = cursorAt(m, m.prepared)
    const status = cursorResolve(cursor)
    if (status != OK) return status
    m.prepared++
    if (cursor.valid) {
      store<u32>(m.heap + ((<usize>m.heapCount) << 2), changetype<usize>(cursor) as u32)
      m.heapCount++
      siftUp(m, m.heapCount - 1)
    }
  }
  return OK
}

/** The cursor on the next entry, 0 at the end. Requires that `mergePrepare` returned OK. */
// @ts-ignore: decorator
@inline
export function mergeCurrent(m: Merge): usize {
  return m.heapCount == 0 ? 0 : <usize>load<u32>(m.heap)
}

/** Leaves the current entry. */
// @ts-ignore: decorator
@inline
export function mergeAdvance(m: Merge): i32 {
  const root = changetype<Cursor>(<usize>load<u32>(m.heap))
  if (m.reverse) cursorPrevious(root)
  else cursorNext(root)
  m.moving = 1
  return mergePrepare(m)
}
