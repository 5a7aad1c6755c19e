/**
 * The kernel's own lock on the file `LOCK`, which only Deno can take (`FsFile.tryLockSync`, since 2.7) [LOCK-17].
 *
 * It ends with the process, whatever kills it, and needs no permission beyond reading and writing. Node and Bun
 * cannot see it, so it comes on top of a claim and never instead of one.
 */
import { lstatSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { KERNEL_LOCK_NAME } from './lock-claim.ts'

export interface KernelLock {
  /** Removes the file and gives the lock up. Never throws. */
  release(): void
}

interface DenoFile {
  tryLockSync?(exclusive: boolean): boolean
  statSync(): { readonly ino: number | null }
  close(): void
}

interface DenoOptions {
  readonly read: boolean
  readonly write?: boolean
  readonly createNew?: boolean
  readonly mode?: number
}

interface DenoLike {
  openSync(path: string, options: DenoOptions): DenoFile
}

/** How often the file may be taken away by a holder that releases it, before we do without. */
const ATTEMPTS_MAX = 8

/** Takes the lock. `'busy'`: another process has it. `undefined`: there is no such lock here. */
export function takeKernelLock(directory: string): KernelLock | 'busy' | undefined {
  const deno = denoRuntime()
  return deno === undefined ? undefined : takeWith(deno, join(directory, KERNEL_LOCK_NAME))
}

function takeWith(deno: DenoLike, path: string): KernelLock | 'busy' | undefined {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const file = openLockFile(deno, path)
    if (file === undefined) continue
    const taken = tryLock(file)
    if (taken !== true) return taken === false ? 'busy' : undefined
    // The holder before us removes the file: a lock on a removed file excludes nobody.
    const inode = file.statSync().ino
    if (inode === null || lstatSync(path, { throwIfNoEntry: false })?.ino === inode) {
      return { release: () => releaseKernelLock(file, path, inode) }
    }
    file.close()
  }
  return undefined
}

/** Whether nobody has the lock. Takes it for a moment, writes nothing. False where that cannot be known. */
export function isKernelLockFree(directory: string): boolean {
  const deno = denoRuntime()
  if (deno === undefined) return false
  try {
    const path = join(directory, KERNEL_LOCK_NAME)
    const status = lstatSync(path, { throwIfNoEntry: false })
    if (status === undefined) return true
    if (!status.isFile()) return false
    const file = deno.openSync(path, { read: true })
    if (tryLock(file) !== true) return false
    file.close()
    return true
  } catch {
    return false
  }
}

function denoRuntime(): DenoLike | undefined {
  const deno = (globalThis as { Deno?: Partial<DenoLike> }).Deno
  return typeof deno?.openSync === 'function' ? (deno as DenoLike) : undefined
}

/** Opens or creates the file, never through a link. `undefined` when that cannot be done, or not just now. */
function openLockFile(deno: DenoLike, path: string): DenoFile | undefined {
  try {
    return deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 })
  } catch {
    // It is there already, or cannot be created: the next lines tell which.
  }
  try {
    if (lstatSync(path).isFile()) return deno.openSync(path, { read: true, write: true })
  } catch {
    // Removed meanwhile, or not ours to write.
  }
  return undefined
}

/** Locks the file, or else closes it. `undefined`: an older Deno, or a file system without locks. */
function tryLock(file: DenoFile): boolean | undefined {
  let taken: boolean | undefined
  try {
    taken = file.tryLockSync?.(true)
  } catch {
    taken = undefined
  }
  if (taken !== true) file.close()
  return taken
}

function releaseKernelLock(file: DenoFile, path: string, inode: number | null): void {
  try {
    // Where files have no numbers, an open file cannot be removed either.
    if (inode !== null && lstatSync(path).ino === inode) unlinkSync(path)
  } catch {
    // Gone already.
  }
  file.close()
}
