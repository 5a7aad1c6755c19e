import { expect } from 'chai'
import { readFile } from '../../src/env/file-io.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { View } from '../../src/kernel/view.ts'
import {
  type TableDescription,
  TableFiles,
  type TableFilesOptions,
} from '../../src/table/table-files.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { tableFileName } from '../../src/version/file-names.ts'
import { sealBlock } from '../reference/block.ts'
import { CHUNKS, type Entry, PUT } from '../reference/entry.ts'
import { join } from '../reference/little-endian.ts'
import { decodeReference } from '../reference/log-segment.ts'
import { decodeTable, type PlacedBlock, tableIdentity } from '../reference/table.ts'
import { flipBit, truncate } from '../support/damaged-store.ts'
import { bytesOf, look } from '../support/entries.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { writeFile, writeTable } from '../support/job-files.ts'
import { createKernel, HASH_SEED } from '../support/kernel.ts'
import { thrownBy } from '../support/manifests.ts'
import { STORE_ID } from '../support/memory-tables.ts'

const NEWEST = 2 ** 53 - 1
const LARGE_BYTES = 150_000

/** Keys 0000, 0002 … 0598, of about 60 KB, and one large value among them. */
function entriesOf(table: number): Entry[] {
  return Array.from({ length: 300 }, (_, i) => ({
    key: bytesOf(`key ${String(2 * i).padStart(4, '0')}`),
    ...{ kind: i === 150 ? CHUNKS : PUT, sequence: table * 1000 + i, timestamp: i },
    value: new Uint8Array(i === 150 ? LARGE_BYTES : 200).fill(table + i),
  }))
}

