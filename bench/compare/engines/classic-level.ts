/** classic-level: LevelDB, in C++, behind the libuv pool. */
import { createRequire } from 'node:module'
import { ClassicLevel } from 'classic-level'
import type { Description, Engine, EngineOptions, Scan, Visit } from '../../engine.ts'

const { version } = createRequire(import.meta.url)('classic-level/package.json')

/** Entries that one crossing brings. */
const SCAN_ENTRIES = 1000

export const description: Description = {
  name: 'classic-level',
  version,
  isVolatile: false,
  levels: ['process', 'disk'],
  settings: "valueEncoding 'view', sync by level, two write buffers of half the bound, nextv(1000)",
}

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const db = new ClassicLevel<string, Uint8Array>(options.directory, {
    valueEncoding: 'view',
    cacheSize: options.cacheBytes,
    writeBufferSize: options.writeBufferBytes / 2,
  })
  await db.open()
  const sync = options.level === 'disk'
  const durable = { sync, valueEncoding: 'view' } as const
  const string = { valueEncoding: 'utf8' } as const
  return {
    put: (key, value) => (sync ? db.put(key, value, durable) : db.put(key, value)),
    delete: (key) => db.del(key, { sync }),
    batch: (keys, values) =>
      db.batch(
        keys.map((key, i) => ({ type: 'put', key, value: values[i]! })),
        { sync },
      ),
    get: (key) => db.get(key),
    getSync: (key) => db.getSync(key),
    getString: (key) => db.getSync<string, string>(key, string),
    scan: (scan, visit) => scanWith(db, scan, visit),
    scanAwait: async (scan, visit) => {
      for await (const [key, value] of db.iterator(rangeOf(scan))) visit(key, value)
    },
    compact: () => db.compactRange('', '\uffff'),
    close: () => db.close(),
  }
}

async function scanWith(
  db: ClassicLevel<string, Uint8Array>,
  scan: Scan,
  visit: Visit,
): Promise<void> {
  const iterator = db.iterator(rangeOf(scan))
  const count = Math.min(scan.limit ?? SCAN_ENTRIES, SCAN_ENTRIES)
  for (let left = scan.limit ?? Number.POSITIVE_INFINITY; left > 0; ) {
    const entries = await iterator.nextv(Math.min(count, left))
    for (const [key, value] of entries) visit(key, value)
    if (entries.length === 0) break
    left -= entries.length
  }
  await iterator.close()
}

function rangeOf({ reverse, from, limit = -1 }: Scan): {
  reverse: boolean
  limit: number
  gte?: string
  lte?: string
} {
  return { reverse, limit, ...(from !== undefined && (reverse ? { lte: from } : { gte: from })) }
}
