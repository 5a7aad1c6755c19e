/**
 * Runs every workload on every engine, in a process for each and each round, so that nothing that one has left in
 * memory, compiled code or caches helps or harms another. In each round the engines take turns in another order.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { copySparse } from './copy.ts'
import type { Description } from './engine.ts'
import type { Settings } from './settings.ts'
import type { Answer, Job, Outcome, Task } from './task.ts'
import type { Workload } from './workload.ts'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))

export interface EngineFile {
  readonly name: string
  readonly url: string
  /** Programs to run it with; the first with which it loads is taken. */
  readonly execPaths: readonly string[]
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

/** An engine that runs, and with what. */
interface Usable {
  readonly name: string
  readonly url: string
  readonly execPath: string
  readonly description: Description
}

/** Returns the engines that could be started. What could not is reported as missing its load. */
export async function runAll(
  engines: readonly EngineFile[],
  workloads: readonly Workload[],
  settings: Settings,
  reporter: Reporter,
): Promise<Description[]> {
  const root = mkdtempSync(join(settings.directory, 'sedgedb-bench-'))
  try {
    return await new Runner(root, settings, reporter).run(engines, workloads)
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
  ): Promise<Description[]> {
    const { peakBytes } = await this.#answer(process.execPath, this.#task('empty', this.#root))
    this.#emptyBytes = peakBytes ?? 0
    const usable: Usable[] = []
    for (const engine of engines) usable.push(...(await this.#load(engine, workloads)))
    for (let round = 0; round < this.#settings.rounds; round++) {
      for (const group of groupsOf(workloads)) {
        for (let i = 0; i < usable.length; i++) {
          await this.#measure(usable[(i + round) % usable.length]!, group, round)
        }
      }
    }
    return usable.map(({ description }) => description)
  }

  /** Finds out whether the engine runs, and loads a store if a workload begins with one. */
  async #load(engine: EngineFile, workloads: readonly Workload[]): Promise<Usable[]> {
    const { name, url, execPaths } = engine
    const job = workloads.some(isOnStore) ? 'load' : 'measure'
    let missing = ''
    for (const execPath of execPaths) {
      this.#reporter.progress(`${name}: load`)
      try {
        const directory = this.#folder(name, 'loaded')
        const given = { engine: url }
        const { description, outcomes } = await this.#answer(
          execPath,
          this.#task(job, directory, given),
        )
        for (const outcome of outcomes)
          this.#reporter.measured({ engine: name, round: 0, ...outcome })
        return [{ name, url, execPath, description: description! }]
      } catch (error) {
        missing ||= (error as Error).message
        rmSync(this.#folder(name, 'loaded'), { recursive: true })
      }
    }
    this.#reporter.progress(`${name}: ${missing}`)
    this.#reporter.measured({ engine: name, round: 0, workload: 'load', missing, operations: 0 })
    return []
  }

  async #measure(engine: Usable, group: readonly Workload[], round: number): Promise<void> {
    const { name } = engine
    const names = group.map((workload) => workload.name)
    this.#reporter.progress(`round ${round + 1}, ${name}: ${names.join(' ')}`)
    try {
      const { outcomes, peakBytes, anonymousBytes } = await this.#run(engine, group)
      const above = peakBytes === undefined ? undefined : peakBytes - this.#emptyBytes
      for (const outcome of outcomes) {
        if (outcome.workload === 'load') continue
        const memory = { peakBytes: above, anonymousBytes }
        this.#reporter.measured({ engine: name, round, ...outcome, ...memory })
      }
    } catch (error) {
      const missing = (error as Error).message
      this.#reporter.progress(`${name}: ${missing}`)
      for (const workload of names) {
        this.#reporter.measured({ engine: name, round, workload, missing, operations: 0 })
      }
    }
  }

  /** One process for the workloads, on a directory that is right for them. */
  async #run(engine: Usable, group: readonly Workload[]): Promise<Answer> {
    const { name, url, execPath, description } = engine
    const [first] = group as readonly [Workload]
    const { start, writes } = first
    const { isVolatile } = description
    const stored = this.#folder(name, 'loaded')
    const isKept = isOnStore(first) && !isVolatile
    const directory = isKept && !writes ? stored : this.#folder(name, 'work')
    try {
      const given = {
        engine: url,
        workloads: group.map((workload) => workload.name),
        ...first.budget?.(this.#settings.entries * entryBytes(this.#settings)),
      }
      if (isKept && writes) copySparse(stored, directory)
      if (start === 'killed' && !isVolatile) {
        await this.#answer(execPath, this.#task('kill', directory, given), 'SIGKILL')
      }
      const job = start === 'loaded' && isVolatile ? 'load' : 'measure'
      return await this.#answer(execPath, this.#task(job, directory, given))
    } finally {
      if (directory !== stored) rmSync(directory, { recursive: true, force: true })
    }
  }

  #folder(engine: string, name: string): string {
    const folder = join(this.#root, engine, name)
    mkdirSync(folder, { recursive: true })
    return folder
  }

  #task(job: Job, directory: string, given: Partial<Task> = {}): Task {
    const { shape, entries, cacheBytes, writeBufferBytes, seed, warmMs } = this.#settings
    const numbers = { shape, entries, cacheBytes, writeBufferBytes, seed, warmMs }
    return { job, directory, engine: undefined, workloads: [], ...numbers, ...given }
  }

  /** Starts a process for the task. Rejects with what it said if it does not end as it should. */
  async #answer(execPath: string, task: Task, expected = '0'): Promise<Answer> {
    const timeout = this.#settings.processMsMax
    const child = spawn(execPath, ['--expose-gc', CHILD, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
      killSignal: 'SIGTERM',
    })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    const ending = await new Promise<string>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve(String(signal ?? code)))
    })
    if (ending === 'SIGTERM') throw new Error(`took more than ${timeout / 1000} s`)
    if (ending !== expected) {
      const said = /^\w*Error.*$/m.exec(errors)?.[0] ?? errors.trim().split('\n').at(-1)
      throw new Error(`${said || 'no answer'} (ended with ${ending})`)
    }
    const nothing = { description: undefined, outcomes: [] }
    if (expected !== '0') return { ...nothing, peakBytes: undefined, anonymousBytes: undefined }
    return JSON.parse(output.trim().split('\n').at(-1)!) as Answer
  }
}

function entryBytes({ shape }: Settings): number {
  return shape.keyBytes + shape.valueBytes
}

function isOnStore({ start }: Workload): boolean {
  return start === 'loaded' || start === 'closed'
}

/** What writes has a process of its own; what only reads a loaded store shares one for each budget. */
function groupsOf(workloads: readonly Workload[]): (readonly Workload[])[] {
  const readers = workloads.filter((one) => one.start === 'loaded' && !one.writes)
  const writers = workloads.filter((one) => !readers.includes(one)).map((one) => [one])
  const within = [
    readers.filter(({ budget }) => budget === undefined),
    readers.filter(({ budget }) => budget !== undefined),
  ]
  return [...writers, ...within].filter((group) => group.length > 0)
}
