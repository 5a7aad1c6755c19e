import { expect } from 'chai'
import { SalvageLog } from '../../src/engine/salvage-log.ts'
import {
  missing,
  missingSegments,
  segmentHeader,
  surveyStore,
} from '../../src/engine/salvage-survey.ts'
import type { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { recoverManifest } from '../../src/version/manifest-recovery.ts'
import { flipBit, STORE, type WrittenStore, writeStore } from '../support/damaged-store.ts'

function numbers(names: readonly string[]): number[] {
  return names.map((name) => Number.parseInt(name, 10))
}

describe('engine/salvage-survey', () => {
  let store: WrittenStore
  let fs: MemoryFileSystem
  let log: SalvageLog

  before(async () => {
    store = await writeStore(1000)
  })

  beforeEach(() => {
    fs = store.fs.clone()
    log = new SalvageLog()
  })

  function removeAll(pattern: RegExp): void {
    for (const name of fs.list(STORE)) if (pattern.test(name)) fs.remove(`${STORE}/${name}`)
  }

  it('goes by the manifest, and leaves out what it does not count [REP-2]', () => {
    fs.open(`${STORE}/000063.sst`, 'create').close()
    fs.open(`${STORE}/000001.log`, 'create').close()
    const recovered = recoverManifest(fs, STORE)!
    const survey = surveyStore(fs, STORE, log, undefined)
    expect(survey.tables).to.deep.equal(numbers(store.tables))
    expect(survey.segments).to.deep.equal(numbers(store.logs))
    expect(survey.storeId).to.deep.equal(recovered.storeId)
    expect(survey.closed?.segments).to.have.length(store.logs.length)
    expect(survey).to.include({ levels: 7, logNumber: recovered.logNumber })
    expect(log.problems).to.deep.equal([])
  })

  it('takes all files without a manifest, and finds out whose they are [REP-2]', () => {
    fs.open(`${STORE}/999999.sst`, 'create').close()
    const { storeId } = recoverManifest(fs, STORE)!
    for (const pattern of [/^CURRENT/, /^MANIFEST/, /log$/]) {
      removeAll(pattern)
      const survey = surveyStore(fs, STORE, log, undefined)
      expect(survey.tables).to.deep.equal([...numbers(store.tables), 999_999])
      expect(survey.storeId).to.deep.equal(pattern.source === 'log$' ? undefined : storeId)
      expect(survey).to.include({ logNumber: undefined, closed: undefined })
    }
    expect(log.problems.length).to.be.greaterThan(2)
  })

  it('finds the store in a marker when the manifest is damaged [REP-2]', () => {
    const { storeId } = recoverManifest(fs, STORE)!
    for (const name of fs.list(STORE).filter((one) => one.startsWith('MANIFEST'))) {
      flipBit(fs, `${STORE}/${name}`, 30)
    }
    removeAll(/log$/)
    expect(surveyStore(fs, STORE, log, undefined).storeId).to.deep.equal(storeId)
  })

  it('makes do with a damaged closing statement [REP-2]', () => {
    flipBit(fs, `${STORE}/CLOSED`, 30)
    const survey = surveyStore(fs, STORE, log, undefined)
    expect(survey.closed).to.equal(undefined)
    expect(survey.logNumber).to.be.greaterThan(0)
    expect(log.problems.map(({ file }) => file)).to.deep.equal(['CLOSED'])
  })

  it('finds no store where none is [REP-1]', () => {
    fs.makeDirectory('/empty')
    expect(() => surveyStore(fs, '/empty', log, undefined))
      .to.throw()
      .with.property('code', 'NOT_FOUND')
  })

  it('misses segments that others or the last close name [REP-6]', () => {
    const survey = surveyStore(fs, STORE, log, undefined)
    const headers = survey.segments.map((number) => segmentHeader(fs, STORE, number)!)
    expect(missingSegments(survey, headers)).to.deep.equal([])
    const number = survey.segments[0]!
    const without = { ...survey, segments: survey.segments.slice(1) }
    expect(missingSegments(without, headers.slice(1))).to.deep.equal([number])
    expect(
      missingSegments({ ...without, closed: undefined, segments: [number + 1] }, [
        { ...headers[0]!, number: number + 1, previous: number },
      ]),
    ).to.deep.equal([number])
    expect(missingSegments({ ...without, logNumber: undefined }, headers)).to.deep.equal([])
    expect(missing('log', 7)).to.include({ code: 'CORRUPTION', file: '000007.log' })
    expect(missing('table', 7)).to.include({ file: '000007.sst' })
  })

  it('has no header of a segment that is damaged or cannot be read [REP-4]', () => {
    const number = numbers(store.logs)[0]!
    expect(segmentHeader(fs, STORE, number)).to.include({ number })
    flipBit(fs, `${STORE}/${store.logs[0]}`, 50)
    expect(segmentHeader(fs, STORE, number)).to.equal(undefined)
    expect(segmentHeader(fs, STORE, 888_888)).to.equal(undefined)
  })
})
