/**
 * How long the event loop is held while a writer keeps flush and compaction busy: a report, not a promise, because times
 * depend on the machine. docs/measurements.md has one.
 *
 * The delay is the time between two firings of a timer of 1 ms. The row without a store is the same loop, so what it shows is
 * its own and the machine's. Where the system tells it, the last columns leave out the time that the thread was ready and had
 * no processor because other programs, or threads of this one, had them all.
 */
import { readFileSync } from 'node:fs'
import { createHistogram, type Histogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { open } from '../../src/index.ts'
import { isNumberedValue, numberedValue, scatteredKey } from '../support/numbered-entries.ts'
import { tempDirectory } from '../support/temp.ts'

const SECONDS: number = Number(process.env['SEDGE_LOOP_SECONDS'] ?? 20)
const TURN_PUTS = 100

type Put = (key: string, value: Uint8Array) => Promise<void>

interface Loop {
  readonly puts: number
  readonly delay: Histogram
  /** The same without the time that the thread waited for a processor. */
  readonly ownDelay: Histogram
}

/** Nanoseconds that this thread has waited for a processor so far; 0 where nobody tells. */
function waitedForProcessor(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1])
  } catch {
    return 0
  }
}

/** Records the own delay until it is stopped. */
function watchOwnDelay(): { delay: Histogram; stop(): void } {
  const delay = createHistogram()
  let before = performance.now()
  let waited = waitedForProcessor()
  const timer = setInterval(() => {
    const now = performance.now()
    const waitedNow = waitedForProcessor()
    const own = (now - before) * 1e6 - (waitedNow - waited)
    delay.record(Math.max(1, Math.round(own)))
    before = now
    waited = waitedNow
  }, 1)
  return { delay, stop: () => clearInterval(timer) }
}

/** Awaited puts in turns of the event loop, for some seconds. */
async function write(put: Put): Promise<Loop> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const own = watchOwnDelay()
  let puts = 0
  delay.enable()
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end; ) {
    for (let i = 0; i < TURN_PUTS; i++) {
      const key = scatteredKey(puts++)
      await put(key, numberedValue(key))
    }
    await setImmediate()
  }
  delay.disable()
  own.stop()
  return { puts, delay, ownDelay: own.delay }
}

function line(name: string, { puts, delay, ownDelay }: Loop, more: string): string {
  const ms = (nanoseconds: number): string => (nanoseconds / 1e6).toFixed(1)
  const times = [50, 99, 99.9].map((percentile) => ms(delay.percentile(percentile)))
  const own = [99, 99.9].map((percentile) => ms(ownDelay.percentile(percentile)))
  const columns = [name, Math.round(puts / SECONDS), ...times, ms(delay.max)]
  return `| ${[...columns, ...own, ms(ownDelay.max), more].join(' | ')} |`
}

describe('slow/event-loop', function () {
  this.timeout(3_600_000)
  const lines: string[] = []

  before(async () => {
    lines.push('| store | puts/s | p50 ms | p99 | p99.9 | max | own p99 | p99.9 | max | jobs |')
    lines.push(`|${' --- |'.repeat(10)}`)
    const loop = await write(async () => undefined)
    lines.push(line('none', loop, ''))
  })

  for (const preset of ['default', 'edge'] as const) {
    for (const workers of [1, 0] as const) {
      const name = `${preset}, workers: ${workers}`
      it(`loses nothing of what is written by a busy loop: ${name} [API-8]`, async () => {
        const options = preset === 'edge' ? { preset } : {}
        const db = await open(tempDirectory(), { ...options, workers, valueEncoding: 'binary' })
        const loop = await write((key, value) => db.put(key, value))
        const { flushes, compactions } = db.stats()
        lines.push(line(name, loop, `${flushes} flushes, ${compactions} compactions`))
        let found = 0
        for await (const [key, value] of db.iterator()) if (isNumberedValue(key, value)) found++
        await db.close()
        expect(found).to.equal(loop.puts)
      })
    }
  }

  after(() => console.log(`\n${lines.join('\n')}\n`))
})
