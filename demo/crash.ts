/**
 * The death of a process: another process writes, is killed with SIGKILL in the middle of it, and what it leaves behind is held
 * against what it was promised. Each round goes on where the one before was killed.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Database, open, type RecoveryReport, SedgeError } from '../src/index.ts'
import {
  type Acknowledgement,
  CRASH_OPTIONS,
  isBatch,
  KEYS_PER_GROUP,
  replay,
  stepOf,
} from './crash-plan.ts'
import { count, duration, plural } from './format.ts'
import type { Report } from './report.ts'

const ROUNDS = 4
const DELAY_MS_MIN = 150
const DELAY_MS_MAX = 900
/** A writer that has acknowledged nothing by then never will. */
const PATIENCE_MS = 20_000

/** What a killed writer has left, as far as its parent knows. */
interface Killed {
  readonly acknowledged: ReadonlySet<number>
  readonly ms: number
  readonly signal: string | null
  /** What another `open` was told while the writer was alive. */
  readonly lockedOut: boolean
}

interface Found {
  /** Steps that the store shows, the first missing one onwards not counted. */
  readonly steps: number
  readonly lost: number
  readonly torn: number
  readonly invented: number
  readonly openMs: number
  readonly problems: number
  readonly recovery: RecoveryReport
}

export async function surviveKills(
  path: string,
  random: () => number,
  report: Report,
): Promise<void> {
  report.say(
    `Another process writes notes and batches of ${KEYS_PER_GROUP * 2 + 1} operations, and ` +
      'tells every acknowledgement over a pipe. At a random moment it gets SIGKILL. This ' +
      `happens ${ROUNDS} times to one store. What was not acknowledged yet may be found, too.`,
  )
  const model = new Map<string, string>()
  const rounds: { killed: Killed; found: Found }[] = []
  let steps = 0
  for (let round = 0; round < ROUNDS; round++) {
    const delayMs = DELAY_MS_MIN + random() * (DELAY_MS_MAX - DELAY_MS_MIN)
    const killed = await writeAndKill(path, steps, delayMs)
    const found = await examine(path, model, steps, killed)
    rounds.push({ killed, found })
    steps = found.steps
  }
  printRounds(rounds, report)
  judge(rounds, report)
}

/** Starts a writer, tries to open its store as well, and kills it `delayMs` after its first acknowledgement. */
async function writeAndKill(path: string, firstStep: number, delayMs: number): Promise<Killed> {
  const script = fileURLToPath(new URL('./writer.js', import.meta.url))
  const child = fork(script, [path, String(firstStep)], { execArgv: [] })
  const dieWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', dieWithUs)
  const acknowledged = new Set<number>()
  child.on('message', ({ steps }: Acknowledgement) => {
    for (const step of steps) acknowledged.add(step)
  })
  const gone = Promise.all([once(child, 'exit'), once(child, 'disconnect')])
  await Promise.race([firstMessage(child), gone])
  const start = performance.now()
  const lockedOut = child.exitCode === null && (await isLockedBy(path, child))
  await sleep(Math.max(0, delayMs - (performance.now() - start)))
  const ms = performance.now() - start
  child.kill('SIGKILL')
  const [[, signal]] = (await gone) as [[number | null, string | null], unknown]
  process.off('exit', dieWithUs)
  return { acknowledged, ms, signal, lockedOut }
}

async function firstMessage(child: ChildProcess): Promise<void> {
  try {
    await once(child, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) })
  } catch {
    child.kill('SIGKILL')
  }
}

async function isLockedBy(path: string, child: ChildProcess): Promise<boolean> {
  try {
    const db = await open(path, { createIfMissing: false })
    await db.close()
    return false
  } catch (error) {
    const locked = error instanceof SedgeError && error.code === 'LOCKED'
    return locked && (error.holder?.pid === undefined || error.holder.pid === child.pid)
  }
}

