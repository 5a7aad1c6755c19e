/**
 * A store whose every byte is determined: time, chance, operations, and where it is flushed and compacted. Run as a script of its
 * own it prints the digests of its tables.
 */
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { type Database, MemoryFileSystem, open } from '../../src/index.ts'
import { seededRandom } from './seed.ts'

export type Compression = 'none' | 'lz4'

/** How operations are made. */
export type Manner = 'awaited' | 'sync'

const KIB = 1024
const ROUNDS = 15
/** One to two memtables: two rounds make too few tables for a compaction that nobody asked for, whose time nobody knows. */
const ROUND_WRITES = 75

/** SHA-256 of all tables, names and bytes, after a row of operations that follows from `seed`. */
export async function tableDigest(
  seed: number,
  compression: Compression,
  manner: Manner = 'awaited',
): Promise<string> {
  const random = seededRandom(seed)
  const fs = new MemoryFileSystem()
  let now = 1_700_000_000_000
  const db = await open('/store', {
    ...{ fs, compression, random: () => random.float(), clock: () => now++ },
    memtableSize: 64 * KIB,
    valueEncoding: 'binary',
  })
  // What the store itself takes from `random` must not shift what is written.
  const choice = seededRandom(seed + 1)
  let compactions = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (let write = 0; write < ROUND_WRITES; write++) await writeOne(db, choice, manner)
    await db.flush()
    if (db.stats().compactions !== compactions) throw new Error('a compaction nobody asked for')
    if (round % 2 === 1) await db.compact()
    compactions = db.stats().compactions
  }
  const names = fs.list('/store').filter((name) => name.endsWith('.sst'))
  const hash = createHash('sha256')
  for (const name of names.sort()) hash.update(`${name}\0`).update(content(fs, `/store/${name}`))
  if (names.length < 2) throw new Error('too few tables to prove anything')
  await db.close()
  return hash.digest('hex')
}

type Choice = ReturnType<typeof seededRandom>

async function writeOne(
  db: Database<string, Uint8Array>,
  choice: Choice,
  manner: Manner,
): Promise<void> {
  const kind = choice.int(10)
  const key = `key${choice.int(200)}`
  if (kind === 0) return manner === 'sync' ? db.deleteSync(key) : db.delete(key)
  if (kind === 1) {
    const batch = Array.from({ length: 5 }, (_, index) => {
      return { type: 'put', key: `${key}-${index}`, value: someValue(choice) } as const
    })
    return manner === 'sync' ? db.batchSync(batch) : db.batch(batch)
  }
  const value = someValue(choice)
  return manner === 'sync' ? db.putSync(key, value) : db.put(key, value)
}

function someValue(choice: Choice): Uint8Array {
  if (choice.chance(0.004)) return choice.bytes(choice.int(65_536, 200_000))
  const bytes = choice.bytes(choice.int(100))
  return choice.chance(0.5) ? bytes : new Uint8Array(bytes.length * 3).fill(bytes[0] ?? 0)
}

function content(fs: MemoryFileSystem, path: string): Uint8Array {
  const file = fs.open(path, 'read')
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  file.close()
  return bytes
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const seed = Number(process.argv[2])
  console.log(`${await tableDigest(seed, 'none')} ${await tableDigest(seed, 'lz4')}`)
}
