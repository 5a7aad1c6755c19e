/**
 * What a cursor is: the entry that it stands on, where it comes from, and how far it has moved. `cursor.ts` says what can be done with
 * one.
 */
import { compareBytes } from './bytes'

export const RUN: u32 = 0
export const LEVEL: u32 = 1

/** What `resolve` has to do. */
export const STAY: u32 = 0
export const FIRST: u32 = 1
export const LAST: u32 = 2
export const SEEK: u32 = 3
export const SEEK_BEFORE: u32 = 4
/** Memory ended while an entry was loaded. */
export const FAILED: u32 = 5

export const END: i32 = 0x7fffffff
/** Not looked up yet: found by the seek key. */
export const UNSET: i32 = -2

@unmanaged
export class Cursor {
  type: u32
  valid: u32
  key: usize
  keyBytes: u32
  head: u64
  sequence: u64
  timestamp: i64
  kind: u32
  value: usize
  valueBytes: u32
  /** The memtable or the table under the entry. */
  source: usize
  mode: u32

  // Run
  start: u32
  end: u32
  at: u32

  // Level
  tables: usize
  tableCount: i32
  table: i32
  partition: i32
  block: i32
  entry: i32
  partitionFrame: usize
  dataFrame: usize
  keyBuffer: usize
  seekKey: usize
  seekKeyBytes: u32
  seekSequence: u64
}

/** Internal order of the entries under two cursors: key ascending, then sequence descending. */
// @ts-ignore: decorator
@inline
export function compareCursors(a: Cursor, b: Cursor): i32 {
  if (a.head != b.head) return a.head < b.head ? -1 : 1
  const order = compareBytes(a.key, a.keyBytes, b.key, b.keyBytes)
  if (order != 0) return order
  return a.sequence > b.sequence ? -1 : a.sequence < b.sequence ? 1 : 0
}
