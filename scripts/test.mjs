/**
 * Builds and runs the tests. The last line of the output is always `N passed, N failed`, with `, N skipped` when
 * there were any, and the exit code is 0 only when nothing failed.
 *
 *     node scripts/test.mjs [--slow] [arguments for mocha, for instance --grep log]
 *
 * The tests of the kernel run twice, on the release and on the checked kernel. A whole run is measured: too little
 * coverage (the bounds are in .c8rc.json) counts as one failure. `--slow` runs the tests of test/slow, and only those.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { build } from './build.mjs'
import { exitCode, filesBelow, inRoot } from './common.mjs'

const RUNTIMES = 'test/runtimes'
const COVERAGE = 'coverage'
const MINUTE_MS = 60_000

/** A run that hangs is stopped, and is a failure. */
const RUN_MS_MAX = 30 * MINUTE_MS
const SLOW_RUN_MS_MAX = 120 * MINUTE_MS

const total = { passed: 0, failed: 0, skipped: 0 }

/** What failed, to be said again at the end of a long output. */
const allFailures = []

function add({ passed = 0, failed = 0, skipped = 0, failures = [] }) {
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
  allFailures.push(...failures)
}

async function main() {
  const slow = process.argv.includes('--slow')
  const mochaArgs = process.argv.slice(2).filter((arg) => arg !== '--slow')
  await build()
  await installRuntimes()

  const all = filesBelow('build/test', '.test.js')
  const isSlow = (file) => file.startsWith('build/test/slow/')
  if (slow) return mocha(all.filter(isSlow), mochaArgs, { timeout: SLOW_RUN_MS_MAX })

  const measured = mochaArgs.length === 0
  rmSync(inRoot(COVERAGE), { recursive: true, force: true })
  const env = measured ? { NODE_V8_COVERAGE: inRoot(`${COVERAGE}/tmp`) } : {}
  const usual = all.filter((file) => !isSlow(file))
  await mocha(usual, mochaArgs, { env })
  console.log('\nThe kernel again, with its checks on:')
  const kernel = usual.filter((file) => file.startsWith('build/test/kernel/'))
  await mocha(kernel, mochaArgs, { env: { ...env, SEDGE_KERNEL: 'checked' } })
  if (measured) await checkCoverage()
}

/** Deno, Bun and a newer Node, on the one platform whose packages the lock file names. */
async function installRuntimes() {
  if (process.platform !== 'linux' || process.arch !== 'x64' || runtimesAreCurrent()) return
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const code = await exitCode('npm', args, { cwd: RUNTIMES })
  if (code !== 0) throw new Error(`npm ${args.join(' ')} in ${RUNTIMES} ended with ${code}`)
}

function runtimesAreCurrent() {
  const { dependencies } = readJson(`${RUNTIMES}/package.json`)
  return Object.entries(dependencies).every(([name, version]) => {
    const manifest = `${RUNTIMES}/node_modules/${name}/package.json`
    return existsSync(inRoot(manifest)) && readJson(manifest).version === version
  })
}

/** Runs mocha on these files and adds its counts. A run that ends without counts is a failure. */
async function mocha(files, args, { env = {}, timeout = RUN_MS_MAX } = {}) {
  if (files.length === 0) throw new Error('no test files')
  const counts = inRoot('build/test-counts.json')
  rmSync(counts, { force: true })
  const code = await exitCode(
    process.execPath,
    [
      ...['--enable-source-maps', inRoot('node_modules/mocha/bin/mocha.js'), '--forbid-only'],
      ...['--reporter', inRoot('scripts/mocha-reporter.cjs'), ...args, ...files],
    ],
    { env: { ...env, SEDGE_TEST_COUNTS: counts }, timeout },
  )
  const counted = existsSync(counts) ? readJson(counts) : {}
  add(counted)
  if (code !== 0 && !(counted.failed > 0)) {
    console.error(`mocha ended with ${code}, but reported no failed test`)
    add({ failed: 1 })
  }
}

async function checkCoverage() {
  mkdirSync(inRoot(`${COVERAGE}/tmp`), { recursive: true })
  const c8 = inRoot('node_modules/c8/bin/c8.js')
  if ((await exitCode(process.execPath, [c8, 'report', '--check-coverage'])) === 0) return
  await exitCode(process.execPath, [c8, 'report', '--reporter', 'text'])
  console.error('the tests do not cover enough')
  add({ failed: 1 })
}

function readJson(path) {
  return JSON.parse(readFileSync(inRoot(path), 'utf8'))
}

try {
  await main()
} catch (error) {
  console.error(error.message)
  add({ failed: 1 })
}
if (total.passed + total.failed === 0) {
  console.error('no test has run')
  add({ failed: 1 })
}
const { passed, failed, skipped } = total
for (const failure of allFailures) console.log(`\nfailed: ${failure.slice(0, 1000)}`)
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0
