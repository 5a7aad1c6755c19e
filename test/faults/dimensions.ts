/** Every dimension of the fault suites, in the order in which they are reported. */
import { bitFlips, truncations } from './damage.ts'
import type { Dimension } from './dimension.ts'
import { interleavings } from './interleavings.ts'

export const DIMENSIONS: readonly Dimension[] = [bitFlips, truncations, interleavings]
