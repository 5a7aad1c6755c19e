import { expect } from 'chai'
import { KEY_BYTES_MAX, LARGE_VALUE_BYTES, VALUE_BYTES_MAX } from '../../src/engine/limits.ts'
import {
  ENTRY_CHARGE,
  encodeReference,
  isLarge,
  largestScratch,
  measure,
  REFERENCE_BYTES,
} from '../../src/engine/measure.ts'
import { SedgeError } from '../../src/errors.ts'
import { EntryKind } from '../../src/kernel/memtable.ts'

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    return error instanceof SedgeError ? error.code : String(error)
  }
  return undefined
}

describe('engine/measure', () => {
  it('charges a put its UTF-8 bytes and the overhead, a delete its key [LIM-6]', () => {
    expect(measure({ kind: 'put', key: 'é', value: 'abc' }).charge).to.equal(ENTRY_CHARGE + 5)
    const deleted = measure({ kind: 'delete', key: new Uint8Array(9) })
    expect(deleted.charge).to.equal(ENTRY_CHARGE + 9)
    expect(deleted.kind).to.equal(EntryKind.DELETE)
  })

  it('sends values of 64 KiB and more to the value file, whatever form they come in [LOG-6]', () => {
    expect(isLarge('a'.repeat(LARGE_VALUE_BYTES - 1))).to.equal(false)
    expect(isLarge('a'.repeat(LARGE_VALUE_BYTES))).to.equal(true)
    expect(isLarge('é'.repeat(LARGE_VALUE_BYTES / 2))).to.equal(true)
    const measured = measure({ kind: 'put', key: 'k', value: 'é'.repeat(LARGE_VALUE_BYTES) })
    expect(measured.kind).to.equal(EntryKind.CHUNKS)
    expect(measured.large?.length).to.equal(LARGE_VALUE_BYTES * 2)
    expect(measured.charge).to.equal(ENTRY_CHARGE + 1 + REFERENCE_BYTES)
  })

  it('refuses what breaks a limit [LIM-1, LIM-2]', () => {
    const long = 'é'.repeat(KEY_BYTES_MAX / 2 + 1)
    expect(codeOf(() => measure({ kind: 'put', key: '', value: '' }))).to.equal('LIMIT')
    expect(codeOf(() => measure({ kind: 'delete', key: long }))).to.equal('LIMIT')
    const large = new Uint8Array(VALUE_BYTES_MAX + 1)
    expect(codeOf(() => measure({ kind: 'put', key: 'k', value: large }))).to.equal('LIMIT')
    expect(codeOf(() => isLarge(large))).to.equal('LIMIT')
    expect(codeOf(() => measure({ kind: 'put', key: long, value: large }))).to.equal('LIMIT')
  })

  it('foresees the scratch that the largest entry needs', () => {
    const operations = [
      measure({ kind: 'put', key: 'a', value: 'b' }),
      measure({ kind: 'put', key: 'key', value: 'v'.repeat(100) }),
    ]
    expect(largestScratch(operations)).to.be.at.least(3 * 103)
  })

  it('refers to a value by length and offset [LOG-6]', () => {
    const view = new DataView(encodeReference(70_000, 2 ** 33).slice().buffer)
    expect(Number(view.getBigUint64(0, true))).to.equal(70_000)
    expect(Number(view.getBigUint64(8, true))).to.equal(2 ** 33)
  })
})
