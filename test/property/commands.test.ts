/**
 * Random rows of commands on a store and on a plain map, by fast-check: a row that fails is cut down to the shortest that still does.
 * Short rows with all of it shrunk; the long ones are those of `model.test.ts`.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import { type Database, MemoryFileSystem, open, type Snapshot } from '../../src/index.ts'
import { testSeed } from '../support/seed.ts'

type Store = Database<string, string>

/** What the store must hold. */
interface Model {
  content: Map<string, string>
  snapshot: Map<string, string> | undefined
}

/** The store, which a command may close and open again. */
interface Real {
  readonly fs: MemoryFileSystem
  db: Store
  snapshot: Snapshot | undefined
}

type Command = fc.AsyncCommand<Model, Real>

const RUNS = 800
const COMMANDS_MAX = 120
const OPTIONS = { memtableSize: 65_536, cacheSize: 2 ** 20 } as const

/** A command that is always possible unless `isPossible` says otherwise. */
function command(
  text: string,
  run: (model: Model, real: Real) => Promise<void>,
  isPossible: (model: Model) => boolean = () => true,
): Command {
  return { check: isPossible, run, toString: () => text }
}

function expectScan(entries: readonly [string, string][], content: Map<string, string>): void {
  const sorted = [...content].sort(([a], [b]) => (a < b ? -1 : 1))
  expect(entries).to.deep.equal(sorted)
}

function put(key: string, size: number): Command {
  return command(`put(${key}, ${size})`, async ({ content }, { db }) => {
    const value = `${content.size} of ${size} `.repeat(size / 4 + 1).slice(0, size)
    content.set(key, value)
    await db.put(key, value)
  })
}

function remove(key: string): Command {
  return command(`delete(${key})`, async ({ content }, { db }) => {
    content.delete(key)
    await db.delete(key)
  })
}

function get(key: string): Command {
  return command(`get(${key})`, async ({ content, snapshot }, real) => {
    expect(await real.db.get(key)).to.equal(content.get(key))
    if (real.snapshot === undefined) return
    expect(await real.db.get(key, { snapshot: real.snapshot })).to.equal(snapshot?.get(key))
  })
}

const scan: Command = command('scan', async ({ content, snapshot }, real) => {
  expectScan(await real.db.iterator().all(), content)
  expectScan((await real.db.iterator({ reverse: true }).all()).reverse(), content)
  if (real.snapshot === undefined || snapshot === undefined) return
  expectScan(await real.db.iterator({ snapshot: real.snapshot }).all(), snapshot)
})

const takeSnapshot: Command = command('snapshot', async (model, real) => {
  real.snapshot?.close()
  real.snapshot = real.db.snapshot()
  model.snapshot = new Map(model.content)
})

const reopen: Command = command('reopen', async (model, real) => {
  await real.db.close()
  real.db = await open('/store', { ...OPTIONS, fs: real.fs })
  real.snapshot = undefined
  model.snapshot = undefined
})

const crash: Command = command('crash', async (model, real) => {
  const files = real.fs.clone()
  await real.db.close()
  const db: Store = await open('/store', { ...OPTIONS, fs: files })
  expectScan(await db.iterator().all(), model.content)
  await db.close()
  await reopen.run(model, real)
})

const clear: Command = command('clear', async (model, real) => {
  model.content.clear()
  await real.db.clear()
})

function commands(): fc.Arbitrary<Iterable<Command>> {
  const key = fc.constantFrom('a', 'ab', 'b', '\u00ff', '\u{1f600}', 'k1', 'k2', 'k3')
  const size = fc.constantFrom(0, 1, 100, 4000, 20_000, 70_000)
  const all = [
    fc.tuple(key, size).map(([one, bytes]) => put(one, bytes)),
    fc.tuple(key, size).map(([one, bytes]) => put(one, bytes)),
    key.map(remove),
    key.map(get),
    fc.constantFrom(
      ...[scan, takeSnapshot, reopen, crash, clear],
      command('flush', async (_, { db }) => db.flush()),
      command('compact', async (_, { db }) => db.compact()),
      command('sync', async (_, { db }) => db.sync()),
    ),
  ]
  return fc.commands(all, { maxCommands: COMMANDS_MAX })
}

/** Runs a row on a new store, which `wrap` may have replaced. */
async function runRow(
  row: Iterable<Command>,
  wrap: (db: Store) => Store = (db) => db,
): Promise<void> {
  const fs = new MemoryFileSystem()
  const real: Real = {
    fs,
    db: wrap(await open('/store', { ...OPTIONS, fs })),
    snapshot: undefined,
  }
  const model: Model = { content: new Map(), snapshot: undefined }
  try {
    await fc.asyncModelRun(() => ({ model, real }), row)
  } finally {
    await real.db.close()
  }
}

describe('property/commands', function () {
  this.timeout(300_000)

  it('agrees with a map, whatever the row of commands [API-7, API-8, API-13, API-14, API-23, SNAP-2, DUR-1, DUR-7]', async () => {
    const parameters = { seed: testSeed(), numRuns: RUNS, endOnFailure: false }
    const property = fc.asyncProperty(commands(), (row) => runRow(row))
    const { failed, counterexample, errorInstance } = await fc.check(property, parameters)
    const what = `${String(counterexample)}: ${String(errorInstance)}`
    expect(failed, what).to.equal(false)
  })

  it('cuts a row that fails down to the few commands that it takes', async () => {
    const forgetful = (db: Store): Store =>
      new Proxy(db, {
        get(target, name: keyof Store) {
          const member: unknown = target[name]
          if (typeof member !== 'function') return member
          const call = member.bind(target) as (...given: unknown[]) => unknown
          return name === 'get'
            ? async (...given: unknown[]) => (given[0] === 'k2' ? undefined : call(...given))
            : call
        },
      })
    const property = fc.asyncProperty(commands(), (row) => runRow(row, forgetful))
    const found = await fc.check(property, { seed: 1, numRuns: 200 })
    expect(found.failed).to.equal(true)
    expect(String(found.counterexample?.[0])).to.match(/^put\(k2, \d+\),get\(k2\)/)
  })
})
