/**
 * Kernels for jobs: one is kept for the next job of the thread, because memory that WebAssembly has taken goes back only
 * when the garbage collector finds the time.
 */
import { Kernel } from '../kernel/kernel.ts'

/** Cursors pin the blocks that they stand on; beyond those little needs to stay. */
const CACHE_BYTES = 1024 * 1024
const KEEP_BYTES_MAX = 64 * 1024 * 1024

let spare: Kernel | undefined

/** A kernel that nobody else uses. */
export function borrowKernel(hashSeed: bigint): Kernel {
  const kernel = spare ?? Kernel.create(CACHE_BYTES, hashSeed)
  spare = undefined
  kernel.seed(hashSeed)
  return kernel
}

/** Gives a kernel back, everything in it freed. */
export function returnKernel(kernel: Kernel): void {
  if (!kernel.trapped && kernel.bytes <= KEEP_BYTES_MAX) spare = kernel
}
