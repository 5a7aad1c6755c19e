/** rippledb: LevelDB's design in TypeScript, without native code, as SedgeDB has none. */
import { createRequire } from 'node:module'
import { Database, WriteBatch } from 'rippledb'
import type { Description, Engine, EngineOptions, Scan, Visit } from '../../engine.ts'

const { version } = createRequire(import.meta.url)('rippledb/package.json')

export const description: Description = {
  name: 'rippledb',
  version,
  isVolatile: false,
  // It takes `sync` and calls no fsync.
  levels: ['process'],
  settings: 'two write buffers of half the bound, its own block cache; `sync` does not sync',
}

// What it does in the background fails once the store is closed, which is no reason to lose results.
process.on('unhandledRejection', () => {})

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const db = new Database(options.directory, { writeBufferSize: options.writeBufferBytes / 2 })
  await db.ok()
  return {
    put: (key, value) => db.put(key, value),
    delete: (key) => db.del(key),
    batch: (keys, values) => {
      const batch = new WriteBatch()
      for (let i = 0; i < keys.length; i++) batch.put(keys[i]!, values[i]!)
      return db.batch(batch)
    },
    get: async (key) => (await db.get(key)) ?? undefined,
    scan: (scan, visit) => walk(db, scan, visit),
    scanAwait: (scan, visit) => walk(db, scan, visit),
    compact: () => db.compactRange('\0', '\uffff'),
    close: () => db.close(),
  }
}

async function walk(db: Database, { reverse, from, limit }: Scan, visit: Visit): Promise<void> {
  let left = limit ?? Number.POSITIVE_INFINITY
  const range = { reverse, ...(from !== undefined && { start: from }) }
  for await (const { key, value } of db.iterator(range)) {
    visit(Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1'), value)
    if (--left === 0) break
  }
}
