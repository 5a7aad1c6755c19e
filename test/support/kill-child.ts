/**
 * The process that is killed: opens a store and writes until the end, telling the number of each operation on standard
 * output once it is acknowledged. Four readers go over the store meanwhile.
 *
 *     kill-child.js <directory> <seed> <run> <first operation>                    until somebody kills it
 *     kill-child.js <directory> <seed> <run> <first operation> <nth> <moment>     until its nth change of a file
 */
import { writeSync } from 'node:fs'
import { NodeFileSystem } from '../../src/env/node-file-system.ts'
import { type Database, open } from '../../src/index.ts'
import { IN_FLIGHT_MAX, type Operation, operationOf } from './kill-operations.ts'
import { type Moment, suicidalFileSystem } from './suicidal-file-system.ts'

/** Four arenas of 64 KiB: flushes and compactions come every few milliseconds. */
const MEMTABLE_BYTES = 4 * 65_536
const READERS = 4

function tell(number: number): void {
  for (;;) {
    try {
      writeSync(1, `${number}\n`)
      return
    } catch (error) {
      // The pipe is full; whoever reads it is on the way.
      if ((error as { code?: unknown }).code !== 'EAGAIN') throw error
    }
  }
}

function write(db: Database<string, string>, operation: Operation): Promise<void> | undefined {
  const { changes, sync, isBlocking } = operation
  const [first] = changes
  if (changes.length === 1 && first !== undefined) {
    const [key, value] = first
    if (value === undefined) {
      return isBlocking ? void db.deleteSync(key, { sync }) : db.delete(key, { sync })
    }
    return isBlocking ? void db.putSync(key, value, { sync }) : db.put(key, value, { sync })
  }
  const batch = changes.map(([key, value]) =>
    value === undefined ? { type: 'delete' as const, key } : { type: 'put' as const, key, value },
  )
  return isBlocking ? void db.batchSync(batch, { sync }) : db.batch(batch, { sync })
}

/** Reads everything, again and again; no key comes twice or out of order. */
async function read(db: Database<string, string>, reverse: boolean): Promise<never> {
  for (;;) {
    let last: string | undefined
    for await (const [key] of db.iterator({ reverse })) {
      if (last !== undefined && key > last === reverse) throw new Error('keys are out of order')
      last = key
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function main(directory: string, seed: number, run: number, first: number): Promise<void> {
  const [nth, moment] = process.argv.slice(6)
  const fs =
    nth === undefined
      ? undefined
      : suicidalFileSystem(new NodeFileSystem(), Number(nth), moment as Moment)
  const options = { memtableSize: MEMTABLE_BYTES, cacheSize: 2 ** 20, fs }
  const db: Database<string, string> = await open(directory, options)
  for (let reader = 0; reader < READERS; reader++) void read(db, reader % 2 === 1)
  const underWay = new Set<Promise<void>>()
  for (let number = first; ; number++) {
    const operation = operationOf(seed, run, number)
    if (operation.before === 'flush') await db.flush()
    if (operation.before === 'compact') await db.compact({})
    const written = write(db, operation)
    if (written === undefined) tell(number)
    else {
      const told: Promise<void> = written.then(() => {
        underWay.delete(told)
        tell(number)
      })
      underWay.add(told)
    }
    while (underWay.size >= IN_FLIGHT_MAX) await Promise.race(underWay)
    // Without a turn now and then no flush that runs in the background would ever be installed.
    if (number % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

const [directory = '', seed, run, first] = process.argv.slice(2)
await main(directory, Number(seed), Number(run), Number(first))
