/**
 * Our own claim on a directory: a file that no one else writes, and a socket beside it [LOCK-2 … LOCK-5].
 *
 * Call protocol: makeClaim isIntact* withdraw.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs'
import type { LockHolder } from '../errors.ts'
import { errorCode } from './file-io.ts'
import {
  claimName,
  draftName,
  encodeClaim,
  holderOf,
  type LockClaim,
  newToken,
  socketName,
} from './lock-claim.ts'
import { listenOn } from './lock-socket.ts'
import { type DirectoryIdentity, processIdentity } from './process-identity.ts'

export interface OwnClaim {
  readonly token: string
  readonly holder: LockHolder
  /** Whether nobody has removed or replaced the claim. One system call, as a rule. */
  isIntact(): boolean
  /** Whether the socket, where there is one, still has its name. */
  hasSocketFile(): boolean
  /** Removes claim and socket. Idempotent, never throws. */
  withdraw(): void
}

/**
 * Listens, writes the claim under a draft's name, and renames it, so that a claim is never seen in part.
 * `undefined` when the draft was cleared away: then there is a holder. Throws system errors.
 */
export async function makeClaim(
  place: DirectoryIdentity,
  hasKernelLock: boolean,
): Promise<OwnClaim | undefined> {
  const { bootId } = processIdentity()
  const token = newToken(bootId)
  const socket = await listenOn(place.path, socketName(token))
  const claim: LockClaim = {
    token,
    ...processIdentity(),
    fileSystemType: place.fileSystemType,
    device: place.device,
    inode: place.inode,
    since: Date.now(),
    hasSocket: socket !== undefined,
    hasKernelLock,
  }
  const bytes = encodeClaim(claim)
  const path = `${place.path}/${claimName(token)}`
  const draft = `${place.path}/${draftName(token)}`
  try {
    // After a power cut a local claim is one of another boot, whatever has become of its content [LOCK-26].
    const written = writeClaim(draft, path, bytes, place.reach !== 'local' || bootId === undefined)
    if (written === undefined) {
      socket?.close()
      return undefined
    }
    return {
      token,
      holder: holderOf(token, claim),
      isIntact: claimCheck(path, bytes, written),
      hasSocketFile: () => socket === undefined || exists(`${place.path}/${socketName(token)}`),
      withdraw: () => {
        // The claim goes first: without a socket it would look like a dead owner's.
        removeQuietly(path)
        socket?.close()
      },
    }
  } catch (error) {
    socket?.close()
    removeQuietly(draft)
    throw error
  }
}

/** Removes a file that may be gone or may not be ours to remove. */
export function removeQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // What stays is a dead claim, and the next one to contend judges it so.
  }
}

/** Returns what the system says of the claim once it has its name; `undefined` when the draft was cleared away. */
function writeClaim(
  draft: string,
  path: string,
  bytes: Uint8Array,
  isSynced: boolean,
): Stats | undefined {
  const flags =
    constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)
  const fd = openSync(draft, flags, 0o600)
  try {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, done)
    }
    if (isSynced) syncQuietly(fd)
    // By the descriptor, so that it is ours whoever has got at the name meanwhile.
    return renameDraft(draft, path) ? fstatSync(fd) : undefined
  } finally {
    closeSync(fd)
  }
}

/** A claim that a power cut damages, and whose name does not tell of another boot, refuses every later open. Where syncing is not allowed, that risk stays. */
function syncQuietly(fd: number): void {
  try {
    fsyncSync(fd)
  } catch {
    // The lock holds without.
  }
}

function renameDraft(draft: string, path: string): boolean {
  try {
    renameSync(draft, path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Checks that the claim is still ours, by its inode and, where something about that has changed, by its content. */
function claimCheck(path: string, bytes: Uint8Array, written: Stats): () => boolean {
  let known = written
  return () => {
    try {
      const status = lstatSync(path, { throwIfNoEntry: false })
      if (status === undefined) return false
      // The number alone would not do: a new file may get that of one that was just removed.
      const isKnown = status.ino === known.ino && status.ctimeMs === known.ctimeMs
      if (isKnown) return true
      if (!status.isFile() || !readFileSync(path).equals(bytes)) return false
      known = status
      return true
    } catch {
      return false
    }
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
