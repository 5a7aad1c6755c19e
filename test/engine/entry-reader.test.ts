import { expect } from 'chai'
import type { Revocable } from '../../src/engine/abandoned.ts'
import type { ScanOptions } from '../../src/engine/engine-types.ts'
import { EntryReader, entryMaker, type ReaderHome } from '../../src/engine/entry-reader.ts'
import { ALL_KEYS } from '../../src/iterator/range.ts'
import { codecFor } from '../../src/key/encoding.ts'
import { expectCode } from '../support/fake-database.ts'
import { FakeEngine } from '../support/fake-engine.ts'

const SCAN: ScanOptions = {
  range: ALL_KEYS,
  reverse: false,
  limit: Number.POSITIVE_INFINITY,
  sequence: undefined,
  keys: 'utf8',
  values: undefined,
}

interface Home extends ReaderHome {
  readonly engine: FakeEngine
}

function homeWith(count: number): Home {
  const engine = new FakeEngine()
  for (let index = 0; index < count; index++) engine.putSync(`k${10 + index}`, 'v', undefined)
  const live = new Set<Revocable>()
  return { engine, live, nextTurn: () => Promise.resolve(), isTurnDue: () => false }
}

function readKeys(home: Home, options: ScanOptions = SCAN): EntryReader<string> {
  const make = entryMaker<string>('keys', codecFor('utf8', 'key'), codecFor('utf8', 'value'))
  return new EntryReader(home, options, make)
}

function rest(reader: EntryReader<string>): string[] {
  const found: string[] = []
  while (reader.hasBuffered || reader.fill()) found.push(reader.take())
  return found
}

describe('engine/entry-reader', () => {
  it('takes a batch entry by entry and closes at the end [API-14, API-15]', () => {
    const home = homeWith(40)
    const reader = readKeys(home)
    expect(reader.hasBuffered).to.equal(false)
    expect(home.live.size).to.equal(1)
    expect(reader.fill()).to.equal(true)
    expect(reader.take()).to.equal('k10')
    expect(rest(reader)).to.have.length(39)
    expect(home.live.size).to.equal(0)
    expect(home.engine.liveCursors).to.equal(0)
    expect(reader.fill()).to.equal(false)
  })

  it('has nothing to take when it was closed while the engine filled it [API-15]', async () => {
    for (const isRevoked of [false, true]) {
      const home = homeWith(40)
      const scan = home.engine.scan.bind(home.engine)
      home.engine.scan = (options) => {
        const cursor = scan(options)
        const next = cursor.next.bind(cursor)
        cursor.next = () => {
          const batch = next()
          if (isRevoked) reader.revoke()
          else reader.close()
          return batch
        }
        return cursor
      }
      const reader = readKeys(home)
      if (isRevoked) await expectCode('CLOSED', () => reader.fill())
      else expect(reader.fill()).to.equal(false)
      expect(reader.hasBuffered).to.equal(false)
      expect(home.engine.liveCursors).to.equal(0)
    }
  })

  it('drops what it has buffered when it seeks or closes [API-15, API-16]', () => {
    const reader = readKeys(homeWith(40))
    reader.fill()
    reader.seek('k48')
    expect(reader.hasBuffered).to.equal(false)
    expect(rest(reader)).to.deep.equal(['k48', 'k49'])
    const other = readKeys(homeWith(40))
    other.fill()
    other.close()
    expect(other.hasBuffered).to.equal(false)
    expect(other.fill()).to.equal(false)
  })

  it('stays at its sequence, and below its limit, when it seeks [API-16, SNAP-1]', () => {
    const home = homeWith(40)
    const reader = readKeys(home, { ...SCAN, limit: 4 })
    reader.fill()
    reader.take()
    home.engine.putSync('k11x', 'v', undefined)
    reader.seek('k11')
    expect(home.engine.liveCursors).to.equal(1)
    expect(rest(reader)).to.deep.equal(['k11', 'k12', 'k13'])
  })

  it('asks the engine for nothing when its limit is 0 [ORD-6]', () => {
    const home = homeWith(3)
    const reader = readKeys(home, { ...SCAN, limit: 0 })
    expect(home.engine.liveCursors).to.equal(0)
    reader.seek('k10')
    expect(rest(reader)).to.deep.equal([])
  })

  it('tells the end from the closing of the store [API-15, API-21]', async () => {
    const ended = readKeys(homeWith(1))
    rest(ended)
    ended.revoke()
    expect(ended.fill()).to.equal(false)
    await expectCode('CLOSED', () => ended.seek('k'))

    const open = readKeys(homeWith(1))
    open.fill()
    open.revoke()
    open.revoke()
    expect(open.hasBuffered).to.equal(false)
    await expectCode('CLOSED', () => open.fill())
    await expectCode('CLOSED', () => open.seek('k'))
  })

  it('closes when the engine fails [API-15]', () => {
    const home = homeWith(40)
    const reader = readKeys(home)
    home.engine.fillError = new Error('disk')
    expect(() => reader.fill()).to.throw(home.engine.fillError)
    expect(home.engine.liveCursors).to.equal(0)
    expect(home.live.size).to.equal(0)
  })
})
