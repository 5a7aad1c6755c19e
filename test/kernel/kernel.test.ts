import { instantiateSync } from '@assemblyscript/loader'
import { expect } from 'chai'
import { SedgeError } from '../../src/errors.ts'
import type { Address, KernelExports } from '../../src/kernel/exports.ts'
import * as door from '../../src/kernel/kernel.ts'
import { Memtable } from '../../src/kernel/memtable.ts'
import { View } from '../../src/kernel/view.ts'
import { xxh64 } from '../reference/xxh64.ts'
import { bytesOf, NO_TABLES } from '../support/entries.ts'
import { createKernel, HASH_SEED, KERNEL_TARGET, kernelBinary } from '../support/kernel.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { wasmSignatures } from '../support/wasm-signatures.ts'

/** An address at which there is no memory. */
const NOWHERE = 0xffff_fff0 as Address

/** A module that exports nothing but an ABI version. */
function moduleOfVersion(version: number): WebAssembly.Module {
  const name = [...bytesOf('ABI_VERSION')]
  return new WebAssembly.Module(
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...[6, 6, 1, 0x7f, 0, 0x41, version, 0x0b],
      ...[7, name.length + 4, 1, name.length, ...name, 3, 0],
    ]),
  )
}

/** The door as a process sees it that has not used it yet. */
async function freshDoor(name: string): Promise<typeof door> {
  const url = new URL('../../src/kernel/kernel.js', import.meta.url)
  url.searchParams.set('fresh', name)
  return import(url.href)
}

