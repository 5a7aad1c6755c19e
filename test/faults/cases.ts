/**
 * The failure cases that the store was planned against, by their ids, and where each is shown: in the suites that name it, and
 * in the tests whose titles do. docs/reliability.md has a table of them.
 *
 *     `A1`   in the ids of a suite, which may give ranges; in a title anywhere outside the brackets of clauses
 */
import { readdirSync } from 'node:fs'
import { projectPath, projectText } from '../support/project.ts'
import type { SourceFile } from '../support/tidy/source-text.ts'
import type { Dimension } from './dimension.ts'

/** What is stated of each, in short. */
export const CASES: Readonly<Record<string, string>> = {
  A1: 'a log cut at any length keeps exactly the commits that are whole',
  A2: 'a sealed log that is shorter is refused',
  A3: 'sectors of the last write are missing, old or noise',
  A4: 'a flipped bit is a torn end, or, below a synced place, damage',
  A5: 'zeros behind the log end it',
  A6: 'frames of an older log or another store do not count',
  A7: 'lengths that lie cost no memory and no reads behind the end',
  A8: 'a missing log is damage, one that is too old is removed',
  A9: 'a crash right after recovery leaves no log that is taken for damaged',
  A10: 'nothing is written behind a write that failed',
  A11: 'a close that fails is a sync that failed',
  A12: 'an empty value is no deletion',
  A13: 'no sequence number is used again',
  A14: 'power cut across logs that were not synced: a prefix',
  B1: 'no flipped bit of a table gives a wrong answer or hides a key',
  B2: 'tables that are shorter, empty or missing are found',
  B3: 'a table is not taken for another',
  B4: 'zeroed sectors, moved content and additions are found',
  B5: 'a compaction makes nothing of damage',
  B6: 'entries out of order are found',
  B7: 'a log that changed on its way to the disk is found by the flush (tables are not read back)',
  C1: 'a damaged manifest or marker never opens an older store',
  C2: 'markers that are missing, doubled or misnamed; tables without a manifest',
  C3: 'a crash while a manifest is replaced: the old or the new',
  C4: 'files that nothing refers to go, and their numbers are not used again',
  C5: 'a manifest of many edits is replaced by a short one',
  C6: 'versions and features of the future are refused',
  C7: 'files of others stay',
  D1: 'a power cut at each change to the files, in each workload',
  D2: 'the same during recovery, and again',
  D3: 'after recovery the store lives on',
  D4: 'what was cleared stays away',
  D5: 'a batch is atomic, whatever parts of the key space it writes to',
  D6: 'no commit without those before it, whatever their levels',
  D7: 'a killed process loses nothing that was acknowledged',
  E1: 'each call fails in each way, once or from then on',
  E2: 'a failed sync acknowledges nothing, then or later',
  E3: 'a failed sync whose pages are gone, and a power cut after the next open',
  E4: 'failed syncs of tables, manifest and directory install nothing',
  E5: 'a full disk, and room again',
  E6: 'a full disk while the store opens',
  E7: 'few files may be open, and none stays open',
  E8: 'a block that cannot be read fails its own range alone',
  E9: 'files that cannot be removed or renamed',
  E10: 'close ends, whatever fails',
  F1: 'killed under load, on each runtime',
  F2: 'opened twice: by path, link, thread, process',
  F3: 'a dead holder is replaced without help',
  F4: 'a living holder never is, wherever it lives',
  F5: 'fifty processes race: one holder',
  F6: 'those who clear away a dead lock race',
  F7: 'a store that was taken over writes nothing more',
  F8: 'a stopped holder holds',
  F9: 'workers that die, at each step',
  F10: 'messages of workers that are lost, doubled, late',
  F11: 'close while everything is under way',
  F12: 'iterators and snapshots behind a close',
  F13: 'listeners and encoders that call the store, or throw',
  F14: 'thousands of orders in which things may happen',
  G1: 'keys of all kinds and sizes, in byte order',
  G2: 'values and batches up to their limits',
  G3: 'arguments of all types; memory is not shared with callers',
  G4: 'memory is refused, at each place that asks for it',
  G5: 'a kernel that trapped is not called again',
  G6: 'no WebAssembly: a typed error',
  G7: 'writers that are faster than the disk',
  G8: 'clocks that jump, stand still or make no sense',
  G9: 'thousands of tables, edits and snapshots',
  H1: 'files of random and nearly right bytes',
  H2: 'sizes and counts that lie, under good checksums',
  H3: 'an index that refers to itself',
  H4: 'no text of a file becomes a path',
  H5: 'links and pipes in the place of files',
  H6: 'files and directories are their owner’s alone',
  H7: 'names of JavaScript as keys, values and options',
  H8: 'no bytes become code or objects; messages are matched to their jobs',
  H9: 'a store sees nothing of another in the same process',
  H10: 'no message holds bytes of keys or values',
  H11: 'no install script, no native code, no download, one dependency',
  H12: 'a checksum is no signature',
  R1: 'an empty marker',
  R2: 'a table of no bytes',
  R3: 'a hole in the log',
  R4: 'a full disk, then a crash',
  R5: 'a file that did not grow, and a header that says so',
  R6: 'a clean close is stated although it failed',
  R7: 'a marker without its manifest',
  R8: 'a marker without its content',
  R9: 'a log cut between two frames',
  R10: 'two crashes in a row',
  R11: 'a value from what lay there before',
  R12: 'cleared data that comes back',
  R13: 'keys that are no text',
  R14: 'damage in the middle that takes the rest with it',
  R15: 'a lock of pid 1',
  R16: 'names from the clock',
  R17: 'a copy made while files change',
  R18: 'a lock lost by reading its file',
  R19: 'short writes',
  R20: 'two actors that meet',
}

