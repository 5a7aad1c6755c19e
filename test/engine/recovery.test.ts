import { expect } from 'chai'
import { open, type StoreEvent } from '../../src/index.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { decodeHeader, encodeSegment } from '../reference/log-segment.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import {
  bytesOf,
  type CrashedStore,
  type CrashingStore,
  contentOfFiles,
  crashedStore,
  expectCommits,
  expectRefused,
  extended,
  type Files,
  fileSystemOf,
  filesOf,
  flipped,
  halfSynced,
  logsOf,
  replaced,
  truncated,
  twoSegments,
} from '../support/crashed-store.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'

const LOG = '000002.log'
const TAIL_SIZES = [1, 3, 4, 31, 32, 33, 511, 512, 4096, 131_072]

/** Commits that end at or before `length` of a log. */
function commitsWithin({ ends }: CrashedStore, length: number): number {
  return ends.filter(({ offset }) => offset <= length).length
}

describe('engine/recovery', function () {
  this.timeout(60_000)

  describe('torn tails', () => {
    it('keeps exactly the commits that lie whole in the log, whatever its length [REC-1, LOG-7, LOG-10, DUR-5]', async () => {
      const crashed = await crashedStore((store) => {
        store.put('a', '1')
        store.batch([
          ['b', '2'],
          ['c', '3'],
          ['a', '4'],
        ])
        store.delete('b')
        store.put('d', '')
        store.put('e', 'x'.repeat(200))
      })
      const { length } = bytesOf(crashed.files, LOG)
      for (let size = 0; size <= length; size++) {
        const files = truncated(crashed.files, LOG, size)
        await expectCommits(files, crashed, commitsWithin(crashed, size))
      }
    })

    it('ends before zeros and before garbage, of any length [REC-1, LOG-3]', async () => {
      const random = seededRandom(testSeed())
      const crashed = await crashedStore(halfSynced)
      for (const size of TAIL_SIZES) {
        const zeros = extended(crashed.files, LOG, new Uint8Array(size))
        await expectCommits(zeros, crashed, crashed.model.length)
        const garbage = extended(crashed.files, LOG, random.bytes(size))
        await expectCommits(garbage, crashed, crashed.model.length)
      }
    })

    it('tells what it has dropped [REC-4]', async () => {
      const crashed = await crashedStore(halfSynced)
      const files = extended(crashed.files, LOG, new Uint8Array(100).fill(1))
      const events: StoreEvent[] = []
      const onEvent = (event: StoreEvent): unknown => events.push(event)
      const db = await open(STORE, storeOptions(fileSystemOf(files), 2, { onEvent }))
      const { recovery } = db.stats()
      expect(recovery).to.include({ cleanClose: false, segments: 1, entries: 10 })
      expect(recovery).to.include({ droppedBytes: 100, droppedSegments: 0, damage: undefined })
      await db.close()
      expect(events).to.deep.include({ type: 'open', recovery })
    })

    it('takes no frame from another place, segment, opening or store for its own [LOG-2]', async () => {
      const crashed = await crashedStore(halfSynced)
      const log = bytesOf(crashed.files, LOG)
      const [last, previous] = [crashed.ends.at(-1)!.offset, crashed.ends.at(-2)!.offset]
      // The same frame twice: it is in another place the second time.
      const doubled = extended(crashed.files, LOG, log.slice(previous, last))
      await expectCommits(doubled, crashed, crashed.model.length)
      // In the same place, but with another identity.
      const header = decodeHeader(log)
      const records: Entry[] = [
        { kind: PUT, key: join([97]), sequence: 11, timestamp: 0, value: join([98]) },
      ]
      const others = [
        { ...header, number: 9 },
        { ...header, epoch: 7 },
        { ...header, storeId: new Uint8Array(16) },
      ]
      for (const other of others) {
        const frame = { records, synced: undefined, valueBytes: 0 }
        const foreign = encodeSegment({ ...other, firstSequence: 1 }, [frame]).slice(80)
        await expectCommits(extended(crashed.files, LOG, foreign), crashed, crashed.model.length)
      }
    })

    it('believes no length that a frame claims [LOG-3]', async () => {
      const crashed = await crashedStore(halfSynced)
      const log = bytesOf(crashed.files, LOG)
      const at = crashed.ends[5]!.offset
      for (const claim of [0, 1, 4, 0x7fffffff, 0xffffffff, log.length, log.length - at - 31]) {
        const bytes = log.slice()
        new DataView(bytes.buffer).setUint32(at + 8, claim, true)
        await expectCommits(replaced(crashed.files, LOG, bytes), crashed, 6)
      }
    })

    it('takes a segment that was created and not written for no damage, in any mode [REC-2, REC-3]', async () => {
      const crashed = await crashedStore(halfSynced)
      const files = replaced(crashed.files, '000050.log', new Uint8Array(0))
      for (const recovery of ['tail', 'strict', 'pointInTime'] as const) {
        const db = await open(STORE, storeOptions(fileSystemOf(files), 2, { recovery }))
        expect(db.stats().recovery).to.include({ droppedSegments: 0, damage: undefined })
        expect(await readStore(db)).to.deep.equal(crashed.model.state(8))
        await db.close()
      }
    })

    it('reads a log without damage in strict mode after a crash [REC-2]', async () => {
      const crashed = await crashedStore(twoSegments(false))
      expect(logsOf(crashed.files).length).to.equal(2)
      const content = await contentOfFiles(crashed.files, { recovery: 'strict' })
      expect(content).to.deep.equal(crashed.model.state(14))
    })
  })

  describe('damage', () => {
    it('refuses a flipped bit below a point that a later frame states as synced, in tail and strict mode, and cuts there in pointInTime [REC-1, REC-2, REC-3, LOG-10, ERR-4]', async () => {
      const random = seededRandom(testSeed())
      const crashed = await crashedStore(halfSynced)
      const synced = crashed.ends[3]!.offset
      for (let offset = 0; offset < synced; offset++) {
        const files = flipped(crashed.files, LOG, offset, 1 << random.int(8))
        if (offset % 3 === 0) {
          const error = await expectRefused(files, 'CORRUPTION')
          expect(error).to.have.property('file', LOG)
          await expectRefused(files, 'CORRUPTION', { recovery: 'strict' })
        } else {
          const fs = fileSystemOf(files)
          const db = await open(STORE, storeOptions(fs, 2, { recovery: 'pointInTime' }))
          const { damage, droppedBytes } = db.stats().recovery
          expect(damage).to.include({ code: 'CORRUPTION', file: LOG })
          expect(droppedBytes).to.be.greaterThan(0)
          const count = offset < 80 ? 0 : commitsWithin(crashed, offset)
          expect(await readStore(db)).to.deep.equal(crashed.model.state(count))
          await db.close()
          const expected = crashed.model.state(count)
          expect(await contentOfFiles(filesOf(fs))).to.deep.equal(expected)
        }
      }
    })

    it('drops from a flipped bit on where nothing shows that it was synced; strict refuses [REC-1, REC-2, LOG-10]', async () => {
      const random = seededRandom(testSeed())
      const crashed = await crashedStore(halfSynced)
      const { length } = bytesOf(crashed.files, LOG)
      for (let offset = crashed.ends[3]!.offset; offset < length; offset++) {
        const files = flipped(crashed.files, LOG, offset, 1 << random.int(8))
        if (offset % 4 === 0) await expectRefused(files, 'CORRUPTION', { recovery: 'strict' })
        else await expectCommits(files, crashed, commitsWithin(crashed, offset))
      }
    })

    it('refuses a lost header when the frames behind it were synced, drops the segment when they were not [LOG-10]', async () => {
      const synced = await crashedStore((store) => {
        for (let i = 0; i < 4; i++) store.put(`k${i}`, 'v', { sync: true })
      })
      const unsynced = await crashedStore((store) => {
        for (let i = 0; i < 4; i++) store.put(`k${i}`, 'v')
      })
      // The header alone, and the header with the first frame's.
      for (const size of [80, 112]) {
        const bytes = bytesOf(synced.files, LOG).slice().fill(0, 0, size)
        await expectRefused(replaced(synced.files, LOG, bytes), 'CORRUPTION')
        const other = bytesOf(unsynced.files, LOG).slice().fill(0, 0, size)
        await expectCommits(replaced(unsynced.files, LOG, other), unsynced, 0)
      }
    })

    it('refuses a sealed segment of any wrong length when a later one states that it was synced [REC-1, LOG-8, LOG-10]', async () => {
      const crashed = await crashedStore(twoSegments(true))
      const [first = ''] = logsOf(crashed.files)
      expect(logsOf(crashed.files).length).to.equal(2)
      const { length } = bytesOf(crashed.files, first)
      for (let size = 0; size < length; size += 97) {
        await expectRefused(truncated(crashed.files, first, size), 'CORRUPTION')
      }
      await expectRefused(truncated(crashed.files, first, length - 1), 'CORRUPTION')
      const longer = extended(crashed.files, first, new Uint8Array(4).fill(1))
      await expectRefused(longer, 'CORRUPTION')
    })

    it('ends the log within a sealed segment that nobody has synced, whatever follows [REC-1, LOG-10, DUR-5]', async () => {
      const crashed = await crashedStore(twoSegments(false))
      const [first = '', second = ''] = logsOf(crashed.files)
      const { length } = bytesOf(crashed.files, first)
      const within = (size: number): number =>
        crashed.ends.filter(({ file, offset }) => file === first && offset <= size).length
      for (let size = 0; size < length; size += 211) {
        const files = truncated(crashed.files, first, size)
        const fs = fileSystemOf(files)
        const db = await open(STORE, storeOptions(fs, 2))
        expect(db.stats().recovery.droppedSegments).to.be.at.least(1)
        await db.close()
        expect(filesOf(fs).has(second)).to.equal(false)
        await expectCommits(files, crashed, within(size))
      }
    })

    it('refuses a missing segment that a later one states as synced, else ends before it [REC-1, LOG-10]', async () => {
      const synced = await crashedStore(twoSegments(true))
      const [first = '', second = ''] = logsOf(synced.files)
      const error = await expectRefused(replaced(synced.files, first, undefined), 'CORRUPTION')
      expect(error).to.have.property('file', first)
      const unsynced = await crashedStore(twoSegments(false))
      await expectCommits(replaced(unsynced.files, first, undefined), unsynced, 0)
      const without = replaced(unsynced.files, second, undefined)
      const count = unsynced.ends.filter(({ file }) => file === first).length
      await expectCommits(without, unsynced, count)
    })

    it('refuses a segment of another store or number under the name of one of its own [REC-1, LOG-2, LOG-11]', async () => {
      const crashed = await crashedStore(halfSynced)
      const log = bytesOf(crashed.files, LOG)
      const renamed = replaced(replaced(crashed.files, LOG, undefined), '000060.log', log)
      await expectRefused(renamed, 'CORRUPTION')
      const header = { ...decodeHeader(log), storeId: new Uint8Array(16) }
      await expectRefused(replaced(crashed.files, LOG, encodeSegment(header, [])), 'CORRUPTION')
    })
  })

  it('takes what an older segment left in the blocks of a new one for nothing [LOG-11, REC-1]', async () => {
    const flushed = await crashedStore(async (store) => {
      store.put('a', '1')
      await store.db.flush().then(() => store.put('b', '2'))
    })
    const [last = ''] = logsOf(flushed.files)
    const { files } = await crashedStore((store) => store.put('a', '1'))
    const unwritten = replaced(flushed.files, last, bytesOf(files, LOG))
    expect(await contentOfFiles(unwritten)).to.deep.equal(new Map([['a', '1']]))
    const two = (await crashedStore(twoSegments(false))).files
    const [needed = '', second = ''] = logsOf(two)
    await expectRefused(replaced(two, second, bytesOf(two, needed)), 'CORRUPTION')
  })

  describe('interrupted recoveries', () => {
    it('opens again after a crash before anything was flushed, torn tail and all [REC-5]', async () => {
      const crashed = await crashedStore(halfSynced)
      const torn = truncated(crashed.files, LOG, bytesOf(crashed.files, LOG).length - 3)
      const second = await crashedStore((store) => store.put('second', '2'), torn)
      const third = await crashedStore((store) => store.put('third', '3'), second.files)
      const expected = crashed.model.state(7).set('second', '2').set('third', '3')
      expect(await contentOfFiles(third.files)).to.deep.equal(expected)
    })

    it('never replays a segment that has become a table, and removes it [REC-5, LOG-10]', async () => {
      const { files } = await crashedStore(async (store) => {
        store.put('a', 'old')
        store.put('b', 'old')
        await store.db.flush()
        store.put('a', 'new')
        store.delete('b')
      })
      const before = await crashedStore((store) => {
        store.put('a', 'old')
        store.put('b', 'old')
      })
      const back = replaced(files, LOG, bytesOf(before.files, LOG))
      const fs = fileSystemOf(back)
      const db = await open(STORE, storeOptions(fs, 2))
      expect(await readStore(db)).to.deep.equal(new Map([['a', 'new']]))
      await db.close()
      expect(filesOf(fs).has(LOG)).to.equal(false)
    })

    it('never lets a power cut bring back what it has cut off [REC-5, DUR-5]', async () => {
      // The first segment keeps its header and no entry, so that nothing of it becomes a table.
      const crashed = await crashedStore(twoSegments(false))
      const [first = '', second = ''] = logsOf(crashed.files)
      const torn = fileSystemOf(truncated(crashed.files, first, 100))
      const fs = CrashFileSystem.of(torn, STORE)
      const db = await open(STORE, storeOptions(fs, 2))
      expect(await readStore(db)).to.deep.equal(new Map())
      expect(db.stats().logSegments).to.equal(0)
      const image = fs.image('lost')
      expect(image.list(STORE)).not.to.include(second)
      expect(await contentOfFiles(filesOf(image))).to.deep.equal(new Map())
      await db.close()
    })

    it('gives no sequence twice, whatever was lost, dropped or refused [ORD-7]', async () => {
      let files: Files = new Map()
      let highest = 0
      for (let round = 0; round < 6; round++) {
        const crashed = await crashedStore(async (store) => {
          for (let i = 0; i < 3; i++) {
            store.put(`k${i}`, `${round}`)
            const entry = await store.db.getEntry(`k${i}`)
            expect(entry?.sequence).to.be.greaterThan(highest)
            highest = entry?.sequence ?? 0
          }
          if (round === 2) await store.db.flush()
        }, files)
        // Every time the last commit is lost, and every other time the store is closed in between.
        const last = logsOf(crashed.files).at(-1)
        files = crashed.files
        if (last !== undefined) files = truncated(files, last, bytesOf(files, last).length - 1)
        if (round % 2 === 0) {
          const fs = fileSystemOf(files)
          await (await open(STORE, storeOptions(fs, 3))).close()
          files = filesOf(fs)
        }
      }
    })
  })

  describe('large values', () => {
    const large = (store: CrashingStore, sync: boolean): void => {
      store.put('a', '1', { sync })
      store.put('large', 'x'.repeat(100_000), { sync })
      store.put('b', '2', { sync })
      store.put('c', '3')
    }
    const VALUES = '000002.val'

    it('ends the log before a frame whose value is missing or torn [LOG-6, REC-1]', async () => {
      const crashed = await crashedStore((store) => large(store, false))
      await expectCommits(crashed.files, crashed, 4)
      await expectCommits(replaced(crashed.files, VALUES, undefined), crashed, 1)
      for (const size of [0, 1, 65_536, 65_543, 65_544, 100_015]) {
        await expectCommits(truncated(crashed.files, VALUES, size), crashed, 1)
      }
      for (const offset of [0, 65_535, 65_536, 65_543, 65_544, 100_015]) {
        await expectCommits(flipped(crashed.files, VALUES, offset), crashed, 1)
      }
    })

    it('refuses when a later frame states that the value was synced [LOG-6, LOG-10, REC-1]', async () => {
      const crashed = await crashedStore((store) => large(store, true))
      await expectRefused(replaced(crashed.files, VALUES, undefined), 'CORRUPTION')
      await expectRefused(truncated(crashed.files, VALUES, 100_015), 'CORRUPTION')
      await expectRefused(flipped(crashed.files, VALUES, 70_000), 'CORRUPTION')
    })

    it('does not mind what lies behind the last value that counts [LOG-6]', async () => {
      const crashed = await crashedStore((store) => large(store, true))
      await expectCommits(extended(crashed.files, VALUES, new Uint8Array(999)), crashed, 4)
    })
  })
})
