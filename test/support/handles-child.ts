/**
 * A process that may open few files, with a store of many tables. Prints how many files were open before, at most and after, as JSON.
 *
 *     handles-child.js <directory>
 */
import { readdirSync } from 'node:fs'
import { type Database, open } from '../../src/index.ts'
import { seededRandom } from './seed.ts'

export interface HandlesReport {
  readonly tables: number
  readonly before: number
  readonly most: number
  readonly after: number
  readonly wrong: number
}

const ENTRIES = 60_000
const OPENINGS = 1000
const MEMTABLE_BYTES = 4 * 1024 * 1024

const [directory = ''] = process.argv.slice(2)
const random = seededRandom(7)
const noise = Buffer.from(random.bytes(3000))
  .toString('latin1')
  .replace(/[^\x20-\x7e]/g, 'x')

function valueAt(index: number): string {
  return `${index} ${noise.slice(index % 2000, (index % 2000) + 900)}`
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

async function main(): Promise<HandlesReport> {
  const options = { memtableSize: MEMTABLE_BYTES, cacheSize: 2 ** 20, workers: 0 } as const
  const before = openFiles()
  let db: Database<string, string> = await open(directory, { ...options, compression: 'none' })
  for (let i = 0; i < ENTRIES; i++) {
    db.putSync(`key ${String(i).padStart(6, '0')}`, valueAt(i))
    if (i % 500 === 499) await new Promise((resolve) => setImmediate(resolve))
  }
  await db.compact()
  const { tables } = db.stats()
  let most = openFiles()
  let wrong = 0
  for (let read = 0; read < 3000; read++) {
    const index = random.int(ENTRIES)
    if (db.getSync(`key ${String(index).padStart(6, '0')}`) !== valueAt(index)) wrong++
    if (read % 100 === 0) most = Math.max(most, openFiles())
  }
  for (let opening = 0; opening < OPENINGS; opening++) {
    await db.close()
    db = await open(directory, options)
    db.getSync(`key ${String(random.int(ENTRIES)).padStart(6, '0')}`)
  }
  await db.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  return { tables, before, most, after: openFiles(), wrong }
}

console.log(JSON.stringify(await main()))
