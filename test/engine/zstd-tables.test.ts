import { expect } from 'chai'
import type { EnvironmentOverrides } from '../../src/env/environment.ts'
import type { Zstd } from '../../src/env/zstd.ts'
import { MemoryFileSystem, open } from '../../src/index.ts'
import { hash64 } from '../../src/util/checksum.ts'
import {
  bytesOf,
  contentOfFiles,
  type Files,
  fileSystemOf,
  filesOf,
  flipped,
  replaced,
  sameFiles,
} from '../support/crashed-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { failing, rejection } from '../support/faulty-store.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import { openAt } from '../support/virtual-time.ts'

const CODEC_AT = 40
const NUMBER_AT = 41
const CONTENT = new Map([
  ['a', '1'],
  ['b', '2'],
])
const WITHOUT: EnvironmentOverrides = { zstd: () => undefined }
/** Blocks that did not shrink are stored as they are, so that nothing is ever asked of it. */
const WITH: EnvironmentOverrides = {
  zstd: (): Zstd => ({ compress: unasked, decompress: unasked }),
}

function unasked(): never {
  throw new Error('a block was compressed')
}

/** A closed store of two tables, and the names of these. */
async function twoTables(): Promise<{ files: Files; first: string; second: string }> {
  const fs = new MemoryFileSystem()
  const db = await open(STORE, storeOptions(fs))
  for (const [key, value] of CONTENT) {
    await db.put(key, value)
    await db.flush()
  }
  await db.close()
  const files = filesOf(fs)
  const [first = '', second = ''] = [...files.keys()].filter((name) => name.endsWith('.sst')).sort()
  return { files, first, second }
}

/** A table with a byte of its header changed, and sealed again: the runtime need not have zstd to make one. */
function withHeader(files: Files, name: string, at: number, byte: number): Files {
  const bytes = bytesOf(files, name).slice()
  bytes[at] = byte
  new DataView(bytes.buffer).setBigUint64(64, hash64(bytes.subarray(0, 64)), true)
  return replaced(files, name, bytes)
}

describe('engine/zstd-tables', () => {
  it('refuses a store that has used zstd where there is none, and names the table [OPT-11]', async () => {
    const { files, second } = await twoTables()
    const zstd = withHeader(files, second, CODEC_AT, 2)
    for (const readOnly of [false, true]) {
      const fs = fileSystemOf(zstd)
      const options = storeOptions(fs, 2, readOnly ? { readOnly } : {})
      const error = await rejection(openAt(WITHOUT, STORE, options))
      expect(error).to.include({ code: 'UNSUPPORTED', file: second })
      expect(error.message).to.contain(second).and.to.contain('zstd')
      expect(sameFiles(filesOf(fs), zstd)).to.equal(true)
      const db = await openAt(WITH, STORE, options)
      expect(await readStore(db)).to.deep.equal(CONTENT)
      await db.close()
    }
  })

  it('refuses to write with zstd where there is none, and creates nothing [OPT-8]', async () => {
    const fs = new MemoryFileSystem()
    const options = storeOptions(fs, 1, { compression: 'zstd' })
    expect(await rejection(openAt(WITHOUT, STORE, options))).to.have.property('code', 'UNSUPPORTED')
    expect(fs.status(STORE)).to.equal(undefined)
  })

  it('opens all other stores there, also those with other codecs [OPT-11]', async () => {
    const { files, first, second } = await twoTables()
    const mixed = withHeader(withHeader(files, first, CODEC_AT, 1), second, CODEC_AT, 0)
    const db = await openAt(WITHOUT, STORE, storeOptions(fileSystemOf(mixed), 2))
    expect(await readStore(db)).to.deep.equal(CONTENT)
    await db.close()
  })

  it('leaves what is damaged, swapped or not given to the reads that touch it [OPT-11, ERR-4]', async () => {
    const { files, first, second } = await twoTables()
    const zstd = withHeader(files, second, CODEC_AT, 2)
    for (const damaged of [
      flipped(zstd, second, CODEC_AT),
      withHeader(zstd, second, NUMBER_AT, 77),
      replaced(zstd, second, bytesOf(zstd, first)),
      withHeader(zstd, second, 8, 3),
    ]) {
      const db = await openAt(WITHOUT, STORE, storeOptions(fileSystemOf(damaged), 2))
      expect(db.getSync('a')).to.equal('1')
      expect(() => db.getSync('b'))
        .to.throw()
        .with.property('code')
        .that.is.oneOf(['CORRUPTION', 'FORMAT'])
      await db.close()
    }
    for (const call of ['open read', 'read']) {
      const fs = faultFileSystem(fileSystemOf(zstd), failing([call], 'EIO', new RegExp(second)))
      const db = await openAt(WITHOUT, STORE, storeOptions(fs, 2))
      expect(db.getSync('a')).to.equal('1')
      await db.close()
    }
  })

  it('reads no table where there is zstd [OPT-11]', async () => {
    const { files } = await twoTables()
    const touched = async (machine: EnvironmentOverrides): Promise<number> => {
      let count = 0
      const fs = faultFileSystem(fileSystemOf(files), (call, path) => {
        if (call === 'open read' && path.endsWith('.sst')) count++
        return undefined
      })
      const db = await openAt(machine, STORE, storeOptions(fs, 2))
      const atOpen = count
      await db.close()
      return atOpen
    }
    expect(await touched(WITH)).to.equal(0)
    expect(await touched(WITHOUT)).to.equal(2)
    expect(await contentOfFiles(files)).to.deep.equal(CONTENT)
  })
})
