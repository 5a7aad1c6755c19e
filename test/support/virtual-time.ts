/**
 * Time that passes by turns of the event loop and by looks at the clock, not by the machine's: what waits for seconds waits
 * for moments, and work in slices of so many milliseconds is cut at the same places every time.
 *
 *     const db = await openAt(virtualTime(seededRandom(1)), 'store', { fs })
 */
import { setImmediate } from 'node:timers'
import { Engine } from '../../src/engine/engine.ts'
import { openWith } from '../../src/engine/open.ts'
import type { EnvironmentOverrides } from '../../src/env/environment.ts'
import type { Database, OpenOptions } from '../../src/index.ts'
import type { Random } from './seed.ts'

/** A look takes so many milliseconds at most: slices of three milliseconds are some ten steps. */
const LOOK_MS_MAX = 0.8
/** While something waits, a turn takes so many. */
const TURN_MS = 10

interface Waiting {
  readonly at: number
  readonly fn: () => void
}

export function virtualTime(random: Random): EnvironmentOverrides {
  let now = 0
  let waiting: Waiting[] = []
  let isTurning = false
  const turn = (): void => {
    if (isTurning) return
    isTurning = true
    setImmediate(() => {
      isTurning = false
      now += TURN_MS
      const due = waiting.filter(({ at }) => at <= now)
      waiting = waiting.filter(({ at }) => at > now)
      for (const { fn } of due) fn()
      if (waiting.length > 0) turn()
    })
  }
  const wait = (ms: number, fn: () => void): Waiting => {
    const one = { at: now + ms, fn }
    waiting.push(one)
    turn()
    return one
  }
  return {
    monotonic: () => (now += random.float() * LOOK_MS_MAX),
    pause: wait,
    delay: (ms, fn) => {
      const one = wait(ms, fn)
      return { cancel: () => void (waiting = waiting.filter((other) => other !== one)) }
    },
  }
}

export function openAt(
  time: EnvironmentOverrides,
  path: string,
  options: OpenOptions<'utf8', 'utf8'>,
): Promise<Database<string, string>> {
  const opening = openWith((place, resolved) => Engine.open(place, resolved, time))
  return opening<'utf8', 'utf8'>(path, options)
}
