/**
 * Lives of stores as they were recorded, and each moment of them at which the power can go.
 *
 *     const recording = await record(workload, seed)
 *     for (const cut of cutsOf(recording)) check(cut.image(policy), cut.bounds(policy))
 */
import { MemoryFileSystem, type OpenOptions } from '../../src/index.ts'
import { CrashFileSystem } from '../support/crash-file-system.ts'
import type { CrashPolicy } from '../support/crash-image.ts'
import {
  type JournalEntry,
  JournalFileSystem,
  JournalReplay,
} from '../support/journal-file-system.ts'
import { type Random, seededRandom } from '../support/seed.ts'
import type { StoreModel } from '../support/store-model.ts'
import type { Bounds } from '../support/store-oracle.ts'
import { type Note, STORE, storeOptions, Workload } from '../support/store-workload.ts'
import { virtualTime } from '../support/virtual-time.ts'
import type { NamedWorkload } from './workloads.ts'

export interface Recording {
  readonly workload: NamedWorkload
  readonly options: OpenOptions<'utf8', 'utf8'>
  readonly journal: readonly JournalEntry<Note>[]
  /** The first entry that is of interest. */
  readonly first: number
  readonly model: StoreModel
}

export const POLICIES = [
  'lost',
  'kept',
  'data',
  'names',
  'sectors',
  'prefix',
  'suffix',
  'files',
  'garbage',
  'doubled',
] as const
export type PolicyName = (typeof POLICIES)[number]

export async function record(workload: NamedWorkload, seed: number): Promise<Recording> {
  const random = seededRandom(seed)
  const fs = new JournalFileSystem<Note>(new MemoryFileSystem())
  const options = storeOptions(fs, 1, workload.options)
  const time = virtualTime(seededRandom(seed + 1))
  const life = new Workload(options, random, { time, onNote: (note) => fs.note(note) })
  await workload.prepare?.(life, fs)
  const first = fs.journal.length
  await workload.run(life, fs)
  const recording = {
    workload,
    options: workload.options ?? {},
    journal: [...fs.journal],
    first,
    model: life.model,
  }
  await life.close()
  return recording
}

/** A moment in a recording. It is valid until the next is asked for. */
export interface Cut {
  /** How many entries of the journal were carried out. */
  readonly step: number
  /** Everything was carried out. */
  readonly isLast: boolean
  image(name: PolicyName, random: Random): MemoryFileSystem
  /** What the system has at that moment, on disk and not, for another process to go on with. */
  live(): CrashFileSystem
  bounds(name: PolicyName): Bounds
}

/** Every moment: before each step and after the last. Moments before there is a store are left out. */
export function* cutsOf({ journal, first, model }: Recording): Generator<Cut> {
  const replay = new JournalReplay(new CrashFileSystem())
  const onDisk = { least: 0, most: 0 }
  const inProcess = { least: 0, most: 0 }
  const cut = (step: number): Cut => ({
    step,
    isLast: step === journal.length,
    image: (name, random) => replay.fs.image(policyOf(name, random)),
    live: () => replay.fs.clone(),
    bounds: (name) => (name === 'kept' ? { ...inProcess } : { ...onDisk }),
  })
  for (const [step, entry] of journal.entries()) {
    if (entry.kind === 'note') {
      const { what, commit } = entry.note
      if (what === 'issued') onDisk.most = inProcess.most = commit
      else {
        if (what === 'disk') onDisk.least = Math.max(onDisk.least, commit)
        inProcess.least = Math.max(inProcess.least, commit)
      }
    } else if (step >= first && replay.fs.status(STORE) !== undefined) yield cut(step)
    replay.apply(entry)
  }
  if (onDisk.most !== model.length) throw new Error('the recording is not complete')
  yield cut(journal.length)
}

export function policyOf(name: PolicyName, random: Random): CrashPolicy {
  switch (name) {
    case 'sectors':
      return random
    case 'prefix':
      return { prefix: random }
    case 'suffix':
      return { suffix: random }
    case 'files':
      return { files: random }
    case 'garbage':
      return { garbage: random }
    case 'doubled':
      return { doubled: random }
    default:
      return name
  }
}
