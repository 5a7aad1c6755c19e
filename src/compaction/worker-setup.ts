/** What the pool's configuration hands to the worker when it starts. */
import type { KernelModule } from '../kernel/kernel.ts'

export interface WorkerSetup {
  /** Compiled once a process. */
  readonly kernel: KernelModule
}
