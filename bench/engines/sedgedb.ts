/** SedgeDB itself, with its defaults, and its preset for small memory where the budget is that. */
import { readFileSync } from 'node:fs'
import { open } from '../../src/index.ts'
import type { Description, Engine, EngineOptions, Scan } from '../engine.ts'

const MANIFEST = new URL('../../../package.json', import.meta.url)

/** Caches and write buffers of at most this are what the preset is for. Bytes. */
const EDGE_BYTES = 4 << 20

/** Room for the longest value that is read into memory of the caller. */
const TARGET_BYTES = 1 << 20

export const description: Description = {
  name: 'sedgedb',
  version: (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string }).version,
  isVolatile: false,
  levels: ['process', 'disk'],
  settings: "values 'binary'; reused: getInto; edge: preset 'edge'; all else default",
}

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const db = await open(options.directory, {
    valueEncoding: 'binary',
    durability: options.level,
    cacheSize: options.cacheBytes,
    memtableSize: options.writeBufferBytes,
    preset: isEdge(options) ? 'edge' : undefined,
  })
  const target = Buffer.alloc(TARGET_BYTES)
  const utf8 = { valueEncoding: 'utf8' } as const
  return {
    put: (key, value) => db.put(key, value),
    putSync: (key, value) => db.putSync(key, value),
    delete: (key) => db.delete(key),
    batch: (keys, values) =>
      db.batch(keys.map((key, i) => ({ type: 'put', key, value: values[i]! }))),
    get: (key) => db.get(key),
    getSync: (key) => db.getSync(key),
    getString: (key) => db.getSync(key, utf8),
    sumReused: (key) => {
      const length = db.getInto(key, target)
      return length === undefined ? undefined : target[0]! + target[length - 1]!
    },
    scan: (scan, visit) => {
      for (const [key, value] of db.iteratorSync(rangeOf(scan))) visit(key, value)
    },
    scanAwait: async (scan, visit) => {
      for await (const [key, value] of db.iterator(rangeOf(scan))) visit(key, value)
    },
    compact: () => db.compact(),
    close: () => db.close(),
  }
}

function isEdge({ cacheBytes, writeBufferBytes }: EngineOptions): boolean {
  return cacheBytes <= EDGE_BYTES && writeBufferBytes <= EDGE_BYTES
}

function rangeOf({ reverse, from, limit = Number.POSITIVE_INFINITY }: Scan): object {
  return { reverse, limit, ...(from !== undefined && (reverse ? { lte: from } : { gte: from })) }
}
