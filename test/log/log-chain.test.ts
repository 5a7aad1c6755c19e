import { expect } from 'chai'
import { readFile } from '../../src/env/file-io.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { LogChain } from '../../src/log/log-chain.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { logFileName, valueFileName } from '../../src/version/file-names.ts'
import { decodeHeader, decodeSegment, type PlacedFrame } from '../reference/log-segment.ts'
import { bytesOf } from '../support/entries.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { STORE_ID } from '../support/memory-tables.ts'
import { BASE_TIMESTAMP, newMemtable } from '../support/memtables.ts'

const CAPACITY = 4096
const SPAN = 2 ** 31 - 1

describe('log/log-chain', () => {
  let kernel: Kernel
  let memory: MemoryFileSystem
  let chain: LogChain
  let calls: string[]
  let failing: string | undefined
  let sequence: number

  before(loadChecksums)

  beforeEach(() => {
    kernel = createKernel()
    memory = new MemoryFileSystem()
    calls = []
    failing = undefined
    sequence = 100
    const fs = faultFileSystem(memory, (call, path) => {
      calls.push(`${call} ${path}`)
      return `${call} ${path}` === failing ? 'ENOSPC' : undefined
    })
    chain = new LogChain(kernel, fs, {
      ...{ directory: '', storeId: STORE_ID, hashSeed: HASH_SEED, epoch: 3 },
      ...{ logName: logFileName, valueName: valueFileName },
    })
  })

  function begin(number: number): void {
    chain.begin(number, sequence, BASE_TIMESTAMP, CAPACITY)
  }

  /** Appends one record and writes it; returns the bytes of its frame, and of the header before the first. */
  function put(): number {
    const key = bytesOf('key')
    const at = kernel.scratch(key.length)
    kernel.memory.bytes.set(key, at)
    chain.open!.memtable.append(2, at, key.length, at, 0, sequence++, 0)
    return chain.write()
  }

  function framesOf(number: number): readonly PlacedFrame[] {
    const bytes = readFile(memory, `/${logFileName(number)}`)
    return decodeSegment(bytes, decodeHeader(bytes)).frames
  }

  function syncsOf(action: () => void): string[] {
    calls.length = 0
    action()
    return calls.filter((call) => call.startsWith('sync '))
  }

  it('opens segments that name the one before, after sealing it [LOG-1, LOG-8]', () => {
    begin(4)
    put()
    chain.seal()
    expect(chain.open).to.equal(undefined)
    begin(9)
    put()
    expect(chain.segments.map(({ number }) => number)).to.deep.equal([4, 9])
    const headers = [4, 9].map((n) => decodeHeader(readFile(memory, `/${logFileName(n)}`)))
    expect(headers[0]).to.include({ number: 4, previous: 0, firstSequence: 100, epoch: 3 })
    expect(headers[1]).to.include({ number: 9, previous: 4, firstSequence: 101, epoch: 3 })
    expect(framesOf(4).map(({ seal }) => seal)).to.deep.equal([false, true])
    expect(framesOf(9).map(({ seal }) => seal)).to.deep.equal([false])
  })

  it('takes as much as the open segment has room for, and times near its own', () => {
    expect(chain.fits(0, BASE_TIMESTAMP)).to.equal(false)
    begin(1)
    chain.open!.charge += CAPACITY - 100
    expect(chain.fits(100, BASE_TIMESTAMP)).to.equal(true)
    expect(chain.fits(101, BASE_TIMESTAMP)).to.equal(false)
    for (const sign of [-1, 1]) {
      expect(chain.fits(1, BASE_TIMESTAMP + sign * SPAN)).to.equal(true)
      expect(chain.fits(1, BASE_TIMESTAMP + sign * (SPAN + 1))).to.equal(false)
    }
    expect(chain.timestampDelta(BASE_TIMESTAMP - 5)).to.equal(-5)
    chain.seal()
    expect(chain.fits(1, BASE_TIMESTAMP)).to.equal(false)
  })

  it('begins a segment where the clock jumps, but not at every jump [LOG-12]', () => {
    const far = BASE_TIMESTAMP + 10 * SPAN
    begin(1)
    expect(chain.fits(100, far)).to.equal(false)
    put()
    chain.seal()
    chain.begin(2, sequence, far, CAPACITY)
    expect(chain.fits(100, BASE_TIMESTAMP)).to.equal(true)
    expect(chain.timestampDelta(BASE_TIMESTAMP)).to.equal(-SPAN)
    expect(chain.timestampDelta(far + 10 * SPAN)).to.equal(SPAN)
    chain.open!.charge = CAPACITY / 4
    expect(chain.fits(100, BASE_TIMESTAMP)).to.equal(false)
    expect(chain.fits(100, far + SPAN)).to.equal(true)
    put()
    chain.seal()
    // What follows without a jump may be ended by the next one at once.
    chain.begin(3, sequence, far + 5, CAPACITY)
    expect(chain.fits(100, BASE_TIMESTAMP)).to.equal(false)
  })

  it('counts what it writes, and writes nothing when nothing is pending', () => {
    expect(chain.write()).to.equal(0)
    begin(1)
    const bytes = put()
    expect(bytes).to.equal(readFile(memory, `/${logFileName(1)}`).length)
    expect(chain.write()).to.equal(0)
    expect(chain).to.include({ bytesWritten: bytes, pendingBytes: 0 })
    chain.seal()
    expect(chain.bytesWritten).to.equal(readFile(memory, `/${logFileName(1)}`).length)
  })

  it('states in each frame how far the log is known to be on disk [LOG-10]', () => {
    begin(1)
    const first = put()
    chain.sync()
    put()
    const stated = framesOf(1).map(({ synced }) => synced)
    expect(stated).to.deep.equal([undefined, { distance: 0, offset: first }])
    chain.seal()
    begin(3)
    put()
    expect(framesOf(3)[0]!.synced).to.deep.equal({ distance: 2, offset: first })
    chain.sync()
    put()
    expect(framesOf(3)[1]!.synced).to.include({ distance: 0 })
  })

  it('states nothing of a segment behind one that is not wholly on disk [LOG-10]', () => {
    begin(1)
    put()
    chain.seal()
    begin(2)
    put()
    chain.open!.writer!.sync()
    expect(chain.syncedPoint(2)).to.equal(undefined)
    chain.segments[0]!.writer!.sync()
    expect(chain.syncedPoint(2)).to.deep.equal({ distance: 0, offset: chain.open!.length })
  })

  it('begins behind a recovered segment, all of which counts as synced [LOG-1, LOG-10]', () => {
    const memtable = newMemtable(kernel, CAPACITY)
    const lengths = { length: 500, valueBytes: 0, lastSequence: 99 }
    chain.adopt({ number: 7, identity: 1n, memtable, ...lengths })
    expect(chain.open).to.equal(undefined)
    begin(8)
    put()
    expect(decodeHeader(readFile(memory, `/${logFileName(8)}`)).previous).to.equal(7)
    expect(framesOf(8)[0]!.synced).to.deep.equal({ distance: 1, offset: 500 })
    expect(syncsOf(() => chain.sync())).to.deep.equal([`sync /${logFileName(8)}`])
  })

  it('syncs the oldest segment first, and none that is synced', async () => {
    for (const number of [1, 2]) {
      begin(number)
      put()
      chain.seal()
    }
    const both = [`sync /${logFileName(1)}`, `sync /${logFileName(2)}`]
    expect(syncsOf(() => chain.sync())).to.deep.equal(both)
    expect(syncsOf(() => chain.sync())).to.deep.equal([])
    begin(3)
    put()
    calls.length = 0
    await chain.syncAsync()
    const syncs = calls.filter((call) => call.startsWith('sync'))
    expect(syncs).to.deep.equal([`sync /${logFileName(3)}`, 'syncDirectory '])
  })

  it('goes on in a new segment after a failed write, once the old one is sealed [LOG-8, LOG-9]', () => {
    begin(1)
    const good = put()
    failing = `write /${logFileName(1)}`
    expect(put).to.throw('ENOSPC')
    chain.fail()
    expect(chain.open).to.equal(undefined)
    expect(readFile(memory, `/${logFileName(1)}`)).to.have.length(good)
    expect(() => begin(2)).to.throw('ENOSPC')
    expect(memory.status(`/${logFileName(2)}`)).to.equal(undefined)
    expect(chain.segments).to.have.length(1)
    failing = undefined
    begin(2)
    put()
    expect(framesOf(1).map(({ seal }) => seal)).to.deep.equal([false, true])
    expect(framesOf(2)).to.have.length(1)
    chain.finishFailed()
    expect(framesOf(1)).to.have.length(2)
  })

  it('leaves a segment unsealed until its prepared space is cut off [LOG-8, LOG-15]', () => {
    const size = (): number => readFile(memory, `/${logFileName(1)}`).length
    begin(1)
    const good = put()
    chain.sync()
    const prepared = size()
    expect(prepared).to.be.greaterThan(good)
    failing = `truncate /${logFileName(1)}`
    expect(() => chain.seal()).to.throw('ENOSPC')
    expect(() => chain.fail()).to.throw('ENOSPC')
    expect(() => begin(2)).to.throw('ENOSPC')
    expect([size(), framesOf(1).length]).to.deep.equal([prepared, 1])
    failing = undefined
    begin(2)
    expect(framesOf(1).map(({ seal }) => seal)).to.deep.equal([false, true])
    expect(size()).to.equal(good + 32)
  })

  it('prepares no more than a segment can take, and leaves none of it behind [LOG-14, LOG-15]', () => {
    const size = (): number => readFile(memory, `/${logFileName(1)}`).length
    begin(1)
    while (chain.fits(59, BASE_TIMESTAMP)) {
      put()
      chain.open!.charge += 59
      chain.sync()
      expect(size()).to.be.within(chain.open!.length, 80 + CAPACITY + 32)
    }
    chain.seal()
    expect(chain.segments.map(({ length }) => length)).to.deep.equal([size()])
    expect(framesOf(1).at(-1)?.end).to.equal(size())
  })

  it('waits no more for a failed segment that has become a table', () => {
    begin(1)
    put()
    failing = `write /${logFileName(1)}`
    expect(put).to.throw('ENOSPC')
    chain.fail()
    const [segment] = chain.segments
    chain.forget(segment!)
    expect(chain.segments).to.deep.equal([])
    begin(2)
    expect(chain.open?.number).to.equal(2)
    expect(calls).not.to.include(`close /${logFileName(1)}`)
    chain.dispose(segment!)
    expect(calls.at(-1)).to.equal(`close /${logFileName(1)}`)
  })

  it('gives the memory of disposed segments back', () => {
    const before = kernel.bytes
    for (let number = 1; number <= 20; number++) {
      chain.begin(number, sequence, BASE_TIMESTAMP, 1024 * 1024)
      const segment = chain.open!
      chain.seal()
      chain.forget(segment)
      chain.dispose(segment)
    }
    expect(kernel.bytes - before).to.be.lessThan(4 * 1024 * 1024)
  })

  it('leaves no file of a probe for space, whether there is some or not', () => {
    chain.probe('000005.tmp')
    expect(calls).to.include('write /000005.tmp')
    expect(memory.list('/')).to.deep.equal([])
    failing = 'write /000005.tmp'
    expect(() => chain.probe('000005.tmp')).to.throw('ENOSPC')
    expect(memory.list('/')).to.deep.equal([])
  })

  it('closes the files of all segments that were written here', () => {
    begin(1)
    chain.seal()
    begin(2)
    calls.length = 0
    chain.close()
    expect(calls).to.deep.equal([`close /${logFileName(1)}`, `close /${logFileName(2)}`])
  })
})
