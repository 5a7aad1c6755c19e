/** Cursors over a sorted run of a memtable: nothing can be missing, so they move at once. */
import { compareBytes, head64 } from './bytes'
import { Cursor } from './cursor-state'
import {
  Memtable,
  recordKey,
  recordKeyBytes,
  recordKind,
  recordSequenceDelta,
  recordTimestampDelta,
  recordValue,
  recordValueBytes,
} from './memtable-state'

/** Loads the record at `at`, or ends the cursor. */
export function loadRecord(c: Cursor): void {
  if (c.at < c.start || c.at >= c.end || c.at == 0xffffffff) {
    c.valid = 0
    return
  }
  const m = changetype<Memtable>(c.source)
  const record = m.arena + load<u32>(m.order + ((<usize>c.at) << 2))
  c.key = recordKey(record)
  c.keyBytes = recordKeyBytes(record)
  c.head = head64(c.key, c.keyBytes)
  c.kind = recordKind(record)
  c.sequence = m.firstSequence + <u64>recordSequenceDelta(record)
  c.timestamp = m.baseTimestamp + <i64>recordTimestampDelta(record)
  c.value = recordValue(record)
  c.valueBytes = recordValueBytes(record)
  c.valid = 1
}

/** Position of the first record at or after (key, sequence). */
export function seekRun(c: Cursor, key: usize, keyBytes: u32, sequence: u64): u32 {
  const m = changetype<Memtable>(c.source)
  let low = c.start
  let high = c.end
  while (low < high) {
    const middle = (low + high) >> 1
    const record = m.arena + load<u32>(m.order + ((<usize>middle) << 2))
    const order = compareBytes(recordKey(record), recordKeyBytes(record), key, keyBytes)
    const own = m.firstSequence + <u64>recordSequenceDelta(record)
    if (order < 0 || (order == 0 && own > sequence)) low = middle + 1
    else high = middle
  }
  return low
}
