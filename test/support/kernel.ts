/**
 * Kernels for tests: the release kernel, or with SEDGE_KERNEL=checked the one that is compiled with assertions and
 * poisons what it allocates and frees.
 */
import { readFileSync } from 'node:fs'
import { adoptKernelModule, Kernel } from '../../src/kernel/kernel.ts'
import { projectPath } from './project.ts'

export type KernelTarget = 'release' | 'checked'

/** Which kernel this process tests. */
export const KERNEL_TARGET: KernelTarget =
  process.env['SEDGE_KERNEL'] === 'checked' ? 'checked' : 'release'

export const HASH_SEED = 0x0123_4567_89ab_cdefn

/** The bytes of a built kernel. */
export function kernelBinary(target: KernelTarget): Uint8Array<ArrayBuffer> {
  const file = target === 'checked' ? 'kernel.checked.wasm' : 'kernel.wasm'
  return new Uint8Array(readFileSync(projectPath('build', file)))
}

let adopted = false

/** Makes every later kernel of this process one of the target. */
export function useTarget(): void {
  if (adopted || KERNEL_TARGET === 'release') return
  adoptKernelModule(new WebAssembly.Module(kernelBinary('checked')))
  adopted = true
}

/** A kernel of its own. */
export function createKernel(cacheBytes: number = 1 << 20, hashSeed: bigint = HASH_SEED): Kernel {
  useTarget()
  return Kernel.create(cacheBytes, hashSeed)
}