describe('table/table-files', () => {
  let kernel: Kernel
  let memory: MemoryFileSystem
  let tables: TableDescription[]
  let calls: string[]
  let fault: (call: string, path: string) => string | undefined

  before(loadChecksums)

  beforeEach(() => {
    kernel = createKernel()
    memory = new MemoryFileSystem()
    tables = [1, 2, 3].map((number) => writeTable(memory, '', number, entriesOf(number)))
    calls = []
    fault = () => undefined
  })

  function filesOf(options: Partial<TableFilesOptions> = {}): TableFiles {
    const fs = faultFileSystem(memory, (call, path) => {
      calls.push(`${call} ${path}`)
      return fault(call, path)
    })
    return new TableFiles(kernel, fs, {
      ...{ directory: '', storeId: STORE_ID, tableName: tableFileName },
      ...{ unzstd: undefined, filesMax: 2 },
      ...options,
    })
  }

  function find(files: TableFiles, number: number, key: string): Entry | undefined {
    const view = new View(kernel, files)
    view.set([], [[files.open(tables[number - 1]!)]])
    return look(kernel, view, bytesOf(key), NEWEST)
  }

  function blocksOf(number: number): readonly PlacedBlock[] {
    const options = { storeId: STORE_ID, number, hashSeed: HASH_SEED, bitsPerKey: 10 }
    return decodeTable(readFile(memory, `/${tableFileName(number)}`), options).blocks
  }

  function opensOf(): string[] {
    return calls.filter((call) => call.startsWith('open '))
  }

  it('reads nothing of a table before it is touched, and then only what it needs', () => {
    const files = filesOf()
    const handle = files.open(tables[0]!)
    expect(files.open(tables[0]!)).to.equal(handle)
    expect(calls).to.deep.equal([])
    expect(find(files, 1, 'key 0100')).to.deep.include({ sequence: 1050, timestamp: 50 })
    expect(files.bytesRead).to.be.within(72 + 32 + 4096, 16_384)
    const { bytesRead } = files
    expect(find(files, 1, 'key 0100')?.value).to.deep.equal(new Uint8Array(200).fill(51))
    expect(files.bytesRead).to.equal(bytesRead)
    expect(find(files, 1, 'key 0101')).to.equal(undefined)
  })

  it('keeps at most so many files open, and closes the one used longest ago', () => {
    const files = filesOf()
    find(files, 1, 'key 0000')
    find(files, 2, 'key 0000')
    find(files, 1, 'key 0598')
    find(files, 3, 'key 0000')
    expect(opensOf()).to.have.length(3)
    expect(calls).to.include('close /000002.sst').and.not.include('close /000001.sst')
    expect(find(files, 2, 'key 0598')?.sequence).to.equal(2299)
    expect(opensOf()).to.have.length(4)
    expect(calls).to.include('close /000001.sst')
  })

  it('gives a file up when the process has too many open', () => {
    const files = filesOf({ filesMax: 10 })
    find(files, 1, 'key 0000')
    fault = (call) =>
      call === 'open read' && !calls.includes('close /000001.sst') ? 'EMFILE' : undefined
    expect(find(files, 2, 'key 0000')?.sequence).to.equal(2000)
    fault = (call) => (call === 'open read' ? 'EMFILE' : undefined)
    const error = thrownBy(() => find(files, 3, 'key 0000'))
    expect(error).to.include({ code: 'IO', file: '000003.sst' })
  })

  it('finds damage in whatever part it reads, by file and offset [TBL-10]', () => {
    const blocks = blocksOf(1)
    const large = blocks.filter(({ kind }) => kind === 'data')
    const parts = [large[0]!, ...blocks.filter(({ kind }) => kind !== 'data')]
    expect(new Set(parts.map(({ kind }) => kind)).size).to.equal(4)
    for (const { kind, offset, bytes } of parts) {
      for (const at of [offset, offset + bytes - 1]) {
        flipBit(memory, '/000001.sst', at)
        kernel = createKernel()
        const error = thrownBy(() => find(filesOf(), 1, 'key 0000'))
        expect(error, kind).to.include({ code: 'CORRUPTION', file: '000001.sst', offset })
        flipBit(memory, '/000001.sst', at)
      }
    }
    const footer = tables[0]!.size - 32
    for (const [at, offset] of [
      [20, 0],
      [footer + 9, footer],
    ] as const) {
      flipBit(memory, '/000001.sst', at)
      const error = thrownBy(() => find(filesOf(), 1, 'key 0000'))
      expect(error).to.include({ code: 'CORRUPTION', file: '000001.sst', offset })
      flipBit(memory, '/000001.sst', at)
    }
    expect(find(filesOf(), 1, 'key 0000')?.sequence).to.equal(1000)
  })

  it('tells a table of the wrong size, of another number, or that is not there [TBL-10]', () => {
    const { size } = tables[0]!
    truncate(memory, '/000001.sst', size - 1)
    const short = thrownBy(() => find(filesOf(), 1, 'key 0000'))
    expect(short).to.include({ code: 'CORRUPTION', file: '000001.sst' })
    expect(short).to.include({ expected: size, actual: size - 1 })
    memory.rename('/000002.sst', '/000001.sst')
    tables[0] = { ...tables[1]!, number: 1 }
    const other = thrownBy(() => find(filesOf(), 1, 'key 0000'))
    expect(other).to.include({ code: 'CORRUPTION', offset: 41, expected: 1, actual: 2 })
    const missing = thrownBy(() => find(filesOf(), 2, 'key 0000'))
    expect(missing).to.include({ code: 'CORRUPTION', file: '000002.sst' })
  })

  it('does not take a disk that fails for a damaged table', () => {
    const files = filesOf()
    for (const call of ['open read', 'size', 'read']) {
      fault = (what) => (what === call ? 'EIO' : undefined)
      const error = thrownBy(() => find(files, 3, 'key 0000'))
      expect(error, call).to.include({ code: 'IO', file: '000003.sst' })
    }
    fault = () => undefined
    expect(find(files, 3, 'key 0000')?.sequence).to.equal(3000)
  })

  it('reads large values, each chunk verified [TBL-10]', () => {
    const files = filesOf()
    const handle = files.open(tables[1]!)
    const { length, offset } = decodeReference(find(files, 2, 'key 0300')!.value)
    expect(length).to.equal(LARGE_BYTES)
    const target = new Uint8Array(LARGE_BYTES + 10)
    files.readValue(handle.address, offset, length, target, 10)
    expect(target.subarray(10)).to.deep.equal(entriesOf(2)[150]!.value)
    expect(target.subarray(0, 10)).to.deep.equal(new Uint8Array(10))
    flipBit(memory, '/000002.sst', offset + 65_544 + 7)
    const error = thrownBy(() => files.readValue(handle.address, offset, length, target, 0))
    expect(error).to.include({ code: 'CORRUPTION', file: '000002.sst', offset: offset + 65_544 })
  })

  it('asks for the codec that the kernel has not, and trusts nothing of what it gives [TBL-4, TBL-10]', () => {
    const packed = { codec: 2, bytes: new Uint8Array(50) }
    const block = (content: number): Uint8Array =>
      sealBlock(new Uint8Array(content), tableIdentity(STORE_ID, 9), 100, packed)
    const bytes = block(1000).length
    const outcome = (content: number, unzstd: TableFilesOptions['unzstd'], damage = 0): unknown => {
      const file = join(new Uint8Array(100), block(content))
      file[100]! ^= damage
      if (memory.status('/000009.sst') !== undefined) memory.remove('/000009.sst')
      writeFile(memory, '/000009.sst', file)
      const files = filesOf({ unzstd })
      const key = bytesOf('key')
      const handle = files.open({ number: 9, size: file.length, smallest: key, largest: key })
      const need = { table: handle.address, offset: 100, bytes, kind: 0 }
      return thrownBy(() => files.provideBlock(need)).code
    }
    expect(outcome(1000, undefined)).to.equal('UNSUPPORTED')
    const broken = (): Uint8Array => {
      throw new Error('not zstd')
    }
    expect(outcome(1000, broken)).to.equal('CORRUPTION')
    expect(outcome(1000, () => new Uint8Array(999))).to.equal('CORRUPTION')
    let asked = 0
    const count = (): Uint8Array => new Uint8Array(++asked)
    expect(outcome(2 * 1024 * 1024 + 1, count)).to.equal('CORRUPTION')
    expect(asked).to.equal(0)
    // Damage is never taken for a codec, and never handed to one.
    expect(outcome(1000, undefined, 1)).to.equal('CORRUPTION')
    expect(outcome(1000, count, 1)).to.equal('CORRUPTION')
    expect(asked).to.equal(0)
  })

  it('refuses a value that cannot lie in the file', () => {
    const files = filesOf()
    const { address } = files.open(tables[0]!)
    const { size } = tables[0]!
    expect(() => files.checkValue(address, 100, size - 100)).not.to.throw()
    const error = thrownBy(() => files.checkValue(address, 101, size - 100))
    expect(error).to.include({ code: 'CORRUPTION', file: '000001.sst', offset: 101 })
  })

  it('closes the file of a released table and knows it no more', () => {
    const files = filesOf()
    const { address } = files.open(tables[0]!)
    find(files, 1, 'key 0000')
    new View(kernel, files).set([], [])
    files.release(1)
    files.release(1)
    expect(calls.filter((call) => call === 'close /000001.sst')).to.have.length(1)
    expect(thrownBy(() => files.provideTable(address))).to.include({ code: 'FAILED' })
    expect(find(files, 1, 'key 0000')?.sequence).to.equal(1000)
    expect(opensOf()).to.have.length(2)
  })

  it('closes all its files', () => {
    const files = filesOf()
    find(files, 1, 'key 0000')
    find(files, 2, 'key 0000')
    calls.length = 0
    files.close()
    expect(calls).to.deep.equal(['close /000001.sst', 'close /000002.sst'])
    files.close()
    expect(calls).to.have.length(2)
  })
})
