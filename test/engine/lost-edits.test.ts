/** A manifest that has lost its end is never taken for one that a crash has torn: the tables that it named are still there. */
import { expect } from 'chai'
import { open, repair } from '../../src/index.ts'
import {
  bytesOf,
  contentOfFiles,
  expectRefused,
  type Files,
  fileSystemOf,
  filesOf,
  flipped,
  sameFiles,
  truncated,
} from '../support/crashed-store.ts'
import { readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'

const TABLES = 4
const EACH = 10

interface Flushed {
  readonly files: Files
  readonly manifest: string
  /** Its length before the first flush. */
  readonly start: number
}

/** A store of a few tables, and what comes behind; its files as a process leaves them that is killed, or after a close. */
async function flushed(ending: 'killed' | 'killed with a log' | 'closed'): Promise<Flushed> {
  const fs = fileSystemOf(new Map())
  const db = await open(STORE, storeOptions(fs, 1, { workers: 0 }))
  const manifest = [...filesOf(fs).keys()].find((name) => name.startsWith('MANIFEST'))!
  let start = 0
  for (let table = 0; table < TABLES; table++) {
    for (let i = 0; i < EACH; i++) db.putSync(`${table} ${i}`, 'value', { sync: true })
    start ||= bytesOf(filesOf(fs), manifest).length
    await db.flush()
  }
  if (ending === 'killed with a log') db.putSync('last', 'value', { sync: true })
  if (ending === 'closed') await db.close()
  const files = filesOf(fs)
  if (ending !== 'closed') await db.close()
  return { files, manifest, start }
}

describe('engine/lost-edits', function () {
  this.timeout(120_000)

  for (const ending of ['killed', 'killed with a log', 'closed'] as const) {
    const count = TABLES * EACH + (ending === 'killed with a log' ? 1 : 0)

    it(`loses nothing to a manifest that is cut, wherever: ${ending} [MAN-22, REC-1]`, async () => {
      const { files, manifest, start } = await flushed(ending)
      const { length } = bytesOf(files, manifest)
      expect(start).to.be.lessThan(length)
      let refused = 0
      for (let cut = start; cut < length; cut++) {
        const damaged = truncated(files, manifest, cut)
        for (const recovery of ['tail', 'strict', 'pointInTime'] as const) {
          const error = await expectRefused(damaged, 'CORRUPTION', { recovery })
          expect(error.file).to.equal(manifest)
          refused++
        }
      }
      expect(refused).to.equal(3 * (length - start))
      expect((await contentOfFiles(files)).size).to.equal(count)
    })

    it(`repairs a manifest that is cut without loss: ${ending} [MAN-22, REP-2]`, async () => {
      const { files, manifest, start } = await flushed(ending)
      const { length } = bytesOf(files, manifest)
      for (let cut = start; cut < length; cut += 7) {
        const damaged = truncated(files, manifest, cut)
        const fs = fileSystemOf(damaged)
        const report = await repair(STORE, 'target', { fs })
        expect(report.problems.map(({ file }) => file)).to.include(manifest)
        expect(sameFiles(filesOf(fs), damaged)).to.equal(true)
        const db = await open('target', { fs })
        expect((await readStore(db)).size).to.equal(count)
        await db.close()
      }
    })
  }

  it('loses nothing to a flipped bit in the last edit [MAN-22, REC-1]', async () => {
    const { files, manifest, start } = await flushed('killed')
    for (let at = start; at < bytesOf(files, manifest).length; at++) {
      await expectRefused(flipped(files, manifest, at, 1 << (at % 8)), 'CORRUPTION')
    }
  })

  it('refuses a file with a number that was never given out [MAN-22]', async () => {
    const { files } = await flushed('killed')
    const [table] = [...files.keys()].filter((name) => name.endsWith('.sst'))
    for (const name of ['900000.sst', '900000.log', '900000.val', '900000.tmp']) {
      const more = new Map(files).set(name, bytesOf(files, table!))
      expect((await expectRefused(more, 'CORRUPTION')).message).to.include(name)
    }
    expect(
      (await contentOfFiles(new Map(files).set('other.sst', new Uint8Array(9)))).size,
    ).to.equal(40)
  })

  it('removes a table whose entries the log still has, or that does not verify [MAN-22, REC-6]', async () => {
    const { files } = await flushed('killed')
    const more = new Map(files).set('000060.sst', new Uint8Array(500))
    const fs = fileSystemOf(more)
    const db = await open(STORE, storeOptions(fs, 2))
    expect(db.stats().recovery.removedFiles).to.be.at.least(1)
    expect((await readStore(db)).size).to.equal(40)
    await db.close()
    expect([...filesOf(fs).keys()]).to.not.include('000060.sst')
  })
})
