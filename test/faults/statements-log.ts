/** Statements A5 to A13 of the plan: logs with tails, of other stores, with holes. */
import { open } from '../../src/index.ts'
import {
  bytesOf,
  type CrashedStore,
  type CrashingStore,
  contentOfFiles,
  crashedStore,
  expectRefused,
  extended,
  type Files,
  fileSystemOf,
  filesOf,
  isLog,
  replaced,
} from '../support/crashed-store.ts'
import type { Random } from '../support/seed.ts'
import { assertSame, readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import type { Statement } from './statements.ts'

const FRAME_BYTES = 32
const HEADER_BYTES = 80

function some(random: Random, sync = false): (store: CrashingStore) => void {
  return (store) => {
    for (let left = random.int(3, 20); left > 0; left--) {
      const key = `k${random.int(12)}`
      if (random.chance(0.2)) store.delete(key)
      else store.put(key, 'v'.repeat(random.int(200)), { sync: sync && random.chance(0.5) })
    }
    store.put('end', `${random.int(1e6)}`)
  }
}

/** Enough for two segments. */
function many(sync: boolean): (store: CrashingStore) => void {
  return (store) => {
    for (let i = 0; i < 13; i++) store.put(`k${i}`, `${i} `.repeat(1000), { sync })
    store.put('end', 'end')
  }
}

function logsOf(files: Files): string[] {
  return [...files.keys()].filter(isLog).sort()
}

async function expectAll(files: Files, { model }: CrashedStore): Promise<void> {
  const fs = fileSystemOf(files)
  const db = await open(STORE, storeOptions(fs, 2))
  const right = model.state(model.length)
  assertSame(await readStore(db, model.keys), right, 'after the tail')
  await db.put('then', 'more', { sync: true })
  const after = filesOf(fs)
  await db.close()
  assertSame(await contentOfFiles(after), right.set('then', 'more'), 'after another crash')
}

export const LOG_STATEMENTS: readonly Statement[] = [
  {
    id: 'A5',
    title: 'a tail of zeros of any length ends the log and nothing else',
    async test(random) {
      const crashed = await crashedStore(some(random, true))
      const [log = ''] = logsOf(crashed.files)
      const zeros = new Uint8Array(random.pick([1, 3, 31, 32, 512, random.int(1, 131_072)]))
      await expectAll(extended(crashed.files, log, zeros), crashed)
    },
  },
  {
    id: 'A6',
    title: 'frames of an older segment or another store behind the log are not its own',
    async test(random) {
      const crashed = await crashedStore(some(random, true))
      const [log = ''] = logsOf(crashed.files)
      const other = await crashedStore(many(false))
      const from = bytesOf(other.files, random.pick(logsOf(other.files)))
      const tail = from.slice(random.pick([0, HEADER_BYTES]))
      await expectAll(extended(crashed.files, log, tail), crashed)
    },
  },
  {
    id: 'A7',
    title: 'a length that is not true allocates nothing and reads nothing beyond the file',
    async test(random) {
      const crashed = await crashedStore(some(random))
      const [log = ''] = logsOf(crashed.files)
      const bytes = bytesOf(crashed.files, log).slice()
      const { ends } = crashed
      const frame = random.int(ends.length)
      const at = frame === 0 ? HEADER_BYTES : (ends[frame - 1]?.offset ?? 0)
      const view = new DataView(bytes.buffer, at, FRAME_BYTES)
      const sizes = [0, 1, 0x7fffffff, 0xffffffff, bytes.length - 1, bytes.length + 1]
      const field = random.pick([8, 28])
      const wrong = sizes.filter((size) => size !== view.getUint32(field, true))
      view.setUint32(field, random.pick(wrong), true)
      const db = await open(
        STORE,
        storeOptions(fileSystemOf(replaced(crashed.files, log, bytes)), 2),
      )
      const { model } = crashed
      model.match(await readStore(db, model.keys), frame, frame)
      if (db.stats().kernelBytes > 16 * 2 ** 20) throw new Error('too much memory')
      await db.close()
    },
  },
  {
    id: 'A8',
    title: 'a segment that is missing is told where the log behind it was synced',
    async test() {
      const { files } = await crashedStore(many(true))
      await expectRefused(replaced(files, logsOf(files)[0] ?? '', undefined), 'CORRUPTION')
    },
  },
  {
    id: 'A12',
    title: 'an empty value is a value, through the log and through tables',
    async test(random) {
      const crashed = await crashedStore(async (store) => {
        store.put('gone', 'x')
        if (random.chance(0.5)) await store.db.flush()
        store.put('empty', '')
        store.delete('gone')
        if (random.chance(0.5)) await store.db.flush()
      })
      const right = new Map([['empty', '']])
      assertSame(await contentOfFiles(crashed.files), right, 'after a crash')
    },
  },
  {
    id: 'A13',
    title: 'no sequence is given twice, whatever was lost in between',
    async test(random) {
      let files: Files = new Map()
      let highest = 0
      for (let round = 0; round < 4; round++) {
        const fs = fileSystemOf(files)
        const db = await open(STORE, storeOptions(fs, round))
        for (let i = random.int(1, 4); i > 0; i--) {
          await db.put(`k${i}`, `${round}`)
          const { sequence = 0 } = (await db.getEntry(`k${i}`)) ?? {}
          if (sequence <= highest) throw new Error(`${sequence} after ${highest}`)
          highest = sequence
        }
        if (random.chance(0.4)) await db.flush()
        files = filesOf(fs)
        await db.close()
        const last = logsOf(files).at(-1)
        const length = last === undefined ? 0 : random.int(bytesOf(files, last).length)
        if (last !== undefined) files = replaced(files, last, bytesOf(files, last).slice(0, length))
      }
    },
  },
]
