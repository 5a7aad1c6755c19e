import { expect } from 'chai'
import { open } from '../../src/index.ts'
import {
  bytesOf,
  contentOfFiles,
  crashedStore,
  crashedWithSpace,
  expectCommits,
  expectRefused,
  extended,
  fileSystemOf,
  filesOf,
  halfSynced,
  logsOf,
  replaced,
  twoSegments,
  withoutSpace,
} from '../support/crashed-store.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'

const LOG = '000002.log'

describe('engine/recovery: prepared space', function () {
  this.timeout(60_000)

  it('is no damage in any mode, and nothing that is dropped [LOG-13, REC-2, REC-3, REC-4]', async () => {
    const crashed = await crashedWithSpace(halfSynced)
    const log = bytesOf(crashed.files, LOG)
    expect(log.length).to.be.greaterThan(crashed.ends.at(-1)!.offset)
    for (const recovery of ['tail', 'strict', 'pointInTime'] as const) {
      const fs = fileSystemOf(crashed.files)
      const db = await open(STORE, storeOptions(fs, 2, { recovery }))
      const dropped = { droppedBytes: 0, droppedSegments: 0, damage: undefined }
      expect(db.stats().recovery).to.include(dropped)
      expect(await readStore(db)).to.deep.equal(crashed.model.state(8))
      expect((await db.verify()).problems).to.deep.equal([])
      await db.close()
      const closed = await contentOfFiles(filesOf(fs), { recovery: 'strict' })
      expect(closed).to.deep.equal(crashed.model.state(8))
    }
    await expectCommits(crashed.files, crashed, 8)
  })

  it('is no damage behind a seal, but takes the place of none [LOG-8, LOG-13]', async () => {
    const crashed = await crashedStore(twoSegments(true))
    const [first = ''] = logsOf(crashed.files)
    const sealed = extended(crashed.files, first, new Uint8Array(5000))
    await expectCommits(sealed, crashed, crashed.model.length)
    const { length } = bytesOf(crashed.files, first)
    const unsealed = bytesOf(sealed, first)
    unsealed.fill(0, length - 32)
    await expectRefused(replaced(crashed.files, first, unsealed), 'CORRUPTION')
  })

  it('does not hide a frame that was lost and that a later one states as synced [LOG-10, LOG-13]', async () => {
    const crashed = await crashedWithSpace(halfSynced)
    const log = bytesOf(crashed.files, LOG)
    for (let i = 0; i < 4; i++) {
      const bytes = log
        .slice()
        .fill(0, i === 0 ? 80 : crashed.ends[i - 1]!.offset, crashed.ends[i]!.offset)
      await expectRefused(replaced(crashed.files, LOG, bytes), 'CORRUPTION')
    }
  })

  it('holds garbage and frames of other segments for no frames [LOG-2, LOG-13, REC-1]', async () => {
    const random = seededRandom(testSeed())
    const crashed = await crashedWithSpace(halfSynced)
    const older = await crashedStore(twoSegments(true))
    const log = bytesOf(crashed.files, LOG)
    const { offset } = crashed.ends.at(-1)!
    const [, second = ''] = logsOf(older.files)
    for (const source of [random.bytes(log.length), bytesOf(older.files, second)]) {
      const bytes = log.slice()
      bytes.set(source.subarray(offset, log.length), offset)
      await expectCommits(replaced(crashed.files, LOG, bytes), crashed, 8)
    }
  })

  it('is damage after a clean close [LOG-13, LOG-15, DUR-8]', async () => {
    const fs = fileSystemOf(new Map())
    const db = await open(STORE, storeOptions(fs))
    for (let i = 0; i < 4; i++) await db.put(`k${i}`, 'v', { sync: true })
    await db.close()
    const files = filesOf(fs)
    const log = bytesOf(files, LOG)
    expect(log.length).to.equal(withoutSpace(log).length)
    await expectRefused(extended(files, LOG, new Uint8Array(4096)), 'CORRUPTION')
    const bytes = log.slice().fill(0, log.length - 32)
    await expectRefused(replaced(files, LOG, bytes), 'CORRUPTION')
  })
})
