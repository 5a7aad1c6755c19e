/**
 * What is asked of a store after a fault: its whole content is what a legal number of commits leaves; scans in both
 * directions and gets agree; it takes writes, flushes and compacts; it closes, opens again with all of that, verifies, and its
 * directory holds what belongs to it and nothing else.
 */
import type { FileSystem } from '../../src/env/file-system.ts'
import { type Database, type OpenOptions, open } from '../../src/index.ts'
import type { Random } from './seed.ts'
import { assertSame, readStore, type StoreModel } from './store-model.ts'
import { STORE, storeOptions } from './store-workload.ts'

/** How many commits a store may hold. */
export interface Bounds {
  readonly least: number
  readonly most: number
}

type Options = OpenOptions<'utf8', 'utf8'>

const WRITES = 50

/** Returns how many commits the store was found to hold. */
export async function checkImage(
  fs: FileSystem,
  model: StoreModel,
  { least, most }: Bounds,
  random: Random,
  options: Options = {},
): Promise<number> {
  const db = await open(STORE, storeOptions(fs, 2, options))
  const found = await readStore(db, neighbours(model.keys))
  const count = model.match(found, least, most)
  await use(db, found, random)
  assertSame(await readStore(db, model.keys), found, 'after use')
  await db.close()
  const again = await open(STORE, storeOptions(fs, 3, options))
  if (!again.stats().recovery.cleanClose) throw new Error('the close was not clean')
  assertSame(await readStore(again, model.keys), found, 'after opening again')
  await checkFiles(again, fs)
  return count
}

/** Every key that was ever written, and what lies just behind it. */
function* neighbours(keys: Iterable<string>): Generator<string> {
  for (const key of keys) {
    yield key
    yield `${key}\0`
  }
}

/** Writes to a store that was recovered, so that it has to live on; `found` follows. */
async function use(
  db: Database<string, string>,
  found: Map<string, string>,
  random: Random,
): Promise<void> {
  for (let left = WRITES; left > 0; left--) {
    const key = `k${random.int(60)}`
    const value = `${random.int(1000)}`.repeat(random.pick([1, 1, 1, 10, 500]))
    if (random.chance(0.7)) {
      db.putSync(key, value)
      found.set(key, value)
    } else {
      db.deleteSync(key)
      found.delete(key)
    }
  }
  await db.put('after', 'the fault', { sync: true })
  found.set('after', 'the fault')
  await db.flush()
  if (random.chance(0.5)) await db.compact({})
}

/** Closes the store, which must verify, and looks at what it leaves in its directory. */
async function checkFiles(db: Database<string, string>, fs: FileSystem): Promise<void> {
  const { problems } = await db.verify()
  for (const problem of problems) throw new Error('verify finds a problem', { cause: problem })
  await db.close()
  // A compaction may have ended since.
  const { tables, logSegments } = db.stats()
  const names = fs.list(STORE)
  const count = (pattern: RegExp): number => names.filter((name) => pattern.test(name)).length
  const kinds = [
    [count(/^\d+\.sst$/), tables],
    [count(/^\d+\.log$/), logSegments],
    [count(/^MANIFEST-/), 1],
    [count(/^CURRENT-/), 1],
    [count(/^CLOSED$/), 1],
  ]
  const values = names.filter((name) => name.endsWith('.val'))
  const withLog = values.filter((name) => names.includes(name.replace('.val', '.log'))).length
  const known = kinds.reduce((sum, [found = 0]) => sum + found, withLog)
  if (kinds.some(([found, right]) => found !== right) || known !== names.length) {
    const right = `${tables} tables, ${logSegments} segments`
    throw new Error(`not the files of ${right}: ${names.sort().join(' ')}`)
  }
}
