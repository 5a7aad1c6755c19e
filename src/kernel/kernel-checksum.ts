/**
 * The kernel's XXH64 for bytes that are not in a store's memory: by one more instance a process, made at the first call, or
 * by that of a store which is just being opened.
 */
import { type KernelExports, Result } from './exports.ts'
import { halves, instantiate, type Kernel, outOfMemory } from './kernel.ts'
import { LinearMemory } from './linear-memory.ts'

const REGION_BYTES_MIN = 4096

interface Hasher {
  readonly exports: KernelExports
  readonly memory: LinearMemory
  /** Where the bytes go, and how many fit. */
  at: number
  bytes: number
}

let hasher: Hasher | undefined

/** XXH64 of `bytes`, from 0 to 2^64 - 1. Keeps memory for the longest that it was given. */
export function kernelHash64(bytes: Uint8Array, seed: bigint): bigint {
  hasher ??= makeHasher()
  const { exports, memory } = hasher
  const at = bytes.length <= hasher.bytes ? hasher.at : reserve(hasher, bytes.length)
  return hashAt(exports, memory, at, bytes, seed)
}

/** The same by a store's own kernel, whose scratch it uses. */
export function hash64By(kernel: Kernel): (bytes: Uint8Array, seed: bigint) => bigint {
  return (bytes, seed) => {
    const at = kernel.scratch(Math.max(bytes.length, REGION_BYTES_MIN))
    return hashAt(kernel.exports, kernel.memory, at, bytes, seed)
  }
}

function hashAt(
  exports: KernelExports,
  memory: LinearMemory,
  at: number,
  bytes: Uint8Array,
  seed: bigint,
): bigint {
  memory.bytes.set(bytes, at)
  const [low, high] = halves(seed)
  exports.hash64(at, bytes.length, low, high)
  const r = memory.results
  return (BigInt(r[Result.EXTRA_2] as number) << 32n) | BigInt(r[Result.EXTRA_1] as number)
}

function makeHasher(): Hasher {
  const exports = instantiate().exports as unknown as KernelExports
  return { exports, memory: new LinearMemory(exports), at: 0, bytes: 0 }
}

function reserve(hasher: Hasher, bytes: number): number {
  const room = Math.max(bytes, REGION_BYTES_MIN)
  const at = hasher.exports.scratchReserve(room) >>> 0
  if (at === 0) throw outOfMemory()
  hasher.at = at
  hasher.bytes = room
  return at
}
