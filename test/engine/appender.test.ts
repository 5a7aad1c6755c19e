import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { MemoryFileSystem, open } from '../../src/index.ts'
import { STORE } from '../support/damaged-store.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

function someText(random: Random, length: number): string {
  const alphabet = random.pick([
    ['a', '0', '~'],
    ['a', 'é', '\u07ff', '😀'],
  ])
  return Array.from({ length }, () => random.pick(alphabet)).join('')
}

describe('engine/appender', () => {
  it('puts every record whole where it belongs, over many segments, frames and forms [API-1, API-2]', async () => {
    const random = seededRandom(testSeed())
    const fs = new MemoryFileSystem()
    let db = await open(STORE, { fs, memtableSize: 64 * 1024, workers: 0 })
    const model = new Map<string, string>()
    for (let round = 0; round < 400; round++) {
      const writes = Array.from({ length: random.int(1, 12) }, () => {
        const value = someText(random, random.pick([0, 1, 3, 20, 31, 33, 100, 900, 4000]))
        return { key: someText(random, random.int(1, 40)), value }
      })
      const forms = writes.map(({ key, value }) => ({
        type: 'put' as const,
        key: random.chance(0.5) ? key : Buffer.from(key),
        value: random.chance(0.5) ? value : new Uint8Array(Buffer.from(value)),
      }))
      const way = random.int(3)
      if (way === 0) await db.batch(forms)
      else if (way === 1) await Promise.all(forms.map(({ key, value }) => db.put(key, value)))
      else for (const { key, value } of forms) db.putSync(key, value)
      for (const { key, value } of writes) model.set(key, value)
      if (random.chance(0.1)) {
        const gone = random.pick([...model.keys()])
        db.deleteSync(gone)
        model.delete(gone)
      }
    }
    for (let opening = 0; opening < 2; opening++) {
      expect(new Map(db.iteratorSync())).to.deep.equal(
        new Map([...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))),
      )
      expect((await db.verify()).problems).to.deep.equal([])
      await db.close()
      db = await open(STORE, { fs })
    }
    await db.close()
  })

  it('gives writes that a turn collects the time of the first, and asks anew for all others [API-12]', async () => {
    let now = 1000
    const clock = (): number => now++
    const db = await open(STORE, { fs: new MemoryFileSystem(), clock })
    const time = async (key: string): Promise<number> => (await db.getEntry(key))!.timestamp
    await Promise.all(['a', 'b', 'c'].map((key) => db.put(key, '')))
    expect(await time('b')).to.equal(await time('a'))
    expect(await time('c')).to.equal(await time('a'))
    await db.put('d', '')
    expect(await time('d')).to.be.greaterThan(await time('c'))
    db.putSync('e', '')
    db.putSync('f', '')
    expect(await time('f')).to.be.greaterThan(await time('e'))
    const large = 'v'.repeat(50_000)
    await Promise.all(Array.from({ length: 30 }, (_, i) => db.put(`g${i}`, large)))
    expect(await time('g29')).to.be.greaterThan(await time('g0'))
    await db.close()
    const lazy = await open(STORE, { fs: new MemoryFileSystem(), clock, durability: 'none' })
    await Promise.all(['a', 'b'].map((key) => lazy.put(key, '')))
    const [a, b] = [await lazy.getEntry('a'), await lazy.getEntry('b')]
    expect(b!.timestamp).to.be.greaterThan(a!.timestamp)
    await lazy.close()
  })
})
