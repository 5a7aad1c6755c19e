/**
 * `kill -9` at random moments, several times in a row on one store: what is there afterwards is what some prefix of all operations
 * leaves, with everything in it that was acknowledged.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { open } from '../../src/index.ts'
import { IN_FLIGHT_MAX, operationOf } from '../support/kill-operations.ts'
import { childEnvironment, eachRuntime, type Runtime } from '../support/runtimes.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { readStore, StoreModel } from '../support/store-model.ts'
import { tempDirectory } from '../support/temp.ts'

const CHILD = fileURLToPath(new URL('./kill-child.js', import.meta.url))

/** Kills in a row of each store; with four runtimes these are a hundred. */
const KILLS = [9, 8, 8]
const START_MS_MAX = 30_000

/** A store that is written by one process after another, and what it must hold. */
class Victim {
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

  /** Lets a process write for `ms` milliseconds from its first acknowledgement on, and kills it. */
  async kill(runtime: Runtime, ms: number): Promise<void> {
    const first = this.#model.length + 1
    const run = ++this.#run
    const args = [this.directory, this.#seed, run, first].map(String)
    const child = spawn(runtime.command, [...runtime.args, CHILD, ...args], {
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const acknowledged = await untilKilled(child, ms)
    expect(acknowledged.length, 'acknowledged').to.be.greaterThan(0)
    const last = acknowledged.reduce((most, number) => Math.max(most, number))
    expect(Math.min(...acknowledged.slice(0, 9)), 'the first').to.be.at.least(first)
    // What was told is no more than a few behind what was done.
    for (let number = first; number <= last + IN_FLIGHT_MAX; number++) {
      this.#model.add(operationOf(this.#seed, run, number).changes)
    }
    await this.#check(last, last + IN_FLIGHT_MAX, run)
  }

  async #check(least: number, most: number, run: number): Promise<void> {
    const options = { memtableSize: 4 * 65_536, cacheSize: 2 ** 20 }
    if (run % 3 === 0) {
      const looking = await open(this.directory, { ...options, readOnly: true })
      this.#model.match(await readStore(looking), least, most)
      await looking.close()
    }
    const db = await open(this.directory, options)
    expect(db.stats().recovery).to.include({ cleanClose: false, damage: undefined })
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

describe('property/kill', () => {
  eachRuntime(
    'loses nothing that was acknowledged and leaves no half of a batch when the process is killed [DUR-1, DUR-4, DUR-5, API-9, REC-5, REC-7, REC-8, ORD-7]',
    async (runtime) => {
      const random = seededRandom(testSeed())
      for (const kills of KILLS) {
        const victim = new Victim(random.int(2 ** 20))
        for (let kill = 0; kill < kills; kill++) await victim.kill(runtime, random.int(5, 300))
        expect(victim.tables, 'tables').to.be.greaterThan(kills / 2)
        expect(victim.segments, 'segments').to.be.greaterThan(kills / 2)
      }
    },
  )
})
