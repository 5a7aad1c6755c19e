/**
 * After a clean close every byte of every file counts: each is flipped, each file is cut at every length, and open, the reads
 * that touch it, or verify must say so. Nothing may pass for a wrong value or a missing key.
 */
import { expect } from 'chai'
import { closedStore, expectFound } from '../support/closed-store.ts'
import {
  bytesOf,
  contentOfFiles,
  extended,
  flipped,
  replaced,
  truncated,
} from '../support/crashed-store.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

/** Bytes of a file that are tried one by one; of a larger file as many are picked. */
const PLACES_MAX = 2500

/** All numbers below `size`, or as many as are tried, among them the first and the last. */
function places(size: number, random: Random): number[] {
  if (size <= PLACES_MAX) return Array.from({ length: size }, (_, i) => i)
  const ends = Array.from({ length: 128 }, (_, i) => [i, size - 1 - i]).flat()
  return [...ends, ...Array.from({ length: 400 }, () => random.int(size))]
}

describe('property/clean-close', function () {
  this.timeout(300_000)

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
        await told(
          `${name} at ${offset}`,
          expectFound(store, files, { readOnly: offset % 2 === 0 }),
        )
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
        await told(
          `${name} cut at ${size}`,
          expectFound(store, files, { readOnly: size % 2 === 0 }),
        )
      }
      const longer = extended(store.files, name, new Uint8Array(8))
      await told(`${name} grown`, expectFound(store, longer))
      const without = replaced(store.files, name, undefined)
      // Without its statement the store is as after a crash, and whole.
      if (name === 'CLOSED') expect(await contentOfFiles(without)).to.deep.equal(store.content)
      else await told(`${name} missing`, expectFound(store, without))
    }
  })

  it('takes no table for another of the same store [DUR-8, TBL-2]', async () => {
    const store = await closedStore(seededRandom(testSeed()))
    const tables = [...store.files.keys()].filter((name) => name.endsWith('.sst'))
    for (const name of tables) {
      for (const other of tables) {
        if (other === name) continue
        const files = replaced(store.files, name, bytesOf(store.files, other))
        await told(`${other} for ${name}`, expectFound(store, files))
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
