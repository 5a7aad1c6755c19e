/**
 * A store whose writers are killed, one after the other: at a random moment, or at the nth call that changes a file. After each of them what is there is
 * what some prefix of all operations leaves, with everything in it that was acknowledged.
 *
 *     const victim = new Victim(seed)
 *     await victim.kill(runtime, { ms: 50 })
 *     await victim.kill(runtime, { nth: 17, moment: 'within' })
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { open } from '../../src/index.ts'
import { IN_FLIGHT_MAX, operationOf } from './kill-operations.ts'
import { childEnvironment, type Runtime } from './runtimes.ts'
import { readStore, StoreModel } from './store-model.ts'
import type { Moment } from './suicidal-file-system.ts'
import { tempDirectory } from './temp.ts'

const CHILD = fileURLToPath(new URL('./kill-child.js', import.meta.url))
const START_MS_MAX = 60_000

/** When a writer dies: so many milliseconds after its first acknowledgement, or at a call. */
export type Death = { readonly ms: number } | { readonly nth: number; readonly moment: Moment }

/** A store that is written by one process after another, and what it must hold. */
export class Victim {
  readonly directory: string = tempDirectory()
  readonly #model = new StoreModel()
  readonly #seed: number
  #run = 0
  /** What the store was found to consist of, added up. */
  tables = 0
  segments = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Lets a process write until it is killed, looks at what it has left, and cleans up. */
  async kill(runtime: Runtime, death: Death): Promise<void> {
    const first = this.#model.length + 1
    const run = ++this.#run
    const moment = 'nth' in death ? [death.nth, death.moment] : []
    const args = [this.directory, this.#seed, run, first, ...moment].map(String)
    const child = spawn(runtime.command, [...runtime.args, CHILD, ...args], {
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const acknowledged = await untilKilled(child, 'ms' in death ? death.ms : START_MS_MAX)
    if ('ms' in death) expect(acknowledged.length, 'acknowledged').to.be.greaterThan(0)
    const last = acknowledged.reduce((most, number) => Math.max(most, number), first - 1)
    if (last >= first) {
      expect(Math.min(...acknowledged.slice(0, 9)), 'the first').to.be.at.least(first)
    }
    // What was told is no more than a few behind what was done.
    for (let number = first; number <= last + IN_FLIGHT_MAX; number++) {
      this.#model.add(operationOf(this.#seed, run, number).changes)
    }
    await this.#check(last, last + IN_FLIGHT_MAX, run, last >= first)
  }

  async #check(least: number, most: number, run: number, hasWritten: boolean): Promise<void> {
    const options = { memtableSize: 4 * 65_536, cacheSize: 2 ** 20 }
    if (run % 3 === 0) {
      const looking = await open(this.directory, { ...options, readOnly: true })
      this.#model.match(await readStore(looking), least, most)
      await looking.close()
    }
    const db = await open(this.directory, options)
    const { cleanClose, damage } = db.stats().recovery
    expect(damage).to.equal(undefined)
    // Who is killed before the first change leaves the store as closed as it was.
    if (hasWritten) expect(cleanClose).to.equal(false)
    this.tables += db.stats().tables
    this.segments += db.stats().recovery.segments
    const found = await readStore(db)
    this.#model.cut(this.#model.match(found, least, most))
    expect((await db.verify()).problems).to.deep.equal([])
    await db.put('after', `${run}`, { sync: run % 2 === 0 })
    expect(await db.get('after')).to.equal(`${run}`)
    await db.delete('after')
    await db.close()
  }
}

/** Resolves to the numbers that the child has told, once it is dead. */
async function untilKilled(child: ChildProcess, ms: number): Promise<number[]> {
  let text = ''
  let timer: NodeJS.Timeout | undefined = setTimeout(() => child.kill('SIGKILL'), START_MS_MAX)
  child.stdout?.setEncoding('latin1').on('data', (piece: string) => {
    if (text === '') {
      clearTimeout(timer)
      timer = setTimeout(() => child.kill('SIGKILL'), ms)
    }
    text += piece
  })
  const signal = await new Promise<string | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_, by) => resolve(by))
  })
  clearTimeout(timer)
  expect(signal, 'the child has not ended by itself').to.equal('SIGKILL')
  // A line that was cut off says nothing.
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)
}
