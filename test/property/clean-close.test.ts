/**
 * After a clean close every byte of every file counts: each is flipped, each file is cut at every length, and open, the reads
 * that touch it, or verify must say so. Nothing may pass for a wrong value or a missing key.
 */
import { expect } from 'chai'
import { type Database, MemoryFileSystem, open, SedgeError } from '../../src/index.ts'
import {
  bytesOf,
  contentOfFiles,
  extended,
  type Files,
  fileSystemOf,
  filesOf,
  flipped,
  replaced,
  sameFiles,
  truncated,
} from '../support/crashed-store.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'

/** Bytes of a file that are tried one by one; of a larger file as many are picked. */
const PLACES_MAX = 2500

interface ClosedStore {
  readonly files: Files
  readonly content: ReadonlyMap<string, string>
}

/** Tables of two levels with filters, versions, tombstones and large values, a log and its value file. */
async function closedStore(random: Random): Promise<ClosedStore> {
  const fs = new MemoryFileSystem()
  const db = await open(STORE, storeOptions(fs))
  const content = new Map<string, string>()
  const put = (key: string, value: string): void => {
    db.putSync(key, value)
    content.set(key, value)
  }
  const some = (): void => {
    for (let i = 0; i < 12; i++) put(`k${random.int(20)}`, `${random.int(1e6)}`.repeat(3))
    const gone = `k${random.int(20)}`
    db.deleteSync(gone)
    content.delete(gone)
  }
  some()
  put('large in a table', 't'.repeat(65_536))
  await db.compact({})
  some()
  await db.flush()
  some()
  put('large in the log', 'l'.repeat(66_000))
  put('empty', '')
  await db.close()
  return { files: filesOf(fs), content }
}

/** Throws unless the damage is reported and everything that is read is right. */
async function expectFound(store: ClosedStore, files: Files, readOnly: boolean): Promise<void> {
  const fs = fileSystemOf(files)
  let db: Database<string, string>
  try {
    db = await open(STORE, storeOptions(fs, 2, readOnly ? { readOnly } : {}))
  } catch (error) {
    expectDamage(error)
    expect(sameFiles(filesOf(fs), files), 'a refusal changes nothing').to.equal(true)
    return
  }
  let found = 0
  try {
    found += await readEverything(db, store.content)
    found += (await db.verify()).problems.filter(({ code }) => code === 'CORRUPTION').length
  } finally {
    await db.close()
  }
  expect(found, 'reports of the damage').to.be.greaterThan(0)
}

function expectDamage(error: unknown): void {
  expect(error).to.be.instanceOf(SedgeError)
  const { code, file } = error as SedgeError
  expect(code).to.equal('CORRUPTION')
  expect(file, 'the damaged file').to.be.a('string')
}

/** Reads in every way. Returns how many reads met the damage; all others must be right. */
async function readEverything(
  db: Database<string, string>,
  content: ReadonlyMap<string, string>,
): Promise<number> {
  let damaged = 0
  const keys = [...content.keys(), ...Array.from({ length: 20 }, (_, i) => `k${i}`), 'none']
  for (const key of keys) {
    try {
      expect(db.getSync(key)).to.equal(content.get(key))
    } catch (error) {
      expectDamage(error)
      damaged++
    }
  }
  const sorted = [...content].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const reverse of [false, true]) {
    const expected = reverse ? sorted.toReversed() : sorted
    let index = 0
    try {
      for (const entry of db.iteratorSync({ reverse })) {
        expect(entry).to.deep.equal(expected[index++])
      }
      expect(index).to.equal(expected.length)
    } catch (error) {
      expectDamage(error)
      damaged++
    }
  }
  return damaged
}

/** All numbers below `size`, or as many as are tried, among them the first and the last. */
function places(size: number, random: Random): number[] {
  if (size <= PLACES_MAX) return Array.from({ length: size }, (_, i) => i)
  const ends = Array.from({ length: 128 }, (_, i) => [i, size - 1 - i]).flat()
  return [...ends, ...Array.from({ length: 400 }, () => random.int(size))]
}

describe('property/clean-close', function () {
  this.timeout(120_000)

  it('finds every flipped bit of every file [DUR-8, TBL-10, LOG-3, MAN-20, ERR-4, REC-8]', async () => {
    const random = seededRandom(testSeed())
    const store = await closedStore(random)
    const kinds = new Set([...store.files.keys()].map((name) => name.replace(/[\d-]+/g, '')))
    expect([...kinds].sort()).to.deep.equal([
      '.log',
      '.sst',
      '.val',
      'CLOSED',
      'CURRENT',
      'MANIFEST',
    ])
    for (const [name, { length }] of store.files) {
      for (const offset of places(length, random)) {
        const files = flipped(store.files, name, offset, 1 << random.int(8))
        await told(`${name} at ${offset}`, expectFound(store, files, offset % 2 === 0))
      }
    }
  })

  it('finds every truncation, missing file and tail that was added [DUR-8, MAN-20, REC-6]', async () => {
    const random = seededRandom(testSeed())
    const store = await closedStore(random)
    expect(await contentOfFiles(store.files)).to.deep.equal(store.content)
    for (const [name, { length }] of store.files) {
      for (const size of places(length, random)) {
        const files = truncated(store.files, name, size)
        await told(`${name} cut at ${size}`, expectFound(store, files, size % 2 === 0))
      }
      const longer = extended(store.files, name, new Uint8Array(8))
      await told(`${name} grown`, expectFound(store, longer, false))
      const without = replaced(store.files, name, undefined)
      // Without its statement the store is as after a crash, and whole.
      if (name === 'CLOSED') expect(await contentOfFiles(without)).to.deep.equal(store.content)
      else await told(`${name} missing`, expectFound(store, without, false))
    }
  })

  it('takes no table for another of the same store [DUR-8, TBL-2]', async () => {
    const store = await closedStore(seededRandom(testSeed()))
    const tables = [...store.files.keys()].filter((name) => name.endsWith('.sst'))
    for (const name of tables) {
      for (const other of tables) {
        if (other === name) continue
        const files = replaced(store.files, name, bytesOf(store.files, other))
        await told(`${other} for ${name}`, expectFound(store, files, false))
      }
    }
    expect(tables.length).to.be.greaterThan(1)
  })
})

async function told(what: string, check: Promise<void>): Promise<void> {
  try {
    await check
  } catch (cause) {
    throw new Error(what, { cause })
  }
}
