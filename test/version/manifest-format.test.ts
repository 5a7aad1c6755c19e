import { expect } from 'chai'
import { SedgeError } from '../../src/errors.ts'
import { concat, toHex } from '../../src/util/bytes.ts'
import { hash64, loadChecksums } from '../../src/util/checksum.ts'
import { ByteWriter } from '../../src/util/coding.ts'
import {
  checksumBytes,
  decodeManifestHeader,
  decodeMarker,
  decodeRecordHeader,
  encodeManifestHeader,
  encodeMarker,
  encodeRecord,
  HEADER_BYTES,
  isPayload,
  MARKER_BYTES,
  manifestIdentity,
  RECORD_HEADER_BYTES,
  RECORD_KIND,
} from '../../src/version/manifest-format.ts'
import { snapshotOf } from '../../src/version/manifest-state.ts'
import { Version } from '../../src/version/version.ts'
import { encodeVersionEdit } from '../../src/version/version-edit.ts'
import { projectText } from '../support/project.ts'
import { tableMeta } from '../support/table-metas.ts'

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index)
const HEADER = { storeId: STORE_ID, hashSeed: 42n, number: 1, epoch: 1 }
const FILE = 'MANIFEST-000001'

describe('version/manifest-format', () => {
  before(loadChecksums)

  it('writes the bytes of the worked example [MAN-2, MAN-3, MAN-5, MAN-10]', () => {
    const page = projectText('docs/manifest-format.md')
    const example = page.slice(page.indexOf('## Worked example')).split('```')[1]!
    const lines = hexLines(exampleManifest())
    const marker = hexLines(encodeMarker(1, 1, STORE_ID))
    expect(example.trim()).to.equal(
      ['MANIFEST-000001', ...lines, '', 'CURRENT-000001-000001', ...marker].join('\n'),
    )
  })

  it('gives back a header [MAN-2]', () => {
    const bytes = encodeManifestHeader(HEADER)
    expect(bytes.length).to.equal(HEADER_BYTES)
    expect(decodeManifestHeader(bytes, FILE)).to.deep.equal(HEADER)
  })

  it('refuses a header with any bit flipped, or cut short [MAN-8]', () => {
    const bytes = encodeManifestHeader(HEADER)
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(
        codeOf(() => decodeManifestHeader(damaged, FILE)),
        `bit ${bit}`,
      ).to.equal('CORRUPTION')
    }
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length)
      expect(codeOf(() => decodeManifestHeader(cut, FILE))).to.equal('CORRUPTION')
    }
  })

  it('tells a header of another format from a damaged one [MAN-9]', () => {
    const changed = (offset: number, value: number): Uint8Array => {
      const bytes = encodeManifestHeader(HEADER).slice(0, HEADER_BYTES - 8)
      bytes[offset] = value
      return concat(bytes, checksumBytes(hash64(bytes)))
    }
    expect(codeOf(() => decodeManifestHeader(changed(8, 2), FILE))).to.equal('FORMAT')
    for (let bit = 0; bit < 32; bit++) {
      const features = changed(12 + (bit >> 3), 1 << (bit & 7))
      expect(
        codeOf(() => decodeManifestHeader(features, FILE)),
        `feature ${bit}`,
      ).to.equal('FORMAT')
    }
    const numbers = new ByteWriter().hash64(2n ** 60n).finish()
    const bytes = encodeManifestHeader(HEADER).slice(0, HEADER_BYTES - 8)
    bytes.set(numbers, 40)
    const beyond = concat(bytes, checksumBytes(hash64(bytes)))
    expect(codeOf(() => decodeManifestHeader(beyond, FILE))).to.equal('CORRUPTION')
  })

  it('pads records to a multiple of 8 bytes [MAN-3]', () => {
    for (let length = 0; length < 20; length++) {
      const record = encodeRecord(RECORD_KIND.edit, new Uint8Array(length), 5n, 64)
      expect(record.length).to.equal(RECORD_HEADER_BYTES + Math.ceil(length / 8) * 8)
    }
  })

  it('binds a record to its place, manifest, opening and store [MAN-3]', () => {
    const record = encodeRecord(RECORD_KIND.edit, Uint8Array.of(4, 9), 5n, 64)
    const payload = record.subarray(RECORD_HEADER_BYTES)
    const header = decodeRecordHeader(record, 5n, 64)!
    expect(header).to.include({ kind: RECORD_KIND.edit, payloadBytes: 8 })
    expect(isPayload(payload, header, 5n, 64)).to.equal(true)
    expect(isPayload(payload, header, 5n, 72)).to.equal(false)
    expect(decodeRecordHeader(record, 5n, 72)).to.equal(undefined)
    expect(decodeRecordHeader(record, 6n, 64)).to.equal(undefined)
    const identities = new Set([
      manifestIdentity(HEADER),
      manifestIdentity({ ...HEADER, number: 2 }),
      manifestIdentity({ ...HEADER, epoch: 2 }),
      manifestIdentity({ ...HEADER, storeId: new Uint8Array(16) }),
    ])
    expect(identities.size).to.equal(4)
  })

  it('takes no record header with any bit flipped [MAN-3]', () => {
    const record = encodeRecord(RECORD_KIND.snapshot, Uint8Array.of(4, 9), 5n, 64)
    for (let bit = 0; bit < 8 * record.length; bit++) {
      const damaged = record.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      const header = decodeRecordHeader(damaged, 5n, 64)
      const payload = damaged.subarray(RECORD_HEADER_BYTES)
      const isValid = header !== undefined && isPayload(payload, header, 5n, 64)
      expect(isValid, `bit ${bit}`).to.equal(false)
    }
    expect(decodeRecordHeader(record.subarray(0, 23), 5n, 64)).to.equal(undefined)
  })

  it('gives back a marker, and takes none that is damaged or of another name [MAN-10]', () => {
    const bytes = encodeMarker(3, 12, STORE_ID)
    expect(bytes.length).to.equal(MARKER_BYTES)
    expect(decodeMarker(bytes, 3, 12)).to.deep.equal(STORE_ID)
    expect(decodeMarker(bytes, 4, 12)).to.equal(undefined)
    expect(decodeMarker(bytes, 3, 13)).to.equal(undefined)
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeMarker(damaged, 3, 12), `bit ${bit}`).to.equal(undefined)
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeMarker(bytes.subarray(0, length), 3, 12)).to.equal(undefined)
    }
    expect(decodeMarker(concat(bytes, new Uint8Array(1)), 3, 12)).to.equal(undefined)
  })
})

