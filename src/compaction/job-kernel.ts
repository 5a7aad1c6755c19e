/**
 * Kernels for jobs: those of a flush and of the compaction that it interrupts are kept for the next jobs of the thread, because
 * memory that WebAssembly has taken goes back only when the garbage collector finds the time.
 */
import { Kernel } from '../kernel/kernel.ts'

/** Cursors pin the blocks that they stand on; beyond those little needs to stay. */
const CACHE_BYTES = 1024 * 1024
const KEEP_BYTES_MAX = 64 * 1024 * 1024
/** Of one besides: a small store goes on with two, a large one can wait for the collector. */
const KEEP_SECOND_BYTES_MAX = 8 * 1024 * 1024

const spares: Kernel[] = []

/** A kernel that nobody else uses. */
export function borrowKernel(hashSeed: bigint): Kernel {
  const kernel = spares.pop() ?? Kernel.create(CACHE_BYTES, hashSeed)
  kernel.seed(hashSeed)
  return kernel
}

/** Gives a kernel back, everything in it freed. */
export function returnKernel(kernel: Kernel): void {
  const most = [KEEP_BYTES_MAX, KEEP_SECOND_BYTES_MAX][spares.length] ?? 0
  if (!kernel.trapped && kernel.bytes <= most) spares.push(kernel)
}
