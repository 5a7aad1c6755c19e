import { expect } from 'chai'
import type { File } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { ReadAhead, WINDOW_BYTES } from '../../src/table/read-ahead.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { writeFile } from '../support/job-files.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const FILE_BYTES = WINDOW_BYTES * 2 + 1000

describe('table/read-ahead', () => {
  let content: Uint8Array
  let files: File[]
  let calls: string[]
  let fault: string | undefined

  beforeEach(() => {
    content = seededRandom(testSeed()).bytes(FILE_BYTES)
    calls = []
    fault = undefined
    const memory = new MemoryFileSystem()
    const fs = faultFileSystem(memory, (call, path) => {
      if (call === 'read') calls.push(path)
      return call === 'read' ? fault : undefined
    })
    files = ['/a', '/b', '/c'].map((path, i) => {
      writeFile(
        memory,
        path,
        content.map((byte) => byte ^ i),
      )
      return fs.open(path, 'read')
    })
  })

  function expectRead(ahead: ReadAhead, i: number, position: number, length: number): void {
    const target = new Uint8Array(length)
    const wanted = content.slice(position, position + length).map((byte) => byte ^ i)
    expect(ahead.read(files[i]!, target, position)).to.equal(wanted.length)
    expect(target.subarray(0, wanted.length)).to.deep.equal(wanted)
  }

  it('reads what anyone asks for, wherever it lies', () => {
    const random = seededRandom(testSeed())
    const ahead = new ReadAhead(2)
    for (let n = 0; n < 300; n++) {
      const length = random.int(1, n % 10 === 0 ? 2 * WINDOW_BYTES : 5000)
      expectRead(ahead, random.int(0, 3), random.int(0, FILE_BYTES + 10), length)
    }
  })

  it('needs one call for all that lies in a window', () => {
    const ahead = new ReadAhead(2)
    for (let at = 0; at + 4000 <= WINDOW_BYTES; at += 4000) {
      expectRead(ahead, 0, at, 4000)
      expectRead(ahead, 1, at, 4000)
    }
    expect(calls.filter((path) => path === '/a')).to.have.length(1)
    expect(calls.filter((path) => path === '/b')).to.have.length(1)
  })

  it('takes the window used longest ago, and forgets files', () => {
    const ahead = new ReadAhead(2)
    for (const i of [0, 1, 2]) expectRead(ahead, i, 0, 10)
    calls = []
    expectRead(ahead, 1, 10, 10)
    expect(calls).to.deep.equal([])
    ahead.forget(files[1]!)
    expectRead(ahead, 1, 20, 10)
    expect(calls).to.have.length(1)
  })

  it('keeps nothing of a read that failed', () => {
    const ahead = new ReadAhead(1)
    expectRead(ahead, 0, 0, 10)
    fault = 'EIO'
    expect(() => ahead.read(files[0]!, new Uint8Array(10), WINDOW_BYTES)).to.throw('EIO')
    fault = undefined
    expectRead(ahead, 0, 5, 10)
    expectRead(ahead, 0, WINDOW_BYTES, 10)
  })
})
