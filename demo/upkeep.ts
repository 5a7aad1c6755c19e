/**
 * The store's own care: verify reads and checks every file, compact brings the tables in order and gives space back.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stats } from '../src/index.ts'
import type { Store } from './cities.ts'
import { bytes, type Column, count, duration, percent, plural } from './format.ts'
import type { Report } from './report.ts'
import { compare, differences, isSame, type World } from './world.ts'

const QUIET_MS = 300
const SETTLED_MS_MAX = 5_000

export async function keepUp(db: Store, world: World, report: Report): Promise<void> {
  report.say(
    'verify() reads every block of every file and checks its checksum. compact() merges the ' +
      'tables, so that what was ' +
      'overwritten and deleted leaves the disk.',
  )
  await db.flush()
  await settle(db)
  await verify(db, report, 'Before the compaction')
  const before = db.stats()
  const start = performance.now()
  await db.compact()
  const ms = performance.now() - start
  const after = db.stats()
  const entries = tableEntries(after)
  report.check(
    `The compaction took ${duration(ms)}. ` +
      `${plural(tableEntries(before), 'entry', 'entries')} became ` +
      `${count(entries)}: one for each key that is there, and nothing else.`,
    entries === world.model.size,
    `${entries} entries in tables for ${world.model.size} keys`,
  )
  report.check(
    `The tables went from ${bytes(before.tableBytes)} to ${bytes(after.tableBytes)}.`,
    // Where the work behind the writes was done in time, there was nothing left to give back.
    after.tableBytes <= before.tableBytes,
  )
  await verify(db, report, 'After the compaction')
  printLevels(before, after, report)
  const found = await compare(db, world.model)
  report.check('To its readers the store is the same as before.', isSame(found), differences(found))
}

async function verify(db: Store, report: Report, when: string): Promise<void> {
  const start = performance.now()
  const { tables, blocks, entries, bytes: size, problems } = await db.verify()
  const ms = performance.now() - start
  report.check(
    `${when} verify() found nothing wrong in ${plural(tables, 'table')}, ` +
      `${plural(blocks, 'block')}, ` +
      `${plural(entries, 'entry', 'entries')} (${bytes(size)} in ${duration(ms)}).`,
    problems.length === 0 && tables > 0 && blocks > 0,
    problems.map(({ message }) => message).join('; ') || `${tables} tables, ${blocks} blocks`,
  )
}

function printLevels(before: Stats, after: Stats, report: Report): void {
  const number = (title: string): Column => ({ title, align: 'right' })
  const columns = [
    number('level'),
    ...[number('tables'), number('entries'), number('size')],
    ...[number('→ tables'), number('→ entries'), number('→ size')],
  ]
  const cells = (stats: Stats, level: number): string[] => {
    const found = stats.levels.find((one) => one.level === level)
    if (found === undefined || found.tables === 0) return ['·', '·', '·']
    return [count(found.tables), count(found.entries), bytes(found.bytes)]
  }
  const levels = new Set(
    [...before.levels, ...after.levels]
      .filter(({ tables }) => tables > 0)
      .map(({ level }) => level),
  )
  const rows = [...levels]
    .sort((a, b) => a - b)
    .map((level) => [String(level), ...cells(before, level), ...cells(after, level)])
  const sums = [before, after].flatMap((stats) => [
    ...[count(stats.tables), count(tableEntries(stats)), bytes(stats.tableBytes)],
  ])
  report.terminal.table(columns, [...rows, ['all', ...sums]])
}

/** What the store counted since it was opened. */
export function printCounters(stats: Stats, report: Report): void {
  const lookups = stats.cacheHits + stats.cacheMisses
  const checks = stats.filterChecks
  const absent = stats.filterNegatives + stats.filterFalsePositives
  const share = (part: number, whole: number): string => (whole === 0 ? '·' : percent(part / whole))
  const number = (title: string): Column => ({ title, align: 'right' })
  report.terminal.table(
    [{ title: 'counted by stats()' }, number('number'), number('share')],
    [
      ['entries written', count(stats.puts + stats.deletes), ''],
      ['keys looked up', count(stats.gets), ''],
      ['flushes', count(stats.flushes), ''],
      ['compactions', count(stats.compactions), ''],
      ['blocks found in the cache', count(stats.cacheHits), share(stats.cacheHits, lookups)],
      ['blocks read from files', count(stats.cacheMisses), share(stats.cacheMisses, lookups)],
      ['filters asked', count(checks), ''],
      ['… that saved a block', count(stats.filterNegatives), share(stats.filterNegatives, checks)],
      [
        '… wrong about an absent key',
        count(stats.filterFalsePositives),
        share(stats.filterFalsePositives, absent),
      ],
      ['block cache', bytes(stats.cacheBytes), ''],
      ['memory of the kernel', bytes(stats.kernelBytes), ''],
      ['written to files', bytes(stats.bytesWritten), ''],
      ['read from files', bytes(stats.bytesRead), ''],
    ],
  )
}

/** Waits, for some seconds at most, until no compaction has ended for a while. */
async function settle(db: Store): Promise<void> {
  const end = performance.now() + SETTLED_MS_MAX
  for (let last = -1; last !== db.stats().compactions && performance.now() < end; ) {
    last = db.stats().compactions
    await sleep(QUIET_MS)
  }
}

function tableEntries(stats: Stats): number {
  return stats.levels.reduce((sum, { entries }) => sum + entries, 0)
}