/** Opens what was left and compares it with what the first steps leave behind, as many as it shows. */
async function examine(
  path: string,
  model: Map<string, string>,
  firstStep: number,
  killed: Killed,
): Promise<Found> {
  const start = performance.now()
  const db = await open(path, { ...CRASH_OPTIONS, createIfMissing: false })
  const openMs = performance.now() - start
  const { recovery } = db.stats()
  const content = new Map<string, string>()
  let last = -1
  for await (const [key, value] of db.iterator()) {
    content.set(key, value)
    last = Math.max(last, stepOf(value))
  }
  const steps = last + 1
  replay(model, firstStep, steps)
  let lost = [...killed.acknowledged].filter((step) => step >= steps).length
  for (const [key, value] of model) if (content.get(key) !== value) lost++
  let invented = 0
  for (const key of content.keys()) if (!model.has(key)) invented++
  const torn = await countTorn(db)
  const problems = (await db.verify()).problems.length
  await db.close()
  return { steps, lost, torn, invented, openMs, problems, recovery }
}

/** Groups that are there in part. Since each batch deletes the group before, more than one group is torn, too. */
async function countTorn(db: Database<string, string>): Promise<number> {
  const sizes = new Map<string, number>()
  for await (const key of db.keys({ prefix: 'group/' })) {
    const group = key.slice(0, key.lastIndexOf('/'))
    sizes.set(group, (sizes.get(group) ?? 0) + 1)
  }
  const latest = await db.get('latest')
  const partial = [...sizes.values()].filter((size) => size !== KEYS_PER_GROUP).length
  const newest = latest === undefined ? 0 : 1
  return partial + Math.abs(sizes.size - newest)
}

function printRounds(rounds: readonly { killed: Killed; found: Found }[], report: Report): void {
  const number = (title: string) => ({ title, align: 'right' }) as const
  report.terminal.table(
    [
      number('#'),
      number('killed at'),
      number('acknowledged'),
      number('found'),
      number('lost'),
      number('torn'),
      number('invented'),
      number('open took'),
    ],
    rounds.map(({ killed, found }, index) => [
      String(index + 1),
      duration(killed.ms),
      count(killed.acknowledged.size),
      count(found.steps - (rounds[index - 1]?.found.steps ?? 0)),
      count(found.lost),
      count(found.torn),
      count(found.invented),
      duration(found.openMs),
    ]),
  )
}

function judge(rounds: readonly { killed: Killed; found: Found }[], report: Report): void {
  const sum = (pick: (round: { killed: Killed; found: Found }) => number): number =>
    rounds.reduce((total, round) => total + pick(round), 0)
  const acknowledged = sum(({ killed }) => killed.acknowledged.size)
  const batches = sum(({ killed }) => [...killed.acknowledged].filter(isBatch).length)
  const killings = rounds.filter(({ killed }) => killed.signal === 'SIGKILL').length
  report.check(
    `${plural(killings, 'writer')} died by SIGKILL while writing, none of them cleanly.`,
    killings === ROUNDS && rounds.every(({ found }) => !found.recovery.cleanClose),
    rounds.map(({ killed }) => killed.signal ?? 'ended by itself').join(', '),
  )
  report.check(
    'While a writer lived, a second open of its store was LOCKED; its death freed the lock.',
    rounds.every(({ killed }) => killed.lockedOut),
  )
  report.check(
    `Every one of ${plural(acknowledged, 'acknowledged write')} is there.`,
    acknowledged > 0 && sum(({ found }) => found.lost) === 0,
    `${sum(({ found }) => found.lost)} lost`,
  )
  report.check(
    `Every batch is there as a whole or not at all; ${plural(batches, 'batch', 'batches')} ` +
      'had been acknowledged.',
    batches > 0 && sum(({ found }) => found.torn) === 0,
    `${sum(({ found }) => found.torn)} torn`,
  )
  report.check(
    'Nothing is there that was not written: the store is exactly what its first writes, in ' +
      'their order, leave behind.',
    sum(({ found }) => found.invented) === 0,
    `${sum(({ found }) => found.invented)} invented`,
  )
  report.check(
    'verify() found nothing wrong with any of what the writers left.',
    sum(({ found }) => found.problems) === 0,
    plural(
      sum(({ found }) => found.problems),
      'problem',
    ),
  )
}
