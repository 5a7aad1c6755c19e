/** What is read once an opening: manifest, marker, closing statement, lock claims, and the files of RustEdgeDB. */
import { createHash } from 'node:crypto'
import {
  type RecordReader,
  readForeignLog,
  readForeignTable,
} from '../../../src/engine/rustedgedb-reader.ts'
import { readFile } from '../../../src/env/file-io.ts'
import { decodeClaim, encodeClaim, type LockClaim } from '../../../src/env/lock-claim.ts'
import { MemoryFileSystem } from '../../../src/env/memory-file-system.ts'
import { addSeed, hash64 } from '../../../src/util/checksum.ts'
import { decodeClosed, encodeClosed } from '../../../src/version/closed-statement.ts'
import { decodeManifestHeader, manifestIdentity } from '../../../src/version/manifest-format.ts'
import { recoverManifest } from '../../../src/version/manifest-recovery.ts'
import { decodeVersionEdit, encodeVersionEdit } from '../../../src/version/version-edit.ts'
import { fileOf } from '../../support/file-of-bytes.ts'
import { directory, lifeOfStore } from '../../support/manifests.ts'
import { mutated } from '../../support/mutation.ts'
import { encodeForeignLog, encodeForeignTable } from '../../support/rustedgedb-encoder.ts'
import type { Random } from '../../support/seed.ts'
import { tableMeta } from '../../support/table-metas.ts'
import { expectEqual, outcomeOf, type Target, withinMemory } from './target.ts'

const HEADER_BYTES = 64
const RECORD_HEADER_BYTES = 24

/** An edit that decodes is written as it was read. */
export function editTarget(): Target {
  const places = [{ level: 0, number: 7 }]
  const samples = [1, 2, 3].map((count) =>
    encodeVersionEdit({
      ...{ levels: 7, nextFileNumber: 20, lastSequence: 2 ** 40, logNumber: 9 },
      ...{ syncedLog: { number: 8, length: 4096 }, removeTables: places },
      addTables: Array.from({ length: count }, (_, i) => tableMeta(10 + i)),
    }),
  )
  return {
    name: 'edit',
    weight: 6,
    run(random) {
      const bytes = mutated(random, random.pick(samples))
      const decode = (): unknown => decodeVersionEdit(bytes, 'MANIFEST-000001', 0)
      const first = withinMemory(bytes.length, () => outcomeOf(decode))
      if ('code' in first) return
      const again = encodeVersionEdit(first.value as never)
      expectEqual('edit', Buffer.compare(again, bytes.subarray(0, again.length)), 0)
    },
  }
}

/** Marker and manifest, records sealed again. */
export function manifestTarget(): Target {
  const fs = directory()
  lifeOfStore(fs)
  const names = fs.list('store').filter((name) => /^(CURRENT|MANIFEST)-/.test(name))
  const files = names.map((name) => [name, readFile(fs, `store/${name}`)] as const)
  return {
    name: 'manifest',
    weight: 3,
    run(random) {
      const hostile = new MemoryFileSystem()
      hostile.makeDirectory('store')
      let size = 0
      const chosen = random.int(files.length)
      for (const [index, [name, bytes]] of files.entries()) {
        const content = index === chosen ? damagedFile(random, name, bytes) : bytes
        hostile.open(`store/${name}`, 'create').write(content, 0)
        size += content.length
      }
      withinMemory(size, () => outcomeOf(() => recoverManifest(hostile, 'store')))
    },
  }
}

function damagedFile(random: Random, name: string, bytes: Uint8Array): Uint8Array {
  const damaged = mutated(random, bytes)
  if (random.chance(0.1)) return damaged
  if (name.startsWith('CURRENT')) return summed(damaged)
  const head = summed(damaged.slice(0, HEADER_BYTES))
  damaged.set(head)
  const header = outcomeOf(() => decodeManifestHeader(damaged, name))
  if ('value' in header) resealRecords(damaged, manifestIdentity(header.value))
  return damaged
}

