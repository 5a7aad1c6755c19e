import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { destroy } from '../../src/engine/destroy.ts'
import { open } from '../../src/engine/open.ts'
import { writeFully } from '../../src/env/file-io.ts'
import type { FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { rejection, STORE, writeStore } from '../support/damaged-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { tempDirectory } from '../support/temp.ts'

function writeText(fs: FileSystem, path: string, text: string): void {
  const file = fs.open(path, 'create')
  writeFully(file, new TextEncoder().encode(text), 0)
  file.close()
}

describe('engine/destroy', () => {
  it('removes the files of a store and its directory [API-22]', async () => {
    const { fs } = await writeStore(500)
    await destroy(STORE, { fs })
    expect(fs.status(STORE)).to.equal(undefined)
    const db = await open(STORE, { fs, errorIfExists: true })
    expect(await db.get('k000001')).to.equal(undefined)
    await db.close()
  })

  it('leaves the files of others, and the directory for them [API-22]', async () => {
    const { fs } = await writeStore(500)
    for (const name of ['notes.txt', '12.log', 'MANIFEST', '0000001.sst']) {
      writeText(fs, `${STORE}/${name}`, 'mine')
    }
    fs.makeDirectory(`${STORE}/000777.sst`)
    fs.makeDirectory(`${STORE}/folder`)
    await destroy(STORE, { fs })
    const left = ['000777.sst', '0000001.sst', '12.log', 'MANIFEST', 'folder', 'notes.txt']
    expect(fs.list(STORE).sort()).to.deep.equal(left.sort())
  })

  it('is refused while the store is open, and removes nothing then [API-22]', async () => {
    const fs = new MemoryFileSystem()
    const db = await open(STORE, { fs })
    db.putSync('key', 'value')
    const before = fs.list(STORE)
    expect(await rejection(destroy(STORE, { fs }))).to.have.property('code', 'LOCKED')
    expect(fs.list(STORE)).to.deep.equal(before)
    expect(await db.get('key')).to.equal('value')
    await db.close()
    await destroy(STORE, { fs })
    expect(fs.status(STORE)).to.equal(undefined)
  })

  it('does nothing where there is nothing [DES-1]', async () => {
    const fs = new MemoryFileSystem()
    await destroy('/none/at/all', { fs })
    expect(fs.list('/')).to.deep.equal([])
    fs.makeDirectory('/empty')
    await destroy('/empty', { fs })
    expect(fs.status('/empty')).to.equal(undefined)
  })

  it('refuses what is no directory [DES-1]', async () => {
    const fs = new MemoryFileSystem()
    writeText(fs, '/file', 'mine')
    expect(await rejection(destroy('/file', { fs }))).to.have.property('code', 'IO')
    expect(fs.status('/file')?.size).to.equal(4)
  })

  it('removes nothing from a directory that holds no store, whatever the names [DES-1, DES-2]', async () => {
    const fs = new MemoryFileSystem()
    fs.makeDirectory('/logs')
    for (const name of ['000001.log', '000002.log', '000003.sst']) {
      writeText(fs, `/logs/${name}`, 'mine')
    }
    await destroy('/logs', { fs })
    expect(fs.list('/logs')).to.have.length(3)
  })

  it('that is interrupted anywhere leaves no store, and can be repeated [DES-3]', async () => {
    const { fs: whole, tables } = await writeStore(500)
    for (let allowed = 0; ; allowed++) {
      const fs = whole.clone()
      let removals = 0
      const failing = faultFileSystem(fs, (call) =>
        call === 'remove' && removals++ >= allowed ? 'EIO' : undefined,
      )
      const failure = await destroy(STORE, { fs: failing }).catch((error) => error)
      if (failure === undefined) break
      expect(failure).to.have.property('code', 'IO')
      if (fs.list(STORE).length < whole.list(STORE).length) {
        const code = (await open(STORE, { fs: fs.clone(), createIfMissing: false }).catch((e) => e))
          .code
        expect(code, `after ${allowed} removals`).to.be.oneOf(['CORRUPTION', 'NOT_FOUND'])
      }
      await destroy(STORE, { fs })
      expect(fs.status(STORE)).to.equal(undefined)
      expect(allowed).to.be.lessThan(100)
    }
    expect(tables).not.to.have.length(0)
  })

  it('works on the files of the machine [API-22]', async () => {
    const directory = join(tempDirectory(), 'store')
    mkdirSync(directory)
    writeFileSync(join(directory, 'other'), 'mine')
    const db = await open(directory)
    await db.put('key', 'value')
    await db.close()
    await destroy(directory)
    expect(readdirSync(directory)).to.deep.equal(['other'])
  })

  it('leaves a directory that is reached through a link, for the next store [DES-4]', async () => {
    const directory = tempDirectory()
    const link = join(tempDirectory(), 'link')
    symlinkSync(directory, link)
    const db = await open(link)
    await db.put('key', 'value')
    await db.close()
    await destroy(link)
    expect(readdirSync(directory)).to.deep.equal([])
    const again = await open(link, { errorIfExists: true })
    expect(await again.get('key')).to.equal(undefined)
    await again.close()
  })

  it('leaves a directory that cannot be removed, but tells of a failing disk [DES-4]', async () => {
    for (const [code, outcome] of Object.entries({ EBUSY: 'done', EACCES: 'done', EIO: 'IO' })) {
      const { fs } = await writeStore(10)
      const failing = faultFileSystem(fs, (call) => (call === 'removeDirectory' ? code : undefined))
      const told = await destroy(STORE, { fs: failing }).then(
        () => 'done',
        (error: { code: string }) => error.code,
      )
      expect(told, code).to.equal(outcome)
      expect(fs.list(STORE)).to.deep.equal([])
    }
  })

  it('rejects wrong arguments [ERR-2]', async () => {
    expect(await rejection(destroy(1 as never))).to.be.instanceOf(TypeError)
    expect(await rejection(destroy(''))).to.be.instanceOf(RangeError)
    expect(await rejection(destroy('/x', { nofs: 1 } as never))).to.be.instanceOf(RangeError)
    expect(await rejection(destroy('/x', { fs: {} as never }))).to.be.instanceOf(TypeError)
  })
})
