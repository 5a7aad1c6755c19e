/** The demonstration as `npm start` runs it, with fewer cities, in a process of its own. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { childEnvironment } from '../support/runtimes.ts'
import { tempDirectory } from '../support/temp.ts'

const MAIN = fileURLToPath(new URL('../../demo/main.js', import.meta.url))
const RUN_MS_MAX = 300_000

describe('demo/main', function () {
  this.timeout(RUN_MS_MAX)

  /** Runs it with `temporary` as the place for temporary folders. */
  function run(args: readonly string[], temporary: string) {
    const env = childEnvironment({ TMPDIR: temporary })
    const options = { env, encoding: 'utf8', timeout: RUN_MS_MAX } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], options)
    return { status, stdout, stderr }
  }

  it('checks everything it says, ends by itself with 0, and leaves nothing behind', () => {
    const temporary = tempDirectory()
    const { status, stdout, stderr } = run(['--cities', '4000'], temporary)
    expect(stderr).to.equal('')
    expect(status, stdout).to.equal(0)
    expect(stdout).to.match(/All \d\d checks passed\./)
    expect(stdout).to.include('GeoNames').and.to.not.include('✗').and.to.not.include('\x1b')
    expect(stdout).to.not.match(/NaN|Infinity/)
    expect(readdirSync(temporary)).to.deep.equal([])
  })

  it('refuses what it does not understand and a folder that is in use, with 2', () => {
    const temporary = tempDirectory()
    const used = join(temporary, 'used')
    mkdirSync(used)
    writeFileSync(join(used, 'file'), 'mine')
    for (const args of [['--fast'], ['--cities', 'few'], ['a', 'b'], [used]]) {
      const { status, stdout, stderr } = run(args, temporary)
      expect({ status, stdout }, stderr).to.deep.equal({ status: 2, stdout: '' })
      expect(stderr).to.not.equal('')
    }
    expect(readdirSync(temporary)).to.deep.equal(['used'])
    expect(readdirSync(used)).to.deep.equal(['file'])
  })
})
