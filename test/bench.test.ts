/** The benchmarks still run: everything once, on tiny inputs. Nothing is said about time. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { childEnvironment } from './support/runtimes.ts'

const STORE_WORKLOADS =
  'fillrandom,put,readrandom,readmissing,readseq,seekrandom,ycsb-d,open-killed'
const TITLES = [
  ...['XXH64', 'LZ4', 'filter', 'memtable', 'table in the cache', 'scan of'],
  ...['comparing', 'copying', 'a varint', 'segment', 'table built', '4 tables'],
]
const MAIN = fileURLToPath(new URL('../bench/main.js', import.meta.url))

function bench(...args: string[]): string {
  const env = childEnvironment({ SEDGE_BENCH_SMOKE: '1', SEDGE_SEED: '7' })
  return execFileSync(process.execPath, [MAIN, ...args], { env, encoding: 'utf8', stdio: 'pipe' })
}

describe('bench', function () {
  this.timeout(300_000)

  it('runs every benchmark once when smoked, and tells its seed', () => {
    const output = bench('--workloads', STORE_WORKLOADS)
    expect(output).to.match(/^Node v.*, seed 7\nsmoke/)
    for (const title of TITLES) {
      expect(output).to.include(`\n${title}`)
    }
    for (const name of STORE_WORKLOADS.split(',')) {
      expect(output).to.match(new RegExp(`│ ${name} +│ +[0-9.]+ .?s │`))
    }
  })

  it('runs those that are named, and refuses what it does not know', () => {
    const output = bench('structures')
    expect(output).to.include('\nmemtable')
    expect(output).not.to.include('fillseq')
    expect(() => bench('nothing')).to.throw("there is no benchmark 'nothing'")
  })
})
