/** Child processes with a small JavaScript heap, and what they say when they are done. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { childEnvironment } from './runtimes.ts'

const HEAP_MIB = 64

export const MIB: number = 1024 * 1024

/** Runs a script of this build to its end; its last line of output is JSON, what comes before is passed on. */
export function runSmallHeap<T>(script: string, args: readonly (string | number)[]): Promise<T> {
  const path = fileURLToPath(new URL(`./${script}`, import.meta.url))
  const given = [`--max-old-space-size=${HEAP_MIB}`, path, ...args.map(String)]
  const child = spawn(process.execPath, given, {
    env: childEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output) as T)
      else reject(new Error(`${script} ended with ${signal ?? code}: ${output}`))
    })
  })
}

/** The most memory that this process has had resident so far, in bytes. */
export function peakResidentBytes(): number {
  try {
    // Of this program alone. What getrusage tells begins with the peak of the process that started this one.
    const status = readFileSync('/proc/self/status', 'utf8')
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? []
    if (kib !== undefined) return Number(kib) * 1024
  } catch {
    // Not on Linux.
  }
  return process.resourceUsage().maxRSS * 1024
}
