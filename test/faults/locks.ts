/**
 * The lock of a store: fifty processes of all runtimes that race for it, some of which are killed on the way, and holders that are
 * killed, stopped, or live in a container of their own.
 */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { expect } from 'chai'
import { lockDirectory } from '../../src/env/directory-lock.ts'
import { type Database, open, SedgeError } from '../../src/index.ts'
import { containerOf, mountedFor } from '../support/containers.ts'
import { killLockProcesses, type LockProcess, startLockProcess } from '../support/lock-processes.ts'
import { LockRace, plantClaim } from '../support/lock-race.ts'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { seededRandom } from '../support/seed.ts'
import { tempDirectory } from '../support/temp.ts'
import type { Dimension } from './dimension.ts'

const PROCESSES = 50
const ROUNDS = 5
const RACES = 4

export const lockRaces: Dimension = {
  name: 'lock-races',
  ids: 'F5, F6',
  title: 'of fifty processes that open at once one at most holds the lock, and some do',
  unit: 'rounds',
  floor: RACES * ROUNDS,
  cases: RACES,
  seconds: 75,
  quickCases: 1,
  shardsMax: 1,
  async run(run) {
    for (let index = 0; index < RACES && !run.isOver; index++) {
      await run.check(index, async () => {
        const random = seededRandom(run.seed * RACES + index)
        const found = runtimes()
        const directory = tempDirectory()
        const contenders = Array.from({ length: PROCESSES }, (_, at) => found[at % found.length]!)
        try {
          const race = await LockRace.start(directory, contenders)
          for (let round = 0; round < ROUNDS; round++) {
            const killed = round % 3 === 2 ? [random.int(PROCESSES / 2), PROCESSES - 1] : []
            await race.run(killed)
          }
          await race.end()
        } finally {
          killLockProcesses()
          rmSync(directory, { recursive: true, force: true })
        }
        return ROUNDS
      })
    }
  },
}

type LockCase = (directory: string, runtime: Runtime) => Promise<void>

const CASES: readonly LockCase[] = [
  killedHolder,
  stoppedHolder,
  usedPid,
  deadContainer,
  liveContainer,
  reopenedStore,
  mountedDirectory,
]
const RUNTIMES = 4

export const lockHolders: Dimension = {
  name: 'lock-holders',
  ids: 'F2, F3, F4, F8, R15',
  title: 'a dead holder is replaced without help, a living one never, stopped or in a container',
  unit: 'holders',
  floor: CASES.length * RUNTIMES,
  seconds: 25,
  quickCases: 4,
  async run(run) {
    const found = runtimes()
    for (let index = 0; index < lockHolders.floor && !run.isOver; index++) {
      await run.check(index, async () => {
        const directory = tempDirectory()
        try {
          const test = CASES[index % CASES.length]!
          await test(directory, found[Math.floor(index / CASES.length) % found.length]!)
        } finally {
          killLockProcesses()
          rmSync(directory, { recursive: true, force: true })
        }
      })
    }
  },
}

async function holdIn(runtime: Runtime, directory: string): Promise<LockProcess> {
  const holder = startLockProcess(runtime, 'hold', directory)
  expect(await holder.line()).to.equal('held')
  return holder
}

async function kill(holder: LockProcess): Promise<void> {
  holder.process.kill('SIGKILL')
  await holder.ended
}

async function expectLocked(directory: string): Promise<void> {
  const outcome = await lockDirectory(directory).catch((error: unknown) => error)
  expect(outcome).to.be.instanceOf(SedgeError)
  expect(outcome).to.have.property('code', 'LOCKED')
}

/** At the first attempt. */
async function expectFree(directory: string): Promise<void> {
  const lock = await lockDirectory(directory)
  expect(lock.isHeld()).to.equal(true)
  lock.release()
}

/** F2, F3: by the directory's own path and by a link. */
async function killedHolder(directory: string, runtime: Runtime): Promise<void> {
  const link = `${directory}.link`
  symlinkSync(directory, link)
  const holder = await holdIn(runtime, directory)
  await expectLocked(directory)
  await expectLocked(link)
  await kill(holder)
  await expectFree(link)
  rmSync(link)
}

/** F8: a holder that does not answer, however long, holds. */
async function stoppedHolder(directory: string, runtime: Runtime): Promise<void> {
  const holder = await holdIn(runtime, directory)
  holder.process.kill('SIGSTOP')
  for (let look = 0; look < 3; look++) await expectLocked(directory)
  holder.process.kill('SIGCONT')
  await expectLocked(directory)
  await kill(holder)
  await expectFree(directory)
}

/** F3: the pid of a dead holder belongs to somebody else now, here this process. */
async function usedPid(directory: string, runtime: Runtime): Promise<void> {
  await kill(await holdIn(runtime, directory))
  plantClaim(directory, { startTime: '1' })
  await expectFree(directory)
}

/** F3, R15: killed together with its container; in the next one the same pid is alive, and is nobody that holds. */
async function deadContainer(directory: string, runtime: Runtime): Promise<void> {
  const container = containerOf(runtime)
  await kill(await holdIn(container, directory))
  const next = await holdIn(container, directory)
  await expectLocked(directory)
  await kill(next)
  await expectFree(directory)
}

/** F4: alive in a container whose pids mean nothing here. */
async function liveContainer(directory: string, runtime: Runtime): Promise<void> {
  const holder = await holdIn(containerOf(runtime), directory)
  await expectLocked(directory)
  const other = startLockProcess(containerOf(runtime), 'once', directory)
  expect(JSON.parse(await other.line()).code).to.equal('LOCKED')
  await kill(holder)
  await expectFree(directory)
}

/** F2: a store that is open here is closed to other processes, and to this one, until it is closed. */
async function reopenedStore(directory: string, runtime: Runtime): Promise<void> {
  const db: Database<string, string> = await open(directory)
  const other = startLockProcess(runtime, 'once', directory)
  expect(JSON.parse(await other.line()).holder.pid).to.equal(process.pid)
  await expectLocked(directory)
  await db.put('still', 'here')
  expect(await db.get('still')).to.equal('here')
  await db.close()
  await kill(await holdIn(runtime, directory))
  const again: Database<string, string> = await open(directory)
  expect(await again.get('still')).to.equal('here')
  await again.close()
}

/** F2: by another mount of the directory; by a link where mounts are not ours to make. */
async function mountedDirectory(directory: string, runtime: Runtime): Promise<void> {
  const other = `${directory}.other`
  mkdirSync(other)
  const mounting = mountedFor(runtime, directory, other)
  if (mounting === undefined) {
    rmSync(other, { recursive: true })
    symlinkSync(directory, other)
  }
  const holder = await holdIn(mounting ?? runtime, other)
  await expectLocked(directory)
  await kill(holder)
  await expectFree(directory)
  rmSync(other, { recursive: true })
}
