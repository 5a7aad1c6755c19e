import { expect } from 'chai'
import { applyEdit, StateBuilder, snapshotOf } from '../../src/version/manifest-state.ts'
import { Version, VersionError } from '../../src/version/version.ts'
import { tableMeta, versionText } from '../support/table-metas.ts'

const EMPTY = {
  version: Version.empty(7),
  nextFileNumber: 66,
  lastSequence: 0,
  logNumber: 0,
  syncedLog: undefined,
}

describe('version/manifest-state', () => {
  it('keeps what an edit does not tell', () => {
    const first = applyEdit(EMPTY, { lastSequence: 5, syncedLog: { number: 2, length: 80 } })
    const second = applyEdit(first, { logNumber: 3, addTables: [tableMeta(4)] })
    expect(second).to.include({ nextFileNumber: 66, lastSequence: 5, logNumber: 3 })
    expect(second.syncedLog).to.deep.equal({ number: 2, length: 80 })
    expect(second.version.tables()).to.deep.equal([tableMeta(4)])
  })

  it('gives the whole state by its snapshot alone [MAN-4]', () => {
    const state = applyEdit(EMPTY, {
      lastSequence: 9,
      logNumber: 8,
      syncedLog: { number: 7, length: 100 },
      addTables: [tableMeta(1), tableMeta(2, { level: 6 })],
    })
    const builder = new StateBuilder()
    builder.apply(snapshotOf(state))
    const { version, ...rest } = builder.build()
    expect(versionText(version)).to.equal(versionText(state.version))
    expect(rest).to.deep.equal({
      nextFileNumber: 66,
      lastSequence: 9,
      logNumber: 8,
      syncedLog: { number: 7, length: 100 },
    })
  })

  it('lets no number go down [MAN-5]', () => {
    const state = applyEdit(EMPTY, { lastSequence: 5, logNumber: 3 })
    expect(() => applyEdit(state, { lastSequence: 4 })).to.throw(VersionError, 'last sequence')
    expect(() => applyEdit(state, { logNumber: 2 })).to.throw(VersionError, 'log number')
    expect(() => applyEdit(state, { nextFileNumber: 65 })).to.throw(VersionError, 'file number')
    expect(applyEdit(state, { lastSequence: 5, logNumber: 3 })).to.include({ lastSequence: 5 })
  })

  it('is not built from edits that leave something open [MAN-4]', () => {
    expect(() => applyEdit({ ...EMPTY, nextFileNumber: 0 }, {})).to.throw(VersionError, 'number')
    const builder = new StateBuilder()
    builder.apply({ nextFileNumber: 5 })
    expect(() => builder.build()).to.throw(VersionError, 'levels')
  })
})
