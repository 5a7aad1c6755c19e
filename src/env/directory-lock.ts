/**
 * The lock of a store's directory: at most one holder, on this machine and on any other that sees the directory.
 * Clauses in `docs/locking.md`.
 *
 * A contender first creates a claim under a name of its own and only then lists the others'. Of two, the one whose
 * claim came last sees the other's; so both may back off, but both can never hold. Names are never used twice, so
 * removing the claim of a dead owner can never hit a living one's.
 *
 *     reserve in this process ─► kernel lock (Deno) ─► socket ─► claim ─► list and judge the others
 *        ▲                                                                 │ none lives: held
 *        └── wait a moment ◄── withdraw, unless ours is the first token ◄──┘ some live
 */
import { readdirSync } from 'node:fs'
import { type LockHolder, SedgeError } from '../errors.ts'
import { ioError } from './file-io.ts'
import type { DirectoryLock } from './file-system.ts'
import { isKernelLockFree, type KernelLock, takeKernelLock } from './kernel-lock.ts'
import {
  claimName,
  draftName,
  holderOf,
  KERNEL_LOCK_NAME,
  type LockFileName,
  parseLockFileName,
  readClaim,
  socketName,
} from './lock-claim.ts'
import { type Registration, register, registeredHolder } from './lock-registry.ts'
import { probeSocket } from './lock-socket.ts'
import { judgeClaim, judgeUnreadable, type Verdict } from './lock-verdict.ts'
import { makeClaim, type OwnClaim, removeQuietly } from './own-claim.ts'
import {
  type DirectoryIdentity,
  directoryIdentity,
  processEvidence,
  processIdentity,
} from './process-identity.ts'

/** Somebody else's claim. */
interface OtherClaim {
  readonly token: string
  readonly verdict: Verdict
  readonly holder: LockHolder
}

/** A claim that is still there after so many looks is a holder's, and no contender's about to back off. */
const SIGHTINGS_MAX = 4
/** Looks in all, however the others come and go. */
const LOOKS_MAX = 60
/** Milliseconds between looks: at least, and how much more at random. */
const PAUSE_MS = 5
const PAUSE_JITTER_MS = 15

/**
 * Takes the lock of an existing directory. Rejects with `LOCKED` when somebody has it or when that cannot be
 * told, with `IO` when the claim cannot be written.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const place = identify(directory)
  const registration = register(place)
  try {
    return await new Contest(place).run(registration)
  } catch (error) {
    registration.end()
    throw ioError(error, 'cannot lock', place.path)
  }
}

/** Who holds the lock of an existing directory. Writes nothing. Holders that are not known to be dead count. */
export async function findLockHolder(directory: string): Promise<LockHolder | undefined> {
  const place = identify(directory)
  const own = registeredHolder(place)
  if (own !== undefined) return own
  for (const { token, part } of listLockFiles(place)) {
    if (part !== 'claim') continue
    const other = await inspect(place, token, false)
    if (other === undefined || other.verdict === 'dead') continue
    const isDead =
      other.verdict === 'unknown' && isKernelLockFree(place.path)
        ? (await inspect(place, token, true))?.verdict === 'dead'
        : false
    if (!isDead) return other.holder
  }
  return undefined
}

/** One attempt to take the lock, look by look. */
class Contest {
  readonly #place: DirectoryIdentity
  /** How often in a row each claim of another was seen. */
  readonly #sightings = new Map<string, number>()
  /** What the last look has found. */
  #files: readonly LockFileName[] = []
  #own: OwnClaim | undefined
  #kernel: KernelLock | 'busy' | undefined

  constructor(place: DirectoryIdentity) {
    this.#place = place
  }

