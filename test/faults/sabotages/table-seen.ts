/** Stores that read what they must not believe, show what they must not show, or keep what they must let go. */
import { type Sabotage, WRONG_CONTENT } from './sabotage.ts'

export const SEEN_SABOTAGES: readonly Sabotage[] = [
  {
    id: 'M10',
    what: 'does not verify the chunks of a large value',
    slice: 'bit flips',
    complaint: /get of large in a table is wrong/,
    edits: [
      {
        file: 'src/util/value-chunks.ts',
        text: 'if (actual === expected) return undefined',
        by: 'return undefined',
      },
    ],
  },
  {
    id: 'M11',
    what: 'does not ask whether a segment belongs here',
    slice: 'tests: segment reader',
    complaint: /refuses a segment of another number or store/,
    edits: [
      {
        file: 'src/log/segment-reader.ts',
        text: 'checkSegmentPlace(segment.name, header, segment.storeId, segment.number)',
        by: '',
      },
    ],
  },
  {
    id: 'M13',
    what: 'takes damage within the log for its end',
    slice: 'bit flips',
    complaint: /get of \w+ is wrong/,
    edits: [
      {
        file: 'src/engine/recovery.ts',
        text: "if (isProven || mode === 'strict') throw error",
        by: "if (mode === 'strict') throw error",
      },
    ],
  },
  {
    id: 'S11',
    what: 'takes damage within the manifest for its end',
    slice: 'tests: manifest recovery',
    complaint: /refuses any flipped bit before the last record/,
    edits: [
      {
        file: 'src/version/manifest-recovery.ts',
        text: 'checkNothingFollows(file, name, size, identity, length) return',
        by: 'return',
      },
    ],
  },
  {
    id: 'S12',
    what: 'ignores what the last clean close has stated',
    slice: 'truncations',
    complaint: /get of \w+ is wrong/,
    edits: [
      {
        file: 'src/engine/opening.ts',
        text: 'const closed = readClosed(env.fs, path, recovered)',
        by: 'const closed = undefined',
      },
    ],
  },
  {
    id: 'S13',
    what: 'does not look whether the tables are there',
    slice: 'tests: opening',
    complaint: /refuses a table that is missing or of another length/,
    edits: [
      {
        file: 'src/engine/opening.ts',
        text: "if (status?.kind === 'file' && status.size === size) continue",
        by: 'continue',
      },
    ],
  },
  {
    id: 'S14',
    what: 'does not verify the content of a manifest record',
    slice: 'bit flips',
    complaint: /nobody reported the damage/,
    edits: [
      {
        file: 'src/version/manifest-recovery.ts',
        text: 'return isPayload(payload, header, identity, offset) ?',
        by: 'return true ?',
      },
    ],
  },
  {
    id: 'M14',
    what: 'gives a file number twice',
    slice: 'tests: manifest',
    complaint: /never hands out a number twice/,
    edits: [
      {
        file: 'src/version/manifest.ts',
        text: 'const number = this.#nextNumber++',
        by: 'const number = this.#nextNumber',
      },
    ],
  },
  {
    id: 'M19',
    what: 'names files by the clock',
    slice: 'tests: lessons, R16',
    complaint: /R16/,
    edits: [
      {
        file: 'src/version/manifest.ts',
        text: 'const number = this.#nextNumber++',
        by: 'const number = (this.#nextNumber = Date.now()) - 1',
      },
    ],
  },
  {
    id: 'S15',
    what: 'writes on after another has taken the store over',
    slice: 'tests: manifest, fences',
    complaint: /is fenced by a higher epoch/,
    edits: [
      {
        file: 'src/version/manifest.ts',
        text: 'return (listMarkers(this.#fs, this.#directory)[0]?.epoch ?? 0) > this.epoch',
        by: 'return false',
      },
    ],
  },
  {
    id: 'M15',
    what: 'counts sequences from 1 again in a new segment',
    slice: 'model',
    complaint: /the sequence is/,
    edits: [
      {
        file: 'src/engine/writer.ts',
        text: 'store.sequence + 1, timestamp, capacity',
        by: '(store.sequence = 0) + 1, timestamp, capacity',
      },
    ],
  },
  {
    id: 'M16',
    what: 'takes an empty value for a deletion',
    slice: 'model',
    complaint: /the number of entries of a scan/,
    edits: [
      {
        file: 'src/engine/writer.ts',
        text: 'this.#append(EntryKind.PUT, key, value) return',
        by: `const kind = value.length === 0 ? EntryKind.DELETE : EntryKind.PUT
          this.#append(kind, key, value)
          return`,
      },
    ],
  },
  {
    id: 'M18',
    what: 'takes whoever has the pid of a dead holder for the holder',
    slice: 'tests: lock verdict',
    complaint: /asks the process table within one boot/,
    edits: [
      {
        file: 'src/env/lock-verdict.ts',
        text: "|| evidence.process === 'replaced') return 'dead'",
        by: ") return 'dead'\nif (evidence.process === 'replaced') return 'alive'",
      },
    ],
  },
  {
    id: 'M20',
    what: 'drops tombstones above older data',
    slice: 'crash images: levels',
    complaint: /after use/,
    edits: [
      {
        file: 'src/engine/compactor.ts',
        text: 'dropTombstones: compaction.bottommost',
        by: 'dropTombstones: true',
      },
    ],
  },
  {
    id: 'S16',
    what: 'looks for older data one level too deep',
    slice: 'tests: compaction picker',
    complaint: /knows when nothing lies below/,
    edits: [
      {
        file: 'src/version/version.ts',
        text: 'let deeper = level + 1; deeper <',
        by: 'let deeper = level + 2; deeper <',
      },
    ],
  },
  {
    id: 'M21',
    what: 'asks the filters for bits that were never set',
    slice: 'model',
    complaint: /nothing instead of bytes/,
    edits: [
      {
        file: 'src/table/table-files.ts',
        text: 'table.handle.setTop(layout)',
        by: 'table.handle.setTop({ ...layout, bitsPerKey: layout.bitsPerKey + 4 })',
      },
    ],
  },
  {
    id: 'M22',
    what: 'shows an iterator what was written after it began',
    slice: 'model',
    complaint: /of a scan/,
    edits: [
      {
        file: 'src/engine/reader.ts',
        text: 'sequence: this.sequence, entries,',
        by: 'sequence: this.#store.sequence, entries,',
      },
    ],
  },
  {
    id: 'S17',
    what: 'reads at a snapshot what is there now',
    slice: 'model',
    complaint: /instead of undefined/,
    edits: [
      {
        file: 'src/engine/reader.ts',
        text: 'if (sequence !== undefined) return store.view.find(bytes, sequence, ways)',
        by: '',
      },
    ],
  },
  {
    id: 'M32',
    what: 'does not keep what snapshots and iterators see in a flush',
    slice: 'model',
    complaint: /of a scan/,
    edits: [{ file: 'src/engine/background.ts', text: 'live.list()', by: '[]' }],
  },
  {
    id: 'S18',
    what: 'does not keep what snapshots and iterators see in a compaction',
    slice: 'model',
    complaint: /of a scan/,
    edits: [{ file: 'src/engine/compactor.ts', text: 'live.list()', by: '[]' }],
  },
  {
    id: 'S19',
    what: 'shows the entry twice at which a batch of a scan ends',
    slice: 'model',
    complaint: /of a scan/,
    edits: [
      {
        file: 'src/engine/reader.ts',
        text: 'this.#startInclusive = false',
        by: 'this.#startInclusive = true',
      },
    ],
  },
  {
    id: 'M28',
    what: 'hands out views of its own memory',
    slice: 'model',
    complaint: /bytes of the wrong class/,
    edits: [
      {
        file: 'src/engine/reader.ts',
        text: "return kernel.slab.keep(view.foundCopy, form === 'buffer')",
        by: 'return kernel.memory.bytes.subarray(view.foundAt, view.foundAt + view.foundBytes)',
      },
    ],
  },
  {
    id: 'M23',
    what: 'calls a kernel again that has trapped',
    slice: 'kernel faults',
    complaint: /calls after a trap/,
    edits: [
      {
        file: 'src/kernel/kernel.ts',
        text: 'if (state.trapped !== undefined) fail(state.trapped)',
        by: '',
      },
    ],
  },
  {
    id: 'M24',
    what: 'does not miss a job that the worker has lost',
    slice: 'tests: worker pool',
    complaint: /loses a job whose message is lost/,
    edits: [
      {
        file: 'src/env/worker-pool.ts',
        text: 'this.#loseOvertaken(message.id, pending.priority)',
        by: '',
      },
    ],
  },
  {
    id: 'M25',
    what: 'does not make tables of a log that a crash has torn',
    slice: 'kept caches: put',
    complaint: /commits leave this|the header does not verify/,
    edits: [
      {
        file: 'src/engine/opening.ts',
        text: 'mustFlush: !clean && log.segments.length > 0',
        by: 'mustFlush: false',
      },
    ],
  },
  {
    id: 'M26',
    what: 'goes back to an older manifest without a word',
    slice: 'tests: manifest recovery',
    complaint: /passes over a marker that a crash left unfinished/,
    edits: [
      {
        file: 'src/version/manifest-recovery.ts',
        text: 'of markers.slice(0, found.index)',
        by: 'of markers.slice(0, 0)',
      },
    ],
  },
  {
    id: 'M27',
    what: 'allocates what a damaged file claims',
    slice: 'tests: table files',
    complaint: /refuses a value that cannot lie in the file/,
    edits: [
      {
        file: 'src/table/table-files.ts',
        text: 'if (offset + length > description.size) {',
        by: 'if (false) {',
      },
    ],
  },
  {
    id: 'M29',
    what: 'never makes a writer wait',
    slice: 'tests: backpressure',
    complaint: /keeps memtables within their budget/,
    edits: [
      {
        file: 'src/engine/backpressure.ts',
        text: 'if (!this.#memtablesHaveRoom(bytes)) return false',
        by: 'return true',
      },
    ],
  },
  {
    id: 'M33',
    what: 'is as it should be, and the model has one wrong value: the suite must use its model',
    slice: 'crash images: put',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'test/support/store-model.ts',
        text: 'else state.set(key, value) if (state.get(key)',
        by: "else state.set(key, key === 'k7' ? 'wrong' : value)\nif (state.get(key)",
      },
    ],
  },
]