const CASE_ID = /\b[A-HR]\d{1,2}\b/g
/** The title of a test that is one literal. */
const TITLE = /\b(?:it|eachRuntime)\(\s*(?:'((?:[^'\\\n]|\\.)*)'|`([^`]*)`)/g
/** Its samples are no part of the plan. */
const OWN_TEST = 'test/faults/cases.test.ts'
const BRACKETS = /\[[^\]]*\]/g

/** Where each case is shown, the suites first. Cases that are none are there as well. */
export function placesOf(
  dimensions: readonly Dimension[],
  tests: readonly SourceFile[],
): Map<string, string[]> {
  const places = new Map<string, Set<string>>()
  const add = (id: string, place: string): void => {
    places.set(id, (places.get(id) ?? new Set()).add(place))
  }
  for (const { name, ids } of dimensions) {
    for (const id of idsOf(ids)) if (!id.startsWith('M')) add(id, name)
  }
  for (const { path, text } of tests) {
    const place = path.replace(/^test\/|\.test\.ts$/g, '')
    for (const [, plain = '', template = ''] of text.matchAll(TITLE)) {
      const title = (plain + template).replace(BRACKETS, '')
      for (const [id] of title.matchAll(CASE_ID)) add(id, place)
    }
  }
  return new Map([...places].map(([id, found]) => [id, [...found]]))
}

/** `A1, E2-E4` as ids. */
function idsOf(list: string): string[] {
  return list.split(', ').flatMap((part) => {
    const [from = '', to = from] = part.split('-')
    const [first, last] = [from, to].map((id) => Number(id.slice(1)))
    return Array.from({ length: last! - first! + 1 }, (_, at) => `${from[0]}${first! + at}`)
  })
}

/** The rows of the table in docs/reliability.md. */
export function caseTable(places: ReadonlyMap<string, readonly string[]>): string {
  const rows = Object.entries(CASES).map(([id, what]) => {
    const shown = (places.get(id) ?? []).map((place) => `\`${place}\``)
    return `| ${id} | ${what} | ${shown.join(', ')} |`
  })
  return ['| case | what it is about | shown by |', '| --- | --- | --- |', ...rows].join('\n')
}

/** The tests of the project. */
export function testFiles(): SourceFile[] {
  return readdirSync(projectPath('test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
    .map((path) => `test/${path.replaceAll('\\', '/')}`)
    .filter((path) => path !== OWN_TEST)
    .sort()
    .map((path) => ({ path, text: projectText(path) }))
}
