import { expect } from 'chai'
import { ForgivingFile } from '../../src/engine/forgiving-file.ts'
import { systemError } from '../../src/env/file-io.ts'
import type { File } from '../../src/env/file-system.ts'
import { fileOf } from '../support/file-of-bytes.ts'

/** A file in which one sector cannot be read. */
function failing(size: number, sector: number): File {
  const inner = fileOf(new Uint8Array(size).fill(7))
  return Object.assign(Object.create(inner) as File, {
    read: (target: Uint8Array, position: number): number => {
      const touches = position < (sector + 1) * 4096 && position + target.length > sector * 4096
      if (touches) throw systemError('EIO', 'a bad sector')
      return inner.read(target, position)
    },
    size: () => inner.size(),
    close: () => inner.close(),
  })
}

describe('engine/forgiving-file', () => {
  it('reads zeros where a sector fails, and all the rest', () => {
    const file = new ForgivingFile(failing(20_000, 2))
    const target = new Uint8Array(18_000)
    expect(file.read(target, 1000)).to.equal(18_000)
    for (const [i, byte] of target.entries()) {
      const isLost = i + 1000 >= 8192 && i + 1000 < 12_288
      if (byte !== (isLost ? 0 : 7)) expect.fail(`byte ${i} is ${byte}`)
    }
  })

  it('ends where the file ends', () => {
    const file = new ForgivingFile(failing(10_000, 2))
    expect(file.size()).to.equal(10_000)
    expect(file.read(new Uint8Array(5000), 8000)).to.equal(2000)
    expect(file.read(new Uint8Array(10), 10_000)).to.equal(0)
  })

  it('cannot be written', async () => {
    const file = new ForgivingFile(fileOf(new Uint8Array(10)))
    for (const call of [() => file.write(), () => file.sync(), () => file.truncate()]) {
      expect(call).to.throw().with.property('code', 'EBADF')
    }
    expect(await file.syncAsync().catch((error) => error.code)).to.equal('EBADF')
    file.close()
    expect(() => file.size()).to.throw()
  })
})
