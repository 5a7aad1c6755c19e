import { expect } from 'chai'
import { fileSystemOf, fixedPath, pathArgument } from '../../src/engine/store-arguments.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'

describe('engine/store-arguments', () => {
  it('names the argument that cannot be a path [ERR-2]', () => {
    expect(() => pathArgument(undefined, 'source')).to.throw(TypeError, 'source must be a string')
    expect(() => pathArgument('', 'target')).to.throw(RangeError, 'target must not be empty')
    expect(() => pathArgument('a\0b', 'path')).to.throw(RangeError, 'path')
    expect(() => pathArgument('./a', 'path')).not.to.throw()
  })

  it('takes a file system and no other option [OPT-2, OPT-3]', () => {
    const fs = new MemoryFileSystem()
    expect(fileSystemOf({ fs })).to.equal(fs)
    expect(fileSystemOf(undefined)).to.equal(undefined)
    expect(fileSystemOf({})).to.equal(undefined)
    expect(fileSystemOf(Object.create({ fs }))).to.equal(undefined)
    expect(() => fileSystemOf({ sync: true })).to.throw(RangeError, "'sync'")
    expect(() => fileSystemOf({ fs: { open: 1 } })).to.throw(TypeError, 'fs')
    expect(() => fileSystemOf(1)).to.throw(TypeError)
  })

  it('fixes where a path of the machine is, and leaves those of other file systems alone [API-24]', () => {
    expect(fixedPath('a/../b/', undefined)).to.equal(`${process.cwd()}/a/../b/`)
    expect(fixedPath('/a/b', undefined)).to.equal('/a/b')
    expect(fixedPath('a/b', new MemoryFileSystem())).to.equal('a/b')
  })
})
