/**
 * The results of a run as lines of JSON: the first says what was run where, each of the others is one measurement. A
 * report can be made again from them.
 */
import { appendFileSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'
import type { Description } from './engine.ts'
import type { Measurement } from './runner.ts'
import type { Settings } from './settings.ts'
import type { Shape } from './shapes.ts'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly fileSystem: string
  readonly node: string
}

/** What was run, and where. */
export interface Run {
  readonly machine: Machine
  readonly engines: readonly Description[]
  readonly engineNames: readonly string[]
  readonly workloads: readonly string[]
  readonly shape: Shape
  readonly entries: number
  readonly rounds: number
  readonly cacheBytes: number
  readonly writeBufferBytes: number
  readonly seed: number
  /** What to type to get such numbers. */
  readonly command: string
}

export interface Results {
  readonly run: Run
  readonly measurements: readonly Measurement[]
}

/** Magic numbers of file systems, as `statfs` tells them. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlay',
}

/** In general words: nothing here tells one machine from another of its kind. */
export function machineOf(directory: string): Machine {
  const all = cpus()
  const type = Number(statfsSync(directory).type)
  return {
    processor: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryBytes: totalmem(),
    system: `${platform()} ${arch()}`,
    fileSystem: FILE_SYSTEMS[type] ?? `type ${type.toString(16)}`,
    node: process.version,
  }
}

export function runOf(
  settings: Settings,
  given: Pick<Run, 'engines' | 'engineNames' | 'workloads' | 'command'>,
): Run {
  const { shape, entries, rounds, cacheBytes, writeBufferBytes, seed, directory } = settings
  const numbers = { shape, entries, rounds, cacheBytes, writeBufferBytes, seed }
  return { machine: machineOf(directory), ...given, ...numbers }
}

/** Begins a file anew. */
export function writeRun(file: string, run: Run): void {
  writeFileSync(file, `${JSON.stringify(run)}\n`)
}

/** Writes the file again, now that the engines are known. */
export function writeResults(file: string, { run, measurements }: Results): void {
  writeFileSync(file, [run, ...measurements].map((line) => `${JSON.stringify(line)}\n`).join(''))
}

export function addMeasurement(file: string, measurement: Measurement): void {
  appendFileSync(file, `${JSON.stringify(measurement)}\n`)
}

export function readResults(file: string): Results {
  const [run, ...measurements] = readFileSync(file, 'utf8').trim().split('\n')
  return {
    run: JSON.parse(run!) as Run,
    measurements: measurements.map((line) => JSON.parse(line) as Measurement),
  }
}

/** Sentences about the machine and the run. */
export function describeRun(run: Run): string[] {
  const { machine, shape, command } = run
  const { processor, cores, memoryBytes, system, fileSystem, node } = machine
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20).toLocaleString('en')} MiB`
  const where = [
    processor,
    `${cores} cores`,
    `${mib(memoryBytes)} of memory`,
    system,
    fileSystem,
    `Node ${node}`,
  ]
  const what = [
    `${run.entries.toLocaleString('en')} entries`,
    `keys of ${shape.keyBytes} bytes (${shape.form})`,
    `values of ${shape.valueBytes}`,
    `caches of ${mib(run.cacheBytes)}`,
    `write buffers of ${mib(run.writeBufferBytes)}`,
    `${run.rounds} rounds`,
    `seed ${run.seed}`,
  ]
  return [`${where.join(', ')}.`, `${what.join(', ')}.`, `\`${command}\``]
}

/** A line for each thing that went wrong, apart from calls that an engine has not got. */
export function gapLines(measurements: readonly Measurement[]): string[] {
  const lines = measurements
    .filter(({ missing }) => missing !== undefined && !/^(?:has no|keeps)/.test(missing))
    .map(({ engine, workload, missing }) => `${engine}, ${workload}: ${missing}`)
  return [...new Set(lines)]
}
