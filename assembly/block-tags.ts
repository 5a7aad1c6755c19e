/**
 * Finding a key in a data block without order, by tags: one byte of a hash of each key behind the shared prefix, compared
 * 16 at a time. An entry whose tag fits is read and compared; one in 256 fits by chance.
 *
 * The tags are made by the second lookup in the block: what is only scanned, or goes again soon, never needs them.
 */
import { equalBytes } from './bytes'
import {
  compareEntryKey,
  entrySequence,
  entrySuffix,
  entrySuffixBytes,
  lowerBound,
  readEntry,
} from './block'
import { Frame, GROUP, tagAt, tagsAt } from './frame'
import { xxh64 } from './xxh64'

// @ts-ignore: decorator
@inline
function tagOf(suffix: usize, suffixBytes: u32): u8 {
  return (xxh64(suffix, suffixBytes, 0) >> 56) as u8
}

function tagEntries(frame: Frame): void {
  for (let i: u32 = 0; i < frame.count; i++) {
    readEntry(frame, i)
    store<u8>(tagAt(frame, i), tagOf(entrySuffix, entrySuffixBytes))
  }
}

/** Finds an entry by order. */
function searchEntry(frame: Frame, key: usize, keyBytes: u32, sequence: u64): bool {
  const i = lowerBound(frame, key, keyBytes, sequence)
  if (i == frame.count) return false
  readEntry(frame, i)
  return compareEntryKey(frame, key, keyBytes) == 0
}

/** True if the block holds a version of the key with a sequence of at most `sequence`: the newest is the entry read last. */
export function findEntry(frame: Frame, key: usize, keyBytes: u32, sequence: u64): bool {
  if (frame.lookups < 2) {
    if (frame.lookups++ == 0) return searchEntry(frame, key, keyBytes, sequence)
    tagEntries(frame)
  }
  const shared = frame.prefixBytes
  if (keyBytes < shared || !equalBytes(key, frame.prefix, shared)) return false
  const suffix = key + shared
  const suffixBytes = keyBytes - shared
  const wanted = i8x16.splat(tagOf(suffix, suffixBytes) as i8)
  for (let first: u32 = 0; first < frame.count; first += GROUP) {
    const tags = v128.load(tagsAt(frame, first))
    let fitting = <u32>i8x16.bitmask(i8x16.eq(tags, wanted))
    for (; fitting != 0; fitting &= fitting - 1) {
      const i = first + ctz(fitting)
      if (i >= frame.count) return false
      readEntry(frame, i)
      if (entrySequence > sequence || entrySuffixBytes != suffixBytes) continue
      if (equalBytes(entrySuffix, suffix, suffixBytes)) return true
    }
  }
  return false
}
