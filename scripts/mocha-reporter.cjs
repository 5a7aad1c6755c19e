/**
 * Mocha's `spec` reporter, with two additions for scripts/test.mjs: it leaves its counts and what failed as JSON in the
 * file named by SEDGE_TEST_COUNTS, so that several runs can be added up, and it ends a process that something keeps
 * alive after the last test. CommonJS, because that is how mocha loads a reporter by its path.
 */
const { writeFileSync } = require('node:fs')
const { reporters, Runner } = require('mocha')

const LINGER_MS_MAX = 20_000

class SpecWithCounts extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const failures = []
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) => {
      failures.push(`${test.fullTitle()}: ${error?.message ?? error}`)
    })
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures: failed, pending } = this.stats
      const counts = { passed: passes, failed, skipped: pending, failures }
      writeFileSync(process.env.SEDGE_TEST_COUNTS, JSON.stringify(counts))
      setTimeout(endLingering, LINGER_MS_MAX).unref()
    })
  }
}

function endLingering() {
  const held = process.getActiveResourcesInfo().join(', ')
  process.stderr.write(`the tests are over, but these keep the process alive: ${held}\n`)
  // Mocha sets the exit code in a listener of its own, to the number of failures; this one comes after it.
  process.once('exit', () => {
    process.exitCode = 1
  })
  process.exit()
}

module.exports = SpecWithCounts