/** With the checksum of all that is before it in the last 8 bytes. */
function summed(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - 8
  if (end < 0) return bytes
  new DataView(bytes.buffer).setBigUint64(end, hash64(bytes.subarray(0, end)), true)
  return bytes
}

function resealRecords(bytes: Uint8Array, identity: bigint): void {
  const view = new DataView(bytes.buffer)
  for (let at = HEADER_BYTES; at + RECORD_HEADER_BYTES <= bytes.length; ) {
    const start = at + RECORD_HEADER_BYTES
    const end = start + view.getUint32(at + 8, true)
    if (end <= bytes.length) {
      const payload = hash64(bytes.subarray(start, end), addSeed(identity, at + 1))
      view.setBigUint64(at + 16, payload, true)
    }
    view.setBigUint64(at, hash64(bytes.subarray(at + 8, start), addSeed(identity, at)), true)
    at = end
  }
}

/** A statement that decodes is written as it was read. */
export function closedTarget(): Target {
  const segments = [3, 4, 9].map((number) => ({ number, logLength: 4096 * number, valueLength: 0 }))
  const storeId = new Uint8Array(16).fill(7)
  const fixed = { storeId, epoch: 3, manifestNumber: 5, manifestLength: 900 }
  const samples = [0, 1, 3].map((count) => {
    return encodeClosed({ ...fixed, segments: segments.slice(0, count) })
  })
  return {
    name: 'closed',
    weight: 4,
    run(random) {
      const bytes = summed(mutated(random, random.pick(samples)))
      const decoded = withinMemory(bytes.length, () => outcomeOf(() => decodeClosed(bytes)))
      if ('code' in decoded) return
      expectEqual('statement', Buffer.compare(encodeClosed(decoded.value), bytes), 0)
    },
  }
}

/** A claim that decodes says what it is for, and can be written. */
export function claimTarget(): Target {
  const token = '00000000' + '0123456789abcdef'
  const claim: LockClaim = {
    ...{ token, pid: 77, platform: 'linux', since: 1_700_000_000_000, hasSocket: true },
    ...{ hasKernelLock: false, startTime: '12345', bootId: 'a-b-c', pidNamespace: 'pid:[4026]' },
    ...{ hostname: 'here', fileSystemType: 0xef53, device: '2049', inode: '77' },
  }
  const sample = encodeClaim(claim)
  return {
    name: 'claim',
    weight: 2,
    run(random) {
      const bytes = signed(mutated(random, sample))
      const decoded = decodeClaim(bytes, token)
      if (decoded === undefined) return
      expectEqual('token', decoded.token, token)
      expectEqual('pid', Number.isSafeInteger(decoded.pid), true)
      expectEqual('again', decodeClaim(encodeClaim(decoded), token)?.pid, decoded.pid)
    },
  }
}

function signed(bytes: Uint8Array): Uint8Array {
  const [line = ''] = Buffer.from(bytes).toString('utf8').split('\n')
  const sum = createHash('sha256').update(line).digest('hex').slice(0, 16)
  return Buffer.from(`${line}\n${sum}\n`)
}

/** Records end where they must, and hold no more bytes than the file. */
export function foreignTarget(): Target {
  const entries = ['a', 'b', 'c', 'd'].map((key, i) => {
    return {
      key,
      value: i === 2 ? undefined : 'v'.repeat(20 * i),
      timestamp: 1_700_000_000_000 + i,
    }
  })
  const log = encodeForeignLog(entries)
  const table = encodeForeignTable(entries)
  return {
    name: 'foreign',
    weight: 5,
    run(random) {
      const isLog = random.chance(0.5)
      const bytes = mutated(random, isLog ? log : table)
      const file = fileOf(bytes)
      withinMemory(bytes.length, () =>
        outcomeOf(() => {
          drain(isLog ? readForeignLog(file, 'x') : readForeignTable(file, 'x').records, bytes)
        }),
      )
    },
  }
}

function drain(records: RecordReader, { length }: Uint8Array): void {
  let total = 0
  for (let record = records.next(); record !== undefined; record = records.next()) {
    total += record.key.length + (record.value?.length ?? 0)
    if (total > length) throw new Error('records hold more than the file')
  }
}
