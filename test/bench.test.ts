/** The benchmarks still run: everything once, on tiny inputs. Nothing is said about time. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { childEnvironment } from './support/runtimes.ts'

const MAIN = fileURLToPath(new URL('../bench/main.js', import.meta.url))

function bench(...args: string[]): string {
  const env = childEnvironment({ SEDGE_BENCH_SMOKE: '1', SEDGE_SEED: '7' })
  return execFileSync(process.execPath, [MAIN, ...args], { env, encoding: 'utf8', stdio: 'pipe' })
}

describe('bench', function () {
  this.timeout(120_000)

  it('runs every benchmark once when smoked, and tells its seed', () => {
    const output = bench()
    expect(output).to.match(/^Node v.*, seed 7\nsmoke/)
    for (const title of ['XXH64', 'LZ4', 'filter', 'memtable', 'table in the cache', 'scan of']) {
      expect(output).to.include(`\n${title}`)
    }
    for (const name of ['fillseq', 'fillrandom', 'overwrite', 'fillbatch']) {
      expect(output).to.match(new RegExp(`\\n  ${name} +\\d+ ns/op`))
    }
    for (const name of ['readrandom', 'readmissing', 'readseq', 'readreverse', 'seekrandom']) {
      expect(output).to.match(new RegExp(`\\n  ${name} +\\d+ ns/op`))
    }
  })

  it('runs those that are named, and refuses what it does not know', () => {
    const output = bench('structures')
    expect(output).to.include('\nmemtable')
    expect(output).not.to.include('fillseq')
    expect(() => bench('nothing')).to.throw("there is no benchmark 'nothing'")
  })
})
