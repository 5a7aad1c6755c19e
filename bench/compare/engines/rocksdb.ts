/** rocksdb: RocksDB 6.17, in C++, behind the libuv pool, with the callbacks of abstract-leveldown. */
import { createRequire } from 'node:module'
import type { Description, Engine, EngineOptions, Scan, Visit } from '../../engine.ts'

type Done<T = undefined> = (error: Error | undefined, value: T, more: Uint8Array) => void

interface Iterator {
  next(done: Done<string | undefined>): void
  end(done: Done): void
}
interface Store {
  open(options: object, done: Done): void
  put(key: string, value: Buffer, options: object, done: Done): void
  del(key: string, options: object, done: Done): void
  get(key: string, options: object, done: Done<Buffer>): void
  batch(operations: readonly object[], options: object, done: Done): void
  iterator(range: object): Iterator
  compactRange(start: string, end: string, done: Done): void
  close(done: Done): void
}

const require = createRequire(import.meta.url)
const create = require('rocksdb') as (location: string) => Store

export const description: Description = {
  name: 'rocksdb',
  version: require('rocksdb/package.json').version,
  isVolatile: false,
  levels: ['process', 'disk'],
  settings: 'callbacks as promises, sync by level, two write buffers of half the bound; no getSync',
}

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const store = create(options.directory)
  const sizes = { cacheSize: options.cacheBytes, writeBufferSize: options.writeBufferBytes / 2 }
  await call((done) => store.open(sizes, done))
  const sync = { sync: options.level === 'disk' }
  return {
    put: (key, value) => call((done) => store.put(key, value, sync, done)),
    delete: (key) => call((done) => store.del(key, sync, done)),
    batch: (keys, values) => {
      const operations = keys.map((key, i) => ({ type: 'put', key, value: values[i]! }))
      return call((done) => store.batch(operations, sync, done))
    },
    get: (key) =>
      new Promise((resolve, reject) => {
        store.get(key, {}, (error, value) => {
          if (!error || /not ?found/i.test(error.message)) resolve(error ? undefined : value)
          else reject(error)
        })
      }),
    scan: (scan, visit) => walk(store.iterator(rangeOf(scan)), visit),
    scanAwait: (scan, visit) => walk(store.iterator(rangeOf(scan)), visit),
    compact: () => call((done) => store.compactRange('', '\uffff', done)),
    close: () => call((done) => store.close(done)),
  }
}

function call(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()))
  })
}

function walk(iterator: Iterator, visit: Visit): Promise<void> {
  return new Promise((resolve, reject) => {
    const step: Done<string | undefined> = (error, key, value) => {
      if (error) reject(error)
      else if (key === undefined) iterator.end((failed) => (failed ? reject(failed) : resolve()))
      else {
        visit(key, value)
        iterator.next(step)
      }
    }
    iterator.next(step)
  })
}

function rangeOf({ reverse, from, limit = -1 }: Scan): object {
  const range = { reverse, limit, keyAsBuffer: false, valueAsBuffer: true }
  return { ...range, ...(from !== undefined && (reverse ? { lte: from } : { gte: from })) }
}