function thrownBy(call: () => unknown): SedgeError {
  try {
    call()
  } catch (error) {
    if (error instanceof SedgeError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('kernel/kernel', () => {
  describe('module', () => {
    it('imports nothing when it is released, and `abort` when it is checked [KRN-1]', () => {
      const imports = (['release', 'checked'] as const).map((target) =>
        WebAssembly.Module.imports(new WebAssembly.Module(kernelBinary(target))).map(
          ({ module, name }) => `${module}.${name}`,
        ),
      )
      expect(imports).to.deep.equal([[], ['env.abort']])
    })

    it('takes and returns 32-bit integers and 64-bit floats [KRN-2]', () => {
      for (const target of ['release', 'checked'] as const) {
        const signatures = wasmSignatures(kernelBinary(target))
        expect(signatures.size).to.be.greaterThan(50)
        expect(signatures.get('jobDropped')).to.deep.equal(['f64'])
        expect(signatures.get('hash64')).to.deep.equal(['i32', 'i32', 'i32', 'i32'])
        const types = new Set([...signatures.values()].flat())
        expect([...types].sort()).to.deep.equal(['f64', 'i32'])
      }
    })

    it('loads by the loader of its compiler, released and checked [KRN-1]', () => {
      for (const target of ['release', 'checked'] as const) {
        const { exports } = instantiateSync(kernelBinary(target), {})
        const kernel = exports as unknown as KernelExports
        expect(kernel.ABI_VERSION.value).to.equal(1)
        expect(kernel.blockCacheCreate(1000)).to.equal(0)
        const memtable = kernel.memtableCreate(1000)
        expect(kernel.memtableTail(memtable)).to.equal(80)
      }
    })

    it('says in words, by that loader, which assertion of the checked kernel failed, and where [KRN-1]', () => {
      const { exports } = instantiateSync(kernelBinary('checked'), {})
      const kernel = exports as unknown as KernelExports
      const memtable = kernel.memtableCreate(1000)
      const at = kernel.scratchReserve(16)
      kernel.memtableAppend(memtable, 1, at, 1, at, 0, 0, 0)
      const seal = (): unknown => kernel.memtableSealSegment(memtable, 0, 0, 0)
      expect(seal).to.throw(/a frame is open at assembly\/memtable\.ts:\d+:\d+/)
    })

    it('is compiled once a process, at the first use [KRN-15]', async () => {
      const { Module } = WebAssembly
      let compiled = 0
      WebAssembly.Module = class extends Module {
        constructor(bytes: Uint8Array<ArrayBuffer>) {
          super(bytes)
          compiled++
        }
      }
      try {
        const { Kernel, kernelModule } = await freshDoor('compile')
        expect(compiled).to.equal(0)
        Kernel.create(1000, 1n)
        Kernel.create(1000, 2n)
        expect(kernelModule()).to.equal(kernelModule())
        expect(compiled).to.equal(1)
      } finally {
        WebAssembly.Module = Module
      }
    })

    it('may be adopted from elsewhere, if it is of the right version [KRN-15]', async () => {
      const { adoptKernelModule, Kernel, kernelModule } = await freshDoor('adopt')
      const module = new WebAssembly.Module(kernelBinary('release'))
      adoptKernelModule(module)
      expect(kernelModule()).to.equal(module)
      Kernel.create(1000, 1n)
      adoptKernelModule(moduleOfVersion(2))
      const wrong = thrownBy(() => Kernel.create(1000, 1n))
      expect(wrong).to.include({ code: 'UNSUPPORTED', expected: 1, actual: 2 })
    })

    it('that cannot be had makes the store unsupported: G6 [KRN-15]', async () => {
      const { Kernel } = await freshDoor('without')
      const { WebAssembly: known } = globalThis
      const { Module } = known
      try {
        Object.assign(globalThis, { WebAssembly: undefined })
        expect(thrownBy(() => Kernel.create(1000, 1n)).code).to.equal('UNSUPPORTED')
        Object.assign(globalThis, { WebAssembly: known })
        known.Module = class {
          constructor() {
            throw new RangeError('no memory for code')
          }
        } as unknown as typeof Module
        const refused = thrownBy(() => Kernel.create(1000, 1n))
        expect(refused.code).to.equal('UNSUPPORTED')
        expect(refused.cause).to.be.an.instanceOf(RangeError)
      } finally {
        known.Module = Module
        Object.assign(globalThis, { WebAssembly: known })
      }
      expect(Kernel.create(1000, 1n).trapped).to.equal(false)
    })
  })

  describe('trap', () => {
    it('marks the kernel: every later call throws FAILED, and no other kernel notices [KRN-5]', () => {
      const [kernel, other] = [createKernel(), createKernel()]
      const memtable = new Memtable(kernel, 1000)
      expect(kernel.trapped).to.equal(false)
      const first = thrownBy(() => kernel.exports.memtableTail(NOWHERE))
      expect(first.code).to.equal('FAILED')
      expect(first.cause).to.be.an.instanceOf(WebAssembly.RuntimeError)
      expect(kernel.trapped).to.equal(true)
      const later = thrownBy(() => memtable.tail)
      expect([later.code, later.cause]).to.deep.equal(['FAILED', first.cause])
      expect(thrownBy(() => new Memtable(kernel, 1000)).code).to.equal('FAILED')
      expect(other.trapped).to.equal(false)
      expect(new Memtable(other, 1000).tail).to.equal(80)
    })

    if (KERNEL_TARGET === 'checked') {
      it('by an assertion says where it stands [KRN-1, KRN-5]', () => {
        const kernel = createKernel()
        const memtable = new Memtable(kernel, 1000)
        memtable.append(1, kernel.scratch(8), 1, kernel.scratch(8), 0, 0, 0)
        const failed = thrownBy(() => memtable.sealSegment(undefined, 0))
        expect(failed.code).to.equal('FAILED')
        expect((failed.cause as Error).message).to.match(
          /assembly\/memtable\.ts:\d+:\d+: a frame is open/,
        )
      })
    }

    it('is what a status that nobody expects is taken for [KRN-5]', () => {
      const kernel = createKernel()
      expect(thrownBy(() => kernel.must(99)).code).to.equal('FAILED')
      expect(thrownBy(() => kernel.must(5)).code).to.equal('LIMIT')
      kernel.must(0)
    })
  })

  it('is small, and two hundred of them work side by side [KRN-17]', () => {
    const kernels = Array.from({ length: 200 }, (_, i) => createKernel(1 << 20, BigInt(i)))
    const views = kernels.map((kernel, i) => {
      const memtable = new Memtable(kernel, 4096)
      memtable.bind(1, 1n, BigInt(i), i, 0)
      const key = kernel.scratchKey(`key ${i}`, 40)
      const value = kernel.scratchValue(`value ${i}`, key)
      const at = kernel.scratch(0)
      memtable.append(1, at, key, at + key, value, i, 0)
      const view = new View(kernel, NO_TABLES)
      view.set([memtable], [])
      return view
    })
    for (const [i, kernel] of kernels.entries()) {
      expect(kernel.bytes).to.be.lessThan(1 << 20)
      const found = views[i]!.find(kernel.scratchKey('key 17'), 1000)
      expect(found).to.equal(i === 17)
      if (found) {
        expect(kernel.take(views[i]!.foundAt, views[i]!.foundBytes, 'utf8')).to.equal('value 17')
      }
    }
  })

  it('takes results out as strings, bytes and buffers, each a copy [KRN-6]', () => {
    const kernel = createKernel()
    const length = kernel.scratchKey('höre')
    const at = kernel.scratch(0)
    expect(kernel.take(at, length, 'utf8')).to.equal('höre')
    const [binary, buffer] = (['binary', 'buffer'] as const).map((form) => {
      return kernel.take(at, length, form) as Uint8Array
    })
    kernel.memory.bytes.fill(0, at, at + length)
    expect(Buffer.isBuffer(binary)).to.equal(false)
    expect(Buffer.isBuffer(buffer)).to.equal(true)
    expect(Buffer.from(binary!).toString()).to.equal('höre')
    expect(buffer!.toString()).to.equal('höre')
  })

  it('asks the one who made it to protect what results share [KRN-6]', () => {
    createKernel()
    const slabs: ArrayBuffer[] = []
    const kernel = door.Kernel.create(1000, 1n, (slab) => slabs.push(slab))
    const [first, second] = [0, 1].map(() => kernel.take(kernel.scratch(16), 10, 'binary'))
    expect(slabs).to.deep.equal([(first as Uint8Array).buffer])
    expect((second as Uint8Array).buffer).to.equal(slabs[0])
  })

  it('hashes by XXH64, with seeds of 64 bits as two halves [KRN-2]', () => {
    const random = seededRandom(testSeed())
    const kernel = createKernel()
    for (const seed of [0n, 1n, HASH_SEED, 2n ** 64n - 1n]) {
      const bytes = random.bytes(random.int(100))
      const at = kernel.scratch(bytes.length + 1)
      kernel.memory.bytes.set(bytes, at)
      kernel.exports.hash64(at, bytes.length, ...door.halves(seed))
      const [low, high] = kernel.memory.results.slice(10, 12)
      expect((BigInt(high!) << 32n) | BigInt(low!)).to.equal(xxh64(bytes, seed))
    }
  })
})
