/** Every dimension of the fault suites, in the order in which they are reported. */
import { crashImages } from './crash-images.ts'
import { bitFlips, truncations } from './damage.ts'
import { decoderInputs } from './decoders.ts'
import type { Dimension } from './dimension.ts'
import { interleavings } from './interleavings.ts'
import { ioErrors } from './io-errors.ts'
import { keptCaches } from './kept-caches.ts'
import { kernelFaults } from './kernel-faults.ts'
import { kills } from './kills.ts'
import { lockHolders, lockRaces } from './locks.ts'
import { modelOperations } from './model.ts'
import { nestedCrashes } from './nested-crashes.ts'
import { pressure } from './pressure.ts'
import { sabotages } from './sabotages.ts'
import { statements } from './statements.ts'

export const DIMENSIONS: readonly Dimension[] = [
  crashImages,
  nestedCrashes,
  keptCaches,
  ioErrors,
  bitFlips,
  truncations,
  statements,
  interleavings,
  decoderInputs,
  modelOperations,
  kernelFaults,
  kills,
  pressure,
  lockRaces,
  lockHolders,
  sabotages,
]
