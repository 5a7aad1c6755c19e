/**
 * A small store in memory whose system calls can be made to fail while it is open.
 *
 *     const store = await faultyStore()
 *     store.failWith((call) => (call === 'sync' ? 'EIO' : undefined))
 *     store.heal()
 */
import type { FileSystem } from '../../src/env/file-system.ts'
import type { StoreEvent } from '../../src/index.ts'
import { type Database, MemoryFileSystem, type OpenOptions, open } from '../../src/index.ts'
import { type Fault, faultFileSystem } from './fault-file-system.ts'
import { STORE, storeOptions } from './store-workload.ts'

export interface FaultyStore {
  readonly db: Database<string, string>
  /** The files without faults. */
  readonly inner: MemoryFileSystem
  /** The files with them. */
  readonly fs: FileSystem
  readonly events: StoreEvent[]
  failWith(fault: Fault): void
  heal(): void
  /** Base names that end so, in order. */
  names(ending: string): string[]
}

export async function faultyStore(
  options: OpenOptions<'utf8', 'utf8'> = {},
  inner: MemoryFileSystem = new MemoryFileSystem(),
): Promise<FaultyStore> {
  const none: Fault = () => undefined
  let current = none
  const fs = faultFileSystem(inner, (call, path) => current(call, path))
  const events: StoreEvent[] = []
  const onEvent = (event: StoreEvent): unknown => events.push(event)
  const db = await open(STORE, storeOptions(fs, 1, { onEvent, ...options }))
  return {
    ...{ db, inner, fs, events },
    failWith: (fault) => {
      current = fault
    },
    heal: () => {
      current = none
    },
    names: (ending) =>
      inner
        .list(STORE)
        .filter((name) => name.endsWith(ending))
        .sort(),
  }
}

/** Fails calls of these names, on files whose names match. */
export function failing(calls: readonly string[], code: string, files: RegExp = /./): Fault {
  return (call, path) => (calls.includes(call) && files.test(path) ? code : undefined)
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('the promise was fulfilled')
}

/** Resolves when `condition` holds. Rejects after `ms` milliseconds. */
export async function until(condition: () => boolean, ms = 8000): Promise<void> {
  const end = performance.now() + ms
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
