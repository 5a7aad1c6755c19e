import { expect } from 'chai'
import { openStore } from '../../src/engine/opening.ts'
import { resolveOptions } from '../../src/engine/options.ts'
import { assertFilesThere } from '../../src/engine/presence.ts'
import type { Store } from '../../src/engine/store.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { SedgeError } from '../../src/errors.ts'
import { overwrite, STORE } from '../support/damaged-store.ts'
import { type Fault, faultFileSystem } from '../support/fault-file-system.ts'

describe('engine/presence', () => {
  let fs: MemoryFileSystem
  let store: Store
  let fault: Fault
  let end: () => void

  beforeEach(async () => {
    fs = new MemoryFileSystem()
    fault = () => undefined
    const files = faultFileSystem(fs, (call, path) => fault(call, path))
    const resolved = resolveOptions({ fs: files }, () => undefined)
    const opened = await openStore(STORE, resolved)
    store = opened.store
    end = () => {
      store.manifest?.close()
      opened.lock?.release()
    }
  })

  afterEach(() => end())

  const nameOf = (pattern: RegExp): string => fs.list(STORE).find((name) => pattern.test(name))!

  function refusal(): SedgeError {
    try {
      assertFilesThere(store)
    } catch (error) {
      return error as SedgeError
    }
    throw new Error('nothing was missed')
  }

  it('finds everything where it was put [DUR-15]', () => {
    assertFilesThere(store)
    store.manifest?.append({ lastSequence: 5 })
    assertFilesThere(store)
    expect(store.state).to.equal('open')
  })

  for (const pattern of [/^MANIFEST/, /^CURRENT/]) {
    it(`misses a file like ${pattern.source} that is gone or shorter, and ends writing [DUR-15]`, () => {
      const name = nameOf(pattern)
      const { size } = fs.status(`${STORE}/${name}`)!
      const file = fs.open(`${STORE}/${name}`, 'readwrite')
      file.truncate(size - 1)
      const error = refusal()
      expect(error).to.include({ code: 'FAILED' })
      expect(error.cause).to.include({ code: 'CORRUPTION', file: name, actual: size - 1 })
      expect(store.state).to.equal('failed')
      fs.remove(`${STORE}/${name}`)
      expect(refusal().cause).to.include({ code: 'CORRUPTION', file: name })
    })
  }

  it('misses the length of a manifest that somebody else wrote to, but not behind a failed edit [DUR-15]', () => {
    const name = nameOf(/^MANIFEST/)
    const { size } = fs.status(`${STORE}/${name}`)!
    overwrite(fs, `${STORE}/${name}`, size, Uint8Array.of(1))
    expect(refusal().cause).to.include({ file: name, expected: size, actual: size + 1 })
    // By now the store has failed, and what lies behind the last record may be of an edit that did, too.
    assertFilesThere(store)
  })

  it('leaves it to the manifest to say that somebody has taken the store over [DUR-15, MAN-16]', () => {
    fs.open(`${STORE}/CURRENT-000099-000001`, 'create').close()
    fs.remove(`${STORE}/${nameOf(/^MANIFEST/)}`)
    assertFilesThere(store)
    expect(store.state).to.equal('open')
  })

  it('tells what it may not look at as IO, which is no loss [DUR-15]', () => {
    fault = (call, path) => (call === 'status' && /MANIFEST/.test(path) ? 'EIO' : undefined)
    expect(refusal()).to.be.instanceOf(SedgeError).with.property('code', 'IO')
    expect(store.state).to.equal('open')
  })
})
