/**
 * Runs every workload on every engine, in a process for each and each round, so that nothing that one has left in
 * memory, compiled code or caches helps or harms another. In each round the engines take turns in another order.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Settings } from './settings.ts'
import type { Answer, Outcome, Task } from './task.ts'
import type { Workload } from './workload.ts'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))
const CHILD_MS_MAX = 900_000

export interface EngineFile {
  readonly name: string
  /** URL of the file, and what to start it with. */
  readonly url: string
  readonly execPath?: string
}

/** One measurement: a workload, an engine, a round. */
export interface Measurement extends Outcome {
  readonly engine: string
  readonly round: number
  /** The most memory that the process had, above one that did nothing, in bytes. */
  readonly peakBytes?: number | undefined
  readonly anonymousBytes?: number | undefined
}

export interface Reporter {
  progress(text: string): void
  measured(measurement: Measurement): void
}

/** Engines that could be started, in the order given; what could not is reported with the reason. */
export async function runAll(
  engines: readonly EngineFile[],
  workloads: readonly Workload[],
  settings: Settings,
  reporter: Reporter,
): Promise<Answer['description'][]> {
  const root = mkdtempSync(join(settings.directory, 'sedgedb-bench-'))
  try {
    const runner = new Runner(root, settings, reporter)
    return await runner.run(engines, workloads)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

class Runner {
  readonly #root: string
  readonly #settings: Settings
  readonly #reporter: Reporter
  #emptyBytes = 0

  constructor(root: string, settings: Settings, reporter: Reporter) {
    this.#root = root
    this.#settings = settings
    this.#reporter = reporter
  }

  async run(
    engines: readonly EngineFile[],
    workloads: readonly Workload[],
  ): Promise<Answer['description'][]> {
    const empty = await answerOf(process.execPath, this.#task({ directory: this.#root }))
    this.#emptyBytes = empty.peakBytes ?? 0
    const descriptions = new Map<string, NonNullable<Answer['description']>>()
    const usable: EngineFile[] = []
    for (const engine of engines) {
      const { description, failure } = await this.#load(engine, workloads)
      if (description !== undefined) {
        descriptions.set(engine.name, description)
        usable.push(engine)
      } else {
        this.#reporter.progress(`${engine.name} does not load: ${failure}`)
        const outcome = { workload: 'load', missing: failure ?? 'unknown', operations: 0 }
        this.#reporter.measured({ engine: engine.name, round: 0, ...outcome })
      }
    }
    for (let round = 0; round < this.#settings.rounds; round++) {
      for (const group of groupsOf(workloads)) {
        for (let i = 0; i < usable.length; i++) {
          const engine = usable[(i + round) % usable.length]!
          const isVolatile = descriptions.get(engine.name)!.isVolatile
          await this.#measure(engine, isVolatile, group, round)
        }
      }
    }
    return [...descriptions.values()]
  }

  /** Loads a store that the workloads which need one begin with. */
  async #load(
    engine: EngineFile,
    workloads: readonly Workload[],
  ): Promise<{ description?: Answer['description']; failure?: string }> {
    const isNeeded = workloads.some(({ start }) => start === 'loaded')
    const directory = this.#folder(engine, 'loaded')
    this.#reporter.progress(`${engine.name}: load`)
    try {
      const task = this.#task({ engine: engine.url, directory, load: isNeeded })
      const { description, outcomes } = await answerOf(engine.execPath, task)
      for (const outcome of outcomes) {
        this.#reporter.measured({ engine: engine.name, round: 0, ...outcome })
      }
      return { description }
    } catch (error) {
      return { failure: (error as Error).message }
    }
  }

  async #measure(
    engine: EngineFile,
    isVolatile: boolean,
    group: readonly Workload[],
    round: number,
  ): Promise<void> {
    const [{ start, writes }] = group as [Workload]
    const names = group.map(({ name }) => name)
    this.#reporter.progress(`round ${round + 1}, ${engine.name}: ${names.join(' ')}`)
    const stored = this.#folder(engine, 'loaded')
    const directory = start === 'loaded' && !writes ? stored : this.#folder(engine, 'work')
    if (start === 'loaded' && writes && !isVolatile) cpSync(stored, directory, { recursive: true })
    const load = start === 'loaded' && isVolatile
    const task = this.#task({ engine: engine.url, directory, load, workloads: names })
    const common = { engine: engine.name, round }
    try {
      const { outcomes, peakBytes, anonymousBytes } = await answerOf(engine.execPath, task)
      const memory = {
        peakBytes: peakBytes === undefined ? undefined : peakBytes - this.#emptyBytes,
        anonymousBytes,
      }
      for (const outcome of outcomes) {
        if (outcome.workload === 'load') continue
        this.#reporter.measured({ ...common, ...outcome, ...memory })
      }
    } catch (error) {
      const missing = (error as Error).message
      for (const workload of names) {
        this.#reporter.measured({ ...common, workload, missing, operations: 0 })
      }
    }
    if (directory !== stored) rmSync(directory, { recursive: true, force: true })
  }

  #folder(engine: EngineFile, name: string): string {
    const folder = join(this.#root, engine.name, name)
    mkdirSync(folder, { recursive: true })
    return folder
  }

  #task(given: Partial<Task> & { directory: string }): Task {
    const { shape, entries, cacheBytes, writeBufferBytes, seed, warmMs } = this.#settings
    const numbers = { shape, entries, cacheBytes, writeBufferBytes, seed, warmMs }
    return { engine: undefined, load: false, workloads: [], ...numbers, ...given }
  }
}

/** What writes has a process of its own; what only reads a loaded store shares one. */
function groupsOf(workloads: readonly Workload[]): (readonly Workload[])[] {
  const readers = workloads.filter(({ start, writes }) => start === 'loaded' && !writes)
  const writers = workloads.filter((one) => !readers.includes(one)).map((one) => [one])
  return readers.length === 0 ? writers : [...writers, readers]
}

/** Starts a process for the task. Rejects with what it said if it does not answer. */
async function answerOf(execPath: string | undefined, task: Task): Promise<Answer> {
  const args = ['--expose-gc', CHILD, JSON.stringify(task)]
  const child = spawn(execPath ?? process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: CHILD_MS_MAX,
    killSignal: 'SIGKILL',
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ending = await new Promise<string>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(String(signal ?? code)))
  })
  if (ending !== '0') {
    const said = /^\w*Error.*$/m.exec(errors)?.[0] ?? errors.trim().split('\n').at(-1)
    throw new Error(`${said || 'no answer'} (ended with ${ending})`)
  }
  return JSON.parse(output.trim().split('\n').at(-1)!) as Answer
}
