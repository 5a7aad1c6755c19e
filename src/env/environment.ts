/**
 * Everything that the store takes from the machine, in one object, so that tests can replace any of it: the file
 * system, time, chance, what the machine has, and the background worker [ENV-14 … ENV-17].
 */
import { availableParallelism } from 'node:os'
import { isAbsolute, resolve, sep } from 'node:path'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import { markAsUntransferable } from 'node:worker_threads'
import type { FileSystem } from './file-system.ts'
import { machineMemory } from './machine-memory.ts'
import { NodeFileSystem } from './node-file-system.ts'
import { WorkerPool } from './worker-pool.ts'
import { runtimeZstd, type Zstd } from './zstd.ts'

/** A call that has been put off. */
export interface Timer {
  /** The call will not happen. Does nothing once it has. */
  cancel(): void
}

export interface Environment {
  readonly fs: FileSystem
  /** Milliseconds since the epoch. May jump; nothing but timestamps comes from it. */
  clock(): number
  /** A number in [0, 1). */
  random(): number
  /** Milliseconds from an arbitrary start, never going back. For measuring. */
  monotonic(): number
  /** Calls `fn` in a next turn of the event loop. The process stays alive for it. */
  defer(fn: () => void): void
  /** Calls `fn` after `ms` milliseconds, unless the process has nothing else to stay alive for. */
  delay(ms: number, fn: () => void): Timer
  /** Calls `fn` after `ms` milliseconds. The process stays alive for it. */
  pause(ms: number, fn: () => void): void
  /** Keeps a buffer that several results share from being transferred away, where the runtime can. */
  protectBuffer(buffer: ArrayBuffer): void
  /** Bytes of memory that this process may count on, `undefined` where that is not known. */
  totalMemory(): number | undefined
  /** How many threads can run at once, at least 1. */
  parallelism(): number
  /** Where jobs are run in the background; `undefined` where there are no workers. */
  workerPool(): WorkerPool | undefined
  /** Zstandard; `undefined` where the runtime has none. Jobs take it from the runtime that they run on. */
  zstd(): Zstd | undefined
}

/** Members that are absent or `undefined` are taken from the machine. */
export type EnvironmentOverrides = {
  readonly [Name in keyof Environment]?: Environment[Name] | undefined
}

/** Resolves in a later turn of the event loop: for calls that have no store. */
export function laterTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The machine's environment on Node, Deno and Bun. */
export function nodeEnvironment(overrides: EnvironmentOverrides = {}): Environment {
  return {
    fs: overrides.fs ?? new NodeFileSystem(),
    clock: overrides.clock ?? (() => Date.now()),
    random: overrides.random ?? cryptoRandom,
    monotonic: overrides.monotonic ?? (() => performance.now()),
    defer: overrides.defer ?? ((fn) => void setImmediate(fn)),
    delay: overrides.delay ?? unrefDelay,
    pause: overrides.pause ?? ((ms, fn) => void setTimeout(fn, ms)),
    protectBuffer: overrides.protectBuffer ?? protect,
    totalMemory: overrides.totalMemory ?? machineMemory,
    parallelism: overrides.parallelism ?? threadCount,
    workerPool: overrides.workerPool ?? (() => WorkerPool.shared()),
    zstd: overrides.zstd ?? runtimeZstd,
  }
}

/**
 * `path` from the root, so that it means the same when the working directory is another. Links and `..` in it are left
 * to the system. As it is where the working directory is gone or refused.
 */
export function absolutePath(path: string): string {
  if (isAbsolute(path)) return path
  try {
    // Only Windows has paths that are neither absolute nor below the working directory.
    return sep === '/' ? `${process.cwd()}/${path}` : resolve(path)
  } catch {
    return path
  }
}

function protect(buffer: ArrayBuffer): void {
  // Bun has no such function at the time of writing.
  markAsUntransferable?.(buffer)
}

/** 53 bits that nobody can foresee: store ids and hash seeds come from them. */
function cryptoRandom(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2))
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
}

function unrefDelay(ms: number, fn: () => void): Timer {
  const timer = setTimeout(fn, ms)
  timer.unref()
  return { cancel: () => clearTimeout(timer) }
}

function threadCount(): number {
  try {
    return Math.max(1, availableParallelism())
  } catch {
    return 1
  }
}
