import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { PUT } from '../reference/entry.ts'
import { MemtableModel } from '../reference/memtable.ts'
import { bytesOf, look, randomKeys } from '../support/entries.ts'
import { createKernel } from '../support/kernel.ts'
import { appendEntry } from '../support/memory-tables.ts'
import {
  appendAll,
  BASE_TIMESTAMP,
  entriesOf,
  expectScan,
  found,
  HEADER,
  newMemtable,
  viewOf,
} from '../support/memtables.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('kernel/memtable', () => {
  let kernel: Kernel

  beforeEach(() => {
    kernel = createKernel()
  })

  it('finds the version of a key that a sequence sees, of few keys with many versions [KRN-8]', () => {
    const random = seededRandom(testSeed())
    const keys = randomKeys(random, 12)
    const entries = entriesOf(random, keys, 300)
    const memtable = newMemtable(kernel, 64 * 1024)
    const view = viewOf(kernel, memtable)
    const model = new MemtableModel()
    for (const entry of entries) {
      appendAll(kernel, memtable, [entry])
      model.append(entry)
    }
    expect(memtable.count).to.equal(model.count)
    const sequences = [0, 999, ...entries.map(({ sequence }) => sequence), 2 ** 53 - 1]
    for (const key of [...keys, bytesOf('absent')]) {
      for (const sequence of sequences) {
        const wanted = found(model.find(key, sequence))
        expect(look(kernel, view, key, sequence)).to.deep.equal(wanted)
      }
    }
  })

  it('finds every key while its hash table grows, and none that was not written [KRN-8]', () => {
    const memtable = newMemtable(kernel, 2 << 20)
    const view = viewOf(kernel, memtable)
    const key = (i: number): Uint8Array => bytesOf(`k${i}`)
    for (let i = 0; i < 9000; i++) {
      const entry = { key: key(i), kind: PUT, sequence: 1000 + i, timestamp: BASE_TIMESTAMP }
      appendAll(kernel, memtable, [{ ...entry, value: bytesOf(`${i}`) }])
      if (i % 1000 !== 999) continue
      for (let j = 0; j <= i; j += 7) {
        expect(look(kernel, view, key(j), 2 ** 53 - 1)?.sequence).to.equal(1000 + j)
      }
      expect(look(kernel, view, key(i + 1), 2 ** 53 - 1)).to.equal(undefined)
    }
    expect(memtable.indexBytes).to.be.lessThan(9000 * 40)
  })

  it('finds what is in a frame that is open, and not what was dropped with it [KRN-8]', () => {
    const random = seededRandom(testSeed())
    for (const count of [1, 15, 16, 17, 33, 700]) {
      const keys = randomKeys(random, 1 + (count >> 1))
      const entries = entriesOf(random, keys, 2 * count)
      const memtable = newMemtable(kernel, 512 * 1024)
      const view = viewOf(kernel, memtable)
      const model = new MemtableModel()
      appendAll(kernel, memtable, entries.slice(0, count))
      const from = memtable.tail
      for (const [i, entry] of entries.entries()) {
        model.append(entry)
        if (i < count) continue
        appendEntry(kernel, memtable, entry, BASE_TIMESTAMP)
        if (random.chance(0.9)) continue
        const sequence = HEADER.firstSequence + random.int(i + 1)
        const key = random.pick(keys)
        expect(look(kernel, view, key, sequence)).to.deep.equal(found(model.find(key, sequence)))
      }
      expectScan(kernel, model)
      memtable.drop(from)
      model.drop(HEADER.firstSequence + count)
      for (const key of keys) {
        expect(look(kernel, view, key, 2 ** 53 - 1)).to.deep.equal(
          found(model.find(key, 2 ** 53 - 1)),
        )
      }
      memtable.free()
    }
  })

  it('takes and gives back keys and values of the largest size inline [KRN-8, LOG-4]', () => {
    const random = seededRandom(testSeed())
    const memtable = newMemtable(kernel, 4 << 20)
    const view = viewOf(kernel, memtable)
    const key = random.bytes(1 << 20)
    const entry = { key, kind: PUT, sequence: 1000, timestamp: BASE_TIMESTAMP }
    const value = random.bytes(65_535)
    appendAll(kernel, memtable, [{ ...entry, value }])
    appendAll(kernel, memtable, [{ ...entry, key: bytesOf('a'), sequence: 1001, value }])
    expect(look(kernel, view, key, 2000)?.value).to.deep.equal(value)
    const nearly = key.slice()
    nearly[nearly.length - 1]! ^= 1
    expect(look(kernel, view, nearly, 2000)).to.equal(undefined)
  })

  it('takes dropped frames out of the view, as if they had never been written [KRN-8, LOG-9]', () => {
    const random = seededRandom(testSeed())
    const keys = randomKeys(random, 20)
    for (let round = 0; round < 20; round++) {
      const entries = entriesOf(random, keys, random.int(2, 200))
      const cut = random.int(entries.length)
      const memtable = newMemtable(kernel, 64 * 1024)
      const view = viewOf(kernel, memtable)
      const model = new MemtableModel()
      for (const entry of entries) model.append(entry)
      appendAll(kernel, memtable, entries.slice(0, cut))
      const from = memtable.tail
      appendAll(kernel, memtable, entries.slice(cut))
      if (random.chance(0.5)) while (memtable.sortStep());
      memtable.drop(from)
      model.drop(HEADER.firstSequence + cut)
      expect([memtable.tail, memtable.count]).to.deep.equal([from, cut])
      for (const key of keys) {
        const sequence = HEADER.firstSequence + random.int(entries.length)
        const wanted = found(model.find(key, sequence))
        expect(look(kernel, view, key, sequence)).to.deep.equal(wanted)
      }
      expectScan(kernel, model)
      memtable.free()
    }
  })

  it('drops a frame that is still open [KRN-8]', () => {
    const memtable = newMemtable(kernel, 4096)
    const view = viewOf(kernel, memtable)
    const at = kernel.scratch(64)
    memtable.append(PUT, at, 1, at, 0, 1000, 0)
    memtable.drop(80)
    expect([memtable.tail, memtable.count]).to.deep.equal([80, 0])
    expect(view.find(1, 2000)).to.equal(false)
    expect(memtable.sealFrame(undefined, 0)).to.equal(80)
  })

  it('cannot run out of memory in appends that were reserved [KRN-3]', () => {
    for (const reserved of [1, 500, 5000, 20_000]) {
      const memtable = newMemtable(kernel, reserved * 64 + 4096)
      memtable.reserve(reserved)
      const at = kernel.scratch(8)
      const [bytes, size] = [kernel.exports.allocatedBytes(), kernel.bytes]
      kernel.exports.setAllocationLimit(0)
      for (let i = 0; i < reserved; i++) {
        kernel.memory.bytes.writeUInt32LE(i, at)
        memtable.append(PUT, at, 4, at, 0, 1000 + i, 0)
      }
      kernel.exports.setAllocationLimit(2 ** 32 - 1)
      expect(memtable.count).to.equal(reserved)
      expect([kernel.exports.allocatedBytes(), kernel.bytes]).to.deep.equal([bytes, size])
      memtable.free()
    }
  })
})
