/** What the write path needs of the rest of the engine: room, and somebody to be told. */
import type { Waiting } from './waiters.ts'

/** What the writer asks of the background work. */
export interface WriteHost {
  /** Waits, blocking, until a memtable of `bytes` may be begun. Throws when that cannot be. */
  makeRoom(bytes: number): void
  /** A segment was sealed. */
  sealed(): void
  /** Acknowledges writes, now or when there is room for more. */
  admit(waiting: Waiting): void
  /** Whether the lock is still ours. */
  isLockHeld(): boolean
}
