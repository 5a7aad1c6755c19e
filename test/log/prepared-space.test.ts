import { expect } from 'chai'
import { readFile, writeFully } from '../../src/env/file-io.ts'
import type { File } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { PreparedSpace } from '../../src/log/prepared-space.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'

const KIB = 1024

describe('log/prepared-space', () => {
  let memory: MemoryFileSystem
  let file: File
  /** Fails this call. */
  let failing: string | undefined

  beforeEach(() => {
    memory = new MemoryFileSystem()
    failing = undefined
    const fs = faultFileSystem(memory, (call) => (call === failing ? 'ENOSPC' : undefined))
    file = fs.open('/log', 'create')
  })

  function frames(from: number, to: number): void {
    writeFully(file, new Uint8Array(to - from).fill(7), from)
  }

  function size(): number {
    return readFile(memory, '/log').length
  }

  it('is as much as there is, from 16 to 256 KiB, once what there was is used up [LOG-14]', () => {
    const space = new PreparedSpace(file, 2 ** 30)
    const steps: number[] = []
    let before = 0
    for (let written = 1000; written < 1024 * KIB; written += 1000) {
      frames(written - 1000, written)
      space.prepare(written, written - 1000)
      if (size() !== before) steps.push(size() - written)
      before = size()
      const expected = Buffer.alloc(before)
      expect(expected.fill(7, 0, written).equals(readFile(memory, '/log'))).to.equal(true)
    }
    expect(steps[0]).to.be.within(16 * KIB, 20 * KIB)
    expect(steps.at(-1)).to.be.within(256 * KIB, 260 * KIB)
    expect(steps.length).to.be.lessThan(10)
  })

  it('is not prepared for what is long or was synced, nor beyond the limit [LOG-14]', () => {
    const space = new PreparedSpace(file, 50_000)
    frames(0, 40_000)
    space.prepare(40_000, 0)
    space.prepare(40_000, 40_000)
    expect(size()).to.equal(40_000)
    space.prepare(40_000, 39_000)
    expect(size()).to.equal(50_000)
    space.prepare(50_000, 49_000)
    expect(size()).to.equal(50_000)
  })

  it('is cut off, and prepared no more then [LOG-15]', () => {
    const space = new PreparedSpace(file, 2 ** 30)
    frames(0, 1000)
    space.prepare(1000, 0)
    space.cut(1000)
    expect(size()).to.equal(1000)
    space.prepare(1000, 0)
    expect(size()).to.equal(1000)
  })

  it('is done without where there is no space, and takes none of what is left [LOG-15]', () => {
    const space = new PreparedSpace(file, 2 ** 30)
    frames(0, 1000)
    failing = 'write'
    space.prepare(1000, 0)
    expect(size()).to.equal(1000)
    failing = undefined
    space.prepare(1000, 0)
    expect(size()).to.equal(1000)
  })

  it('tries again at the seal to give back what it could not [LOG-15]', () => {
    let refused = 0
    const fs = faultFileSystem(memory, (call) => {
      if (call !== 'write' && call !== 'truncate') return undefined
      return refused++ < 2 ? 'EIO' : undefined
    })
    const log = fs.open('/other', 'create')
    const space = new PreparedSpace(log, 2 ** 30)
    space.prepare(1000, 0)
    expect(readFile(memory, '/other').length).to.be.greaterThan(1000)
    space.cut(1000)
    expect(readFile(memory, '/other').length).to.equal(1000)
  })
})
