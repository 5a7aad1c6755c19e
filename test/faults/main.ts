/**
 * The fault suites: what a store survives, case by case. Prints a line for each dimension, one for each case that failed
 * with the command that repeats it, and at last `N passed, N failed`, dimensions being counted.
 *
 *     npm run test:faults -- --help
 */
import { writeFileSync } from 'node:fs'
import { projectPath, projectText } from '../support/project.ts'
import { type Arguments, parseArguments, USAGE } from './arguments.ts'
import type { Failure } from './case-run.ts'
import { caseTable, placesOf, testFiles } from './cases.ts'
import { type Counted, withCases, withCounts } from './counts-page.ts'
import type { Dimension } from './dimension.ts'
import { DIMENSIONS } from './dimensions.ts'
import { latestEnd, planOf, type Request, type Shard } from './plan.ts'
import { runShards } from './pool.ts'

/** What is known of a dimension. */
interface Tally {
  readonly dimension: Dimension
  count: number
  seconds: number
  failed: number
  shardsLeft: number
}

const PAGE = 'docs/reliability.md'
const total = { passed: 0, failed: 0 }

async function main(words: readonly string[]): Promise<void> {
  if (words.includes('--help')) return console.log(USAGE)
  const names = DIMENSIONS.map(({ name }) => name)
  const request = parseArguments(words, names)
  const { only } = request
  const dimensions = DIMENSIONS.filter(({ name }) => only.length === 0 || only.includes(name))
  if (request.isList) return request.isWriting ? writeCases() : list(dimensions)
  if (request.soakHours > 0) await soak(dimensions, request)
  else {
    const counted = await once(dimensions, request)
    if (request.isWriting && request.mode === 'full' && total.failed === 0) write(counted)
  }
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed > 0 ? 1 : 0
}

function list(dimensions: readonly Dimension[]): void {
  for (const { name, ids, title, floor, unit, seconds } of dimensions) {
    console.log(`${name}: ${title} [${ids}]; at least ${grouped(floor)} ${unit}, ${seconds} s`)
  }
}

function writeCases(): void {
  const table = caseTable(placesOf(DIMENSIONS, testFiles()))
  writeFileSync(projectPath(PAGE), withCases(projectText(PAGE), table))
}

async function soak(dimensions: readonly Dimension[], request: Arguments): Promise<void> {
  const end = performance.now() + request.soakHours * 3_600_000
  for (let round = 0; ; round++) {
    const seconds = (end - performance.now()) / 1000
    if (seconds <= 1) return
    const full = dimensions.reduce((sum, one) => sum + one.seconds, 0) / request.processes
    // The last round is as long as the time that is left.
    const mode = seconds > full * 1.5 ? 'full' : 'budget'
    await once(dimensions, { ...request, mode, seconds, round, seed: request.seed + round })
  }
}

function write(counted: readonly Counted[]): void {
  writeFileSync(projectPath(PAGE), withCounts(projectText(PAGE), DIMENSIONS, counted))
}

async function once(dimensions: readonly Dimension[], request: Request): Promise<Counted[]> {
  const start = performance.now()
  const shards = planOf(dimensions, request)
  const tallies = new Map<string, Tally>()
  for (const dimension of dimensions) {
    const shardsLeft = shards.filter(({ name }) => name === dimension.name).length
    if (shardsLeft > 0)
      tallies.set(dimension.name, { dimension, count: 0, seconds: 0, failed: 0, shardsLeft })
  }
  console.log(`fault suites, ${request.mode}, seed ${request.seed}`)
  await runShards(
    shards,
    { processes: request.processes, seconds: latestEnd(request) },
    (shard, failure) => {
      tallies.get(shard.name)!.failed++
      tell(shard, failure)
    },
    (shard, { count, seconds }) => {
      const tally = tallies.get(shard.name)!
      tally.count += count
      tally.seconds += seconds
      if (--tally.shardsLeft === 0) close(tally, request)
    },
  )
  console.log(`in ${Math.round((performance.now() - start) / 1000)} s`)
  return [...tallies.values()]
}

function tell({ name, seed }: Shard, { index, message }: Failure): void {
  const again = `npm run test:faults -- --only ${name} --seed ${seed}`
  const one = index === undefined ? '' : ` --case ${index}`
  console.log(`FAILED ${name}: ${message}\n  again: ${again}${one}`)
}

/** All pieces of a dimension have ended. */
function close({ dimension, count, seconds, failed }: Tally, { mode }: Request): void {
  const { name, floor, unit, ids } = dimension
  const floorHere = mode === 'full' ? floor : mode === 'case' ? 1 : 0
  const isBad = failed > 0 || count < floorHere
  if (isBad) total.failed++
  else if (count > 0) total.passed++
  const verdict = failed > 0 ? `${failed} FAILED` : isBad ? 'TOO FEW' : count > 0 ? 'ok' : 'not run'
  const counted = `${grouped(count)} ${unit}`.padEnd(30)
  const least = mode === 'full' ? ` floor ${grouped(floor)}`.padEnd(18) : ''
  const took = `${seconds.toFixed(0).padStart(4)} s`
  console.log(`${name.padEnd(20)} ${counted}${least} ${took}  ${verdict}  [${ids}]`)
}

function grouped(value: number): string {
  return value.toLocaleString('en-US')
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  const { message, stack } = error as Error
  process.stderr.write(`${error instanceof RangeError ? message : stack}\n`)
  console.log(`${total.passed} passed, ${total.failed + 1} failed`)
  process.exitCode = 1
}
