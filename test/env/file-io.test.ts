import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import {
  baseName,
  errorCode,
  ioError,
  isNoSpace,
  isOutOfHandles,
  openPresent,
  parentPath,
  readFile,
  readFully,
  statusOf,
  systemError,
  writeFully,
} from '../../src/env/file-io.ts'
import type { File } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { NodeFileSystem } from '../../src/env/node-file-system.ts'
import { SedgeError } from '../../src/errors.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { tempDirectory } from '../support/temp.ts'

/** A file that reads and writes at most `most` bytes a call. */
function shortFile(file: File, most: number): File {
  return {
    read: (target, position) => file.read(target.subarray(0, most), position),
    write: (source, position) => file.write(source.subarray(0, most), position),
    sync: () => file.sync(),
    syncAsync: () => file.syncAsync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  }
}

describe('env/file-io', () => {
  it('knows what a path lies in', () => {
    expect(parentPath('/a/b')).to.equal('/a')
    expect(parentPath('/a/b//')).to.equal('/a')
    expect(parentPath('/a')).to.equal('/')
    expect(parentPath('a')).to.equal('.')
    expect(parentPath('a\\b')).to.equal('a')
  })

  it('goes on after short reads and writes [ENV-5]', () => {
    const fs = new MemoryFileSystem()
    const file = shortFile(fs.open('a', 'create'), 3)
    const source = Uint8Array.from({ length: 20 }, (_, index) => index)
    writeFully(file, source, 5)
    expect(file.size()).to.equal(25)
    const target = new Uint8Array(30)
    expect(readFully(file, target, 5)).to.equal(20)
    expect(target.subarray(0, 20)).to.deep.equal(source)
    expect(readFully(file, target.subarray(0, 4), 5)).to.equal(4)
    expect(readFully(file, target, 25)).to.equal(0)
  })

  it('takes a write of no bytes for an error [ENV-5]', () => {
    const file = shortFile(new MemoryFileSystem().open('a', 'create'), 0)
    expect(() => writeFully(file, new Uint8Array(1), 0))
      .to.throw()
      .with.property('code', 'EIO')
  })

  it('reads a whole file [ENV-5]', () => {
    const fs = new MemoryFileSystem()
    const file = fs.open('a', 'create')
    file.write(Uint8Array.of(1, 2, 3), 0)
    expect(readFile(fs, 'a')).to.deep.equal(Uint8Array.of(1, 2, 3))
    expect(() => readFile(fs, 'b'))
      .to.throw()
      .with.property('code', 'ENOENT')
  })

  it('says what there is at a path, and that it cannot be seen [ENV-6]', () => {
    const fs = new MemoryFileSystem()
    fs.makeDirectory('/some')
    expect(statusOf(fs, '/some')?.kind).to.equal('directory')
    expect(statusOf(fs, '/none')).to.equal(undefined)
    const failing = faultFileSystem(fs, () => 'EACCES')
    const look = (): unknown => statusOf(failing, '/some/file')
    expect(look).to.throw('cannot look at file: EACCES').with.property('code', 'IO')
  })

  it('tells what is missing and what is no file from other failures to open [ENV-2, ENV-6]', () => {
    const directory = tempDirectory()
    mkdirSync(`${directory}/directory`)
    symlinkSync('nowhere', `${directory}/link`)
    writeFileSync(`${directory}/file`, 'abc')
    const machine = new NodeFileSystem()
    expect(openPresent(machine, `${directory}/none`)).to.equal('missing')
    expect(openPresent(machine, `${directory}/directory`)).to.equal('irregular')
    expect(openPresent(machine, `${directory}/link`)).to.equal('irregular')
    const file = openPresent(machine, `${directory}/file`) as File
    expect(file.size()).to.equal(3)
    file.close()
    const fs = {
      open: () => {
        throw systemError('EACCES', 'no')
      },
    }
    const refused = fs as unknown as MemoryFileSystem
    expect(() => openPresent(refused, 'file'))
      .to.throw()
      .with.property('code', 'EACCES')
  })

  it('tells a full disk from other failures [ENV-6]', () => {
    for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
      const cause = systemError(code, 'no room')
      expect(isNoSpace(cause)).to.equal(true)
      const error = ioError(cause, 'cannot write', '/some/where/000001.log')
      expect(error.code).to.equal('FULL')
      expect(error.cause).to.equal(cause)
    }
    expect(isNoSpace(systemError('EIO', 'bad'))).to.equal(false)
    expect(isOutOfHandles(systemError('EMFILE', 'too many'))).to.equal(true)
    const told = ioError(systemError('ENFILE', 'too many'), 'cannot list', 'store')
    expect(isOutOfHandles(told)).to.equal(true)
    expect(isOutOfHandles(systemError('ENOSPC', 'no room'))).to.equal(false)
    expect(isNoSpace('ENOSPC')).to.equal(false)
    expect(ioError(undefined, 'cannot write', 'a').code).to.equal('IO')
  })

  it('names the base name of the file and the code, no path [ENV-6]', () => {
    const cause = systemError('EACCES', "open '/private/data/000001.sst'")
    const error = ioError(cause, 'cannot open', '/private/data/000001.sst')
    expect(error).to.be.instanceOf(SedgeError)
    expect(error.code).to.equal('IO')
    expect(error.file).to.equal('000001.sst')
    expect(error.message).to.equal('cannot open 000001.sst: EACCES')
    expect(ioError(error, 'cannot read', 'b')).to.equal(error)
  })

  it('finds codes and base names [ENV-6]', () => {
    expect(errorCode(systemError('EIO', 'x'))).to.equal('EIO')
    expect(errorCode(new TypeError('x'))).to.equal('TypeError')
    expect(errorCode('EIO')).to.equal(undefined)
    expect(errorCode(null)).to.equal(undefined)
    expect(baseName('/a/b')).to.equal('b')
    expect(baseName('C:\\a\\b')).to.equal('b')
    expect(baseName('b')).to.equal('b')
    expect(baseName('/a/b/')).to.equal('b')
  })
})
