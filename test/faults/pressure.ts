/**
 * Four times as much as a slow disk takes, for half a minute, in three ways of writing; for longer in the later rounds of a soak. What the
 * store keeps in memory stays within its budget, and the next put afterwards is as quick as the first was.
 */
import { rmSync } from 'node:fs'
import { expect } from 'chai'
import type { PressureReport, PressureWay } from '../support/pressure-child.ts'
import { MIB, runSmallHeap } from '../support/small-heap.ts'
import { tempDirectory } from '../support/temp.ts'
import type { Dimension } from './dimension.ts'

const WAYS: readonly PressureWay[] = ['held', 'abandoned', 'blocking']
const SECONDS = 30
const SOAK_SECONDS = 200
/** For the JavaScript heap, whose size its garbage decides. */
const HEAP_BYTES = 40 * MIB
const LEVEL0_MAX = 26

export const pressure: Dimension = {
  name: 'pressure',
  ids: 'G7',
  title:
    'at four times what a slow disk takes memory stays within the budget, and latency recovers',
  unit: 'seconds',
  floor: WAYS.length * SECONDS,
  cases: WAYS.length,
  seconds: 140,
  quickCases: 0,
  async run(run) {
    for (const [index, way] of WAYS.entries()) {
      await run.check(index, async () => {
        const seconds = run.round === 0 ? SECONDS : SOAK_SECONDS
        const directory = tempDirectory()
        try {
          const args = [directory, seconds, way]
          check(await runSmallHeap<PressureReport>('pressure-child.js', args), way)
        } finally {
          rmSync(directory, { recursive: true, force: true })
        }
        return seconds
      })
    }
  },
}

function check(report: PressureReport, way: PressureWay): void {
  const { budget, kernelBytes, jobBytes, grownBytes, before, after, drained, taken } = report
  const most = budget * 1.2
  expect(kernelBytes + jobBytes, 'memory of the store').to.be.at.most(most)
  expect(grownBytes, 'growth of the process').to.be.at.most(most + HEAP_BYTES)
  expect(report.level0, 'tables of level 0').to.be.at.most(LEVEL0_MAX)
  expect(after / before, `a put afterwards, ${after} ms for ${before} ms`).to.be.at.most(5)
  expect(report.stalledMs, 'milliseconds that writers were held').to.be.greaterThan(0)
  // A blocking put is a write of its own, so that the disk takes fewer bytes.
  if (way !== 'blocking') expect(taken / drained, 'what was taken').to.be.greaterThan(0.25)
}
