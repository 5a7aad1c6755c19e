/** Stores that do to their files what must not be done, or not in that order, or take a failure for a success. */
import { type Edit, type Sabotage, WRONG_CONTENT } from './sabotage.ts'

const NO_SYNC: Edit = {
  file: 'src/engine/syncer.ts',
  text: 'await this.#store.chain.syncAsync()',
  by: 'await undefined',
}

export const SYNC_SABOTAGES: readonly Sabotage[] = [
  {
    id: 'M1',
    what: 'acknowledges writes of level disk that were not synced',
    slice: 'crash images: sync put',
    complaint: WRONG_CONTENT,
    edits: [NO_SYNC],
  },
  {
    id: 'M34',
    what: 'the same, on a disk that forgets nothing: the suite must need its disk',
    slice: 'crash images: sync put',
    complaint: WRONG_CONTENT,
    edits: [
      NO_SYNC,
      {
        file: 'test/faults/recording.ts',
        text: 'replay.fs.image(policyOf(name, random))',
        by: "replay.fs.image('kept')",
      },
    ],
    isBlind: true,
  },
  {
    id: 'M2',
    what: 'does not sync the directory of a new log',
    slice: 'crash images: sync put',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/log/segment-writer.ts',
        text: 'if (!this.#directorySynced) {',
        by: 'if (false) {',
      },
    ],
  },
  {
    id: 'M3',
    what: 'puts a table into the manifest that was not synced',
    slice: 'crash images: flush',
    complaint: /the table is missing/,
    edits: [
      {
        file: 'src/compaction/table-output.ts',
        text: 'file.sync() file.close()',
        by: 'file.close()',
      },
    ],
  },
  {
    id: 'S1',
    what: 'does not sync the directory after the rename of a table',
    slice: 'crash images: flush',
    complaint: /the table is missing/,
    edits: [
      {
        file: 'src/compaction/table-output.ts',
        text: 'if (this.#tables.length > 0) this.#fs.syncDirectory(this.#options.directory)',
        by: '',
      },
    ],
  },
  {
    id: 'M4',
    what: 'writes the marker before the directory with its manifest is synced',
    slice: 'crash images: manifest rotation',
    complaint: /MANIFEST-\d+: the file is missing/,
    edits: [
      {
        file: 'src/version/manifest-files.ts',
        text: 'fs.syncDirectory(directory) const file =',
        by: 'const file =',
      },
    ],
  },
  {
    id: 'S2',
    what: 'does not sync the directory behind a marker',
    slice: 'crash images: manifest rotation',
    complaint: /there is no valid marker/,
    edits: [
      {
        file: 'src/version/manifest-files.ts',
        text: 'file.close() fs.syncDirectory(directory) }',
        by: 'file.close() }',
      },
    ],
  },
  {
    id: 'S3',
    what: 'does not sync an edit of the manifest',
    slice: 'crash images: flush',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/version/manifest.ts',
        text: 'this.#file.sync() } catch (error) {',
        by: '} catch (error) {',
      },
    ],
  },
  {
    id: 'S4',
    what: 'does not sync a new manifest',
    slice: 'crash images: manifest rotation',
    complaint: /the snapshot is damaged|the file ends within its header/,
    edits: [
      {
        file: 'src/version/manifest-files.ts',
        text: 'file.sync() } catch (error) { file.close() removeQuietly(fs, path)',
        by: '} catch (error) { file.close(); removeQuietly(fs, path)',
      },
    ],
  },
  {
    id: 'M5',
    what: 'removes a log before its table is in the manifest',
    slice: 'crash images: flush',
    complaint: /the end is lost/,
    edits: [
      {
        file: 'src/engine/background.ts',
        text: 'store.manifest?.append({',
        by: `store.env.fs.remove(store.directory + '/' + logFileName(segment.number))
          store.manifest?.append({`,
      },
    ],
  },
  {
    id: 'M6',
    what: 'removes the inputs of a compaction before its outputs are in the manifest',
    slice: 'crash images: level 0',
    complaint: /the table is missing/,
    edits: [
      {
        file: 'src/engine/compactor.ts',
        text: 'try { store.manifest?.append({',
        by: `for (const { number } of output === undefined ? [] : removed)
            store.env.fs.remove(store.directory + '/' + tableFileName(number))
          try { store.manifest?.append({`,
      },
    ],
  },
  {
    id: 'M7',
    what: 'takes a failed sync for a success',
    slice: 'I/O errors: synced puts',
    complaint: /nobody was told of sync/,
    edits: [
      {
        file: 'src/log/segment-writer.ts',
        text: 'throw this.#broken(error) } finally {',
        by: '} finally {',
      },
    ],
  },
  {
    id: 'M8',
    what: 'syncs again after a failure and acknowledges',
    slice: 'I/O errors: lost syncs',
    complaint: /nobody was told of sync|the header does not verify/,
    edits: [
      {
        file: 'src/engine/syncer.ts',
        text: 'await this.#store.chain.syncAsync()',
        by: 'await this.#store.chain.syncAsync().catch(() => this.#store.chain.syncAsync())',
      },
      {
        file: 'src/log/segment-writer.ts',
        text: 'if (this.#failure !== undefined) throw this.#failure',
        by: '',
      },
    ],
  },
  {
    id: 'S5',
    what: 'resolves those who waited for a sync that failed',
    slice: 'I/O errors: lost syncs',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/engine/syncer.ts',
        text: 'for (const { reject } of waiting) reject(reason)',
        by: 'for (const { resolve } of waiting) resolve()',
      },
    ],
  },
  {
    id: 'M9',
    what: 'takes a short write for a whole one',
    slice: 'I/O errors: short writes',
    complaint: /the header has the wrong checksum/,
    edits: [
      {
        file: 'src/env/file-io.ts',
        text: "if (count === 0) throw systemError('EIO', 'a write was cut short') done += count",
        by: 'return',
      },
    ],
  },
  {
    id: 'M12',
    what: 'goes on behind a torn frame: a failed write is not cut back',
    slice: 'tests: log chain',
    complaint: /goes on in a new segment after a failed write/,
    edits: [
      {
        file: 'src/log/log-chain.ts',
        text: 'this.finishFailed() const { directory',
        by: 'const { directory',
      },
    ],
  },
  {
    id: 'M31',
    what: 'does not write again what a sync in flight may have lost',
    slice: 'I/O errors: late failures',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/log/segment-writer.ts',
        text: 'if (this.#syncing > 0) this.#writeAgain(written, values)',
        by: '',
      },
    ],
  },
  {
    id: 'M17',
    what: 'writes a batch in pieces',
    slice: 'crash images: batch',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/engine/appender.ts',
        text: 'let next = 0 for (const one of measured) {',
        by: 'let next = 0\nfor (const one of measured) {\nchain.write()',
      },
    ],
  },
  {
    id: 'M30',
    what: 'acknowledges a clear that is not in the log',
    slice: 'crash images: clear',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/engine/engine.ts',
        text: 'return this.batch(operations, level) }',
        by: "return this.batch(operations, level ? 'none' : 'none')\n}",
      },
    ],
  },
  {
    id: 'S6',
    what: 'does not sync the log when it closes',
    slice: 'crash images: close and open',
    complaint: /a frame does not verify/,
    edits: [
      {
        file: 'src/engine/engine.ts',
        text: 'await store.chain.syncAsync() } catch (error) {',
        by: '} catch (error) {',
      },
    ],
  },
  {
    id: 'S7',
    what: 'does not sync the directory that a new store lies in',
    slice: 'tests: opening',
    complaint: /makes the directories that lead to a store/,
    edits: [{ file: 'src/engine/opening.ts', text: 'fs.syncDirectory(parent)', by: '' }],
  },
  {
    id: 'S8',
    what: 'does not sync the value file',
    slice: 'crash images: large values',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/log/segment-writer.ts',
        text: 'if (this.#valueSynced < values) await this.#values?.syncAsync()',
        by: '',
      },
    ],
  },
  {
    id: 'S9',
    what: 'removes live logs as orphans',
    slice: 'crash images: close and open',
    complaint: /the file has been removed/,
    edits: [
      {
        file: 'src/engine/opening.ts',
        text: 'if (segments.has(number)) continue',
        by: 'segments.has(number)',
      },
    ],
  },
  {
    id: 'S10',
    what: 'states that the log begins later than it does',
    slice: 'crash images: flush',
    complaint: WRONG_CONTENT,
    edits: [
      {
        file: 'src/engine/background.ts',
        text: 'logNumber: segment.number + 1',
        by: 'logNumber: segment.number + 64',
      },
    ],
  },
  {
    id: 'S25',
    what: 'goes on after a clean close without its epoch on disk',
    slice: 'crash images: close and open',
    complaint: /not as long as when it was closed/,
    edits: [
      {
        file: 'src/version/manifest.ts',
        text: 'this.#settle() this.#write(encodeVersionEdit(whole))',
        by: 'this.#write(encodeVersionEdit(whole))',
      },
    ],
  },
  {
    id: 'S27',
    what: 'takes its marker back without asking what is left then',
    slice: 'tests: manifest files',
    complaint: /makes another statement when the last one does not hold/,
    edits: [
      {
        file: 'src/version/manifest-files.ts',
        text: 'if (!isClosedWithout(fs, directory, marker, length)) return false',
        by: '',
      },
    ],
  },
  {
    id: 'S28',
    what: 'leaves runs to a job that others go on sorting',
    slice: 'tests: flush job',
    complaint: /flushes an arena that is sorted on between its steps/,
    edits: [
      {
        file: 'src/compaction/flush-job.ts',
        text: 'while (memtable.sortStep()) yield',
        by: 'while (memtable.sortStepForJob()) yield',
      },
    ],
  },
]
