/**
 * A sorted run of a memtable as an input of a job: nothing can be missing, so it moves at once.
 *
 * Call protocol: create next* free.
 */
import { commonPrefix, head64 } from './bytes'
import { allocate } from './memory'
import { CODE_END, INPUT_RUN, Input, codeOf } from './input'
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

@unmanaged
export class RunInput extends Input {
  /** The next record in the memtable's order, and the end of the run. */
  next: u32
  end: u32
}

/** An input of the records start…start+count of a memtable's order; 0 when memory is exhausted. */
export function runInputCreate(memtable: usize, start: u32, count: u32): usize {
  const address = allocate(offsetof<RunInput>() as u32)
  if (address == 0) return 0
  memory.fill(address, 0, offsetof<RunInput>())
  const r = changetype<RunInput>(address)
  r.type = INPUT_RUN
  r.source = memtable
  r.next = start
  r.end = start + count
  return address
}

/** Moves to the next record, or behind the last. */
export function runInputNext(r: RunInput): void {
  if (r.next == r.end) {
    r.code = CODE_END
    return
  }
  const m = changetype<Memtable>(r.source)
  const record = m.arena + load<u32>(m.order + ((<usize>r.next) << 2))
  r.next++
  const key = recordKey(record)
  const bytes = recordKeyBytes(record)
  const shared = commonPrefix(r.key, r.keyBytes, key, bytes)
  r.key = key
  r.keyBytes = bytes
  r.code = codeOf(shared, head64(key + shared, bytes - shared))
  r.kind = recordKind(record)
  r.sequence = m.firstSequence + <u64>recordSequenceDelta(record)
  r.timestamp = m.baseTimestamp + <i64>recordTimestampDelta(record)
  r.value = recordValue(record)
  r.valueBytes = recordValueBytes(record)
}
