import { expect } from 'chai'
import type { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { loadChecksums } from '../../src/util/checksum.ts'
import { readClosed } from '../../src/version/closed-statement.ts'
import { parseFileName } from '../../src/version/file-names.ts'
import { Manifest } from '../../src/version/manifest.ts'
import { VersionError } from '../../src/version/version.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import { type Fault, faultFileSystem } from '../support/fault-file-system.ts'
import { codeOf, directory, edits, OPTIONS, thrownBy } from '../support/manifests.ts'
import { tableMeta, versionText } from '../support/table-metas.ts'

describe('version/manifest', () => {
  before(loadChecksums)

  it('creates an empty store', () => {
    const fs = directory()
    const manifest = Manifest.create(fs, 'store', OPTIONS)
    expect(fs.list('store').sort()).to.deep.equal(['CURRENT-000001-000001', 'MANIFEST-000001'])
    expect(manifest).to.include({ epoch: 1, number: 1, lastSequence: 0, logNumber: 0 })
    expect(manifest.version.levels.length).to.equal(7)
    expect(manifest.version.tables()).to.deep.equal([])
    expect(manifest.isFenced()).to.equal(false)
  })

  it('creates no store where one is', () => {
    const fs = directory()
    Manifest.create(fs, 'store', OPTIONS)
    expect(codeOf(() => Manifest.create(fs, 'store', OPTIONS))).to.equal('EXISTS')
    fs.remove('store/MANIFEST-000001')
    expect(codeOf(() => Manifest.create(fs, 'store', OPTIONS))).to.equal('CORRUPTION')
  })

  it('creates at the epoch that is asked for, or above those left behind [MAN-12]', () => {
    const fs = directory()
    expect(Manifest.create(fs, 'store', { ...OPTIONS, epoch: 9 }).epoch).to.equal(9)
    const left = directory()
    left.open('store/CURRENT-000004-000003', 'create').close()
    const manifest = Manifest.create(left, 'store', OPTIONS)
    expect(manifest).to.include({ epoch: 5, number: 1 })
    expect(left.list('store').sort()).to.deep.equal(['CURRENT-000005-000001', 'MANIFEST-000001'])
  })

  it('shows an edit once it is made, and keeps it [MAN-15]', () => {
    const fs = directory()
    const manifest = Manifest.create(fs, 'store', OPTIONS)
    const before = manifest.version
    const syncedLog = { number: 2, length: 512 }
    manifest.append({ lastSequence: 7, logNumber: 2, syncedLog, addTables: [tableMeta(3)] })
    expect(before.tables().length).to.equal(0)
    expect(manifest.version.tables()).to.deep.equal([tableMeta(3)])
    expect(manifest).to.include({ lastSequence: 7, logNumber: 2 })
    manifest.close()
    const recovered = Manifest.recover(fs, 'store')!
    expect(recovered).to.include({ lastSequence: 7, logNumber: 2 })
    expect(recovered.syncedLog).to.deep.equal(syncedLog)
    expect(versionText(recovered.version)).to.equal(versionText(manifest.version))
  })

  it('writes no edit that leads to an unsound version [MAN-7]', () => {
    const fs = directory()
    const manifest = Manifest.create(fs, 'store', OPTIONS)
    const { length } = manifest
    const edit = { removeTables: [{ level: 0, number: 5 }] }
    expect(() => manifest.append(edit)).to.throw(VersionError)
    expect(manifest.length).to.equal(length)
    manifest.append({ addTables: [tableMeta(5)] })
    manifest.append(edit)
  })

  it('takes over in the next epoch, with a new manifest, and clears up [MAN-13, MAN-14]', () => {
    const fs = directory()
    const first = Manifest.create(fs, 'store', OPTIONS)
    first.append({ lastSequence: 7, addTables: [tableMeta(3)] })
    first.close()
    fs.open('store/MANIFEST-000033', 'create').close()
    fs.open('store/notes.txt', 'create').close()
    const second = Manifest.takeOver(fs, 'store', Manifest.recover(fs, 'store')!)
    expect(second).to.include({ epoch: 2, number: 66, lastSequence: 7 })
    expect(versionText(second.version)).to.equal(versionText(first.version))
    expect(fs.list('store').sort()).to.deep.equal([
      ...['CURRENT-000002-000066', 'MANIFEST-000066', 'notes.txt'],
    ])
    second.append({ lastSequence: 8 })
    expect(Manifest.recover(fs, 'store')).to.include({ epoch: 2, lastSequence: 8 })
  })

  it('drops a torn tail by taking over [MAN-8, MAN-14]', () => {
    const fs = directory()
    Manifest.create(fs, 'store', OPTIONS).append({ lastSequence: 7 })
    const file = fs.open('store/MANIFEST-000001', 'readwrite')
    file.write(new Uint8Array(30).fill(9), file.size())
    const recovered = Manifest.recover(fs, 'store')!
    expect(recovered.tornTailBytes).to.equal(30)
    Manifest.takeOver(fs, 'store', recovered).append({ lastSequence: 8 })
    expect(Manifest.recover(fs, 'store')).to.include({ lastSequence: 8, tornTailBytes: 0 })
  })

  it('changes the number of levels on taking over, but never below the tables', () => {
    const fs = directory()
    const first = Manifest.create(fs, 'store', OPTIONS)
    first.append({ addTables: [tableMeta(3, { level: 4 })] })
    const levels = (maxLevels: number | undefined): number => {
      const recovered = Manifest.recover(fs, 'store')!
      return Manifest.takeOver(fs, 'store', recovered, { maxLevels }).version.levels.length
    }
    expect([undefined, 9, 3, undefined].map(levels)).to.deep.equal([7, 9, 5, 5])
  })

  it('is fenced by a higher epoch, and writes and removes nothing more: F7 [MAN-16]', () => {
    const fs = directory()
    const first = Manifest.create(fs, 'store', OPTIONS)
    const second = Manifest.takeOver(fs, 'store', Manifest.recover(fs, 'store')!)
    expect(first.isFenced()).to.equal(true)
    expect(second.isFenced()).to.equal(false)
    const names = fs.list('store').sort()
    expect(codeOf(() => first.append({ lastSequence: 5 }))).to.equal('LOCKED')
    expect(codeOf(() => first.append({ lastSequence: 5 }))).to.equal('FAILED')
    expect(codeOf(() => first.writeClosed([]))).to.equal('FAILED')
    expect(fs.list('store').sort()).to.deep.equal(names)
    second.append({ lastSequence: 6 })
    expect(Manifest.recover(fs, 'store')).to.include({ lastSequence: 6 })
  })

  it('replaces a manifest that has grown long: C5 [MAN-17]', () => {
    const fs = directory()
    const manifest = Manifest.create(fs, 'store', OPTIONS)
    const longest = edits(manifest, 200)
    expect(manifest.number).to.be.greaterThan(1)
    expect(longest).to.be.lessThan(65_536 + 5000)
    const types = fs.list('store').map((name) => parseFileName(name)!.type)
    expect(types.sort()).to.deep.equal(['manifest', 'marker'])
    expect(manifest.epoch).to.equal(1)
    const recovered = Manifest.recover(fs, 'store')!
    expect(recovered).to.include({ epoch: 1, manifestNumber: manifest.number, lastSequence: 200 })
    expect(versionText(recovered.version)).to.equal(versionText(manifest.version))
  })

  it('goes on with the old manifest when a new one cannot be written [MAN-17]', () => {
    for (const call of ['open create', 'write', 'sync']) {
      const inner = directory()
      const isNew = (path: string): boolean => path !== 'store/MANIFEST-000001'
      let isFailing = false
      const fs = faultFileSystem(inner, (one, path) =>
        isFailing && one === call && isNew(path) ? 'ENOSPC' : undefined,
      )
      const manifest = Manifest.create(fs, 'store', OPTIONS)
      isFailing = true
      edits(manifest, 50)
      expect(manifest.number).to.equal(1)
      expect(inner.list('store').length).to.equal(2)
      isFailing = false
      manifest.append({ lastSequence: 51 })
      expect(manifest.number).to.be.greaterThan(1)
      expect(Manifest.recover(fs, 'store')).to.include({ lastSequence: 51 })
    }
  })

  it('fails for good when a replacement cannot be made durable [MAN-15, MAN-17]', () => {
    for (const call of ['syncDirectory', 'open create', 'write', 'sync']) {
      const inner = directory()
      let isFailing = false
      const fs = faultFileSystem(inner, (one, path) => {
        const isConcerned = one === 'syncDirectory' || path.includes('CURRENT')
        return isFailing && one === call && isConcerned ? 'EIO' : undefined
      })
      const manifest = Manifest.create(fs, 'store', OPTIONS)
      isFailing = true
      let done = 0
      const code = codeOf(() => {
        for (; ; done++) edits(manifest, 1, done)
      })
      expect(code).to.equal('IO')
      isFailing = false
      expect(codeOf(() => manifest.append({}))).to.equal('FAILED')
      expect(Manifest.recover(inner, 'store')).to.include({ lastSequence: done })
    }
  })

  it('stays usable when there was no space for an edit [MAN-15]', () => {
    for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
      const { manifest, inner, failWith } = faultyStore()
      manifest.append({ lastSequence: 1 })
      const { length } = manifest
      failWith((call) => (call === 'write' ? code : undefined))
      const error = thrownBy(() => manifest.append({ lastSequence: 2, addTables: [tableMeta(3)] }))
      expect(error).to.include({ code: 'FULL', file: 'MANIFEST-000001', outcome: undefined })
      expect(inner.status('store/MANIFEST-000001')!.size).to.equal(length)
      expect(manifest.version.tables()).to.deep.equal([])
      failWith(() => undefined)
      manifest.append({ lastSequence: 3 })
      expect(Manifest.recover(inner, 'store')).to.include({ lastSequence: 3, tornTailBytes: 0 })
    }
  })

  it('fails for good after a failed write or sync, or a look that failed [MAN-15, MAN-16]', () => {
    let looks = 0
    const faults: Record<string, Fault> = {
      write: (call) => (call === 'write' ? 'EIO' : undefined),
      sync: (call) => (call === 'sync' ? 'EIO' : undefined),
      'sync for want of space': (call) => (call === 'sync' ? 'ENOSPC' : undefined),
      'the look after the edit': (call) =>
        call === 'list' && ++looks === 2 ? 'EMFILE' : undefined,
      'cutting back': (call) => (call === 'write' || call === 'truncate' ? 'ENOSPC' : undefined),
    }
    for (const [name, fault] of Object.entries(faults)) {
      const { manifest, inner, failWith } = faultyStore()
      manifest.append({ lastSequence: 1 })
      failWith(fault)
      const error = thrownBy(() => manifest.append({ lastSequence: 2 }))
      expect(error.code, name).to.be.oneOf(['IO', 'FULL'])
      expect(error.outcome, name).to.equal('unknown')
      expect(manifest.lastSequence).to.equal(1)
      failWith(() => undefined)
      const later = thrownBy(() => manifest.append({ lastSequence: 3 }))
      expect(later.code).to.equal('FAILED')
      expect(later.cause).to.equal(error)
      expect(codeOf(() => manifest.writeClosed([]))).to.equal('FAILED')
      expect(Manifest.recover(inner, 'store')!.lastSequence).to.be.oneOf([1, 2])
    }
  })

  it('never hands out a number twice, nor one that a file has [MAN-18]', () => {
    const fs = directory()
    const seen = new Set<number>()
    const take = (manifest: Manifest, count: number): void => {
      for (; count > 0; count--) {
        const number = manifest.allocateNumber()
        expect(seen.has(number), `${number}`).to.equal(false)
        seen.add(number)
      }
    }
    const first = Manifest.create(fs, 'store', OPTIONS)
    take(first, 200)
    const orphans = Array.from({ length: 300 }, (_, index) => 210 + 3 * index)
    for (const number of orphans) {
      fs.open(`store/${String(number).padStart(6, '0')}.sst`, 'create').close()
      seen.add(number)
    }
    fs.open(`store/${Number.MAX_SAFE_INTEGER}.log`, 'create').close()
    for (let round = 0; round < 5; round++) {
      const next = Manifest.takeOver(fs, 'store', Manifest.recover(fs, 'store')!)
      expect(seen.has(next.number)).to.equal(false)
      seen.add(next.number)
      take(next, 100)
    }
    expect(Math.max(...seen)).to.be.lessThan(2000)
  })

  it('reserves numbers before it hands them out [MAN-18]', () => {
    const fs = directory()
    const manifest = Manifest.create(fs, 'store', OPTIONS)
    for (let count = 0; count < 300; count++) {
      const number = manifest.allocateNumber()
      if (count % 7 === 0) manifest.append({ lastSequence: count })
      expect(Manifest.recover(fs, 'store')!.nextFileNumber).to.be.greaterThan(number)
    }
  })

  it('states and takes back a clean close [MAN-19, MAN-21]', () => {
    const fs = directory()
    const manifest = Manifest.create(fs, 'store', OPTIONS)
    manifest.append({ lastSequence: 5 })
    const segments = [{ number: 2, logLength: 80, valueLength: 0 }]
    manifest.writeClosed(segments)
    manifest.close()
    const recovered = Manifest.recover(fs, 'store')!
    const closed = readClosed(fs, 'store', recovered)!
    expect(closed).to.include({ epoch: 1, manifestNumber: 1, manifestLength: manifest.length })
    expect(closed.segments).to.deep.equal(segments)
    Manifest.takeOver(fs, 'store', recovered)
    expect(readClosed(fs, 'store', Manifest.recover(fs, 'store')!)).to.equal(undefined)
    expect(fs.list('store')).to.not.include('CLOSED')
  })

  it('goes on in its manifest after a clean close, and syncs when it changes [MAN-14, MAN-21, MAN-23]', () => {
    const fs = new CrashFileSystem()
    fs.makeDirectory('store')
    const first = Manifest.create(fs, 'store', OPTIONS)
    first.append({ lastSequence: 5 })
    first.writeClosed([])
    first.close()
    const recovered = Manifest.recover(fs, 'store')!
    const next = Manifest.takeOver(fs, 'store', recovered, { maxLevels: 7, isClosed: true })
    expect(next).to.include({ epoch: 2, number: 1, lastSequence: 5, length: first.length })
    expect(codeOf(() => Manifest.takeOver(fs, 'store', recovered, { isClosed: true }))).to.equal(
      'LOCKED',
    )
    const unchanged = fs.image('lost')
    const before = Manifest.recover(unchanged, 'store')!
    expect(before.epoch).to.equal(1)
    expect(readClosed(unchanged, 'store', before)).to.not.equal(undefined)
    next.append({ lastSequence: 6 })
    for (const policy of ['lost', 'kept'] as const) {
      const image = fs.image(policy)
      const after = Manifest.recover(image, 'store')!
      expect(after).to.include({ epoch: 2, manifestNumber: 1, lastSequence: 6 })
      expect(readClosed(image, 'store', after)).to.equal(undefined)
    }
    expect(fs.list('store').sort()).to.deep.equal(['CURRENT-000002-000001', 'MANIFEST-000001'])
    expect(next.allocateNumber()).to.equal(recovered.nextFileNumber)
  })

  it('makes a new manifest after a clean close where the levels change [MAN-14, MAN-23]', () => {
    const fs = directory()
    const first = Manifest.create(fs, 'store', OPTIONS)
    first.writeClosed([])
    first.close()
    const recovered = Manifest.recover(fs, 'store')!
    const next = Manifest.takeOver(fs, 'store', recovered, { maxLevels: 9, isClosed: true })
    expect(next.version.levels.length).to.equal(9)
    expect(next.number).to.equal(recovered.nextFileNumber)
  })

  it('stays usable when too many files were open to sync its epoch [MAN-15, MAN-23]', () => {
    for (const failing of ['open readwrite', 'syncDirectory']) {
      const inner = directory()
      const first = Manifest.create(inner, 'store', OPTIONS)
      first.writeClosed([])
      first.close()
      let isCrowded = false
      const fs = faultFileSystem(inner, (call) =>
        isCrowded && call === failing ? 'EMFILE' : undefined,
      )
      const recovered = Manifest.recover(fs, 'store')!
      const next = Manifest.takeOver(fs, 'store', recovered, { isClosed: true })
      isCrowded = true
      expect(codeOf(() => next.append({ lastSequence: 1 }))).to.equal('IO')
      expect(next).to.include({ lastSequence: 0, length: first.length })
      isCrowded = false
      next.append({ lastSequence: 2 })
      expect(Manifest.recover(inner, 'store')).to.include({ epoch: 2, lastSequence: 2 })
      expect(inner.list('store').sort()).to.deep.equal(['CURRENT-000002-000001', 'MANIFEST-000001'])
    }
  })

  it('fails for good when its epoch cannot be synced [MAN-15, MAN-23]', () => {
    for (const failing of ['sync', 'syncDirectory']) {
      const inner = directory()
      const first = Manifest.create(inner, 'store', OPTIONS)
      first.writeClosed([])
      first.close()
      const fs = faultFileSystem(inner, (call) => (call === failing ? 'EIO' : undefined))
      const next = Manifest.takeOver(fs, 'store', Manifest.recover(fs, 'store')!, {
        isClosed: true,
      })
      expect(codeOf(() => next.append({ lastSequence: 1 }))).to.equal('IO')
      expect(codeOf(() => next.append({ lastSequence: 1 }))).to.equal('FAILED')
      expect(readClosed(inner, 'store', Manifest.recover(inner, 'store')!)).to.equal(undefined)
    }
  })

  it('cannot be used after close', () => {
    const manifest = Manifest.create(directory(), 'store', OPTIONS)
    manifest.close()
    manifest.close()
    expect(codeOf(() => manifest.append({}))).to.equal('CLOSED')
    expect(codeOf(() => manifest.allocateNumber())).to.equal('CLOSED')
    expect(codeOf(() => manifest.writeClosed([]))).to.equal('CLOSED')
  })

  it('recovers many edits and tables in little time: C5, G9 [MAN-17]', () => {
    const fs = directory()
    const manifest = Manifest.create(fs, 'store', OPTIONS)
    const addTables = Array.from({ length: 5000 }, (_, index) => {
      const smallest = String(100_000 + index)
      return tableMeta(1000 + index, { level: 6, smallest, largest: `${smallest}x` })
    })
    manifest.append({ addTables })
    for (let edit = 1; edit <= 300; edit++) {
      const table = addTables[edit]!
      const removeTables = [{ level: 6, number: table.number }]
      manifest.append({ removeTables, addTables: [{ ...table, number: 10_000 + edit }] })
    }
    const recovered = Manifest.recover(fs, 'store')!
    expect(versionText(recovered.version)).to.equal(versionText(manifest.version))
  })
})

function faultyStore(): {
  manifest: Manifest
  inner: MemoryFileSystem
  failWith: (fault: Fault) => void
} {
  const inner = directory()
  let current: Fault = () => undefined
  const fs = faultFileSystem(inner, (call, path) => current(call, path))
  const manifest = Manifest.create(fs, 'store', OPTIONS)
  const failWith = (fault: Fault): void => {
    current = fault
  }
  return { manifest, inner, failWith }
}
