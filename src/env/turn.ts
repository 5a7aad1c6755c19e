/**
 * Giving way to the event loop: timers, sockets and other callbacks get their turn before the caller goes on.
 */
import { setImmediate } from 'node:timers'

/** Resolves in a later turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
