import { expect } from 'chai'
import type { File, FileSystem } from '../../src/env/file-system.ts'
import { type BatchOperation, type Database, MemoryFileSystem, open } from '../../src/index.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'

const MIB = 1024 * 1024
const BATCH_MAX = 256 * MIB

type Bytes = Database<string, Uint8Array>

function openBytes(fs: FileSystem): Promise<Bytes> {
  return open('/store', { fs, valueEncoding: 'binary' })
}

function puts(values: readonly Uint8Array[]): BatchOperation<string, Uint8Array>[] {
  return values.map((value, i) => ({ type: 'put', key: `large ${i}`, value }))
}

/** Keeps nothing of the large values that it is given but how long they are. */
function forgetfulFileSystem(): FileSystem {
  const inner = new MemoryFileSystem()
  let size = 0
  const forgetful = (file: File): File => ({
    read: (target, position) => file.read(target, position),
    write: (source, position) => {
      size = Math.max(size, position + source.length)
      return source.length
    },
    sync: () => file.sync(),
    syncAsync: () => file.syncAsync(),
    truncate: () => undefined,
    size: () => file.size(),
    close: () => file.close(),
  })
  return {
    ...faultFileSystem(inner, () => undefined),
    status: (path) => (path.endsWith('.val') ? { size, kind: 'file' } : inner.status(path)),
    open: (path, mode) => {
      const file = inner.open(path, mode)
      return path.endsWith('.val') ? forgetful(file) : file
    },
  }
}

describe('engine/limits', function () {
  this.timeout(60_000)

  /** Everything that a write that is refused must leave alone. */
  function stateOf(fs: MemoryFileSystem, db: Bytes): unknown {
    const { sequence, puts, deletes, memtableBytes, memtableEntries, logBytes } = db.stats()
    const files = fs.list('/store').map((name) => [name, fs.status(`/store/${name}`)?.size])
    const content = db.iteratorSync().all()
    const numbers = [sequence, puts, deletes, memtableBytes, memtableEntries, logBytes]
    return { numbers, files, content, state: db.stats().state }
  }

  async function expectLimit(write: (db: Bytes) => unknown): Promise<void> {
    const fs = new MemoryFileSystem()
    const db = await openBytes(fs)
    await db.put('a', Uint8Array.of(1))
    await db.put('b', new Uint8Array(100_000))
    const before = stateOf(fs, db)
    let code: unknown
    try {
      await write(db)
    } catch (error) {
      code = (error as { code?: string }).code
    }
    expect(code).to.equal('LIMIT')
    expect(stateOf(fs, db)).to.deep.equal(before)
    await db.put('a', Uint8Array.of(2))
    expect(db.getSync('a')).to.deep.equal(Uint8Array.of(2))
    await db.close()
    const again = await openBytes(fs)
    expect(again.keysSync().all()).to.deep.equal(['a', 'b'])
    await again.close()
  }

  it('refuses a batch of more than 256 MiB whole [LIM-3, LIM-5]', async () => {
    const value = new Uint8Array(90 * MIB)
    const operations: BatchOperation<string, Uint8Array>[] = [
      { type: 'delete', key: 'a' },
      ...puts([value, value, value]),
    ]
    await expectLimit((db) => db.batch(operations))
    await expectLimit((db) => db.batchSync(operations))
  })

  it('takes a batch that is all but 256 MiB, and not one that is a KiB larger [LIM-3]', async () => {
    const db = await openBytes(forgetfulFileSystem())
    const value = new Uint8Array(64 * MIB)
    const within = puts([value, value, value, value.subarray(1024)])
    await db.batch(within)
    expect(db.stats().sequence).to.equal(4)
    expect(within.reduce((sum, one) => sum + ('value' in one ? one.value.length : 0), 0)).to.equal(
      BATCH_MAX - 1024,
    )
    const code = await db
      .batch(puts([value, value, value, value]))
      .catch((error: { code: string }) => error.code)
    expect(code).to.equal('LIMIT')
    expect(db.stats().sequence).to.equal(4)
    await db.close()
  })

  it('counts small operations of a batch too, deletes among them [LIM-3, LIM-5]', async () => {
    const key = 'k'.repeat(MIB)
    const operations: BatchOperation<string, Uint8Array>[] = []
    for (let i = 0; i < 257; i++) operations.push({ type: 'delete', key })
    await expectLimit((db) => db.batch(operations))
  })

  it('refuses keys and values that are too long, alone and in a batch, changing nothing [LIM-1, LIM-2, LIM-5]', async () => {
    const value = Uint8Array.of(3)
    const long = 'ä'.repeat(MIB / 2 + 1)
    for (const key of ['', long]) {
      await expectLimit((db) => db.put(key, value))
      await expectLimit((db) => db.deleteSync(key))
      await expectLimit((db) =>
        db.batch([
          { type: 'put', key: 'a', value },
          { type: 'put', key, value },
        ]),
      )
    }
    const large = new Uint8Array(100 * MIB + 1)
    await expectLimit((db) => db.put('c', large))
    await expectLimit((db) => db.batchSync(puts([value, large])))
  })
})
