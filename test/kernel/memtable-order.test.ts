import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Memtable } from '../../src/kernel/memtable.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { bytesOf, NO_TABLES, scanAll, WHOLE } from '../support/entries.ts'
import { createKernel } from '../support/kernel.ts'
import { appendAll, BASE_TIMESTAMP, newMemtable, viewOf } from '../support/memtables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

describe('kernel/memtable-order', () => {
  let kernel: Kernel

  beforeEach(() => {
    kernel = createKernel()
  })

  describe('sorted runs', () => {
    /** Keys in an order, each with a version for each time that it stands there. */
    const shapes: [string, (random: Random, i: number) => Uint8Array][] = [
      ['ascending keys', (_, i) => bytesOf(`key ${String(i).padStart(8, '0')}`)],
      ['descending keys', (_, i) => bytesOf(`key ${String(1e6 - i).padStart(8, '0')}`)],
      ['equal keys', () => bytesOf('the one key')],
      ['few keys', (random) => bytesOf(`${random.int(50)}`)],
      ['random keys', (random) => random.bytes(random.int(1, 12))],
      [
        'keys with long common prefixes',
        (random) => bytesOf(`${'x'.repeat(random.pick([0, 30, 31, 90]))}${random.int(2000)}`),
      ],
      ['keys of zeros', (random) => new Uint8Array(random.int(1, 40))],
    ]
    for (const [name, key] of shapes) {
      it(`are in internal order for ${name} [KRN-9]`, () => {
        const random = seededRandom(testSeed())
        const count = 20_000
        const memtable = newMemtable(kernel, 4 << 20)
        const entries = Array.from({ length: count }, (_, i) => {
          const value = bytesOf(`${i}`)
          const rest = { kind: PUT, sequence: 1000 + i, timestamp: BASE_TIMESTAMP }
          return { ...rest, key: key(random, i), value }
        })
        // Sorting in between, as with scans between puts, makes runs of all sizes.
        for (let from = 0; from < count; ) {
          const to = Math.min(count, from + random.int(1, 6000))
          appendAll(kernel, memtable, entries.slice(from, to))
          if (random.chance(0.5)) memtable.sortStep()
          from = to
        }
        expectNewest(kernel, memtable, entries)
        while (memtable.sortStep());
        expectNewest(kernel, memtable, entries)
        memtable.free()
      })
    }

    it('are made in steps of no more than some thousand records [KRN-9]', () => {
      const random = seededRandom(testSeed())
      const memtable = newMemtable(kernel, 16 << 20)
      const entries = Array.from({ length: 100_000 }, (_, i) => ({
        ...{ kind: PUT, sequence: 1000 + i, timestamp: BASE_TIMESTAMP },
        key: bytesOf(`k${random.int(1e9)}`),
        value: new Uint8Array(0),
      }))
      appendAll(kernel, memtable, entries)
      let steps = 1
      while (memtable.sortStep()) steps++
      expect(steps).to.be.greaterThan(100_000 / 8192)
      expectNewest(kernel, memtable, entries)
    })
  })
})

/** The scan of many puts, compared as text, which is much faster. */
function expectNewest(kernel: Kernel, memtable: Memtable, entries: readonly Entry[]): void {
  viewOf(kernel, memtable)
  const newest = new Map(entries.map(({ key, value }) => [toText(key), toText(value)]))
  const wanted = [...newest].sort(([left], [right]) => (left < right ? -1 : 1))
  const { keys, values } = scanAll(kernel, NO_TABLES, WHOLE)
  const got = keys.map((key, i) => [toText(key), toText(values[i]!)])
  expect(got.length).to.equal(wanted.length)
  expect(got.every(([key, value], i) => wanted[i]![0] === key && wanted[i]![1] === value)).to.equal(
    true,
  )
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
