/**
 * Orders in which things can happen: writers, flushes, compactions, scans, snapshots and closing, on a machine whose time, event loop
 * and worker follow from the seed. Two of three have a worker that dies, hangs, traps, or whose messages are lost.
 */
import { interleavingOf, runInterleaving } from '../support/interleaving.ts'
import type { Dimension } from './dimension.ts'

export const interleavings: Dimension = {
  name: 'interleavings',
  ids: 'F9, F10, F11, F14',
  title:
    'every promise is kept in whatever order things happen, and whatever becomes of the worker',
  unit: 'interleavings',
  floor: 10_000,
  seconds: 220,
  async run(run) {
    for (let index = 0; index < interleavings.floor && !run.isOver; index++) {
      await run.check(index, async () => {
        await runInterleaving(interleavingOf(run.seed * 20_000 + index))
      })
    }
  },
}
