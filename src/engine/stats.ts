/** The numbers of a store, gathered without touching a file. */
import type { LevelStats, Stats } from './engine-types.ts'
import type { Store } from './store.ts'

export function readStats(store: Store): Stats {
  const levels = levelStats(store)
  const { segments, open } = store.chain
  const counters = store.kernel.counters()
  let logBytes = 0
  let memtableBytes = 0
  let memtableEntries = 0
  if (store.state !== 'closed' && !store.kernel.trapped) {
    for (const { length, valueBytes, memtable } of segments) {
      logBytes += length + valueBytes
      memtableBytes += memtable.tail + memtable.indexBytes
      memtableEntries += memtable.count
    }
  }
  return {
    state: store.state,
    levels,
    tables: levels.reduce((sum, level) => sum + level.tables, 0),
    tableBytes: levels.reduce((sum, level) => sum + level.bytes, 0),
    logSegments: segments.length,
    logBytes,
    memtableBytes,
    memtableEntries,
    immutableMemtables: segments.length - (open === undefined ? 0 : 1),
    sequence: store.sequence,
    liveSnapshots: store.live.size,
    kernelBytes: store.kernel.bytes,
    ...counters,
    flushes: store.flushes,
    compactions: store.compactions,
    trivialMoves: store.trivialMoves,
    bytesWritten: store.chain.bytesWritten + store.tableBytesWritten,
    bytesRead: store.tables.bytesRead,
    puts: store.puts,
    deletes: store.deletes,
    gets: store.gets,
    stall: store.stall,
    stalledMs: store.stalledMs,
    lastError: store.lastError,
    recovery: store.recovery,
  }
}

function levelStats(store: Store): LevelStats[] {
  return store.version.levels.map((tables, level) => ({
    level,
    tables: tables.length,
    bytes: tables.reduce((sum, { size }) => sum + size, 0),
    entries: tables.reduce((sum, { entries }) => sum + entries, 0),
  }))
}
