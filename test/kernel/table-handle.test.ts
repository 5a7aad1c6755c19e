import { expect } from 'chai'
import { TableHandle } from '../../src/kernel/table-handle.ts'
import { View } from '../../src/kernel/view.ts'
import { sealBlock } from '../reference/block.ts'
import { PUT } from '../reference/entry.ts'
import { tableIdentity } from '../reference/table.ts'
import { bytesOf } from '../support/entries.ts'
import { createKernel } from '../support/kernel.ts'
import { type MemoryTable, MemoryTables, STORE_ID } from '../support/memory-tables.ts'

const EDGES = { smallest: bytesOf('b'), largest: bytesOf('y') }

describe('kernel/table-handle', () => {
  it('is one table among others, by number and identity [TBL-2]', () => {
    const kernel = createKernel()
    const handles = [1, 2].map((number) => {
      return new TableHandle(kernel, {
        number,
        identity: tableIdentity(STORE_ID, number),
        ...EDGES,
      })
    }) as [TableHandle, TableHandle]
    expect(handles.map(({ number }) => number)).to.deep.equal([1, 2])
    const filter = sealBlock(new Uint8Array(64), tableIdentity(STORE_ID, 2), 500)
    const at = kernel.staging(filter.length)
    kernel.memory.bytes.set(filter, at)
    expect(handles[0].install(500, 2, at, filter.length, 0)).to.equal('corrupt')
    expect(handles[1].install(500, 2, at, filter.length, 0)).to.equal('installed')
    expect(handles[1].install(500, 2, at, 0, 0)).to.equal('installed')
    expect(handles[1].install(501, 2, at, filter.length, 0)).to.equal('corrupt')
  })

  it('is asked for its ends once, when a key in its range is looked for [KRN-8]', () => {
    const kernel = createKernel()
    const tables = new MemoryTables(kernel)
    const entry = { kind: PUT, sequence: 1, timestamp: 0, value: bytesOf('v') }
    const [table] = tables.build(['b', 'y'].map((key) => ({ ...entry, key: bytesOf(key) }))) as [
      MemoryTable,
    ]
    const asked: number[] = []
    const provide = tables.provideTable.bind(tables)
    tables.provideTable = (address) => {
      asked.push(address)
      provide(address)
    }
    const view = new View(kernel, tables)
    view.set([], [[table.handle]])
    const found = ['a', 'aa', 'z', 'yy', 'b', 'y', 'm'].map((key) => {
      return [view.find(kernel.scratchKey(key), 9), asked.length]
    })
    const none = [false, 0]
    expect(found).to.deep.equal([none, none, none, none, [true, 1], [true, 1], [false, 1]])
  })

  it('gives its memory and its blocks back [KRN-4]', () => {
    const kernel = createKernel()
    kernel.staging(100)
    const before = kernel.exports.allocatedBytes()
    const identity = tableIdentity(STORE_ID, 1)
    const handle = new TableHandle(kernel, { number: 1, identity, ...EDGES })
    const filter = sealBlock(new Uint8Array(64), identity, 500)
    const at = kernel.staging(filter.length)
    kernel.memory.bytes.set(filter, at)
    handle.install(500, 2, at, filter.length, 0)
    expect(kernel.exports.blockCacheBytes()).to.be.greaterThan(64)
    handle.free()
    expect(kernel.exports.allocatedBytes()).to.equal(before)
    expect(kernel.exports.blockCacheBytes()).to.equal(0)
  })
})
