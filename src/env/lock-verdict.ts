/**
 * Whether the owner of a claim still lives: a pure decision over the claim, where we are, and what the kernel said
 * about its socket and its pid [LOCK-9 … LOCK-16, LOCK-25].
 *
 * A bare pid never decides, and time never does. When in doubt the answer is `'unknown'`, which refuses.
 */
import { isOfAnotherBoot, type LockClaim } from './lock-claim.ts'
import type { DirectoryIdentity, ProcessEvidence, ProcessIdentity } from './process-identity.ts'

/**
 * What connecting to a claim's socket showed. `'refused'`: the file is there and nobody listens. `'absent'`: there is no
 * file. `'gone'`: neither a file nor, in our network namespace, a socket that has lost its file.
 */
export type SocketEvidence = 'accepts' | 'refused' | 'absent' | 'gone' | 'unknown'

export interface Surroundings {
  readonly process: ProcessIdentity
  readonly directory: DirectoryIdentity
  /** Whether this process has the kernel's lock on the directory. */
  readonly hasKernelLock: boolean
}

export interface Evidence {
  readonly socket: SocketEvidence
  readonly process: ProcessEvidence
}

export type Verdict = 'alive' | 'dead' | 'unknown'

/** Platforms that run one set of processes per machine and have no boot id. */
const WITHOUT_BOOT_ID: readonly string[] = ['darwin', 'win32']

/** `evidence.process` is about the number in the claim, whether or not it means the same process here. */
export function judgeClaim(claim: LockClaim, here: Surroundings, evidence: Evidence): Verdict {
  const isLocal = here.directory.reach === 'local'
  const boot = compare(claim.bootId, here.process.bootId)
  if (boot === 'different') return isLocal ? 'dead' : 'unknown'
  if (evidence.socket === 'accepts') return 'alive'

  const isSameMachine = boot === 'same' || isSameHost(claim, here.process)
  if (isCopied(claim, here.directory) && isSameMachine) return 'dead'
  if (claim.hasSocket && evidence.socket === 'refused') {
    // Through two mounts of one shared file system, a socket is two sockets.
    const isSameMount = compare(claim.device, here.directory.device) === 'same'
    if (isLocal || (isSameMachine && isSameMount)) return 'dead'
  }
  if (isSameMachine && isSamePidSpace(claim, here.process)) {
    const isOurs = claim.pid === here.process.pid && evidence.process === 'running'
    // The process lives, the thread does not.
    if (isOurs && claim.hasSocket && evidence.socket === 'gone') return 'dead'
    if (evidence.process === 'gone' || evidence.process === 'replaced') return 'dead'
    if (evidence.process === 'running') return 'alive'
  }
  // We have what it says it had. Over a network two machines may each be given a lock of their own.
  if (claim.hasKernelLock && here.hasKernelLock && here.directory.reach !== 'shared') return 'dead'
  return 'unknown'
}

/** About a claim of which only the name can be read [LOCK-26]. */
export function judgeUnreadable(token: string, here: Surroundings): Verdict {
  const isLocal = here.directory.reach === 'local'
  return isLocal && isOfAnotherBoot(token, here.process.bootId) ? 'dead' : 'unknown'
}

function compare(
  first: string | undefined,
  second: string | undefined,
): 'same' | 'different' | 'unknown' {
  if (first === undefined || second === undefined) return 'unknown'
  return first === second ? 'same' : 'different'
}

/** A store that was copied while it was open has a claim for another directory. */
function isCopied(claim: LockClaim, directory: DirectoryIdentity): boolean {
  return directory.hasStableInodes && compare(claim.inode, directory.inode) === 'different'
}

function isSameHost(claim: LockClaim, process: ProcessIdentity): boolean {
  return (
    WITHOUT_BOOT_ID.includes(process.platform) &&
    claim.platform === process.platform &&
    compare(claim.hostname, process.hostname) === 'same'
  )
}

function isSamePidSpace(claim: LockClaim, process: ProcessIdentity): boolean {
  if (WITHOUT_BOOT_ID.includes(process.platform)) return true
  return compare(claim.pidNamespace, process.pidNamespace) === 'same'
}
