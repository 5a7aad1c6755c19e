import { expect } from 'chai'
import { defaultCacheSize, type OpenOptions, resolveOptions } from '../../src/engine/options.ts'
import type { FileSystem } from '../../src/env/file-system.ts'
import { projectText } from '../support/project.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

function resolve(options: object): ReturnType<typeof resolveOptions> {
  return resolveOptions(options as OpenOptions, () => undefined)
}

function fakeFileSystem(): FileSystem {
  const methods = ['open', 'makeDirectory', 'list', 'status', 'rename', 'remove']
  const others = ['removeDirectory', 'syncDirectory', 'lock', 'lockHolder']
  return Object.fromEntries([...methods, ...others].map((name) => [name, () => {}])) as never
}

describe('engine/options', () => {
  it('has the documented defaults [OPT-1]', () => {
    expect(resolveOptions(undefined, () => 2 * GIB)).to.deep.equal({
      createIfMissing: true,
      errorIfExists: false,
      readOnly: false,
      durability: 'process',
      memtableSize: 64 * MIB,
      cacheSize: 256 * MIB,
      compression: 'lz4',
      bloomBitsPerKey: 10,
      maxLevels: 7,
      recovery: 'tail',
      workers: 1,
      onEvent: undefined,
      fs: undefined,
      clock: undefined,
      random: undefined,
    })
  })

  it('asks how much memory there is only for what is not given [OPT-1]', () => {
    const never = (): never => {
      throw new Error('it is asked')
    }
    expect(resolveOptions({ cacheSize: 2 * MIB }, never).cacheSize).to.equal(2 * MIB)
    expect(resolveOptions({ preset: 'edge' }, never).cacheSize).to.equal(4 * MIB)
    expect(() => resolveOptions({ memtableSize: 2 * MIB }, never)).to.throw('it is asked')
  })

  it('takes every option that the specification lists, and no other [OPT-1, OPT-2]', () => {
    const table = projectText('docs/spec.md').split('**OPT-1.**')[1]!.split('**OPT-2.**')[0]!
    const rows = [...table.matchAll(/^\| (`.*?`) \|/gm)].map((row) => row[1]!)
    const names = rows.flatMap((row) => row.split(', ')).map((name) => name.replaceAll('`', ''))
    expect(names).to.have.length(18)
    for (const name of names) expect(() => resolve({ [name]: undefined }), name).not.to.throw()
  })

  it('passes on what is given [OPT-1]', () => {
    const onEvent = (): void => {}
    const given = {
      createIfMissing: false,
      durability: 'disk',
      memtableSize: 64 * 1024,
      cacheSize: 2 * GIB,
      compression: 'zstd',
      bloomBitsPerKey: 0,
      maxLevels: 12,
      recovery: 'pointInTime',
      workers: 0,
      onEvent,
    }
    expect(resolve(given)).to.include(given)
    expect(
      resolve({ memtableSize: GIB, cacheSize: MIB, bloomBitsPerKey: 32, maxLevels: 2 }),
    ).to.include({ memtableSize: GIB, cacheSize: MIB, bloomBitsPerKey: 32, maxLevels: 2 })
  })

  it('refuses bad values and wrong types, naming the option [OPT-1, ERR-2]', () => {
    const bad: [string, unknown[]][] = [
      ['durability', ['os', '']],
      ['memtableSize', [64 * 1024 - 1, GIB + 1, 1.5e6 + 0.5, Number.NaN, -1]],
      ['cacheSize', [MIB - 1, 2 * GIB + 1, 0]],
      ['compression', ['snappy']],
      ['bloomBitsPerKey', [-1, 33, 9.5]],
      ['maxLevels', [1, 13]],
      ['recovery', ['none']],
      ['workers', [2, -1]],
      ['preset', ['tiny']],
    ]
    for (const [name, values] of bad) {
      for (const value of values) {
        expect(() => resolve({ [name]: value })).to.throw(RangeError, new RegExp(name))
      }
      expect(() => resolve({ [name]: {} })).to.throw(TypeError, new RegExp(name))
    }
    const typed = ['createIfMissing', 'errorIfExists', 'readOnly', 'onEvent', 'clock', 'random']
    for (const name of typed) {
      expect(() => resolve({ [name]: 'yes' })).to.throw(TypeError, new RegExp(name))
    }
    for (const wrong of [null, 'x', 1, []])
      expect(() => resolve(wrong as never)).to.throw(TypeError)
  })

  it('refuses names that it does not know [OPT-2]', () => {
    expect(() => resolve({ memTableSize: MIB })).to.throw(RangeError, /'memTableSize'/)
    expect(() => resolve({ sync: undefined })).to.throw(RangeError, /'sync'/)
    expect(() => resolve(JSON.parse('{"__proto__": {}}'))).to.throw(RangeError, /__proto__/)
  })

  it('sees own properties only [OPT-3]', () => {
    const inherited = Object.create({ durability: 'disk', bogus: 1 })
    expect(resolve(inherited).durability).to.equal('process')
    Object.defineProperty(Object.prototype, 'readOnly', { value: true, configurable: true })
    try {
      expect(resolve({}).readOnly).to.equal(false)
      expect(resolveOptions(undefined, () => undefined).readOnly).to.equal(false)
    } finally {
      Reflect.deleteProperty(Object.prototype, 'readOnly')
    }
  })

  it('refuses options that contradict each other [OPT-4]', () => {
    expect(() => resolve({ readOnly: true, createIfMissing: true })).to.throw(RangeError)
    expect(() => resolve({ readOnly: true, errorIfExists: true })).to.throw(RangeError)
    expect(() => resolve({ createIfMissing: false, errorIfExists: true })).to.throw(RangeError)
    const injected = [{ fs: fakeFileSystem() }, { clock: () => 0 }, { random: () => 0 }]
    for (const one of injected) {
      expect(() => resolve({ ...one, workers: 1 })).to.throw(RangeError, /workers/)
      expect(resolve(one).workers).to.equal(0)
      expect(resolve({ ...one, workers: 0 }).workers).to.equal(0)
    }
  })

  it('creates nothing where nothing may be written [OPT-1]', () => {
    expect(resolve({ readOnly: true })).to.include({ readOnly: true, createIfMissing: false })
  })

  it('has a preset for small memory, which given sizes override [OPT-5]', () => {
    expect(resolve({ preset: 'edge' })).to.include({
      ...{ memtableSize: 4 * MIB, cacheSize: 4 * MIB, workers: 0 },
    })
    expect(resolve({ preset: 'edge', workers: 1 }).workers).to.equal(1)
    expect(resolve({}).workers).to.equal(1)
    expect(resolve({ preset: 'edge', cacheSize: MIB })).to.include({
      memtableSize: 4 * MIB,
      cacheSize: MIB,
    })
  })

  it('sizes the cache by memory [OPT-6]', () => {
    expect(defaultCacheSize(undefined)).to.equal(16 * MIB)
    expect(defaultCacheSize(Number.NaN)).to.equal(16 * MIB)
    expect(defaultCacheSize(32 * MIB)).to.equal(16 * MIB)
    expect(defaultCacheSize(130 * MIB + 5)).to.equal(32 * MIB)
    expect(defaultCacheSize(512 * MIB)).to.equal(128 * MIB)
    expect(defaultCacheSize(64 * GIB)).to.equal(256 * MIB)
  })

  it('refuses a file system that lacks a method [ERR-2]', () => {
    const fs = fakeFileSystem()
    expect(resolve({ fs }).fs).to.equal(fs)
    const { lock: _, ...partial } = fs
    expect(() => resolve({ fs: partial })).to.throw(TypeError, /^fs .* lock$/)
    expect(() => resolve({ fs: 'disk' })).to.throw(TypeError, /^fs /)
  })
})
