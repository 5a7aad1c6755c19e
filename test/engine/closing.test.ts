/** What a store leaves behind when it is closed in the middle of its background work. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { type Database, MemoryFileSystem, type OpenOptions, open } from '../../src/index.ts'
import { rejection } from '../support/faulty-store.ts'
import { tempDirectory } from '../support/temp.ts'

const MIB = 1024 * 1024
const OPTIONS: OpenOptions = { memtableSize: MIB, durability: 'none', compression: 'none' }

/** Closes a store in the middle of background work, and returns the names that it has left and those a moment later. */
async function closeBusy(
  path: string,
  options: OpenOptions,
  list: () => string[],
): Promise<[string[], string[]]> {
  const db = await open(path, { ...OPTIONS, ...options })
  const isBusy = (): boolean => list().some((name) => name.endsWith('.tmp'))
  // Asked once: a job that was seen may be over when somebody asks again.
  let wasBusy = false
  for (let i = 0; i < 40_000 && !wasBusy; i++) {
    await db.put(`key${(i * 7919) % 8000}`, `${i}`.repeat(200))
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    wasBusy = i > 8000 && isBusy()
  }
  expect(wasBusy, 'a flush or compaction that runs').to.equal(true)
  await db.close()
  const left = list().sort()
  await sleep(100)
  return [left, list().sort()]
}

/** What somebody does to a store's files while it is open. */
const LOSSES: Readonly<Record<string, (path: string, db: Database<string, string>) => void>> = {
  'the directory is removed': (path) => rmSync(path, { recursive: true }),
  'the directory is another': (path) => {
    rmSync(path, { recursive: true })
    mkdirSync(path)
  },
  'the log is removed': (path) => rmSync(fileOf(path, /\.log$/)),
  'the log is emptied': (path) => truncateSync(fileOf(path, /\.log$/), 0),
  'the log is emptied and written on': (path, db) => {
    truncateSync(fileOf(path, /\.log$/), 0)
    db.putSync('behind the hole', 'v', { sync: true })
  },
  'the manifest is removed': (path) => rmSync(fileOf(path, /^MANIFEST/)),
  'the manifest is cut short': (path) => truncateSync(fileOf(path, /^MANIFEST/), 40),
  'the manifest is written to': (path) => appendFileSync(fileOf(path, /^MANIFEST/), 'x'),
  'the marker is removed': (path) => rmSync(fileOf(path, /^CURRENT/)),
  'the marker is emptied': (path) => truncateSync(fileOf(path, /^CURRENT/), 0),
}

function fileOf(path: string, pattern: RegExp): string {
  return join(path, readdirSync(path).find((name) => pattern.test(name)) ?? '')
}

describe('engine/closing', () => {
  for (const [what, lose] of Object.entries(LOSSES)) {
    it(`does not say that all is well when ${what}, and lets go of everything [DUR-15, API-21]`, async () => {
      const path = join(tempDirectory(), 'store')
      const db = await open(path)
      await db.put('synced', 'v', { sync: true })
      await db.put('acknowledged', 'v')
      lose(path, db)
      const error = await rejection(db.close())
      expect(error).to.have.property('code', 'FAILED')
      expect(error.cause).to.have.property('code').that.is.oneOf(['IO', 'LOCKED', 'CORRUPTION'])
      expect(db.status).to.equal('closed')
      const left = existsSync(path) ? readdirSync(path) : []
      expect(left.filter((name) => name === 'CLOSED' || name.startsWith('LOCK-'))).to.deep.equal([])
      // The lock of this process is free: whatever is there now may be opened, or refused for what it is.
      const again = await open(path, { recovery: 'pointInTime' }).catch((reason: unknown) => reason)
      expect(again).not.to.have.property('code', 'LOCKED')
      await (again as { close?: () => Promise<void> }).close?.()
    })
  }

  it('misses the end of the large values, too [DUR-15]', async () => {
    const path = tempDirectory()
    const db = await open(path)
    await db.put('large', 'v'.repeat(100_000))
    truncateSync(fileOf(path, /\.val$/), 50_000)
    const error = await rejection(db.close())
    expect(error).to.have.property('code', 'FAILED')
    expect(error.cause).to.have.property('file', '000002.val')
  })

  it('tells of a directory that vanished before the store has failed, too [DUR-15]', async () => {
    const path = join(tempDirectory(), 'store')
    const db = await open(path)
    await db.put('acknowledged', 'v')
    rmSync(path, { recursive: true })
    await db.flush().catch(() => undefined)
    const error = await rejection(db.close())
    expect(error).to.have.property('code', 'FAILED')
    expect(db.status).to.equal('closed')
  })

  it('ends the work in the background before the store is given up [API-21]', async () => {
    for (let round = 0; round < 3; round++) {
      const fs = new MemoryFileSystem()
      const [left, later] = await closeBusy('/s', { fs }, () => fs.list('/s'))
      expect(later).to.deep.equal(left)
      expect(left.filter((name) => name.endsWith('.tmp'))).to.deep.equal([])
      const again = await open('/s', { fs })
      expect(again.stats().recovery.removedFiles).to.equal(0)
      expect((await again.verify()).problems).to.deep.equal([])
      await again.close()
    }
  })

  for (const workers of [0, 1] as const) {
    it(`leaves nothing on disk that is not the store's, with ${workers} workers [API-21]`, async () => {
      const path = tempDirectory()
      const [left, later] = await closeBusy(path, { workers }, () => readdirSync(path))
      expect(later).to.deep.equal(left)
      const again = await open(path)
      expect(again.stats().recovery.removedFiles).to.equal(0)
      await again.close()
    })
  }
})
