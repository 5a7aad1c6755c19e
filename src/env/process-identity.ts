/**
 * Who this process is and where it runs, as far as it may know: the evidence in a lock claim [LOCK-8].
 *
 * Every fact is optional. Deno with read and write permission only refuses `/proc`, the host name and `statfs`;
 * macOS and Windows have no boot id and no `/proc`.
 */
import {
  type BigIntStats,
  readFileSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { errorCode } from './file-io.ts'

/** Everything but `pid` and `platform` is undefined where it is refused or unknown. */
export interface ProcessIdentity {
  readonly pid: number
  readonly platform: string
  /** Clock ticks from boot to the start of the process: with the pid, a name that is not used again. */
  readonly startTime: string | undefined
  /** Changes at every boot of the kernel, and is the same in all its containers. */
  readonly bootId: string | undefined
  /** In which numbering of processes `pid` counts. */
  readonly pidNamespace: string | undefined
  readonly hostname: string | undefined
}

/** `'local'`: one kernel at a time has it mounted. `'shared'`: several machines may. */
export type FileSystemReach = 'local' | 'shared' | undefined

export interface DirectoryIdentity {
  /** Absolute, without links. */
  readonly path: string
  /** Device and inode, as text; undefined where the file system has no such numbers. */
  readonly device: string | undefined
  readonly inode: string | undefined
  /** The magic number that `statfs` gives. */
  readonly fileSystemType: number | undefined
  readonly reach: FileSystemReach
  /** Whether a directory keeps its inode number as long as the kernel runs. */
  readonly hasStableInodes: boolean
}

/** What the process table says about a pid, given the start time that a claim recorded. */
export type ProcessEvidence = 'gone' | 'replaced' | 'running' | 'unknown'

/** Characters of a fact that is a text. Claims with longer ones are not read. */
export const IDENTITY_TEXT_MAX = 256

const OVERLAY = 0x794c7630

const LOCAL_TYPES: readonly number[] = [
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xca451a4e, // bcachefs
  0xf2f52010, // F2FS
  0x3153464a, // JFS
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x4d44, // FAT
  0x2011bab0, // exFAT
  0x7366746e, // NTFS
  OVERLAY,
]

const SHARED_TYPES: readonly number[] = [
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x01021997, // 9P
  0x65735546, // FUSE and virtiofs
  0x00c36400, // Ceph
  0x5346414f, // AFS
  0x47504653, // GPFS
  0x0bd00bd0, // Lustre
  0x7461636f, // OCFS2
  0x01161970, // GFS2
  0x786f4256, // VirtualBox shared folders
]

let own: ProcessIdentity | undefined

/** The facts about this process, gathered once. */
export function processIdentity(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    platform: process.platform,
    // Seen through another namespace's `/proc`, numbers would not be comparable: then there is none.
    startTime: parseStat(
      attempt(() => readText('/proc/self/stat')),
      process.pid,
    )?.startTime,
    bootId: attempt(() => printable(readText('/proc/sys/kernel/random/boot_id').trim())),
    pidNamespace: attempt(() => printable(readlinkSync('/proc/self/ns/pid'))),
    hostname: attempt(() => printable(hostname())),
  }
  return own
}

/** The facts about an existing directory. Throws what resolving its path throws. */
export function directoryIdentity(directory: string): DirectoryIdentity {
  const path = realpathSync.native(directory)
  const status = exactStatus(path)
  const fileSystemType = attempt(() => statfsSync(path).type >>> 0)
  const hasInodes = status.ino > 0 && process.platform !== 'win32'
  const reach = reachOf(fileSystemType, path)
  return {
    path,
    device: hasInodes ? String(status.dev) : undefined,
    inode: hasInodes ? String(status.ino) : undefined,
    fileSystemType,
    reach,
    hasStableInodes: hasInodes && reach === 'local' && fileSystemType !== OVERLAY,
  }
}

/** Numbers of inodes need not fit in 53 bits, but mostly do. */
function exactStatus(path: string): Stats | BigIntStats {
  const status = statSync(path)
  const isExact = Number.isSafeInteger(status.ino) && Number.isSafeInteger(status.dev)
  return isExact ? status : statSync(path, { bigint: true })
}

/** Looks `pid` up among the processes of this namespace. Sends it nothing. */
export function processEvidence(pid: number, startTime: string | undefined): ProcessEvidence {
  try {
    process.kill(pid, 0)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ESRCH') return 'gone'
    if (code !== 'EPERM') return 'unknown'
  }
  const found = parseStat(
    attempt(() => readText(`/proc/${pid}/stat`)),
    pid,
  )
  if (found === undefined || startTime === undefined) return 'running'
  if (found.startTime !== startTime) return 'replaced'
  return found.isZombie ? 'gone' : 'running'
}

/**
 * Reads a line of `/proc/<pid>/stat`. The name of the program is in brackets and may itself hold spaces and
 * brackets, so fields count from the last `)`. Undefined for another pid's line and for anything unexpected.
 */
export function parseStat(
  line: string | undefined,
  pid: number,
): { startTime: string; isZombie: boolean } | undefined {
  if (line === undefined || !line.startsWith(`${pid} (`)) return undefined
  // The first of these is field 3 of the line.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [state, threads, startTime] = [fields[0], fields[17], fields[19]]
  if (startTime === undefined || !/^\d+$/.test(startTime)) return undefined
  // A dead leader whose other threads are still ending may have a write in flight.
  return { startTime, isZombie: (state === 'Z' || state === 'X') && Number(threads) <= 1 }
}

function reachOf(type: number | undefined, path: string): FileSystemReach {
  if (process.platform === 'win32') return path.startsWith('\\\\') ? 'shared' : 'local'
  if (process.platform !== 'linux' || type === undefined) return undefined
  if (LOCAL_TYPES.includes(type)) return 'local'
  return SHARED_TYPES.includes(type) ? 'shared' : undefined
}

/** What fits in a claim and may stand in a message. */
function printable(text: string): string {
  return text.slice(0, IDENTITY_TEXT_MAX).replace(/[^\x20-\x7e]/g, '?')
}

function readText(path: string): string {
  // Runtimes read this form in one call; no rule looks at anything but ASCII.
  return readFileSync(path, 'utf8')
}

function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}
