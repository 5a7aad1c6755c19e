import { expect } from 'chai'
import { readFile } from '../../src/env/file-io.ts'
import type { FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { SegmentWriter } from '../../src/log/segment-writer.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { DELETE, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import {
  encodeChunks,
  encodeSegment,
  type Frame,
  segmentIdentity,
} from '../reference/log-segment.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import { bytesOf, look } from '../support/entries.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { BASE_TIMESTAMP, HEADER, viewOf } from '../support/memtables.ts'

const PATHS = { directory: '', log: '000007.log', values: '000007.val' }
const MIB = 1024 * 1024

function entry(n: number, kind: number = PUT): Entry {
  return {
    ...{ kind, key: bytesOf(`key ${n % 3}`), value: bytesOf(kind === PUT ? `value ${n}` : '') },
    ...{ sequence: HEADER.firstSequence + n, timestamp: BASE_TIMESTAMP + n },
  }
}

function frame(records: readonly Entry[], synced?: Frame['synced'], valueBytes = 0): Frame {
  return { records, synced, valueBytes }
}

describe('log/segment-writer', () => {
  let kernel: Kernel
  let memory: MemoryFileSystem
  let calls: string[]
  /** Fails calls that begin with it. */
  let failing: string | undefined

  before(loadChecksums)

  beforeEach(() => {
    kernel = createKernel()
    memory = new MemoryFileSystem()
    calls = []
    failing = undefined
  })

  function writer(charge = 4096): SegmentWriter {
    const fs: FileSystem = faultFileSystem(memory, (call, path) => {
      calls.push(`${call} ${path}`)
      return `${call} ${path}` === failing ? 'EIO' : undefined
    })
    return new SegmentWriter(kernel, fs, PATHS, HEADER, HASH_SEED, charge)
  }

  function append(to: SegmentWriter, ...entries: readonly Entry[]): void {
    for (const { kind, key, value, sequence, timestamp } of entries) {
      const at = kernel.scratch(key.length + value.length)
      kernel.memory.bytes.set(key, at)
      kernel.memory.bytes.set(value, at + key.length)
      const [valueAt, delta] = [at + key.length, timestamp - BASE_TIMESTAMP]
      to.memtable.append(kind, at, key.length, valueAt, value.length, sequence, delta)
    }
  }

  function logBytes(): Uint8Array {
    return readFile(memory, `/${PATHS.log}`)
  }

  it('writes each frame behind the one before, and a seal at the end [LOG-1, LOG-3, LOG-8]', () => {
    const segment = writer()
    const frames = [frame([entry(0), entry(1)]), frame([entry(3), entry(4, DELETE)], point(80))]
    append(segment, entry(0), entry(1))
    const first = segment.write(undefined)
    expect(logBytes()).to.deep.equal(encodeSegment(HEADER, frames.slice(0, 1)))
    expect(first).to.equal(segment.written).and.to.equal(logBytes().length)
    append(segment, entry(3), entry(4, DELETE))
    expect(segment.isWritten).to.equal(false)
    const second = segment.write(point(80))
    expect(logBytes()).to.deep.equal(encodeSegment(HEADER, frames))
    expect(first + second).to.equal(segment.written)
    expect(segment).to.include({ sealed: false, isWritten: true, pendingBytes: 0 })
    segment.seal(point(120))
    expect(logBytes()).to.deep.equal(encodeSegment(HEADER, [...frames, frame([], point(120))]))
    expect(segment.sealed).to.equal(true)
  })

  function point(offset: number): { distance: number; offset: number } {
    return { distance: 0, offset }
  }

  it('writes nothing, not even the header, before the first record', () => {
    const segment = writer()
    expect(segment.write(undefined)).to.equal(0)
    expect(logBytes()).to.have.length(0)
  })

  it('puts large values into a file of their own, made for the first of them [LOG-6]', () => {
    const segment = writer()
    expect(memory.list('/')).to.deep.equal([PATHS.log])
    const values = [new Uint8Array(65_536).fill(1), new Uint8Array(70_000).fill(2)]
    expect(segment.appendChunks(values[0]!)).to.equal(0)
    expect(segment.appendChunks(values[1]!)).to.equal(65_544)
    const identity = segmentIdentity(HEADER)
    const chunks = [
      encodeChunks(values[0]!, identity, 0),
      encodeChunks(values[1]!, identity, 65_544),
    ]
    expect(readFile(memory, `/${PATHS.values}`)).to.deep.equal(join(...chunks))
    expect(segment.valueBytes).to.equal(65_544 + 70_016)
    append(segment, entry(0))
    segment.write(undefined)
    expect(logBytes()).to.deep.equal(
      encodeSegment(HEADER, [frame([entry(0)], undefined, segment.valueBytes)]),
    )
  })

  it('uses the room of values that were taken back again', () => {
    const segment = writer()
    segment.appendChunks(new Uint8Array(65_536).fill(1))
    segment.cutValues(0)
    const value = new Uint8Array(70_000).fill(2)
    expect(segment.appendChunks(value)).to.equal(0)
    const chunks = encodeChunks(value, segment.identity, 0)
    expect(readFile(memory, `/${PATHS.values}`)).to.deep.equal(chunks)
  })

  it('cuts a frame that was half written off, and its values, and seals what is left [LOG-8, LOG-9]', () => {
    const segment = writer()
    segment.appendChunks(new Uint8Array(65_536))
    append(segment, entry(0))
    segment.write(undefined)
    const good = frame([entry(0)], undefined, 65_544)
    segment.appendChunks(new Uint8Array(65_536))
    append(segment, entry(1), entry(3))
    failing = `write /${PATHS.log}`
    expect(() => segment.write(undefined)).to.throw('EIO')
    expect(logBytes().length).to.be.greaterThan(segment.written)
    segment.fail()
    expect(logBytes()).to.deep.equal(encodeSegment(HEADER, [good]))
    expect(readFile(memory, `/${PATHS.values}`)).to.have.length(65_544)
    const view = viewOf(kernel, segment.memtable)
    expect(look(kernel, view, entry(0).key, 2 ** 53 - 1)?.sequence).to.equal(entry(0).sequence)
    expect(look(kernel, view, entry(1).key, 2 ** 53 - 1)).to.equal(undefined)
    failing = undefined
    segment.sealFailed(point(80))
    const seal = frame([], point(80), 65_544)
    expect(logBytes()).to.deep.equal(encodeSegment(HEADER, [good, seal]))
  })

  it('can try again to seal a segment that has failed [LOG-8, LOG-9]', () => {
    const segment = writer()
    append(segment, entry(0))
    segment.write(undefined)
    append(segment, entry(1))
    failing = `write /${PATHS.log}`
    expect(() => segment.write(undefined)).to.throw('EIO')
    segment.fail()
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(() => segment.sealFailed(undefined)).to.throw('EIO')
      expect(segment).to.include({ sealed: false, isWritten: true })
    }
    failing = undefined
    segment.sealFailed(undefined)
    expect(segment.sealed).to.equal(true)
    expect(logBytes()).to.deep.equal(encodeSegment(HEADER, [frame([entry(0)]), frame([])]))
  })

  it('syncs values before the frames that refer to them, then the directory, and each only once', () => {
    const segment = writer()
    segment.appendChunks(new Uint8Array(65_536))
    append(segment, entry(0))
    segment.write(undefined)
    calls.length = 0
    segment.sync()
    const log = `sync /${PATHS.log}`
    const write = `write /${PATHS.log}`
    expect(calls).to.deep.equal([write, `sync /${PATHS.values}`, log, 'syncDirectory '])
    expect(segment.synced).to.equal(segment.written)
    append(segment, entry(1))
    segment.write(undefined)
    expect(segment.isSynced).to.equal(false)
    calls.length = 0
    segment.sync()
    segment.sync()
    expect(calls).to.deep.equal([log])
    expect(segment.isSynced).to.equal(true)
  })

  it('claims nothing after a sync that failed, and does not try again [DUR-10]', async () => {
    for (const call of [`sync /${PATHS.values}`, `sync /${PATHS.log}`, 'syncDirectory ']) {
      memory = new MemoryFileSystem()
      const segment = writer()
      segment.appendChunks(new Uint8Array(65_536))
      append(segment, entry(0))
      segment.write(undefined)
      failing = call
      expect(() => segment.sync(), call).to.throw('EIO')
      expect(segment).to.include({ synced: 0, isSynced: false })
      failing = undefined
      calls.length = 0
      expect(() => segment.sync(), call).to.throw('EIO')
      expect(await segment.syncAsync().catch(String)).to.include('EIO')
      expect(segment).to.include({ synced: 0, isSynced: false })
      expect(calls).to.deep.equal([])
    }
  })

  it('counts as synced what was written when an asynchronous sync began, no more', async () => {
    const segment = writer()
    append(segment, entry(0))
    const written = segment.write(undefined)
    const syncing = segment.syncAsync()
    append(segment, entry(1))
    segment.write(undefined)
    await syncing
    expect(segment).to.include({ synced: written, isSynced: false })
  })

  it('writes again what a sync in flight may lose, before another sync counts for it [DUR-2, DUR-10]', async () => {
    const crashing = new CrashFileSystem()
    crashing.makeDirectory('store')
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const inner = faultFileSystem(crashing, () => undefined)
    const fs: FileSystem = {
      ...inner,
      open: (path, mode) => ({ ...inner.open(path, mode), syncAsync: () => released }),
    }
    const paths = { ...PATHS, directory: 'store' }
    const segment = new SegmentWriter(kernel, fs, paths, HEADER, HASH_SEED, 4096)
    segment.appendChunks(new Uint8Array(65_536).fill(7))
    append(segment, entry(0))
    segment.write(undefined)
    const syncing = segment.syncAsync()
    // What the sync in flight was to write is lost, and only it will hear of that.
    for (const name of [PATHS.log, PATHS.values]) crashing.lose(`store/${name}`)
    segment.sync()
    expect(segment.isSynced).to.equal(true)
    release()
    await syncing
    const image = crashing.image('lost')
    for (const name of [PATHS.log, PATHS.values]) {
      const path = `store/${name}`
      // Prepared space may be lost.
      const end = name === PATHS.log ? segment.written : undefined
      const found = readFile(image, path).slice(0, end)
      expect(found, name).to.deep.equal(readFile(crashing, path).slice(0, end))
    }
  })

  it('keeps its files open until a sync in flight has ended', async () => {
    const segment = writer()
    append(segment, entry(0))
    segment.write(undefined)
    calls.length = 0
    const syncing = segment.syncAsync()
    segment.close()
    segment.close()
    expect(calls).to.deep.equal([`write /${PATHS.log}`, `sync /${PATHS.log}`])
    await syncing
    expect(calls.at(-1)).to.equal(`close /${PATHS.log}`)
    calls.length = 0
    await segment.syncAsync()
    expect(calls).to.deep.equal([])
  })

  it('gives the arena back when its file cannot be made', () => {
    const before = kernel.bytes
    failing = `open create /${PATHS.log}`
    for (let attempt = 0; attempt < 20; attempt++) expect(() => writer(2 * MIB)).to.throw('EIO')
    expect(kernel.bytes - before).to.be.lessThan(6 * MIB)
  })
})
