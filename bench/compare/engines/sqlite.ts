/** SQLite: better-sqlite3 where its binary is there, else what is built into Node 22.13 and later. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Description, Engine, EngineOptions, Scan, Visit } from '../../engine.ts'

/** What both bindings have. */
interface Statement {
  run(...values: unknown[]): unknown
  get(...values: unknown[]): unknown
  iterate(...values: unknown[]): Iterable<unknown>
}
interface Connection {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}
interface Row {
  readonly k: string
  readonly v: Uint8Array
}

const require = createRequire(import.meta.url)
const { name, version, connect } = binding()

export const description: Description = {
  name: 'sqlite',
  version: `${version} (${name})`,
  isVolatile: false,
  levels: ['process', 'disk'],
  settings:
    'TEXT primary key WITHOUT ROWID, WAL, synchronous NORMAL or FULL, cache_size, ' +
    'prepared statements, a transaction for a batch; no promise API',
}

function binding(): { name: string; version: string; connect: (file: string) => Connection } {
  try {
    const Database = require('better-sqlite3')
    const { version } = require('better-sqlite3/package.json')
    const memory = new Database(':memory:')
    memory.close()
    return { name: 'better-sqlite3', version, connect: (file) => new Database(file) }
  } catch (error) {
    if (!('sqlite' in process.versions)) throw error
    const { DatabaseSync } = require('node:sqlite')
    const version = process.versions['sqlite'] as string
    const connect = (file: string): Connection => new DatabaseSync(file)
    return { name: `node:sqlite, Node ${process.versions.node}`, version, connect }
  }
}

export function openEngine(options: EngineOptions): Promise<Engine> {
  const db = connect(join(options.directory, 'data.sqlite'))
  db.exec('PRAGMA journal_mode = WAL')
  db.exec(`PRAGMA synchronous = ${options.level === 'disk' ? 'FULL' : 'NORMAL'}`)
  db.exec(`PRAGMA cache_size = -${Math.ceil(options.cacheBytes / 1024)}`)
  db.exec('CREATE TABLE IF NOT EXISTS t (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID')
  const put = db.prepare('INSERT INTO t VALUES (?, ?) ON CONFLICT DO UPDATE SET v = excluded.v')
  const get = db.prepare('SELECT v FROM t WHERE k = ?')
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const scans = {
    forward: db.prepare('SELECT k, v FROM t WHERE k >= ? ORDER BY k LIMIT ?'),
    reverse: db.prepare('SELECT k, v FROM t WHERE k <= ? ORDER BY k DESC LIMIT ?'),
  }
  const getSync = (key: string): Uint8Array | undefined => (get.get(key) as Row | undefined)?.v
  return Promise.resolve({
    putSync: (key, value) => put.run(key, value),
    batch: (keys, values) => {
      begin.run()
      for (let i = 0; i < keys.length; i++) put.run(keys[i], values[i])
      commit.run()
    },
    getSync,
    getString: (key) => {
      const value = getSync(key)
      return value && Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
    },
    scan: ({ reverse, from, limit = -1 }: Scan, visit: Visit) => {
      const statement = reverse ? scans.reverse : scans.forward
      const start = from ?? (reverse ? '\u{10ffff}' : '')
      for (const row of statement.iterate(start, limit)) visit((row as Row).k, (row as Row).v)
    },
    compact: () => db.exec('VACUUM'),
    close: () => db.close(),
  })
}
