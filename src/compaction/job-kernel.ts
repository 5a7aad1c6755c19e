/**
 * Kernels for jobs: those of a flush and of the compaction that it interrupts are kept for the next jobs of the thread, because
 * memory that WebAssembly has taken goes back only when the garbage collector finds the time.
 */
import { Kernel } from '../kernel/kernel.ts'

/** Cursors pin the blocks that they stand on; beyond those little needs to stay. */
const CACHE_BYTES = 1024 * 1024
const KEEP_BYTES_MAX = 64 * 1024 * 1024
const KEEP_MAX = 2

const spares: Kernel[] = []

/** A kernel that nobody else uses. */
export function borrowKernel(hashSeed: bigint): Kernel {
  const kernel = spares.pop() ?? Kernel.create(CACHE_BYTES, hashSeed)
  kernel.seed(hashSeed)
  return kernel
}

/** Gives a kernel back, everything in it freed. */
export function returnKernel(kernel: Kernel): void {
  const isKept = !kernel.trapped && kernel.bytes <= KEEP_BYTES_MAX
  if (isKept && spares.length < KEEP_MAX) spares.push(kernel)
}
