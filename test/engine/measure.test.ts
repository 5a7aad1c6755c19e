import { expect } from 'chai'
import type { Operation } from '../../src/engine/engine-types.ts'
import {
  BATCH_BYTES_MAX,
  KEY_BYTES_MAX,
  LARGE_VALUE_BYTES,
  VALUE_BYTES_MAX,
} from '../../src/engine/limits.ts'
import {
  boundBatch,
  ENTRY_CHARGE,
  encodeReference,
  isLarge,
  largestScratch,
  measure,
  measureAll,
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

  it('bounds a batch from above, and only one that keeps all limits and has no large value [LIM-1, LIM-3, LIM-6]', () => {
    const put = (key: string | Uint8Array, value: string | Uint8Array): Operation => {
      return { kind: 'put', key, value }
    }
    const small: Operation[] = [
      put('é', 'a value'),
      put(new Uint8Array(9), new Uint8Array(LARGE_VALUE_BYTES - 1)),
      { kind: 'delete', key: 'gone' },
    ]
    const exact = measureAll(small)
    const bound = boundBatch(small)
    expect(bound?.charge).to.be.at.least(exact.reduce((sum, { charge }) => sum + charge, 0))
    expect(bound?.scratch).to.be.at.least(9 + LARGE_VALUE_BYTES - 1)
    expect(boundBatch([])?.charge).to.equal(0)
    expect(boundBatch([put('', 'v')])).to.equal(undefined)
    expect(boundBatch([put('k', new Uint8Array(LARGE_VALUE_BYTES))])).to.equal(undefined)
    expect(boundBatch([put('k'.repeat(KEY_BYTES_MAX + 1), 'v')])).to.equal(undefined)
    const many = Math.ceil(BATCH_BYTES_MAX / LARGE_VALUE_BYTES) + 1
    const value = new Uint8Array(LARGE_VALUE_BYTES - 1)
    const huge = Array.from({ length: many }, () => put('k', value))
    expect(boundBatch(huge)).to.equal(undefined)
    expect(codeOf(() => measureAll(huge))).to.equal('LIMIT')
  })

  it('refers to a value by length and offset [LOG-6]', () => {
    const view = new DataView(encodeReference(70_000, 2 ** 33).slice().buffer)
    expect(Number(view.getBigUint64(0, true))).to.equal(70_000)
    expect(Number(view.getBigUint64(8, true))).to.equal(2 ** 33)
  })
})
