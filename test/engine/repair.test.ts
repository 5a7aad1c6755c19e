import { expect } from 'chai'
import { open } from '../../src/engine/open.ts'
import { type RepairReport, repair } from '../../src/engine/repair.ts'
import { readFile, systemError } from '../../src/env/file-io.ts'
import type { FileStatus, FileSystem } from '../../src/env/file-system.ts'
import type { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { SedgeError } from '../../src/errors.ts'
import {
  contentOf,
  expectStore,
  filesOf,
  flipBit,
  overwrite,
  rejection,
  STORE,
  truncate,
  type WrittenStore,
  writeStore,
} from '../support/damaged-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

const TARGET = '/repaired'

function removeStatements(fs: FileSystem, pattern = /^(?:CURRENT|MANIFEST|CLOSED)/): void {
  for (const name of fs.list(STORE)) if (pattern.test(name)) fs.remove(`${STORE}/${name}`)
}

function sizeOf(fs: FileSystem, name: string): number {
  return fs.status(`${STORE}/${name}`)!.size
}

/** Opens the target, expects it to verify, and returns how many entries of the content are missing or differ. */
async function differences(fs: FileSystem, store: WrittenStore): Promise<number> {
  const db = await open(TARGET, { fs, createIfMissing: false })
  try {
    expect((await db.verify()).problems).to.deep.equal([])
    const found = await contentOf(db)
    let count = 0
    for (const [key, value] of store.content) if (found.get(key) !== value) count++
    for (const key of found.keys()) if (!store.content.has(key)) count++
    return count
  } finally {
    await db.close()
  }
}

describe('engine/repair', () => {
  let store: WrittenStore
  let fs: MemoryFileSystem

  before(async () => {
    store = await writeStore()
    expect(store.tables.length).to.be.at.least(2)
    expect(store.logs.length).to.be.at.least(1)
    expect(store.valueFiles.length).to.be.at.least(1)
  })

  beforeEach(() => {
    fs = store.fs.clone()
  })

  it('of a sound store gives the same content and complains about nothing [REP-5, REP-6, REP-7]', async () => {
    const report = await repair(STORE, TARGET, { fs })
    expect(report).to.deep.equal({
      tables: store.tables.length,
      tablesDamaged: 0,
      segments: store.logs.length,
      segmentsDamaged: 0,
      entries: store.content.size,
      lost: [],
      problems: [],
    })
    await expectStore(fs, TARGET, store.content)
  })

  it('changes nothing in the source [REC-10, REP-1]', async () => {
    const before = filesOf(fs, STORE)
    await repair(STORE, TARGET, { fs })
    expect(filesOf(fs, STORE)).to.deep.equal(before)
    await expectStore(fs, STORE, store.content)
  })

  it('keeps sequences and timestamps, and later writes come later [REP-5]', async () => {
    await repair(STORE, TARGET, { fs })
    const source = await open(STORE, { fs })
    const target = await open(TARGET, { fs })
    let highest = 0
    for (const key of store.content.keys()) {
      const [expected, actual] = [await source.getEntry(key), await target.getEntry(key)]
      expect(actual).to.deep.equal(expected)
      highest = Math.max(highest, actual!.sequence)
    }
    await target.put('new', 'value')
    expect((await target.getEntry('new'))!.sequence).to.be.greaterThan(highest)
    expect(target.stats().sequence).to.be.at.least(source.stats().sequence)
    await source.close()
    await target.close()
  })

  it('does without manifest, marker and closing statement, and warns of it [REP-2]', async () => {
    removeStatements(fs)
    const report = await repair(STORE, TARGET, { fs })
    expect(report.lost).to.deep.equal([])
    expect(report.problems.some(({ message }) => message.includes('deleted entries'))).to.equal(
      true,
    )
    await expectStore(fs, TARGET, store.content)
  })

  for (const [what, pattern] of [
    ['marker', /^CURRENT/],
    ['manifest', /^MANIFEST/],
    ['marker and manifest', /^(?:CURRENT|MANIFEST)/],
  ] as const) {
    it(`does with a damaged ${what} [REP-2]`, async () => {
      for (const name of fs.list(STORE).filter((one) => pattern.test(one))) {
        flipBit(fs, `${STORE}/${name}`, 20)
      }
      const report = await repair(STORE, TARGET, { fs })
      expect(report.lost).to.deep.equal([])
      expect(report.problems).not.to.have.length(0)
      await expectStore(fs, TARGET, store.content)
    })
  }

  it('reads tables by their own headers when nothing else tells whose they are [REP-2, REP-3]', async () => {
    const db = await open(STORE, { fs })
    await db.compact()
    await db.close()
    removeStatements(fs, /^(?:CURRENT|MANIFEST|CLOSED)|log$|val$/)
    const report = await repair(STORE, TARGET, { fs })
    expect(report).to.deep.include({ lost: [], tablesDamaged: 0, segments: 0 })
    await expectStore(fs, TARGET, store.content)
  })

  it('reads a table once that stands beside what it was made from [REP-2, REP-5]', async () => {
    const old = store.fs.clone()
    const db = await open(STORE, { fs })
    await db.compact()
    await db.close()
    for (const name of [...store.tables, ...store.logs, ...store.valueFiles]) {
      if (fs.status(`${STORE}/${name}`) === undefined) {
        fs.open(`${STORE}/${name}`, 'create').write(readFile(old, `${STORE}/${name}`), 0)
      }
    }
    removeStatements(fs)
    const report = await repair(STORE, TARGET, { fs })
    expect(report.tables).to.be.greaterThan(store.tables.length)
    expect(report.lost).to.deep.equal([])
    // Deleted keys whose tombstones the compaction dropped may be back; all others must be right.
    const target = await open(TARGET, { fs })
    const found = await contentOf(target)
    for (const [key, value] of store.content) expect(found.get(key)).to.equal(value)
    await target.close()
  })

  it('saves all of a table whose header, footer, filter or index is damaged [REP-3]', async () => {
    const random = seededRandom(testSeed())
    for (const name of store.tables) {
      const size = sizeOf(store.fs, name)
      for (const offset of [5, 68, size - 10, size - 32 - 20, random.int(size - 400, size)]) {
        fs = store.fs.clone()
        flipBit(fs, `${STORE}/${name}`, offset)
        const report = await repair(STORE, TARGET, { fs })
        expect(report, `${name} at ${offset} of ${size}`).to.deep.include({
          tablesDamaged: 1,
          lost: [],
        })
        expect(await differences(fs, store)).to.equal(0)
      }
    }
  })

  it('loses a damaged block and no other [REP-3, REP-6]', async () => {
    const name = store.tables[0]!
    const size = sizeOf(fs, name)
    flipBit(fs, `${STORE}/${name}`, Math.floor(size / 2))
    const report = await repair(STORE, TARGET, { fs })
    expect(report).to.include({ tablesDamaged: 1, segmentsDamaged: 0 })
    expect(report.lost).to.have.length(1)
    const [lost] = report.lost
    expect(lost!.file).to.equal(name)
    expect(lost!.offset).to.be.at.most(size / 2)
    expect(lost!.offset + lost!.bytes!).to.be.greaterThan(size / 2)
    expect(await differences(fs, store)).to.be.within(1, 400)
  })

  it('loses a large value whose chunk is damaged, in a table or a value file, and no other entry [REP-3, REP-4]', async () => {
    const path = store.tables.find((name) => sizeOf(fs, name) > 200_000)!
    const at = Buffer.from(readFile(fs, `${STORE}/${path}`)).indexOf('a'.repeat(1000))
    flipBit(fs, `${STORE}/${path}`, at + 70_000)
    flipBit(fs, `${STORE}/${store.valueFiles.at(-1)}`, 100_000)
    const report = await repair(STORE, TARGET, { fs })
    expect(report.lost.map(({ file, bytes }) => ({ file, bytes }))).to.deep.equal([
      { file: path, bytes: 200_000 + 4 * 8 },
      { file: store.valueFiles.at(-1), bytes: 130_000 + 2 * 8 },
    ])
    expect(report.entries).to.equal(store.content.size - 2)
    expect(await differences(fs, store)).to.equal(2)
  })

  it('goes on behind damage in a log [REP-4, REP-6]', async () => {
    const name = store.logs.at(-1)!
    const size = sizeOf(fs, name)
    overwrite(fs, `${STORE}/${name}`, Math.floor(size / 3), new Uint8Array(600).fill(0xab))
    const report = await repair(STORE, TARGET, { fs })
    expect(report).to.include({ tablesDamaged: 0, segmentsDamaged: 1 })
    expect(report.lost.every(({ file }) => file === name)).to.equal(true)
    expect(report.lost.reduce((sum, { bytes }) => sum + bytes!, 0)).to.be.within(600, 2000)
    expect(await differences(fs, store)).to.be.within(1, 40)
  })

  it('tells of files that are cut off or missing [REP-6]', async () => {
    const [table, log] = [store.tables[0]!, store.logs.at(-1)!]
    const size = sizeOf(fs, log)
    truncate(fs, `${STORE}/${log}`, size - 100)
    fs.remove(`${STORE}/${table}`)
    const report = await repair(STORE, TARGET, { fs })
    expect(report).to.include({ tablesDamaged: 1, segmentsDamaged: 1 })
    expect(report.lost).to.deep.include({ file: table, offset: 0, bytes: undefined })
    const cut = report.lost.find(({ file }) => file === log)!
    expect(cut.offset + cut.bytes!).to.equal(size)
    expect(cut.bytes).to.be.within(100, 1000)
    await differences(fs, store)
  })

  it('tells of a log that is empty and was not [REP-6]', async () => {
    const log = store.logs.at(-1)!
    const size = sizeOf(fs, log)
    truncate(fs, `${STORE}/${log}`, 0)
    const report = await repair(STORE, TARGET, { fs })
    expect(report).to.include({ segmentsDamaged: 1 })
    expect(report.lost).to.deep.include({ file: log, offset: 0, bytes: size })
  })

  it('tells of a segment that is missing [REP-6]', async () => {
    const log = store.logs.at(-1)!
    fs.remove(`${STORE}/${log}`)
    const report = await repair(STORE, TARGET, { fs })
    expect(report).to.include({ segments: store.logs.length, segmentsDamaged: 1 })
    expect(report.lost).to.deep.include({ file: log, offset: 0, bytes: undefined })
  })

  it('never hands out a wrong value, whatever is damaged [REP-3, REP-4, REP-7]', async () => {
    const random = seededRandom(testSeed())
    for (let round = 0; round < 25; round++) {
      fs = store.fs.clone()
      const names = [...store.tables, ...store.logs, ...store.valueFiles]
      for (let i = random.int(1, 12); i > 0; i--) {
        const name = random.pick(names)
        const at = random.int(sizeOf(fs, name))
        if (random.chance(0.7)) flipBit(fs, `${STORE}/${name}`, at, random.int(8))
        else overwrite(fs, `${STORE}/${name}`, at, random.bytes(random.int(2000)))
      }
      if (random.chance(0.3)) removeStatements(fs)
      const report = await repair(STORE, TARGET, { fs })
      const target = await open(TARGET, { fs })
      expect((await target.verify()).problems).to.deep.equal([])
      // An older value may come back where a newer one was lost, but each was once written.
      const found = [...(await contentOf(target))].map(([key, value]) => `${key} ${value}`)
      expect(found.filter((entry) => !store.history.has(entry))).to.deep.equal([])
      expect(report.entries).to.be.greaterThan(store.content.size / 4)
      await target.close()
    }
  })

  it('gives no more than a sector for a sector that cannot be read [REP-3]', async () => {
    const name = store.tables[0]!
    const failing = faultFileSystem(fs, () => undefined)
    const spoiled: FileSystem = {
      ...failing,
      open: (path, mode) => {
        const file = failing.open(path, mode)
        if (!path.endsWith(name)) return file
        const read = file.read
        return {
          ...file,
          read: (target, position) => {
            const touches = position < 12_288 && position + target.length > 8192
            if (touches) throw Object.assign(new Error('a bad sector'), { code: 'EIO' })
            return read(target, position)
          },
        }
      },
    }
    const report = await repair(STORE, TARGET, { fs: spoiled })
    expect(report.tablesDamaged).to.equal(1)
    expect(await differences(fs, store)).to.be.lessThan(600)
  })

  it('writes only where nothing is [REP-1]', async () => {
    fs.makeDirectory(TARGET)
    await repair(STORE, TARGET, { fs })
    const before = filesOf(fs, TARGET)
    expect(await rejection(repair(STORE, TARGET, { fs }))).to.have.property('code', 'EXISTS')
    expect(filesOf(fs, TARGET)).to.deep.equal(before)
    fs.open('/file', 'create').close()
    expect(await rejection(repair(STORE, '/file', { fs }))).to.have.property('code', 'EXISTS')
    expect(await rejection(repair(STORE, STORE, { fs }))).to.have.property('code', 'EXISTS')
  })

  it('reads only what is a store and is not in use [REP-1]', async () => {
    expect(await rejection(repair('/none', TARGET, { fs }))).to.have.property('code', 'NOT_FOUND')
    fs.makeDirectory('/empty')
    expect(await rejection(repair('/empty', TARGET, { fs }))).to.have.property('code', 'NOT_FOUND')
    const db = await open(STORE, { fs })
    expect(await rejection(repair(STORE, TARGET, { fs }))).to.have.property('code', 'LOCKED')
    expect(fs.status(TARGET)).to.equal(undefined)
    await db.close()
  })

  it('that fails leaves nothing behind, and what an interrupted one leaves is no store [REP-7]', async () => {
    let report: RepairReport | undefined
    for (let allowed = 1; report === undefined; allowed = allowed * 2 + 1) {
      let calls = 0
      const changed = /^(?:open create|write|sync|rename|syncDirectory)$/
      const failing = faultFileSystem(fs, (call, path) => {
        if (!path.startsWith(TARGET) || !changed.test(call)) return undefined
        return calls++ >= allowed ? 'ENOSPC' : undefined
      })
      const left = fs.clone()
      const interrupted = faultFileSystem(left, (call, path) => {
        if (!path.startsWith(TARGET)) return undefined
        if (call === 'remove' && calls > allowed) return 'EIO'
        return changed.test(call) && calls++ >= allowed ? 'EIO' : undefined
      })
      const failure = await repair(STORE, TARGET, { fs: failing }).then(
        (done) => {
          report = done
        },
        (error) => error,
      )
      if (failure === undefined) break
      expect(failure).to.have.property('code', 'FULL')
      expect(fs.status(TARGET)).to.equal(undefined)
      calls = 0
      await rejection(repair(STORE, TARGET, { fs: interrupted }))
      const code = (await open(TARGET, { fs: left, createIfMissing: false }).catch((e) => e)).code
      expect(code).to.be.oneOf(['NOT_FOUND', 'CORRUPTION'])
    }
    expect(report!.entries).to.equal(store.content.size)
  })

  it('does not touch what a later release has written [REP-8]', async () => {
    const manifest = fs.list(STORE).find((name) => name.startsWith('MANIFEST'))!
    const bytes = readFile(fs, `${STORE}/${manifest}`)
    const { hash64 } = await import('../../src/util/checksum.ts')
    bytes[8] = 9
    new DataView(bytes.buffer).setBigUint64(56, hash64(bytes.subarray(0, 56)), true)
    overwrite(fs, `${STORE}/${manifest}`, 0, bytes)
    flipBit(fs, `${STORE}/${store.tables[0]}`, 100)
    expect(await rejection(repair(STORE, TARGET, { fs }))).to.have.property('code', 'FORMAT')
    expect(fs.status(TARGET)).to.equal(undefined)
  })

  it('tells of a source that cannot be read by a typed error [ERR-1]', async () => {
    const { fs } = await writeStore(100)
    for (const code of ['EACCES', 'EMFILE']) {
      const failing = faultFileSystem(fs, (call) => (call === 'list' ? code : undefined))
      const error = await rejection(repair(STORE, TARGET, { fs: failing }))
      expect(error).to.include({ code: 'IO', message: `cannot list store: ${code}` })
      expect(fs.status(TARGET)).to.equal(undefined)
    }
  })

  it('leaves nothing where it may not look or cannot lock [ERR-1, REP-7]', async () => {
    const { fs } = await writeStore(100)
    const locked = new SedgeError('LOCKED', 'another repair writes here')
    const refusals: readonly [Partial<FileSystem>, string][] = [
      [{ lock: () => Promise.reject(locked) }, 'LOCKED'],
      [{ lock: () => Promise.reject(systemError('EROFS', 'read-only')) }, 'IO'],
      [{ makeDirectory: () => expect.fail('nothing is made'), status: refuseTarget }, 'IO'],
      [{ makeDirectory: refuse }, 'IO'],
    ]
    function refuse(): never {
      throw systemError('EROFS', 'read-only')
    }
    function refuseTarget(path: string): FileStatus | undefined {
      if (path === TARGET) throw systemError('ERR_ACCESS_DENIED', 'no permission')
      return fs.status(path)
    }
    for (const [changes, code] of refusals) {
      const refusing = { ...faultFileSystem(fs, () => undefined), ...changes }
      const error = await rejection(repair(STORE, TARGET, { fs: refusing }))
      expect(error).to.be.instanceOf(SedgeError).with.property('code', code)
      expect(fs.status(TARGET)).to.equal(undefined)
    }
  })

  it('rejects wrong arguments [ERR-2]', async () => {
    expect(await rejection(repair(1 as never, TARGET))).to.be.instanceOf(TypeError)
    expect(await rejection(repair(STORE, ''))).to.be.instanceOf(RangeError)
    expect(await rejection(repair(STORE, TARGET, { x: 1 } as never))).to.be.instanceOf(RangeError)
  })
})
