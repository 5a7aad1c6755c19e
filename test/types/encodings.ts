/**
 * What the compiler must infer from encodings. Nothing here runs: compiling it is the test.
 *
 * `exactly<Wanted>()(value)` compiles only if the type of `value` is `Wanted`, neither wider nor narrower.
 */
import type { ChainedBatch } from '../../src/engine/chained-batch.ts'
import type { Database } from '../../src/engine/database.ts'
import type { Entry } from '../../src/engine/database-types.ts'
import type { Open } from '../../src/engine/open.ts'

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? unknown : never

declare function exactly<Wanted>(): <Given>(value: Given & Same<Wanted, Given>) => void
declare const openStore: Open

interface User {
  readonly name: string
}

const userEncoding = {
  encode: (user: User): string => user.name,
  decode: (bytes: Uint8Array): User => ({ name: String(bytes) }),
}

export async function stores(): Promise<void> {
  exactly<Database<string, string>>()(await openStore('p'))
  exactly<Database<string, string>>()(await openStore('p', {}))
  exactly<Database<string, string>>()(await openStore('p', { durability: 'disk' }))
  const json = await openStore('p', { keyEncoding: 'utf8', valueEncoding: 'json' })
  exactly<Database<string, unknown>>()(json)
  const bytes = await openStore('p', { keyEncoding: 'buffer', valueEncoding: 'binary' })
  exactly<Database<Buffer, Uint8Array>>()(bytes)
  exactly<Database<string, User>>()(await openStore('p', { valueEncoding: userEncoding }))
  exactly<Database<string, User>>()(await openStore<string, User>('p', { valueEncoding: 'json' }))
  // @ts-expect-error there is no such encoding
  void openStore('p', { keyEncoding: 'utf-8' })
  // @ts-expect-error there is no such option
  void openStore('p', { memTableSize: 1 })
}

export async function strings(db: Database<string, string>): Promise<void> {
  await db.put('k', new Uint8Array(1), { sync: true })
  exactly<string | undefined>()(await db.get('k'))
  exactly<string | undefined>()(db.getSync(Buffer.from('k'), {}))
  exactly<Uint8Array | undefined>()(await db.get('k', { valueEncoding: 'binary' }))
  exactly<(Buffer | undefined)[]>()(await db.getMany(['k'], { valueEncoding: 'buffer' }))
  exactly<User | undefined>()(db.getSync('k', { valueEncoding: userEncoding }))
  exactly<Entry<unknown> | undefined>()(await db.getEntry('k', { valueEncoding: 'json' }))
  await db.put(
    { any: 'thing' },
    { name: 'x' },
    { keyEncoding: 'json', valueEncoding: userEncoding },
  )
  await db.batch([{ type: 'put', key: 'k', value: { a: 1 } }], { valueEncoding: 'json' })
  exactly<ChainedBatch<string, string>>()(db.batch().put('k', 1, { valueEncoding: 'json' }))
  // @ts-expect-error a number is neither string nor bytes
  await db.put('k', 1)
  // @ts-expect-error a user is an object with a name
  await db.put('k', 'x', { valueEncoding: userEncoding })
  // @ts-expect-error a put has a value
  await db.batch([{ type: 'put', key: 'k' }])
  // @ts-expect-error keys are strings here
  await db.get(1)
}

export async function users(db: Database<Buffer, User>): Promise<void> {
  await db.put('k', { name: 'x' })
  exactly<User | undefined>()(await db.get(new Uint8Array(1)))
  // @ts-expect-error a string is no user
  await db.put('k', 'x')
  for await (const entry of db.iterator({ gte: 'k', reverse: true }))
    exactly<[Buffer, User]>()(entry)
  for (const key of db.keysSync({ keyEncoding: 'utf8', prefix: 'k' })) exactly<string>()(key)
  for (const value of db.valuesSync({ valueEncoding: 'json' })) exactly<unknown>()(value)
  exactly<User[]>()(await db.values().all({ limit: 1 }))
  db.keys().seek('k')
  const snapshot = db.snapshot()
  exactly<[string, User][]>()(await db.iterator({ snapshot, keyEncoding: 'utf8' }).all())
  await db.clear({ lt: 5, keyEncoding: 'json', sync: true })
  // @ts-expect-error bounds are keys
  db.iterator({ gt: 5 })
}

/** A value of the store's own type fits where that type is a parameter. */
export async function generic<K, V>(db: Database<K, V>, key: K, value: V): Promise<void> {
  await db.put(key, value)
  db.putSync(key, value, { sync: true })
  await db.batch([{ type: 'put', key, value }])
  await db.batch().put(key, value).delete(key).write()
  exactly<V | undefined>()(db.getSync(key))
  db.keys({ gte: key }).seek(key)
  await db.clear({ lt: key })
}

export function named<V>(db: Database<string, V>, value: V): Promise<void> {
  return db.put('k', value)
}

export async function wrong<V>(
  texts: Database<string, string>,
  numbers: Database<string, number>,
  values: Database<string, V>,
): Promise<void> {
  await numbers.put('a', 1)
  // @ts-expect-error a bigint is neither string nor bytes
  await texts.put('a', 1n)
  // @ts-expect-error a string is no number
  await numbers.put('a', '1')
  // @ts-expect-error nobody knows that a V may be a number
  await values.put('a', 1)
  // @ts-expect-error keys are strings here
  await values.put(1, {} as V)
}
