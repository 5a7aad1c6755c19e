/** A `Database` over a `FakeEngine`, and what tests of it share. */
import { expect } from 'chai'
import { Database } from '../../src/engine/database.ts'
import type { SedgeErrorCode } from '../../src/errors.ts'
import { type AnyEncoding, codecFor, type Decoded } from '../../src/key/encoding.ts'
import { FakeEngine } from './fake-engine.ts'

export interface Fake<K, V> {
  readonly db: Database<K, V>
  readonly engine: FakeEngine
  /** How often the database has given way to the event loop. */
  turns(): number
}

/** An open database with these encodings. */
export function fakeDatabase<KE extends AnyEncoding = 'utf8', VE extends AnyEncoding = 'utf8'>(
  encodings: { readonly keyEncoding?: KE; readonly valueEncoding?: VE } = {},
): Fake<Decoded<KE>, Decoded<VE>> {
  const { keyEncoding = 'utf8', valueEncoding = 'utf8' } = encodings
  const engine = new FakeEngine()
  let turns = 0
  const db = new Database<Decoded<KE>, Decoded<VE>>({
    engine,
    keys: codecFor(keyEncoding, 'key'),
    values: codecFor(valueEncoding, 'value'),
    defer(fn) {
      turns++
      setImmediate(fn)
    },
  })
  return { db, engine, turns: () => turns }
}

/** A database with the keys `k000` … and their numbers as values. */
export function filledDatabase(count: number): Fake<string, string> {
  const fake = fakeDatabase()
  for (let index = 0; index < count; index++) fake.db.putSync(keyNumber(index), `${index}`)
  return fake
}

export function keyNumber(index: number): string {
  return `k${String(index).padStart(3, '0')}`
}

/** Passes if `run` throws, or gives a promise that rejects, with a `SedgeError` of this code. */
export async function expectCode(code: SedgeErrorCode, run: () => unknown): Promise<void> {
  const error = await caught(run)
  expect(error).to.be.instanceOf(Error)
  expect(error).to.have.property('code', code)
}

/** What `run` throws or its promise rejects with. */
export async function caught(run: () => unknown): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
