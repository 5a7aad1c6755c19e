import { expect } from 'chai'
import type { Database } from '../../src/engine/database.ts'
import type { VerifyReport } from '../../src/engine/engine-types.ts'
import { open } from '../../src/engine/open.ts'
import { verifyStore } from '../../src/engine/verify.ts'
import { nodeEnvironment } from '../../src/env/environment.ts'
import type { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { recoverManifest } from '../../src/version/manifest-recovery.ts'
import {
  filesOf,
  flipBit,
  rejection,
  STORE,
  truncate,
  type WrittenStore,
  writeStore,
} from '../support/damaged-store.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { seededRandom, testSeed } from '../support/seed.ts'

describe('engine/verify', () => {
  let store: WrittenStore
  let fs: MemoryFileSystem
  let db: Database<string, string>

  before(async () => {
    store = await writeStore()
  })

  /** The store is open when its files are damaged: open itself would see some of it. */
  beforeEach(async () => {
    fs = store.fs.clone()
    db = await open(STORE, { fs })
  })

  afterEach(async () => {
    await db.close().catch(() => {})
  })

  /** Flips one bit, verifies, and flips it back. */
  async function problemsWith(name: string, offset: number, bit: number): Promise<VerifyReport> {
    flipBit(fs, `${STORE}/${name}`, offset, bit)
    const report = await db.verify()
    flipBit(fs, `${STORE}/${name}`, offset, bit)
    return report
  }

  it('finds nothing wrong with a sound store, changes nothing, and counts [VER-1, VER-4]', async () => {
    const before = filesOf(fs, STORE)
    const report = await db.verify()
    expect(report.problems).to.deep.equal([])
    expect(report).to.include({ tables: store.tables.length, logSegments: store.logs.length })
    expect(report.entries).to.be.at.least(store.content.size)
    expect(report.blocks).to.be.greaterThan(store.tables.length * 3)
    const sizes = [...store.tables, ...store.logs].map(
      (name) => fs.status(`${STORE}/${name}`)!.size,
    )
    expect(report.bytes).to.be.at.least(sizes.reduce((sum, size) => sum + size, 0))
    expect(filesOf(fs, STORE)).to.deep.equal(before)
  })

  it('finds every flipped bit of tables, segments and value files [DUR-8, VER-1, VER-2]', async () => {
    const random = seededRandom(testSeed())
    for (const name of [...store.tables, ...store.logs, ...store.valueFiles]) {
      const { size } = fs.status(`${STORE}/${name}`)!
      for (let round = 0; round < 15; round++) {
        const at = round === 0 ? 0 : round === 1 ? size - 1 : random.int(size)
        const { problems } = await problemsWith(name, at, random.int(8))
        expect(problems, `${name} at ${at} of ${size}`).not.to.have.length(0)
        for (const { code, file } of problems) {
          expect({ code, file }).to.deep.equal({ code: 'CORRUPTION', file: name })
        }
      }
    }
    expect((await db.verify()).problems).to.deep.equal([])
  })

  it('finds truncations and missing files [DUR-8, VER-2]', async () => {
    for (const name of [...store.tables, ...store.logs, ...store.valueFiles]) {
      truncate(fs, `${STORE}/${name}`, fs.status(`${STORE}/${name}`)!.size - 1)
    }
    const told = new Set((await db.verify()).problems.map(({ file }) => file))
    const expected = [...store.tables, ...store.logs, ...store.valueFiles]
    expect([...told].sort()).to.deep.equal(expected.sort())
    for (const name of expected) fs.remove(`${STORE}/${name}`)
    const { problems, tables } = await db.verify()
    expect(problems).to.have.length(store.tables.length + store.logs.length)
    expect(problems.every(({ message }) => message.includes('missing'))).to.equal(true)
    expect(tables).to.equal(0)
  })

  it('finds a manifest that is wrong about a table [VER-3]', async () => {
    const recovered = recoverManifest(fs, STORE)!
    const table = recovered.version.tables()[0]!
    const { length } = recovered.version.levels
    for (const wrong of [
      { entries: table.entries + 1 },
      { tombstones: table.tombstones === 0 ? 1 : 0 },
      { minSequence: table.minSequence - 1 },
      { maxSequence: table.maxSequence + 1 },
      { smallest: Uint8Array.of(0) },
      { largest: Uint8Array.of(255) },
      { checksum: 1n },
      { size: table.size + 1 },
    ]) {
      const { Version } = await import('../../src/version/version.ts')
      const version = Version.empty(length).apply({ addTables: [{ ...table, ...wrong }] })
      const { storeId, hashSeed } = recovered
      const environment = nodeEnvironment({ fs })
      const { problems } = await verifyStore({
        ...{ env: environment, directory: STORE, storeId, hashSeed, version, segments: [] },
        ...{ isLive: () => true, isLiveSegment: () => true },
      })
      expect(problems, Object.keys(wrong).join()).to.have.length(1)
    }
  })

  it('lets timers run and the store go on [VER-5]', async () => {
    let turns = 0
    const ticking = setInterval(() => turns++, 1)
    const verifying = db.verify()
    for (let i = 0; i < 2000; i++) await db.put(`k${String(i).padStart(6, '0')}`, 'new')
    await db.compact()
    const { problems } = await verifying
    clearInterval(ticking)
    expect(problems).to.deep.equal([])
    expect(turns).to.be.greaterThan(0)
    expect((await db.verify()).problems).to.deep.equal([])
  })

  it('passes over files that have left the store, whatever became of them [VER-5]', async () => {
    const recovered = recoverManifest(fs, STORE)!
    for (const name of [...store.tables, ...store.logs]) fs.remove(`${STORE}/${name}`)
    const { storeId, hashSeed, version } = recovered
    const report = await verifyStore({
      ...{ env: nodeEnvironment({ fs }), directory: STORE, storeId, hashSeed, version },
      segments: [{ number: Number.parseInt(store.logs[0]!, 10), length: 500 }],
      ...{ isLive: () => false, isLiveSegment: () => false },
    })
    expect(report).to.deep.include({ problems: [], tables: 0, logSegments: 0 })
  })

  it('covers what is acknowledged and not yet in a table [VER-1]', async () => {
    await db.put('fresh', 'value')
    await db.put('large-c', 'c'.repeat(100_000))
    const before = await db.verify()
    expect(before.problems).to.deep.equal([])
    const log = fs
      .list(STORE)
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1)!
    expect(store.logs).not.to.include(log)
    expect((await problemsWith(log, 100, 0)).problems).to.have.length(1)
  })

  it('rejects when the system refuses to read, not when it refuses to close [VER-1]', async () => {
    const { storeId, hashSeed, version } = recoverManifest(fs, STORE)!
    const verifyWithout = (refused: string): Promise<VerifyReport> => {
      const failing = faultFileSystem(fs, (call, path) =>
        call === refused && path.endsWith('.sst') ? 'EIO' : undefined,
      )
      return verifyStore({
        ...{ env: nodeEnvironment({ fs: failing }), directory: STORE, storeId, hashSeed, version },
        ...{ segments: [], isLive: () => true, isLiveSegment: () => true },
      })
    }
    for (const call of ['read', 'size']) {
      expect(await rejection(verifyWithout(call)), call).to.have.property('code', 'IO')
    }
    expect((await verifyWithout('close')).problems).to.deep.equal([])
  })
})