  async run(registration: Registration): Promise<DirectoryLock> {
    try {
      for (let look = 1; ; look++) {
        await this.#claim()
        const others = await this.#look()
        if (this.#own !== undefined && others.length === 0) {
          await removeOrphans(this.#place, this.#files)
          if (this.#isSound(this.#own)) return this.#hold(this.#own, registration)
        }
        this.#refuseIfSettled(others, look)
        this.#yieldTo(others)
        await pause()
      }
    } catch (error) {
      this.#own?.withdraw()
      if (typeof this.#kernel === 'object') this.#kernel.release()
      throw error
    }
  }

  async #claim(): Promise<void> {
    if (typeof this.#kernel !== 'object') this.#kernel = takeKernelLock(this.#place.path)
    if (this.#kernel === 'busy') return
    this.#own ??= await makeClaim(this.#place, this.#kernel !== undefined)
  }

  /** Judges every claim but ours, removes those of the dead and returns the others. */
  async #look(): Promise<OtherClaim[]> {
    const others: OtherClaim[] = []
    this.#files = listLockFiles(this.#place)
    for (const { token, part } of this.#files) {
      if (part !== 'claim' || token === this.#own?.token) continue
      const other = await inspect(this.#place, token, typeof this.#kernel === 'object')
      if (other === undefined) continue
      if (other.verdict === 'dead') removeClaim(this.#place, token)
      else others.push(other)
    }
    return others
  }

  /** Throws `LOCKED` once waiting longer would not help. */
  #refuseIfSettled(others: readonly OtherClaim[], look: number): void {
    const doubtful = others.find(({ verdict }) => verdict === 'unknown')
    if (doubtful !== undefined) throw doubtfulError(doubtful.holder)

    const seen = others.map(({ token }) => token)
    if (this.#kernel === 'busy') seen.push(KERNEL_LOCK_NAME)
    for (const token of this.#sightings.keys()) {
      if (!seen.includes(token)) this.#sightings.delete(token)
    }
    for (const token of seen) this.#sightings.set(token, (this.#sightings.get(token) ?? 0) + 1)
    const settled = seen.find((token) => (this.#sightings.get(token) ?? 0) >= SIGHTINGS_MAX)
    if (settled === undefined && look < LOOKS_MAX) return
    const winner = others.find(({ token }) => token === settled) ?? others[0]
    throw lockedError(winner?.holder ?? { file: KERNEL_LOCK_NAME })
  }

  /** Withdraws our claim, unless it is good and its token comes first: then the others go. */
  #yieldTo(others: readonly OtherClaim[]): void {
    const own = this.#own
    if (own === undefined) return
    if (this.#isSound(own) && others.every(({ token }) => own.token < token)) return
    own.withdraw()
    this.#own = undefined
  }

  #isSound(own: OwnClaim): boolean {
    return own.isIntact() && own.hasSocketFile()
  }

  #hold(own: OwnClaim, registration: Registration): DirectoryLock {
    const kernel = this.#kernel
    let isReleased = false
    registration.hold(own.holder)
    return {
      isHeld: () => !isReleased && own.isIntact(),
      release: () => {
        if (isReleased) return
        isReleased = true
        own.withdraw()
        if (typeof kernel === 'object') kernel.release()
        registration.end()
      },
    }
  }
}

/** What is known about the claim `token`; `undefined` when it has gone. */
async function inspect(
  place: DirectoryIdentity,
  token: string,
  hasKernelLock: boolean,
): Promise<OtherClaim | undefined> {
  const path = `${place.path}/${claimName(token)}`
  const claim = readClaim(path, token)
  if (claim === 'absent') return undefined
  const holder = holderOf(token, claim)
  const here = { process: processIdentity(), directory: place, hasKernelLock }
  if (claim === 'unreadable') return { token, holder, verdict: judgeUnreadable(token, here) }
  const verdict = judgeClaim(claim, here, {
    socket: await probeSocket(place.path, socketName(token)),
    process: processEvidence(claim.pid, claim.startTime),
  })
  // An owner that let go while we looked has taken its socket along.
  if (verdict === 'unknown' && readClaim(path, token) === 'absent') return undefined
  return { token, holder, verdict }
}

/** Removes a dead owner's files. The claim goes first: without its socket it would be in doubt to others. */
function removeClaim(place: DirectoryIdentity, token: string): void {
  removeQuietly(`${place.path}/${claimName(token)}`)
  removeQuietly(`${place.path}/${socketName(token)}`)
}

/**
 * Removes those of the files that are sockets and drafts of contenders which died before they had a claim. Only for the
 * holder: a contender that lives and loses its draft or socket finds the holder's claim.
 */
async function removeOrphans(
  place: DirectoryIdentity,
  files: readonly LockFileName[],
): Promise<void> {
  for (const { token, part } of files) {
    if (part === 'claim' || hasClaim(files, token)) continue
    if (part === 'draft') removeQuietly(`${place.path}/${draftName(token)}`)
    else if ((await probeSocket(place.path, socketName(token))) === 'refused') {
      removeQuietly(`${place.path}/${socketName(token)}`)
    }
  }
}

function hasClaim(files: readonly LockFileName[], token: string): boolean {
  return files.some((file) => file.part === 'claim' && file.token === token)
}

function listLockFiles(place: DirectoryIdentity): LockFileName[] {
  const files: LockFileName[] = []
  for (const name of readdirSync(place.path)) {
    const file = parseLockFileName(name)
    if (file !== undefined) files.push(file)
  }
  return files
}

function identify(directory: string): DirectoryIdentity {
  try {
    return directoryIdentity(directory)
  } catch (error) {
    throw ioError(error, 'cannot lock', directory)
  }
}

function lockedError(holder: LockHolder): SedgeError {
  const owner = holder.pid === undefined ? 'another process' : `process ${holder.pid}`
  const host = holder.hostname === undefined ? '' : ` on ${holder.hostname}`
  const since = holder.since === undefined ? '' : ` since ${new Date(holder.since).toISOString()}`
  return new SedgeError('LOCKED', `the store is open in ${owner}${host}${since} (${holder.file})`, {
    holder,
    file: holder.file,
  })
}

function doubtfulError(holder: LockHolder): SedgeError {
  const owner = holder.pid === undefined ? '' : ` of process ${holder.pid}`
  const message =
    `the store may be open elsewhere: it cannot be told whether the owner of the lock ` +
    `claim ${holder.file}${owner} still runs. If no process uses the store, remove that file`
  return new SedgeError('LOCKED', message, { holder, file: holder.file })
}

function pause(): Promise<void> {
  const ms = PAUSE_MS + Math.random() * PAUSE_JITTER_MS
  return new Promise((resolve) => setTimeout(resolve, ms))
}
