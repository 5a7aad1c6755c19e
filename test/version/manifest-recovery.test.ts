import { expect } from 'chai'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { SedgeError } from '../../src/errors.ts'
import { hash64, loadChecksums } from '../../src/util/checksum.ts'
import { Manifest } from '../../src/version/manifest.ts'
import {
  checksumBytes,
  encodeManifestHeader,
  encodeMarker,
  encodeRecord,
  HEADER_BYTES,
  manifestIdentity,
  RECORD_KIND,
} from '../../src/version/manifest-format.ts'
import { recoverManifest } from '../../src/version/manifest-recovery.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { encodeVersionEdit, type VersionEdit } from '../../src/version/version-edit.ts'
import { faultFileSystem } from '../support/fault-file-system.ts'
import { seededRandom, testSeed } from '../support/seed.ts'
import { tableMeta, versionText } from '../support/table-metas.ts'

const STORE_ID = new Uint8Array(16).fill(7)
const OPTIONS = { storeId: STORE_ID, hashSeed: 99n, maxLevels: 7 }
const MANIFEST = 'MANIFEST-000001'
const MARKER = 'CURRENT-000001-000001'

describe('version/manifest-recovery', () => {
  before(loadChecksums)

  it('finds no store where there is none [MAN-12]', () => {
    const fs = new MemoryFileSystem()
    expect(recoverManifest(fs, 'store')).to.equal(undefined)
    fs.makeDirectory('store')
    for (const name of ['.DS_Store', '000001.txt', 'LOCK-1', '000009.tmp', 'CURRENT', 'readme']) {
      put(fs, name, Uint8Array.of(1))
    }
    expect(recoverManifest(fs, 'store')).to.equal(undefined)
  })

  it('reads back the state [MAN-4, MAN-5]', () => {
    const { fs, manifest } = store(5)
    const recovered = recoverManifest(fs, 'store')!
    expect(versionText(recovered.version)).to.equal(versionText(manifest.version))
    const { epoch, lastSequence, logNumber, manifestNumber, length, tornTailBytes } = recovered
    expect({ epoch, lastSequence, logNumber, manifestNumber, length, tornTailBytes }).to.deep.equal(
      {
        ...{ epoch: 1, lastSequence: 50, logNumber: 5, manifestNumber: 1 },
        ...{ length: manifest.length, tornTailBytes: 0 },
      },
    )
    expect(recovered.storeId).to.deep.equal(STORE_ID)
    expect(recovered.hashSeed).to.equal(99n)
  })

  it('changes nothing, whatever it finds [MAN-9]', () => {
    const { fs } = store(3)
    const calls: string[] = []
    const reading = faultFileSystem(fs, (call) => {
      calls.push(call)
      return undefined
    })
    recoverManifest(reading, 'store')
    const damaged = get(fs, MANIFEST)
    damaged[20]! ^= 1
    put(fs, MANIFEST, damaged)
    expect(codeOf(() => recoverManifest(reading, 'store'))).to.equal('CORRUPTION')
    const asked = ['close', 'list', 'open read', 'read', 'size', 'status']
    expect([...new Set(calls)].sort()).to.deep.equal(asked)
  })

  it('drops a torn last record and reports it [MAN-8]', () => {
    const { fs, lengths } = store(3)
    const whole = get(fs, MANIFEST)
    for (let length = lengths[2]!; length < whole.length; length++) {
      put(fs, MANIFEST, whole.subarray(0, length))
      const recovered = recoverManifest(fs, 'store')!
      expect(recovered.length).to.equal(lengths[2])
      expect(recovered.tornTailBytes).to.equal(length - lengths[2]!)
      expect(recovered.lastSequence).to.equal(20)
    }
    const random = seededRandom(testSeed())
    for (let round = 0; round < 50; round++) {
      const torn = whole.slice()
      torn.set(random.bytes(10), random.int(lengths[2]!, whole.length - 10))
      put(fs, MANIFEST, torn)
      expect(recoverManifest(fs, 'store')!.lastSequence).to.equal(20)
    }
  })

  it('drops a tail of zeros or garbage of any length [MAN-8]', () => {
    const { fs, manifest } = store(3)
    const whole = get(fs, MANIFEST)
    const random = seededRandom(testSeed())
    for (const length of [1, 7, 8, 23, 24, 25, 100, 65_536, 70_001]) {
      for (const tail of [new Uint8Array(length), random.bytes(length)]) {
        put(fs, MANIFEST, Buffer.concat([whole, tail]))
        const recovered = recoverManifest(fs, 'store')!
        expect(recovered.tornTailBytes).to.equal(length)
        expect(versionText(recovered.version)).to.equal(versionText(manifest.version))
      }
    }
  })

  it('refuses any flipped bit before the last record [MAN-8]', () => {
    const { fs, lengths } = store(3)
    const whole = get(fs, MANIFEST)
    for (let at = 0; at < lengths[2]!; at++) {
      const damaged = whole.slice()
      damaged[at]! ^= 1 << (at & 7)
      put(fs, MANIFEST, damaged)
      const error = thrownBy(() => recoverManifest(fs, 'store'))
      expect(error, `byte ${at}`).to.include({ code: 'CORRUPTION', file: MANIFEST })
    }
  })

  it('finds a record far behind the damage [MAN-8]', () => {
    const { fs } = store(0)
    const wide = (number: number): TableMeta => {
      const [smallest, largest] = [new Uint8Array(100_000), new Uint8Array(100_001)]
      return { ...tableMeta(number), smallest, largest }
    }
    Manifest.takeOver(fs, 'store', recoverManifest(fs, 'store')!).append({ addTables: [wide(8)] })
    const manifest = Manifest.takeOver(fs, 'store', recoverManifest(fs, 'store')!)
    const name = `MANIFEST-${name6(manifest.number)}`
    const damagedAt = manifest.length
    manifest.append({ addTables: [wide(9)] })
    manifest.append({ logNumber: 3 })
    const whole = get(fs, name)
    for (const at of [damagedAt, damagedAt + 9, damagedAt + 150_000]) {
      const damaged = whole.slice()
      damaged[at]! ^= 1
      put(fs, name, damaged)
      const error = thrownBy(() => recoverManifest(fs, 'store'))
      expect(error).to.include({ code: 'CORRUPTION', file: name, offset: damagedAt })
    }
  })

  it('refuses a manifest cut within its header or snapshot [MAN-8]', () => {
    const { fs, lengths } = store(1)
    const whole = get(fs, MANIFEST)
    for (let length = 0; length < lengths[0]!; length++) {
      put(fs, MANIFEST, whole.subarray(0, length))
      const error = thrownBy(() => recoverManifest(fs, 'store'))
      expect(error).to.include({ code: 'CORRUPTION', file: MANIFEST })
    }
  })

  it('refuses edits that do not fit together [MAN-7]', () => {
    const refused = (edit: VersionEdit, text: string): void => {
      const { fs, manifest } = store(2)
      appendRaw(fs, manifest, RECORD_KIND.edit, edit)
      const error = thrownBy(() => recoverManifest(fs, 'store'))
      expect(error).to.include({ code: 'CORRUPTION', file: MANIFEST })
      expect(error.message).to.contain(text)
    }
    refused({ removeTables: [{ level: 0, number: 77 }] }, 'table 77')
    refused({ addTables: [tableMeta(101)] }, 'second time')
    refused({ lastSequence: 1 }, 'last sequence goes down')
    const overlapping = [80, 81].map((number) => tableMeta(number, { level: 1 }))
    refused({ addTables: overlapping }, 'overlap')
  })

  it('refuses records of the wrong kind [MAN-4]', () => {
    const { fs, manifest } = store(2)
    appendRaw(fs, manifest, RECORD_KIND.snapshot, { levels: 7, nextFileNumber: 200 })
    expect(thrownBy(() => recoverManifest(fs, 'store')).message).to.contain('wrong kind')
    const header = { storeId: STORE_ID, hashSeed: 1n, number: 1, epoch: 1 }
    const edit = encodeVersionEdit({ levels: 7, nextFileNumber: 5 })
    const first = encodeRecord(RECORD_KIND.edit, edit, manifestIdentity(header), HEADER_BYTES)
    put(fs, MANIFEST, Buffer.concat([encodeManifestHeader(header), first]))
    expect(thrownBy(() => recoverManifest(fs, 'store')).message).to.contain('wrong kind')
  })

  it('refuses a store of a later format [MAN-9]', () => {
    for (const offset of [8, 12]) {
      const { fs } = store(1)
      const bytes = get(fs, MANIFEST)
      bytes[offset]! += 1
      bytes.set(checksumBytes(hash64(bytes.subarray(0, 56))), 56)
      put(fs, MANIFEST, bytes)
      expect(codeOf(() => recoverManifest(fs, 'store'))).to.equal('FORMAT')
      fs.remove(`store/${MARKER}`)
      expect(codeOf(() => recoverManifest(fs, 'store'))).to.equal('FORMAT')
    }
  })

  it('refuses the manifest of another number, store or later epoch [MAN-11]', () => {
    const { fs } = store(1)
    const bytes = get(fs, MANIFEST)
    put(fs, 'MANIFEST-000002', bytes)
    put(fs, 'CURRENT-000002-000002', encodeMarker(2, 2, STORE_ID))
    expect(thrownBy(() => recoverManifest(fs, 'store')).file).to.equal('MANIFEST-000002')
    fs.remove('store/CURRENT-000002-000002')
    put(fs, MARKER, encodeMarker(1, 1, new Uint8Array(16)))
    expect(thrownBy(() => recoverManifest(fs, 'store')).message).to.contain('store id')
    const later = Manifest.takeOver(fs, 'store', { ...reset(fs, bytes), markers: markersOf(9) })
    put(fs, `CURRENT-000002-${name6(later.number)}`, encodeMarker(2, later.number, STORE_ID))
    fs.remove(`store/CURRENT-000010-${name6(later.number)}`)
    expect(thrownBy(() => recoverManifest(fs, 'store')).message).to.contain('epoch')
  })

  it('names a manifest that is missing or no regular file [MAN-11]', () => {
    const { fs } = store(2)
    fs.remove(`store/${MANIFEST}`)
    const missing = thrownBy(() => recoverManifest(fs, 'store'))
    expect(missing).to.include({ code: 'CORRUPTION', file: MANIFEST })
    fs.makeDirectory(`store/${MANIFEST}`)
    const strange = thrownBy(() => recoverManifest(fs, 'store'))
    expect(strange).to.include({ code: 'CORRUPTION', file: MANIFEST })
  })

  it('takes the highest epoch, then the highest manifest [MAN-10]', () => {
    const { fs } = store(2)
    const second = Manifest.takeOver(fs, 'store', recoverManifest(fs, 'store')!)
    const first = store(1)
    put(fs, MANIFEST, get(first.fs, MANIFEST))
    put(fs, MARKER, get(first.fs, MARKER))
    expect(recoverManifest(fs, 'store')).to.include({ epoch: 2, manifestNumber: second.number })
    put(fs, 'CURRENT-000002-000001', encodeMarker(2, 1, STORE_ID))
    expect(recoverManifest(fs, 'store')).to.include({ epoch: 2, manifestNumber: second.number })
    expect(recoverManifest(fs, 'store')!.markers.length).to.equal(3)
  })

  it('passes over a marker that a crash left unfinished [MAN-11]', () => {
    const { fs } = store(2)
    for (const content of [new Uint8Array(0), new Uint8Array(48), new Uint8Array(20)]) {
      put(fs, 'CURRENT-000002-000001', content)
      expect(recoverManifest(fs, 'store')).to.include({ epoch: 1, lastSequence: 20 })
    }
    const header = { storeId: STORE_ID, hashSeed: 99n, number: 2, epoch: 2 }
    const edit = encodeVersionEdit({ levels: 7, nextFileNumber: 200, lastSequence: 20 })
    const identity = manifestIdentity(header)
    const snapshot = encodeRecord(RECORD_KIND.snapshot, edit, identity, HEADER_BYTES)
    const start = Buffer.concat([encodeManifestHeader(header), snapshot])
    put(fs, 'MANIFEST-000002', start)
    put(fs, 'CURRENT-000002-000002', new Uint8Array(0))
    expect(recoverManifest(fs, 'store')).to.include({ epoch: 1, manifestNumber: 1 })
    const more = encodeRecord(RECORD_KIND.edit, new Uint8Array(0), identity, start.length)
    put(fs, 'MANIFEST-000002', Buffer.concat([start, more]))
    const error = thrownBy(() => recoverManifest(fs, 'store'))
    expect(error).to.include({ code: 'CORRUPTION', file: 'CURRENT-000002-000002' })
    fs.remove('store/MANIFEST-000002')
    const missing = thrownBy(() => recoverManifest(fs, 'store'))
    expect(missing).to.include({ code: 'CORRUPTION', file: 'MANIFEST-000002' })
  })

  it('takes a store whose only marker is damaged for damaged [MAN-11, MAN-12]', () => {
    const { fs } = store(2)
    const whole = get(fs, MARKER)
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice()
      damaged[at]! ^= 1 << (at & 7)
      put(fs, MARKER, damaged)
      const error = thrownBy(() => recoverManifest(fs, 'store'))
      expect(error).to.include({ code: 'CORRUPTION', file: MARKER })
      put(fs, MARKER, whole.subarray(0, at))
      expect(codeOf(() => recoverManifest(fs, 'store'))).to.equal('CORRUPTION')
    }
  })

  it('never takes a damaged store for a new one [MAN-12]', () => {
    for (const name of ['000003.sst', '000003.log', '000003.val', 'CLOSED']) {
      const { fs } = store(0)
      fs.remove(`store/${MARKER}`)
      expect(recoverManifest(fs, 'store')).to.equal(undefined)
      put(fs, name, new Uint8Array(0))
      const error = thrownBy(() => recoverManifest(fs, 'store'))
      expect(error.code).to.equal('CORRUPTION')
      expect(error.message).to.contain(name)
      fs.remove(`store/${MANIFEST}`)
      expect(codeOf(() => recoverManifest(fs, 'store'))).to.equal('CORRUPTION')
    }
    const { fs } = store(1)
    fs.remove(`store/${MARKER}`)
    expect(thrownBy(() => recoverManifest(fs, 'store')).message).to.contain(MANIFEST)
  })

  it('takes what an interrupted creation leaves for no store [MAN-12]', () => {
    const { fs } = store(0)
    const manifest = get(fs, MANIFEST)
    const marker = get(fs, MARKER)
    for (let length = 0; length < marker.length; length++) {
      put(fs, MARKER, marker.subarray(0, length))
      expect(recoverManifest(fs, 'store')).to.equal(undefined)
    }
    fs.remove(`store/${MARKER}`)
    for (let length = 0; length <= manifest.length; length++) {
      put(fs, MANIFEST, manifest.subarray(0, length))
      expect(recoverManifest(fs, 'store')).to.equal(undefined)
    }
  })

  it('reports what the system refuses as IO', () => {
    const { fs } = store(1)
    for (const call of ['list', 'open read', 'read']) {
      const failing = faultFileSystem(fs, (one) => (one === call ? 'EIO' : undefined))
      const error = thrownBy(() => recoverManifest(failing, 'store'))
      expect(error.code, call).to.equal('IO')
    }
  })

  it('answers any bytes with a state or a typed error', () => {
    const random = seededRandom(testSeed())
    const { fs } = store(4)
    const whole = get(fs, MANIFEST)
    for (let round = 0; round < 2000; round++) {
      const changed = whole.slice(0, random.chance(0.3) ? random.int(whole.length) : undefined)
      for (let count = random.int(4); count > 0 && changed.length > 0; count--) {
        changed.set(random.bytes(1), random.int(changed.length))
      }
      put(fs, MANIFEST, changed)
      try {
        recoverManifest(fs, 'store')
      } catch (error) {
        expect(error).to.be.instanceOf(SedgeError)
      }
    }
    expect(whole.length).to.be.greaterThan(200)
  })
})

