/**
 * What a store must hold: its commits in order, and what any number of them from the first on leaves behind. Shares
 * no code with the engine.
 *
 *     const model = new StoreModel()
 *     const number = model.add([['a', '1'], ['b', undefined]])     // put a, delete b
 *     model.match(await readStore(db, model.keys), least, most)    // how many commits the store holds
 */
import type { Database } from '../../src/index.ts'

/** A key and its new value, `undefined` to delete it. */
export type Change = readonly [key: string, value: string | undefined]

export class StoreModel {
  readonly #commits: (readonly Change[] | undefined)[] = []
  /** Every key that was ever written. */
  readonly keys: Set<string> = new Set()

  /** How many commits there are; they are numbered from 1. */
  get length(): number {
    return this.#commits.length
  }

  /** Adds a commit, all or nothing of which must be there; returns its number. */
  add(changes: readonly Change[]): number {
    for (const [key] of changes) this.keys.add(key)
    return this.#commits.push(changes)
  }

  /** A commit that was refused: nothing of it may be there. */
  refuse(number: number): void {
    this.#commits[number - 1] = undefined
  }

  /** A model of the first `count` commits, which goes its own way. */
  first(count: number): StoreModel {
    const model = new StoreModel()
    for (const changes of this.#commits.slice(0, count)) model.#commits.push(changes)
    for (const key of this.keys) model.keys.add(key)
    return model
  }

  /** Forgets all commits behind the first `count`. */
  cut(count: number): void {
    this.#commits.length = count
  }

  /** What the first `count` commits leave behind. */
  state(count: number): Map<string, string> {
    const state = new Map<string, string>()
    for (const changes of this.#commits.slice(0, count)) apply(state, changes)
    return state
  }

  /**
   * The largest number of commits, from `least` to `most`, that leaves exactly `found` behind. Throws, saying what is
   * wrong, when there is none.
   */
  match(found: ReadonlyMap<string, string>, least: number, most: number): number {
    const state = this.state(least)
    let best: number | undefined
    let wrong = differences(state, found)
    if (wrong === 0) best = least
    for (let count = least + 1; count <= most; count++) {
      for (const [key, value] of this.#commits[count - 1] ?? []) {
        if (state.get(key) !== found.get(key)) wrong--
        if (value === undefined) state.delete(key)
        else state.set(key, value)
        if (state.get(key) !== found.get(key)) wrong++
      }
      if (wrong === 0) best = count
    }
    if (best !== undefined) return best
    throw new Error(
      `no ${least} to ${most} commits leave this: ${this.#explain(found, least, most)}`,
    )
  }

  /** How the store differs from the two ends of what is allowed. */
  #explain(found: ReadonlyMap<string, string>, least: number, most: number): string {
    const parts: string[] = []
    for (const count of [least, most]) {
      const state = this.state(count)
      const keys = [...new Set([...state.keys(), ...found.keys()])]
      const wrong = keys.filter((key) => state.get(key) !== found.get(key))
      const shown = wrong.slice(0, 4).map((key) => {
        return `${key} is ${brief(found.get(key))} for ${brief(state.get(key))}`
      })
      parts.push(`after ${count}, ${wrong.length} keys differ (${shown.join('; ')})`)
    }
    return parts.join(', ')
  }
}

function apply(state: Map<string, string>, changes: readonly Change[] | undefined): void {
  for (const [key, value] of changes ?? []) {
    if (value === undefined) state.delete(key)
    else state.set(key, value)
  }
}

function differences(
  left: ReadonlyMap<string, string>,
  right: ReadonlyMap<string, string>,
): number {
  let count = 0
  for (const [key, value] of left) if (right.get(key) !== value) count++
  for (const key of right.keys()) if (!left.has(key)) count++
  return count
}

function brief(value: string | undefined): string {
  return value === undefined ? 'absent' : `${value.slice(0, 12)}… (${value.length})`
}

/**
 * All that is in a store, read in three ways that must agree: forward, in reverse, and key by key over `keys`, those
 * that are not there included.
 */
export async function readStore(
  db: Database<string, string>,
  keys: Iterable<string> = [],
): Promise<Map<string, string>> {
  const forward = await db.iterator().all()
  const reverse = await db.iterator({ reverse: true }).all()
  if (reverse.length !== forward.length) throw new Error('forward and reverse scan differ')
  for (const [index, [key, value]] of forward.entries()) {
    const other = reverse[forward.length - 1 - index]
    if (other?.[0] !== key || other[1] !== value) throw new Error(`scans differ at ${key}`)
  }
  const found = new Map(forward)
  if (found.size !== forward.length) throw new Error('a key is there twice')
  for (const key of new Set([...keys, ...found.keys()])) {
    if (db.getSync(key) !== found.get(key)) {
      throw new Error(`get and scan differ at ${key}: ${brief(db.getSync(key))}`)
    }
  }
  return found
}

/** Throws, saying where, unless both hold the same. */
export function assertSame(
  found: ReadonlyMap<string, string>,
  right: ReadonlyMap<string, string>,
  when: string,
): void {
  for (const key of new Set([...found.keys(), ...right.keys()])) {
    if (found.get(key) === right.get(key)) continue
    throw new Error(`${when} ${key} is ${brief(found.get(key))} for ${brief(right.get(key))}`)
  }
}
