/** Few files may be open: E7 of the plan. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { buildSync } from 'esbuild'
import type { HandlesReport } from '../support/handles-child.ts'
import { childEnvironment } from '../support/runtimes.ts'
import { tempDirectory } from '../support/temp.ts'

const CHILD = fileURLToPath(new URL('../support/handles-child.js', import.meta.url))
/** Fewer than the store has tables; the runtime takes about two dozen. */
const FILES_MAX = 48

describe('regression/handles', () => {
  it('E7: reads many more tables than it may open files, and leaves some for others [DUR-14]', function () {
    this.timeout(300_000)
    if (!existsSync('/proc/self/fd')) return this.skip()
    const script = `ulimit -n ${FILES_MAX} && exec "$0" "$1" "$2"`
    // In one file: a runtime that loads modules opens more files at once than the store will.
    const outfile = `${tempDirectory()}/child.mjs`
    buildSync({ entryPoints: [CHILD], bundle: true, platform: 'node', format: 'esm', outfile })
    const args = ['-c', script, process.execPath, outfile, tempDirectory()]
    const output = execFileSync('sh', args, { encoding: 'utf8', env: childEnvironment() })
    const { tables, before, most, after, wrong } = JSON.parse(output) as HandlesReport
    expect(tables).to.be.greaterThan(FILES_MAX)
    expect(most).to.be.at.most(FILES_MAX)
    expect(wrong).to.equal(0)
    // Sockets of the lock and what the runtime itself opens once.
    expect(after - before).to.be.at.most(2)
  })
})