/** A store with `edits` edits; `lengths[n]` is the manifest's length after n of them. */
function store(edits: number): { fs: MemoryFileSystem; manifest: Manifest; lengths: number[] } {
  const fs = new MemoryFileSystem()
  fs.makeDirectory('store')
  const manifest = Manifest.create(fs, 'store', OPTIONS)
  const lengths = [manifest.length]
  for (let edit = 1; edit <= edits; edit++) {
    const table = tableMeta(100 + edit, { smallest: 'a', largest: 'k' })
    manifest.append({ lastSequence: 10 * edit, logNumber: edit, addTables: [table] })
    lengths.push(manifest.length)
  }
  manifest.close()
  return { fs, manifest, lengths }
}

/** Puts a sound marker and manifest back, and reads them. */
function reset(
  fs: MemoryFileSystem,
  manifest: Uint8Array,
): NonNullable<ReturnType<typeof recoverManifest>> {
  put(fs, MARKER, encodeMarker(1, 1, STORE_ID))
  put(fs, MANIFEST, manifest)
  const recovered = recoverManifest(fs, 'store')!
  put(fs, 'CURRENT-000009-000001', new Uint8Array(0))
  return recovered
}

function markersOf(epoch: number): { epoch: number; number: number }[] {
  return [
    { epoch, number: 1 },
    { epoch: 1, number: 1 },
  ]
}

