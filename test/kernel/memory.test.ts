import { instantiateSync } from '@assemblyscript/loader'
import { expect } from 'chai'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { Memtable } from '../../src/kernel/memtable.ts'
import { View } from '../../src/kernel/view.ts'
import { type Entry, PUT } from '../reference/entry.ts'
import { merge } from '../reference/merge.ts'
import { assemblyBinary } from '../support/codec-kernel.ts'
import {
  bytesOf,
  look,
  randomEntries,
  randomKeys,
  scanAll,
  show,
  WHOLE,
} from '../support/entries.ts'
import { createKernel, KERNEL_TARGET } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables } from '../support/memory-tables.ts'
import { type Random, seededRandom, testSeed } from '../support/seed.ts'

interface Allocator extends Record<string, unknown> {
  readonly memory: { readonly buffer: ArrayBuffer }
  allocate(bytes: number): number
  free(address: number): void
  reallocate(address: number, used: number, bytes: number): number
  capacityOf(address: number): number
  allocatedBytes(): number
  setAllocationLimit(bytes: number): void
}

const NO_LIMIT = 2 ** 32 - 1

describe('kernel/memory', () => {
  describe('allocator', () => {
    let binary: Uint8Array<ArrayBuffer>
    let allocator: Allocator

    before(async function () {
      this.timeout(60_000)
      binary = await assemblyBinary('test/kernel/assembly/allocator.ts', KERNEL_TARGET)
    })

    beforeEach(() => {
      allocator = instantiateSync<Allocator>(binary, {}).exports
    })

    function randomSize(random: Random): number {
      const power = 2 ** random.int(18)
      return Math.max(
        0,
        random.pick([power, power - 1, power + 1, power - 16, random.int(power + 1)]),
      )
    }

    it('hands out memory that nobody else has, aligned, and takes all of it back [KRN-4]', () => {
      const random = seededRandom(testSeed())
      const live: { address: number; bytes: number; mark: number }[] = []
      const memory = (): Uint8Array => new Uint8Array(allocator.memory.buffer)
      const isIntact = ({ address, bytes, mark }: (typeof live)[0]): boolean =>
        memory()
          .subarray(address, address + bytes)
          .every((byte) => byte === mark)
      for (let step = 0; step < 4000; step++) {
        const chance = random.float()
        if (chance < 0.5 || live.length === 0) {
          const bytes = randomSize(random)
          const address = allocator.allocate(bytes) >>> 0
          expect([address > 0, address % 16]).to.deep.equal([true, 0])
          expect(allocator.capacityOf(address)).to.be.at.least(bytes)
          const clash = live.find(
            (one) => address < one.address + one.bytes && one.address < address + bytes,
          )
          expect(clash).to.equal(undefined)
          live.push({ address, bytes, mark: step % 251 })
          memory().fill(step % 251, address, address + bytes)
        } else {
          const at = random.int(live.length)
          const one = live[at]!
          expect(isIntact(one)).to.equal(true)
          if (chance < 0.8) {
            allocator.free(one.address)
            live.splice(at, 1)
          } else {
            const bytes = randomSize(random)
            const used = Math.min(bytes, one.bytes)
            const address = allocator.reallocate(one.address, used, bytes) >>> 0
            live[at] = { address, bytes: used, mark: one.mark }
            expect(isIntact(live[at])).to.equal(true)
          }
        }
      }
      for (const { address } of random.shuffle(live)) allocator.free(address)
      expect(allocator.allocatedBytes()).to.equal(0)
      // All neighbours were merged: nearly all of memory is one free block again.
      const size = allocator.memory.buffer.byteLength
      expect(allocator.allocate(Math.floor(size * 0.9))).to.not.equal(0)
      expect(allocator.memory.buffer.byteLength).to.equal(size)
    })

    it('uses memory again that was given back, and so does not grow [KRN-3, KRN-4]', () => {
      const sizes = [100_000, 40, 70_000, 16, 5000]
      const turn = (): void => {
        for (const address of sizes.map((bytes) => allocator.allocate(bytes)))
          allocator.free(address)
      }
      turn()
      const size = allocator.memory.buffer.byteLength
      for (let i = 0; i < 1000; i++) turn()
      expect(allocator.memory.buffer.byteLength).to.equal(size)
    })

    it('answers 0 beyond its limit and what 32 bits can count, and stays as it was [KRN-14]', () => {
      const kept = allocator.allocate(1000)
      const before = allocator.allocatedBytes()
      allocator.setAllocationLimit(before + 500)
      expect(allocator.allocate(1000)).to.equal(0)
      expect(allocator.reallocate(kept, 1000, 2000)).to.equal(0)
      expect(allocator.allocatedBytes()).to.equal(before)
      const small = allocator.allocate(100)
      expect(small).to.not.equal(0)
      allocator.setAllocationLimit(NO_LIMIT)
      for (const bytes of [2 ** 32 - 1, 2 ** 32 - 16, 2 ** 32 - 32, 0xf000_0001]) {
        expect(allocator.allocate(bytes)).to.equal(0)
      }
      allocator.free(small)
      allocator.free(kept)
      allocator.free(0)
      expect(allocator.allocatedBytes()).to.equal(0)
    })
  })

  describe('without memory', () => {
    /**
     * Tries an operation with more and more memory until it succeeds; before that it must fail with LIMIT. `after` runs after
     * each attempt, with all memory there is.
     */
    function starve(kernel: Kernel, operation: () => void, after: () => void = () => {}): number {
      const start = kernel.exports.allocatedBytes()
      let failures = 0
      for (let spare = 0; ; spare = Math.ceil(spare * 1.2) + 16) {
        kernel.exports.setAllocationLimit(start + spare)
        try {
          operation()
          return failures
        } catch (error) {
          if ((error as { code?: string }).code !== 'LIMIT') throw error
          failures++
        } finally {
          kernel.exports.setAllocationLimit(NO_LIMIT)
          after()
        }
      }
    }

    let kernel: Kernel
    let tables: MemoryTables
    let entries: Entry[]

    beforeEach(() => {
      const random = seededRandom(testSeed())
      kernel = createKernel()
      tables = new MemoryTables(kernel)
      const shape = { keys: randomKeys(random, 200), count: 1500, deletes: 0 }
      entries = randomEntries(random, shape)
    })

    it('a memtable is not made, and nothing is lost [KRN-14]', () => {
      const before = kernel.exports.allocatedBytes()
      const failures = starve(kernel, () => new Memtable(kernel, 10_000).free())
      expect(failures).to.be.greaterThan(4)
      expect(kernel.exports.allocatedBytes()).to.equal(before)
      expect(() => new Memtable(kernel, 2 ** 32 - 100))
        .to.throw()
        .that.includes({ code: 'LIMIT' })
    })

    it('an append, a reservation, a sort or a replay fails and leaves the memtable as it was [KRN-14]', () => {
      const memtable = tables.memtable([])
      memtable.free()
      const room = 200_000
      const filled = new Memtable(kernel, room)
      filled.bind(1, 5n, 0x0123_4567_89ab_cdefn, 1, 0)
      const view = new View(kernel, tables)
      view.set([filled], [])
      const at = kernel.scratch(64)
      let failures = 0
      for (let i = 0; i < 1500; i++) {
        const before = [filled.count, filled.tail]
        failures += starve(kernel, () => {
          expect([filled.count, filled.tail]).to.deep.equal(before)
          kernel.memory.bytes.writeUInt32LE(i, at)
          filled.append(PUT, at, 4, at, 0, i + 1, 0)
        })
      }
      filled.sealFrame(undefined, 0)
      expect(failures).to.be.greaterThan(20)
      expect(starve(kernel, () => filled.reserve(9000))).to.be.greaterThan(10)
      expect(starve(kernel, () => void filled.sortStep())).to.be.greaterThan(10)
      const { keys } = scanAll(kernel, tables, WHOLE)
      expect(keys.length).to.equal(1500)
      const bytes = filled.bytes(0, filled.tail).slice()
      const replays = starve(kernel, () => {
        const replayed = new Memtable(kernel, room)
        try {
          replayed.bind(1, 5n, 0x0123_4567_89ab_cdefn, 1, 0)
          replayed.load(bytes, 0)
          expect(replayed.replay(bytes.length).count).to.equal(1500)
        } finally {
          replayed.free()
        }
      })
      expect(replays).to.be.greaterThan(10)
    })

    it('a view stays what it was [KRN-14]', () => {
      const memtables = entries.slice(0, 60).map((entry) => tables.memtable([entry]))
      const view = new View(kernel, tables)
      view.set(memtables.slice(0, 1), [])
      const [first] = entries as [Entry]
      const failures = starve(
        kernel,
        () => view.set(memtables, []),
        () => expect(show(look(kernel, view, first.key, 1))).to.equal(show(first)),
      )
      expect(failures).to.be.greaterThan(2)
    })

    it('a lookup or a scan fails, and finds all of it afterwards [KRN-14]', () => {
      const [table] = tables.build(entries, { codec: 1 }) as [MemoryTable]
      const view = new View(kernel, tables)
      view.set([], [[], [table.handle]])
      const last = entries.at(-1)!
      kernel.scratch(1000)
      expect(starve(kernel, () => look(kernel, view, last.key, 9999))).to.be.greaterThan(5)
      expect(show(look(kernel, view, last.key, 9999))).to.equal(show(last))
      const whole = scanAll(kernel, tables, WHOLE)
      view.set([], [])
      tables.free(table)
      const again = tables.build(entries)[0]!
      view.set(
        [tables.memtable(entries.map((entry) => ({ ...entry, sequence: entry.sequence + 5000 })))],
        [[], [again.handle]],
      )
      for (const reverse of [false, true]) {
        const failures = starve(kernel, () => void scanAll(kernel, tables, { ...WHOLE, reverse }))
        expect(failures).to.be.greaterThan(reverse ? 0 : 10)
      }
      expect(scanAll(kernel, tables, WHOLE)).to.deep.equal(whole)
    })

    it('a table is not made known, and a job ends without a trace [KRN-14]', () => {
      const sorted = merge([entries])
      const [table] = tables.build(sorted, { codec: 1 }) as [MemoryTable]
      const memtable = tables.memtable(entries)
      while (memtable.sortStep());
      const snapshots = sorted.map(({ sequence }) => sequence).sort((left, right) => left - right)
      const run = (codec: number): Uint8Array => {
        tables.nextNumber = 500
        const setup = { memtables: [memtable], lists: [[table]], options: { snapshots }, codec }
        const [made] = tables.run(setup).tables as [MemoryTable]
        tables.free(made)
        return made.file
      }
      for (const codec of [0, 1]) {
        const wanted = run(codec)
        const start = kernel.exports.allocatedBytes()
        let file: Uint8Array | undefined
        const failures = starve(kernel, () => {
          file = run(codec)
        })
        expect(failures).to.be.greaterThan(10)
        expect(file).to.deep.equal(wanted)
        expect(kernel.exports.allocatedBytes()).to.be.at.most(start + 300_000)
      }
    })

    it('scratch and staging fail, and serve afterwards [KRN-14]', () => {
      expect(starve(kernel, () => void kernel.scratch(100_000))).to.be.greaterThan(10)
      expect(starve(kernel, () => void kernel.staging(100_000))).to.be.greaterThan(10)
      kernel.exports.setAllocationLimit(kernel.exports.allocatedBytes())
      expect(() => kernel.scratchKey('k'.repeat(200_000)))
        .to.throw()
        .that.includes({ code: 'LIMIT' })
      expect(() => kernel.scratch(2 ** 32 - 1))
        .to.throw()
        .that.includes({ code: 'LIMIT' })
      kernel.exports.setAllocationLimit(NO_LIMIT)
      const key = kernel.scratchKey('k'.repeat(200_000))
      expect(kernel.memory.copy(kernel.scratch(0), key)).to.deep.equal(bytesOf('k'.repeat(200_000)))
      const before = kernel.exports.allocatedBytes()
      kernel.releaseStaging()
      expect(kernel.exports.allocatedBytes()).to.be.lessThan(before - 100_000)
      kernel.memory.bytes.fill(1, kernel.staging(64), kernel.staging(64) + 64)
    })
  })
})
