/** Longer runs of random operations on disk, on every runtime, and what takes long in test/property/endurance.test.ts. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { open } from '../../src/index.ts'
import { eachRuntime, runScript } from '../support/runtimes.ts'
import { testSeed } from '../support/seed.ts'
import { tempDirectory } from '../support/temp.ts'
import { unawaitedPuts } from '../support/unawaited-puts.ts'

const CHILD = fileURLToPath(new URL('../support/model-child.js', import.meta.url))
const MIB = 1024 * 1024
/** Each takes half a minute or so. */
const TURNS = 10
/** On a machine that has much else to do. */
const SCRIPT_MS_MAX = 900_000

describe('slow/model', function () {
  this.timeout(3_600_000)

  for (let turn = 0; turn < TURNS; turn++) {
    eachRuntime(`agrees on disk for 60,000 operations [API-8, DUR-7], turn ${turn}`, (runtime) => {
      const args = [testSeed() + 1000 * turn, 6, 10_000].map(String)
      expect(runScript(runtime, CHILD, { args, timeout: SCRIPT_MS_MAX })).to.equal('agreed\n')
    })
  }

  for (const workers of [0, 1] as const) {
    it(`bounds memory under ten million puts that nobody awaits, with ${workers} workers [LIM-6]`, async () => {
      const report = await unawaitedPuts(tempDirectory(), { count: 10_000_000, workers })
      expect(report.found).to.equal(report.keys)
      expect(report.wrong).to.equal(0)
      expect(report.kernelBytes).to.be.at.most(16 * MIB)
      expect(report.grownBytes).to.be.at.most(192 * MIB)
    })
  }

  it('leaves no file handle behind in two thousand openings [API-21]', async () => {
    const path = tempDirectory()
    const handles = (): number => {
      return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    }
    let before = 0
    for (let opening = 0; opening < 2000; opening++) {
      const db = await open(path)
      await db.put(`key${opening}`, `${opening}`)
      await db.close()
      if (opening === 100) before = handles()
    }
    expect(handles()).to.be.at.most(before)
    const db = await open(path)
    expect(await db.keys().all()).to.have.length(2000)
    await db.close()
  })
})
