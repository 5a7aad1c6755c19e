/**
 * Kernels that fail on purpose: the nth call of all kernels traps, or memory ends.
 *
 *     const hostile = new HostileKernels({ trapAt: 170 })
 *     await hostile.during(async () => { …use stores… })
 *     hostile.wrongs      // calls of a kernel that had trapped
 */
import { Kernel } from '../../src/kernel/kernel.ts'

export interface KernelFault {
  /** Which call traps, counted from 1 over all kernels. */
  readonly trapAt?: number
  /** Bytes beyond what a kernel has at its start that it can allocate. */
  readonly roomBytes?: number
}

type Call = (...values: number[]) => number

export class HostileKernels {
  /** Names of functions that were called after a trap of their kernel. */
  readonly wrongs: string[] = []
  calls = 0
  traps = 0
  readonly #fault: KernelFault
  readonly #kernels: Kernel[] = []

  constructor(fault: KernelFault) {
    this.#fault = fault
  }

  /** Kernels that are made meanwhile are hostile. Not to be nested, nor used by two at a time. */
  async during(run: () => Promise<void>): Promise<void> {
    const { create } = Kernel
    const { Instance } = WebAssembly
    const hostile = this
    WebAssembly.Instance = class {
      readonly exports: Record<string, unknown>
      constructor(...given: ConstructorParameters<typeof Instance>) {
        this.exports = hostile.#guard(new Instance(...given).exports as Record<string, unknown>)
      }
    } as unknown as typeof Instance
    Kernel.create = (...given) => {
      const kernel = create.apply(Kernel, given)
      this.#kernels.push(kernel)
      const { roomBytes } = this.#fault
      if (roomBytes !== undefined)
        kernel.exports.setAllocationLimit(kernel.exports.allocatedBytes() + roomBytes)
      return kernel
    }
    try {
      await run()
    } finally {
      Kernel.create = create
      WebAssembly.Instance = Instance
    }
  }

  /** There is memory again. */
  heal(): void {
    if (this.#fault.roomBytes === undefined) return
    for (const kernel of this.#kernels) {
      if (!kernel.trapped) kernel.exports.setAllocationLimit(0xffffffff)
    }
  }

  #guard(exports: Record<string, unknown>): Record<string, unknown> {
    let isDead = false
    const guarded: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value !== 'function') {
        guarded[name] = value
        continue
      }
      guarded[name] = (...values: number[]): number => {
        if (isDead) this.wrongs.push(name)
        if (++this.calls === this.#fault.trapAt) {
          isDead = true
          this.traps++
          throw new WebAssembly.RuntimeError('unreachable')
        }
        return (value as Call)(...values)
      }
    }
    return guarded
  }
}
