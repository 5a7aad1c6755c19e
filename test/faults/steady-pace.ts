/**
 * Work in slices of so many milliseconds is cut where the machine happens to be slow. For a run that is to be the same every
 * time, time passes by the number of looks at the clock instead.
 */
import type { Random } from '../support/seed.ts'

/** A look takes so many milliseconds at most: slices of three milliseconds are some ten steps. */
const LOOK_MS_MAX = 0.8

export async function atSteadyPace<T>(random: Random, run: () => Promise<T>): Promise<T> {
  let time = 0
  const now = (): number => (time += random.float() * LOOK_MS_MAX)
  Object.defineProperty(performance, 'now', { value: now, configurable: true, writable: true })
  try {
    return await run()
  } finally {
    // What was there is the method of the prototype.
    Reflect.deleteProperty(performance, 'now')
  }
}