/** The manifest that the page describes. */
function exampleManifest(): Uint8Array {
  const identity = manifestIdentity(HEADER)
  const empty = {
    version: Version.empty(7),
    nextFileNumber: 66,
    lastSequence: 0,
    logNumber: 0,
    syncedLog: undefined,
  }
  const table = {
    ...tableMeta(3, { entries: 2, tombstones: 1, smallest: 'a', largest: 'b' }),
    ...{ checksum: 0x1122334455667788n, minSequence: 1, maxSequence: 2, rawBytes: 3 },
  }
  const start = encodeManifestHeader(HEADER)
  const snapshot = encodeVersionEdit(snapshotOf(empty))
  const first = encodeRecord(RECORD_KIND.snapshot, snapshot, identity, HEADER_BYTES)
  const edit = encodeVersionEdit({ lastSequence: 2, logNumber: 4, addTables: [table] })
  const offset = HEADER_BYTES + first.length
  return concat(start, first, encodeRecord(RECORD_KIND.edit, edit, identity, offset))
}

function hexLines(bytes: Uint8Array): string[] {
  const lines: string[] = []
  for (let start = 0; start < bytes.length; start += 16) {
    const pairs = toHex(bytes.subarray(start, start + 16)).match(/../g)!
    lines.push(`${start.toString(16).padStart(4, '0')}  ${pairs.join(' ')}`)
  }
  return lines
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action()
  } catch (error) {
    expect(error).to.be.instanceOf(SedgeError)
    return (error as SedgeError).code
  }
  return undefined
}
