/**
 * What a piece of work cost this process: time until it was acknowledged and until nothing ran any more, processor
 * time of all threads, bytes handed to the disk, memory, space in the directory, and how late the event loop was.
 *
 * What the system does not tell is `undefined`: bytes and memory need a /proc.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { sized } from './settings.ts'

export interface Cost {
  /** Milliseconds until the last operation was acknowledged. */
  readonly ms: number
  /** Milliseconds until the process was quiet. */
  readonly settledMs: number
  /** Seconds of processor time of all threads, until quiet. */
  readonly cpuSeconds: number
  /** Bytes that the system was told to put on the disk, until quiet. */
  readonly bytesWritten: number | undefined
  /** The event loop's delay while operations ran, in milliseconds. */
  readonly delayP50Ms: number
  readonly delayP999Ms: number
}

const QUIET_STEP_MS = sized(50, 5)
const QUIET_STEPS = sized(4, 1)
/** A process that uses less of a processor than this is quiet. */
const QUIET_PART = 0.04
const SETTLE_MS_MAX = 120_000
const DELAY_RESOLUTION_MS = 2

/** Measures one piece of work: `start`, the work, `stop`, and when all has become quiet, `settle`. */
export class Meter {
  #start = 0
  #ms = 0
  #cpu: NodeJS.CpuUsage = process.cpuUsage()
  #written: number | undefined
  #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })

  start(): void {
    this.#written = writtenBytes()
    this.#cpu = process.cpuUsage()
    this.#delay.enable()
    this.#start = performance.now()
  }

  stop(): void {
    this.#ms = performance.now() - this.#start
    this.#delay.disable()
  }

  async settle(): Promise<Cost> {
    const quietSince = await untilQuiet()
    const { user, system } = process.cpuUsage(this.#cpu)
    const written = writtenBytes()
    return {
      ms: this.#ms,
      settledMs: Math.max(this.#ms, quietSince - this.#start),
      cpuSeconds: (user + system) / 1e6,
      bytesWritten: written === undefined ? undefined : written - (this.#written ?? 0),
      delayP50Ms: this.#delayMs(50),
      delayP999Ms: this.#delayMs(99.9),
    }
  }

  /** Beyond the interval at which the loop is looked at. */
  #delayMs(percentile: number): number {
    return Math.max(0, this.#delay.percentile(percentile) / 1e6 - DELAY_RESOLUTION_MS)
  }
}

/** Resolves once no thread of this process has worked for a while, to the time since which that is so. */
export async function untilQuiet(): Promise<number> {
  let since = performance.now()
  const deadline = since + SETTLE_MS_MAX
  for (let quiet = 0; quiet < QUIET_STEPS && performance.now() < deadline; ) {
    const before = process.cpuUsage()
    const from = performance.now()
    await sleep(QUIET_STEP_MS)
    const { user, system } = process.cpuUsage(before)
    const elapsed = performance.now() - from
    if ((user + system) / 1000 < elapsed * QUIET_PART) quiet++
    else {
      quiet = 0
      since = performance.now()
    }
  }
  return since
}

/** Bytes that this process has caused to be written to a disk. */
function writtenBytes(): number | undefined {
  return procNumber('/proc/self/io', 'write_bytes')
}

/** The most memory that this process ever had, in bytes. */
export function peakMemory(): number | undefined {
  const kilobytes = procNumber('/proc/self/status', 'VmHWM')
  return kilobytes === undefined ? undefined : kilobytes * 1024
}

/** The memory that is not of files, in bytes. */
export function anonymousMemory(): number | undefined {
  const kilobytes = procNumber('/proc/self/status', 'RssAnon')
  return kilobytes === undefined ? undefined : kilobytes * 1024
}

function procNumber(file: string, name: string): number | undefined {
  try {
    const [, number] = new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(readFileSync(file, 'utf8')) ?? []
    return number === undefined ? undefined : Number(number)
  } catch {
    return undefined
  }
}

/** The space that the files of a directory take, in bytes, as `du` counts it. */
export function directoryBytes(directory: string): number {
  let bytes = 0
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const status = statSync(join(directory, name), { throwIfNoEntry: false })
    bytes += (status?.blocks ?? 0) * 512
  }
  return bytes
}
