/** Every sabotage: those of files and syncs, and those of what is read, seen and kept. */
import type { Sabotage } from './sabotage.ts'
import { SEEN_SABOTAGES } from './table-seen.ts'
import { SYNC_SABOTAGES } from './table-syncs.ts'

export const SABOTAGES: readonly Sabotage[] = [...SYNC_SABOTAGES, ...SEEN_SABOTAGES]
