import { expect } from 'chai'
import type { File } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { open } from '../../src/index.ts'

const MIB = 1024 * 1024

interface Call {
  readonly what: 'write' | 'sync' | 'close' | 'rename'
  readonly bytes: number
}

/** Notes what happens to the temporary files of tables. */
class NotingFileSystem extends MemoryFileSystem {
  readonly calls: Call[] = []

  override open(path: string, mode: 'create' | 'read' | 'readwrite'): File {
    const file = super.open(path, mode)
    if (!path.endsWith('.tmp')) return file
    return {
      read: (target, position) => file.read(target, position),
      write: (source, position) => this.#note('write', file.write(source, position)),
      sync: () => void this.#note('sync', 0),
      syncAsync: () => file.syncAsync(),
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => {
        this.#note('close', 0)
        file.close()
      },
    }
  }

  override rename(from: string, to: string): void {
    super.rename(from, to)
    this.#note('rename', 0)
  }

  #note(what: Call['what'], bytes: number): number {
    this.calls.push({ what, bytes })
    return bytes
  }
}

describe('compaction/table-output', () => {
  async function flushed(values: readonly string[]): Promise<readonly Call[]> {
    const fs = new NotingFileSystem()
    const db = await open('/store', { fs })
    fs.calls.length = 0
    for (const [n, value] of values.entries()) db.putSync(`key ${n}`, value)
    await db.flush()
    const calls = [...fs.calls]
    await db.close()
    return calls
  }

  it('syncs a table before it gets its name, and at the end not much is left to sync', async () => {
    for (const values of [
      Array.from({ length: 200 }, () => 'v'.repeat(60_000)),
      ['v'.repeat(12 * MIB)],
    ]) {
      const calls = await flushed(values)
      const ends = calls.slice(-3).map(({ what }) => what)
      expect(ends).to.deep.equal(['sync', 'close', 'rename'])
      let unsynced = 0
      let most = 0
      for (const { what, bytes } of calls) {
        unsynced = what === 'sync' ? 0 : unsynced + bytes
        most = Math.max(most, unsynced)
      }
      expect(most).to.be.within(4 * MIB, 6 * MIB)
    }
  })

  it('syncs a small table once', async () => {
    const calls = await flushed(['a', 'b'])
    expect(calls.filter(({ what }) => what === 'sync')).to.have.length(1)
  })
})
