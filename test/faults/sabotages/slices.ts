/**
 * Small parts of the suites, each large enough to see what it is there for, on whatever build it is a part of: it throws the
 * first complaint.
 *
 *     await SLICES['crash images: flush'](seed)
 */
import { fileURLToPath } from 'node:url'
import Mocha from 'mocha'
import { runFaulty } from '../../support/faulty-life.ts'
import { OPTION_SETS, runModel } from '../../support/model-run.ts'
import { seededRandom } from '../../support/seed.ts'
import { checkCut } from '../crash-images.ts'
import { bitFlips, truncations } from '../damage.ts'
import type { Dimension, Run } from '../dimension.ts'
import { checkKept } from '../kept-caches.ts'
import { runKernelFault } from '../kernel-faults.ts'
import { cutsOf, POLICIES, record } from '../recording.ts'
import { WORKLOADS } from '../workloads.ts'

type Slice = (seed: number) => Promise<void>

/** Every so many cases of a suite, up to so many. A complaint ends it. */
class SliceRun implements Run {
  readonly seed: number
  readonly round = 0
  readonly #step: number
  #left: number

  constructor(seed: number, step: number, most: number) {
    this.seed = seed
    this.#step = step
    this.#left = most
  }

  get isOver(): boolean {
    return this.#left <= 0
  }

  wants(index: number): boolean {
    return !this.isOver && index % this.#step === 0
  }

  async check(index: number, test: () => unknown): Promise<void> {
    if (!this.wants(index)) return
    this.#left--
    await test()
  }
}

function every(step: number, most: number, { run }: Dimension): Slice {
  return (seed) => run(new SliceRun(seed, step, most))
}

/**
 * Every so many images of one workload, from the first one on: all policies in turn when `step` has no factor in common with
 * their number, the policy `first` alone when it is their number.
 */
function images(name: string, step: number, first = 0): Slice {
  return async (seed) => {
    const recording = await record(WORKLOADS.find((one) => one.name === name)!, seed)
    const run = new SliceRun(seed, step, Number.POSITIVE_INFINITY)
    let index = 0
    for (const cut of cutsOf(recording)) {
      for (const _ of POLICIES) {
        const at = index++
        if (at >= first) await run.check(at - first, () => checkCut(run, recording, cut, at))
      }
    }
  }
}

/** Every so many moments of one workload: killed there, opened again, and cut off behind the next synced write. */
function kept(name: string, step: number): Slice {
  return async (seed) => {
    const recording = await record(WORKLOADS.find((one) => one.name === name)!, seed)
    for (const cut of cutsOf(recording)) {
      if (cut.step % step === 0) await checkKept(recording, cut, 0, seededRandom(seed + cut.step))
    }
  }
}

/** Every call of a life fails once, in one way. */
function failures(life: string, code: string): Slice {
  return async (seed) => {
    const { calls } = await runFaulty(life, { call: 0, code: '', isSticky: false }, seed)
    for (const [at, call] of calls.entries()) {
      if (canMeet(call, code)) await runFaulty(life, { call: at + 1, code, isSticky: false }, seed)
    }
  }
}

function canMeet(call: string, code: string): boolean {
  if (code === 'EIO') return true
  return code === 'short' ? call === 'write' || call === 'read' : call === 'sync'
}

/** A run of the model on each of the option sets. */
function model(steps: number): Slice {
  return async (seed) => {
    for (const [index, options] of OPTION_SETS.entries()) {
      await runModel({ seed: seed + index, steps, options, place: 'memory', reduceMs: 0 })
    }
  }
}

/** Traps in so many calls. */
function traps(count: number): Slice {
  return async (seed) => {
    for (let trapAt = 1; trapAt < count * 7; trapAt += 7) await runKernelFault({ trapAt }, seed)
  }
}

/** The tests of a file, or those that have `part` in their titles. */
function tests(file: string, part = ''): Slice {
  return async () => {
    const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, reporter: 'min', fgrep: part })
    mocha.addFile(fileURLToPath(new URL(`../../${file}.test.js`, import.meta.url)))
    await mocha.loadFilesAsync()
    let passed = 0
    const failed: { title: string; cause: Error }[] = []
    await new Promise<void>((resolve) => {
      const runner = mocha.run(() => resolve())
      runner.on('pass', () => passed++)
      runner.on('fail', ({ title }, cause: Error) => failed.push({ title, cause }))
    })
    const [first] = failed
    if (first !== undefined) {
      const titles = failed.map(({ title }) => title).join('; ')
      throw new Error(titles, { cause: first.cause })
    }
    if (passed === 0) throw new Error(`${file} has no such test`)
  }
}

export const SLICES: Readonly<Record<string, Slice>> = {
  'crash images: sync put': images('sync put', 7),
  'crash images: put': images('put', 7),
  'crash images: batch': images('batch', 7),
  'crash images: clear': images('clear', POLICIES.length, POLICIES.indexOf('kept')),
  'crash images: flush': images('flush', 7),
  'crash images: level 0': images('compaction of level 0', 13),
  'crash images: levels': images('compaction through levels', 7),
  'crash images: manifest rotation': images('manifest rotation', 7),
  'crash images: large values': images('large values', 11),
  'crash images: close and open': images('close and open', 7),
  'kept caches: put': kept('put', 3),
  'I/O errors: synced puts': failures('synced puts', 'EIO'),
  'I/O errors: lost syncs': failures('synced puts', 'reverted'),
  'I/O errors: late failures': failures('syncs that meet', 'late'),
  'I/O errors: short writes': failures('puts and batches', 'short'),
  'bit flips': every(97, 1600, bitFlips),
  truncations: every(97, 800, truncations),
  'kernel faults': traps(60),
  model: model(1500),
  'tests: backpressure': tests('engine/backpressure'),
  'tests: compaction picker': tests('compaction/compaction-picker'),
  'tests: lookups': tests('kernel/view', 'goes straight'),
  'tests: memtables': tests('kernel/memtable', 'a frame that is open'),
  'tests: manifest files': tests('version/manifest-files'),
  'tests: flush job': tests('compaction/flush-job', 'sorted on'),
  'tests: log chain': tests('log/log-chain'),
  'tests: opening': tests('engine/opening'),
  'tests: recovery': tests('engine/recovery'),
  'tests: table files': tests('table/table-files'),
  'tests: lessons, R16': tests('regression/lessons', 'R16:'),
  'tests: lock verdict': tests('env/lock-verdict'),
  'tests: manifest': tests('version/manifest'),
  'tests: manifest, fences': tests('version/manifest', 'is fenced'),
  'tests: manifest recovery': tests('version/manifest-recovery'),
  'tests: segment writer': tests('log/segment-writer'),
  'tests: segment reader': tests('log/segment-reader'),
  'tests: worker pool': tests('env/worker-pool', 'loses a job whose message is lost'),
}
