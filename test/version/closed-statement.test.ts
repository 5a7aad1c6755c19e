import { expect } from 'chai'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { SedgeError } from '../../src/errors.ts'
import { concat } from '../../src/util/bytes.ts'
import { hash64, loadChecksums } from '../../src/util/checksum.ts'
import {
  type ClosedStatement,
  decodeClosed,
  encodeClosed,
  readClosed,
  removeClosed,
  writeClosed,
} from '../../src/version/closed-statement.ts'
import { Manifest } from '../../src/version/manifest.ts'
import { checksumBytes } from '../../src/version/manifest-format.ts'
import type { Recovered } from '../../src/version/manifest-recovery.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const STATEMENT: ClosedStatement = {
  storeId: new Uint8Array(16).fill(7),
  epoch: 3,
  manifestNumber: 12,
  manifestLength: 4096,
  segments: [
    { number: 10, logLength: 80, valueLength: 0 },
    { number: 11, logLength: 5000, valueLength: 2 ** 40 },
  ],
}
const OPTIONS = { storeId: STATEMENT.storeId, hashSeed: 1n, maxLevels: 7 }

describe('version/closed-statement', () => {
  before(loadChecksums)

  it('gives back what was stated [MAN-19]', () => {
    expect(decodeClosed(encodeClosed(STATEMENT))).to.deep.equal(STATEMENT)
    const none = { ...STATEMENT, segments: [] }
    expect(encodeClosed(none).length).to.equal(64)
    expect(decodeClosed(encodeClosed(none))).to.deep.equal(none)
  })

  it('refuses any flipped bit and any other length [MAN-20]', () => {
    const bytes = encodeClosed(STATEMENT)
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(
        codeOf(() => decodeClosed(damaged)),
        `bit ${bit}`,
      ).to.equal('CORRUPTION')
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(codeOf(() => decodeClosed(bytes.subarray(0, length)))).to.equal('CORRUPTION')
    }
    expect(codeOf(() => decodeClosed(concat(bytes, new Uint8Array(24))))).to.equal('CORRUPTION')
  })

  it('refuses counts and numbers that cannot be, whatever the checksum says [MAN-20]', () => {
    const forged = (offset: number, value: number): Uint8Array => {
      const bytes = encodeClosed(STATEMENT).slice(0, -8)
      bytes[offset] = value
      return concat(bytes, checksumBytes(hash64(bytes)))
    }
    for (const offset of [31, 39, 47, 48, 49, 51, 52, 63, 71]) {
      expect(
        codeOf(() => decodeClosed(forged(offset, 255))),
        `${offset}`,
      ).to.equal('CORRUPTION')
    }
  })

  it('binds while it is that of the current epoch and manifest [MAN-20]', () => {
    const { fs, recovered } = closedStore()
    const closed = readClosed(fs, 'store', recovered)!
    expect(closed.segments).to.deep.equal(STATEMENT.segments)
    const other = (change: Partial<Recovered>): string | undefined =>
      codeOf(() => readClosed(fs, 'store', { ...recovered, ...change }))
    expect(other({ length: recovered.length - 8 })).to.equal('CORRUPTION')
    expect(other({ length: recovered.length - 8, tornTailBytes: 8 })).to.equal('CORRUPTION')
    expect(other({ storeId: new Uint8Array(16) })).to.equal('CORRUPTION')
    const stale = (change: Partial<Recovered>): unknown =>
      readClosed(fs, 'store', { ...recovered, ...change })
    expect(stale({ epoch: 2 })).to.equal(undefined)
    expect(stale({ manifestNumber: 2 })).to.equal(undefined)
  })

  it('is refused when it is no regular file or of impossible size [MAN-20]', () => {
    const { fs, recovered } = closedStore()
    fs.remove('store/CLOSED')
    fs.makeDirectory('store/CLOSED')
    expect(codeOf(() => readClosed(fs, 'store', recovered))).to.equal('CORRUPTION')
    const file = { size: () => 2 ** 45, close: () => {} }
    const huge = { open: () => file } as unknown as MemoryFileSystem
    expect(codeOf(() => readClosed(huge, 'store', recovered))).to.equal('CORRUPTION')
  })

  it('is there whole or not at all, wherever its writing or removal is cut [MAN-19, MAN-21]', () => {
    const random = seededRandom(testSeed())
    const fs = new CrashFileSystem()
    fs.makeDirectory('store')
    const seen = new Set<boolean>()
    const check = (): void => {
      for (const policy of ['lost', 'kept', ...Array(8).fill(random)]) {
        const image = fs.image(policy)
        const isThere = image.status('store/CLOSED') !== undefined
        seen.add(isThere)
        if (isThere) expect(contentOf(image)).to.deep.equal(encodeClosed(STATEMENT))
      }
    }
    fs.onMutation = check
    writeClosed(fs, 'store', STATEMENT)
    check()
    expect(fs.image('lost').list('store')).to.deep.equal(['CLOSED'])
    removeClosed(fs, 'store')
    check()
    fs.syncDirectory('store')
    expect(fs.image('lost').list('store')).to.deep.equal([])
    removeClosed(fs, 'store')
    expect([...seen].sort()).to.deep.equal([false, true])
  })
})

function closedStore(): { fs: MemoryFileSystem; recovered: Recovered } {
  const fs = new MemoryFileSystem()
  fs.makeDirectory('store')
  const manifest = Manifest.create(fs, 'store', OPTIONS)
  manifest.writeClosed(STATEMENT.segments)
  manifest.close()
  return { fs, recovered: Manifest.recover(fs, 'store')! }
}

function contentOf(fs: MemoryFileSystem): Uint8Array {
  const file = fs.open('store/CLOSED', 'read')
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  return bytes
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action()
  } catch (error) {
    expect(error).to.be.instanceOf(SedgeError)
    return (error as SedgeError).code
  }
  return undefined
}
