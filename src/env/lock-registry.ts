/**
 * Who holds which directory in this process, shared by all copies of this module in a thread [LOCK-1].
 *
 * A directory counts by its path without links and by its inode: a second mount has another path. Worker threads
 * have registries of their own; the claims keep those apart.
 */
import { type LockHolder, SedgeError } from '../errors.ts'
import { type DirectoryIdentity, processIdentity } from './process-identity.ts'

/** Call protocol: hold? end. */
export interface Registration {
  /** Tells later comers more about the holder. */
  hold(holder: LockHolder): void
  /** Idempotent. */
  end(): void
}

const KEY = Symbol.for('sedgedb.directory-locks')

/** Reserves a directory. Throws `LOCKED` when this process already has it or is about to. */
export function register(place: DirectoryIdentity): Registration {
  const present = registeredHolder(place)
  if (present !== undefined) {
    throw new SedgeError('LOCKED', 'the store is already open in this process', {
      holder: present,
      file: present.file,
    })
  }
  const { pid, hostname } = processIdentity()
  let current: LockHolder | undefined
  const set = (holder: LockHolder): void => {
    current = holder
    for (const key of keysOf(place)) registry().set(key, holder)
  }
  set({ pid, hostname, since: Date.now() })
  return {
    hold: set,
    end: () => {
      for (const key of keysOf(place)) {
        if (registry().get(key) === current) registry().delete(key)
      }
    },
  }
}

/** The holder in this process, if there is one. */
export function registeredHolder(place: DirectoryIdentity): LockHolder | undefined {
  for (const key of keysOf(place)) {
    const holder = registry().get(key)
    if (holder !== undefined) return holder
  }
  return undefined
}

function keysOf({ path, device, inode }: DirectoryIdentity): string[] {
  return inode === undefined ? [path] : [path, `${device}:${inode}`]
}

function registry(): Map<string, LockHolder> {
  const holder = globalThis as { [KEY]?: Map<string, LockHolder> }
  holder[KEY] ??= new Map()
  return holder[KEY]
}
