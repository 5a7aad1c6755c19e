/**
 * lmdb: LMDB, in C, a memory map with a B+tree. It caches nothing itself: the system's page cache is its cache. Of its
 * settings these were the fastest: a map that is written to, no zeroing, one transaction for the writes of a turn.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import type { Description, Engine, EngineOptions, Scan, Visit } from '../../engine.ts'

const require = createRequire(import.meta.url)
const { version } = require(join(require.resolve('lmdb'), '../../package.json'))

export const description: Description = {
  name: 'lmdb',
  version,
  isVolatile: false,
  levels: ['process', 'disk'],
  settings:
    "encoding 'binary', keys as strings, noSync and useWritemap (disk: neither), " +
    'no overlappingSync, batches in a transactionSync; ' +
    'reused: getBinaryFast; caches in the page cache, without bound',
}

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const isSynced = options.level === 'disk'
  const db: RootDatabase<Buffer, string> = open({
    path: join(options.directory, 'data.mdb'),
    encoding: 'binary',
    noSync: !isSynced,
    useWritemap: !isSynced,
    noMemInit: true,
    overlappingSync: false,
  })
  return {
    put: (key, value) => db.put(key, value),
    putSync: (key, value) => db.putSync(key, value),
    delete: (key) => db.remove(key),
    batch: (keys, values) =>
      db.transactionSync(() => {
        for (let i = 0; i < keys.length; i++) db.putSync(keys[i]!, values[i]!)
      }),
    get: async (key) => db.getBinary(key),
    getSync: (key) => db.getBinary(key),
    getString: (key) => db.getBinaryFast(key)?.toString(),
    sumReused: (key) => {
      const value = db.getBinaryFast(key)
      return value === undefined ? undefined : value[0]! + value[value.length - 1]!
    },
    scan: (scan, visit) => scanWith(db, scan, visit),
    scanAwait: async (scan, visit) => {
      for await (const { key, value } of db.getRange(rangeOf(scan))) visit(key, value)
    },
    close: () => db.close(),
  }
}

function scanWith(db: RootDatabase<Buffer, string>, scan: Scan, visit: Visit): void {
  for (const { key, value } of db.getRange(rangeOf(scan))) visit(key, value)
}

function rangeOf({ reverse, from, limit }: Scan): object {
  return { reverse, ...(from !== undefined && { start: from }), ...(limit && { limit }) }
}
