/** Takes Deno's kernel lock in many ways, in the directory given, and prints what came of it as JSON. */
import { readdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { isKernelLockFree, takeKernelLock } from '../../src/env/kernel-lock.ts'

const directory = process.argv[2] ?? ''

function take(): unknown {
  const lock = takeKernelLock(directory)
  return typeof lock === 'object' ? 'taken' : (lock ?? null)
}

const outcomes: Record<string, unknown> = {}
outcomes['free at first'] = isKernelLockFree(directory)
const first = takeKernelLock(directory)
outcomes['taken'] = typeof first
outcomes['taken again'] = take()
outcomes['free while taken'] = isKernelLockFree(directory)
outcomes['files'] = readdirSync(directory)
if (typeof first === 'object') first.release()
outcomes['files after'] = readdirSync(directory)

writeFileSync(`${directory}/LOCK`, '')
outcomes['free after a crash'] = isKernelLockFree(directory)
const second = takeKernelLock(directory)
outcomes['taken after a crash'] = typeof second
unlinkSync(`${directory}/LOCK`)
if (typeof second === 'object') second.release()

symlinkSync('target', `${directory}/LOCK`)
outcomes['through a link'] = take()
outcomes['free through a link'] = isKernelLockFree(directory)
outcomes['files at last'] = readdirSync(directory)
console.log(JSON.stringify(outcomes))
