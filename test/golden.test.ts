/** The store that a release has written (test/golden/generate.ts): later releases open it, and write the same bytes. */
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { open } from '../src/index.ts'
import { GOLDEN_FOLDER, GOLDEN_START, type Golden, writeGolden } from './golden/generate.ts'
import { projectPath } from './support/project.ts'
import { tempDirectory } from './support/temp.ts'

const TOTAL_BYTES_MAX = 200_000

/** Files by their names, in one order. */
function filesOf(folder: string): Map<string, Buffer> {
  const names = readdirSync(folder).sort()
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]))
}

describe('golden', () => {
  const kept = filesOf(projectPath(GOLDEN_FOLDER))
  let golden: Golden
  let directory: string

  before(async () => {
    golden = await writeGolden()
  })

  beforeEach(() => {
    directory = join(tempDirectory(), 'store')
    mkdirSync(directory)
    cpSync(projectPath(GOLDEN_FOLDER), directory, { recursive: true })
  })

  it('has files of every kind, and is small', () => {
    const kinds = [...kept.keys()].map((name) => name.replace(/^[^A-Z]*\d+\.|-\d.*$/g, ''))
    expect([...new Set(kinds)].sort()).to.deep.equal([
      ...['CLOSED', 'CURRENT', 'MANIFEST', 'log', 'sst', 'val'],
    ])
    const sizes = [...kept.values()].map(({ length }) => length)
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.be.lessThan(TOTAL_BYTES_MAX)
  })

  it('is written again byte for byte [OPT-10]', () => {
    expect([...golden.files.keys()]).to.deep.equal([...kept.keys()])
    for (const [name, bytes] of golden.files) {
      expect(Buffer.from(bytes).equals(kept.get(name)!), `${name} has changed`).to.equal(true)
    }
  })

  it('is read whole without a change to any file [REC-8, API-12]', async () => {
    const db = await open(directory, { readOnly: true })
    expect(await db.iterator().all()).to.deep.equal(golden.content)
    expect(await db.iterator({ reverse: true }).all()).to.deep.equal([...golden.content].reverse())
    for (const [key, value] of golden.content) expect(db.getSync(key)).to.equal(value)
    expect(await db.getMany(['key/00001', 'key/00002', 'never written'])).to.deep.equal([
      ...[undefined, undefined, undefined],
    ])
    const first = await db.getEntry('key/00004')
    expect(first).to.include({ sequence: 5, value: 'the first value of 4' })
    expect(first!.timestamp).to.be.within(GOLDEN_START, GOLDEN_START + 10_000)
    await db.close()
    expect(filesOf(directory)).to.deep.equal(kept)
  })

  it('is sound [VER-1, VER-3]', async () => {
    const db = await open(directory, { readOnly: true })
    const report = await db.verify()
    expect(report.problems).to.deep.equal([])
    expect(report).to.include({ tables: 3, logSegments: 1 })
    const { levels, recovery } = db.stats()
    expect(levels.slice(0, 2).map(({ tables }) => tables)).to.deep.equal([2, 1])
    expect(recovery).to.include({ cleanClose: true, segments: 1, entries: 5, droppedBytes: 0 })
    await db.close()
  })

  it('goes on: what is added, flushed and compacted is there together with the old [DUR-7, ORD-7]', async () => {
    const db = await open(directory)
    const before = db.stats().sequence
    await db.put('added', 'now')
    expect((await db.getEntry('added'))?.sequence).to.be.greaterThan(before)
    await db.close()
    const again = await open(directory)
    const wanted = new Map([...golden.content, ['added', 'now']])
    expect(new Map(await again.iterator().all())).to.deep.equal(wanted)
    await again.compact()
    expect(new Map(await again.iterator().all())).to.deep.equal(wanted)
    expect((await again.verify()).problems).to.deep.equal([])
    await again.close()
  })
})
