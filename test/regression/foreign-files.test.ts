/** Directories in which another program keeps files whose names are those of a store's. */
import { expect } from 'chai'
import { MemoryFileSystem, open } from '../../src/index.ts'
import {
  expectRefused,
  type Files,
  fileSystemOf,
  filesOf,
  sameFiles,
} from '../support/crashed-store.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'

const FOREIGN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a LevelDB store without its log': {
    'MANIFEST-000001': 'this is the manifest of another program',
    'MANIFEST-000007': 'another',
    CURRENT: 'MANIFEST-000007\n',
  },
  'a manifest of another program': { 'MANIFEST-000001': `\x56\xf9\xb8\xf8${'leveldb'.repeat(20)}` },
  'a manifest that has only begun as ours do': { 'MANIFEST-000003': 'SEDGEMAP'.repeat(17) },
  'a marker of LevelDB alone': { CURRENT: 'MANIFEST-000001\n' },
}

function filesWith(texts: Readonly<Record<string, string>>): Files {
  const entries = Object.entries(texts)
  return new Map(entries.map(([name, text]) => [name, Buffer.from(text, 'latin1')]))
}

describe('regression/foreign-files', () => {
  for (const [what, texts] of Object.entries(FOREIGN)) {
    it(`refuses ${what} and changes nothing in it [REC-6, MAN-12]`, async () => {
      const files = filesWith({ ...texts, 'notes.txt': 'mine' })
      const error = await expectRefused(files, 'CORRUPTION')
      expect(Object.keys(texts)).to.include(error.file)
      const fs = fileSystemOf(files)
      for (const options of [{ readOnly: true }, { createIfMissing: false }]) {
        const refusal = await open(STORE, storeOptions(fs, 1, options)).catch((one: unknown) => one)
        expect(refusal).to.have.property('code', 'CORRUPTION')
      }
      expect(sameFiles(filesOf(fs), files)).to.equal(true)
    })
  }

  it('makes a store beside files that claim nothing, and where a creation of ours was cut short [REC-6, MAN-12]', async () => {
    const harmless = [
      { CURRENT: 'of the river', LOCK: '', LOG: 'MANIFEST-000001' },
      { 'MANIFEST-000001': '' },
      { 'MANIFEST-000001': 'SEDGE\0\0\0\0\0' },
      { 'MANIFEST-000001': '\0'.repeat(120), 'CURRENT-000001-000001': 'SEDGECU' },
    ]
    for (const texts of harmless) {
      const fs = fileSystemOf(filesWith(texts))
      const db = await open(STORE, storeOptions(fs))
      await db.put('a', '1')
      await db.close()
      const again = await open(STORE, storeOptions(fs, 2))
      expect(await again.get('a')).to.equal('1')
      await again.close()
      const left = fs.list(STORE)
      for (const name of ['CURRENT', 'LOCK', 'LOG']) {
        expect(left.includes(name), name).to.equal(Object.hasOwn(texts, name))
      }
      expect(left.filter((name) => name.startsWith('MANIFEST')).length).to.equal(1)
    }
  })

  it('is not disturbed by what comes to lie beside a store later [REC-6]', async () => {
    const fs = new MemoryFileSystem()
    const db = await open(STORE, storeOptions(fs))
    await db.put('a', '1')
    await db.close()
    fs.open(`${STORE}/CURRENT`, 'create').write(Buffer.from('MANIFEST-000001\n'), 0)
    const again = await open(STORE, storeOptions(fs, 2))
    expect(await again.get('a')).to.equal('1')
    await again.close()
    expect(fs.list(STORE)).to.include('CURRENT')
  })
})
