import { expect } from 'chai'
import type { FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { open } from '../../src/index.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'

/** A store whose next write to the log or a value file fails half done for want of space, when `fail` is called. */
function shortOfSpace(): { files: MemoryFileSystem; fs: FileSystem; fail: () => void } {
  const files = new MemoryFileSystem()
  let isFailing = false
  const fs = faultFileSystem(files, (call, path) => {
    if (!isFailing || call !== 'write' || !/\.(log|val)$/.test(path)) return undefined
    isFailing = false
    return 'ENOSPC'
  })
  return {
    files,
    fs,
    fail: () => {
      isFailing = true
    },
  }
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: { code?: unknown }) => error.code,
  )
}

describe('regression/failed-writes', () => {
  it('opens again after a large value found no space and the store was closed at once [DUR-9, MAN-19]', async () => {
    const { fs, fail } = shortOfSpace()
    const db = await open('/store', { fs })
    await db.put('before', 'x'.repeat(100_000))
    fail()
    expect(await codeOf(db.put('failed', 'y'.repeat(100_000)))).to.equal('FULL')
    await db.close()
    const again = await open('/store', { fs })
    expect(again.stats().recovery.cleanClose).to.equal(true)
    expect(await again.get('before')).to.equal('x'.repeat(100_000))
    expect(await again.get('failed')).to.equal(undefined)
    await again.close()
  })

  it('keeps what is written after a failed write, a close and an open [DUR-1, DUR-2, LOG-8]', async () => {
    const { files, fs, fail } = shortOfSpace()
    const db = await open('/store', { fs })
    await db.put('before', '1')
    fail()
    expect(await codeOf(db.put('failed', '2'))).to.equal('FULL')
    await db.close()
    const again = await open('/store', { fs })
    await again.put('synced', '3', { sync: true })
    await again.put('written', '4')
    const afterKill = await open('/store', { fs: files.clone() })
    expect(await afterKill.getMany(['before', 'failed', 'synced', 'written'])).to.deep.equal([
      '1',
      undefined,
      '3',
      '4',
    ])
    await afterKill.close()
    await again.close()
  })
})