function name6(number: number): string {
  return String(number).padStart(6, '0')
}

/** Appends a valid record that no manifest would write. */
function appendRaw(
  fs: MemoryFileSystem,
  manifest: Manifest,
  kind: number,
  edit: VersionEdit,
): void {
  const { storeId, hashSeed, number, epoch } = manifest
  const identity = manifestIdentity({ storeId, hashSeed, number, epoch })
  const record = encodeRecord(kind, encodeVersionEdit(edit), identity, manifest.length)
  put(fs, MANIFEST, Buffer.concat([get(fs, MANIFEST), record]))
}

function get(fs: MemoryFileSystem, name: string): Uint8Array {
  const file = fs.open(`store/${name}`, 'read')
  const bytes = new Uint8Array(file.size())
  file.read(bytes, 0)
  return bytes
}

function put(fs: MemoryFileSystem, name: string, bytes: Uint8Array): void {
  const path = `store/${name}`
  if (fs.status(path) !== undefined) fs.remove(path)
  fs.open(path, 'create').write(bytes, 0)
}

function thrownBy(action: () => unknown): SedgeError {
  try {
    action()
  } catch (error) {
    if (!(error instanceof SedgeError)) throw error
    return error
  }
  return expect.fail('nothing was thrown')
}

function codeOf(action: () => unknown): string {
  return thrownBy(action).code
}
