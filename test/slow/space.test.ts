/** What data takes on disk that was overwritten again and again, beside the same data written once. */
import { expect } from 'chai'
import { open } from '../../src/index.ts'
import { numberedValue, scatteredKey } from '../support/numbered-entries.ts'
import { tempDirectory } from '../support/temp.ts'

const ENTRIES = 300_000
const OVERWRITES = 5
const MORE_MAX = 1.2
const MIB = 1024 * 1024

/** Bytes of tables and log after `compact`, of entries that were written `rounds` times. */
async function spaceOf(rounds: number): Promise<number> {
  const db = await open(tempDirectory(), { preset: 'edge', valueEncoding: 'binary' })
  for (let round = 1; round <= rounds; round++) {
    for (let n = 0; n < ENTRIES; n++) {
      const key = scatteredKey(n)
      const written = db.put(key, numberedValue(key, rounds - round))
      if (n % 1000 === 999) await written
    }
  }
  await db.compact()
  const { tableBytes, logBytes, levels } = db.stats()
  expect(levels.reduce((sum, { entries }) => sum + entries, 0)).to.equal(ENTRIES)
  await db.close()
  return tableBytes + logBytes
}

describe('slow/space', function () {
  this.timeout(3_600_000)

  it(`takes at most a fifth more for what was overwritten ${OVERWRITES} times, once compacted [SNAP-7]`, async () => {
    const once = await spaceOf(1)
    const often = await spaceOf(OVERWRITES)
    const [a, b] = [once, often].map((bytes) => (bytes / MIB).toFixed(1))
    console.log(`        ${a} MiB written once, ${b} MiB overwritten ${OVERWRITES} times`)
    expect(often / once).to.be.within(1 / MORE_MAX, MORE_MAX)
  })
})
