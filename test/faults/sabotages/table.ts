/** Every sabotage: those of files and syncs, those of what is read, seen and kept, and those of the kernel. */
import type { Sabotage } from './sabotage.ts'
import { KERNEL_SABOTAGES } from './table-kernel.ts'
import { SEEN_SABOTAGES } from './table-seen.ts'
import { SYNC_SABOTAGES } from './table-syncs.ts'

export const SABOTAGES: readonly Sabotage[] = [
  ...SYNC_SABOTAGES,
  ...SEEN_SABOTAGES,
  ...KERNEL_SABOTAGES,
]
