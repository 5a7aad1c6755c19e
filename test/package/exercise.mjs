/**
 * What a user of the package does first, through nothing but `open`. Runs on every runtime, imported, required and
 * bundled; throws at the first thing that is not as it should be.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'

/** Writes, reads, closes and opens again. */
export async function exercise(open, path) {
  const db = await open(path, { valueEncoding: 'json' })
  await db.put('b', { n: 1 })
  db.putSync('a', [true, null])
  await db.batch([
    { type: 'put', key: 'c', value: 'three' },
    { type: 'put', key: 'd', value: 4 },
    { type: 'delete', key: 'b' },
  ])
  await db.batch().put('e', 5).delete('d').write({ sync: true })
  deepEqual(await db.get('a'), [true, null])
  equal(db.getSync('b'), undefined)
  equal(await db.has('c'), true)
  await db.close()

  const again = await open(path, { valueEncoding: 'json', createIfMissing: false })
  const entries = []
  for await (const entry of again.iterator({ gte: 'a' })) entries.push(entry)
  deepEqual(entries, [
    ['a', [true, null]],
    ['c', 'three'],
    ['e', 5],
  ])
  deepEqual([...again.keysSync({ reverse: true, limit: 2 })], ['e', 'c'])
  await again.close()
}

const ENTRIES = 4_000
const VALUE_BYTES = 1_000

/** Writes far more than the memtables hold, so that tables are written and merged in the background. */
export async function exerciseBackground(open, path) {
  const finished = new Set()
  const db = await open(path, {
    valueEncoding: 'binary',
    memtableSize: 512 * 1024,
    onEvent: ({ type }) => finished.add(type),
  })
  const key = (index) => `key-${String((index * 7_919) % ENTRIES).padStart(6, '0')}`
  const value = (index) => new Uint8Array(VALUE_BYTES).fill(index % 251)
  for (let index = 0; index < ENTRIES; index++) await db.put(key(index), value(index))
  await db.flush()
  await db.compact({})
  ok(finished.has('flush'), 'no memtable was flushed')
  ok(finished.has('compaction'), 'nothing was compacted')
  ok(db.stats().tables > 0, 'there are no tables')

  for (let index = 0; index < ENTRIES; index += 97) {
    deepEqual(await db.get(key(index)), value(index))
  }
  let count = 0
  for await (const _ of db.keys({ prefix: 'key-' })) count++
  equal(count, ENTRIES)
  deepEqual((await db.verify()).problems, [])
  await db.close()
}
