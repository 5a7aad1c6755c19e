/** Blocks and whole tables: the kernel, and the readers that work without it. */

import { MemoryFileSystem } from '../../../src/env/memory-file-system.ts'
import { SedgeError } from '../../../src/errors.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { type InstallOutcome, TableHandle } from '../../../src/kernel/table-handle.ts'
import { View } from '../../../src/kernel/view.ts'
import { type BlockEntry, decodeEntries, openBlock } from '../../../src/table/block-decoder.ts'
import { type CheckedTable, checkTable } from '../../../src/table/table-check.ts'
import { TableFiles } from '../../../src/table/table-files.ts'
import { TableReader } from '../../../src/table/table-reader.ts'
import { addSeed, hash64 } from '../../../src/util/checksum.ts'
import { DecodeError } from '../../../src/util/coding.ts'
import { encodeBlock, sealBlock } from '../../reference/block.ts'
import { compareEntries, type Entry, INDEX } from '../../reference/entry.ts'
import { decodeTable, encodeTable, tableIdentity } from '../../reference/table.ts'
import {
  look,
  randomEntries,
  randomKeys,
  scanAll,
  showBytes,
  WHOLE,
} from '../../support/entries.ts'
import { fileOf, runSteps } from '../../support/file-of-bytes.ts'
import { createKernel, HASH_SEED } from '../../support/kernel.ts'
import { STORE_ID } from '../../support/memory-tables.ts'
import { mutated } from '../../support/mutation.ts'
import { type Random, seededRandom } from '../../support/seed.ts'
import { expectEqual, outcomeOf, type Target, withinMemory } from './target.ts'

const NUMBER = 9
const NAME = '000009.sst'
const HEADER_BYTES = 72
const FOOTER_BYTES = 32
const TRAILER_BYTES = 16
const KINDS = [0, 1] as const
const SAMPLES = 16

/** A block alone, as data and as index. */
export function blockTarget(): Target {
  const identity = tableIdentity(STORE_ID, NUMBER)
  const samples = Array.from({ length: SAMPLES }, (_, i) => {
    const random = seededRandom(i)
    return encodeBlock(i % 4 === 0 ? indexOf(random) : entriesOf(random, random.int(1, 20)))
  })
  const kernel = createKernel()
  return {
    name: 'block',
    weight: 6,
    run(random) {
      const kind = random.pick(KINDS)
      const stored = sealBlock(mutated(random, random.pick(samples)), identity, HEADER_BYTES)
      const here = withinMemory(stored.length, () => decodedHere(stored, kind))
      const there = installed(kernel, stored, kind, identity)
      // What an index may hold is asked in another order.
      if (kind === 0) expectEqual('block', there, here)
      else expectEqual('index block', there === 'installed', here === 'installed')
    },
  }
}

function decodedHere(stored: Uint8Array, kind: 0 | 1): InstallOutcome {
  try {
    const entries = decodeEntries(openBlock(stored, undefined), kind === 1)
    const isSized = entries.every(({ value }) => value.length === 0 || value.length === 12)
    return kind === 0 || isSized ? 'installed' : 'corrupt'
  } catch (error) {
    if (error instanceof DecodeError) return 'corrupt'
    if (error instanceof SedgeError && error.code === 'FORMAT') return 'unknown-format'
    throw error
  }
}

function installed(
  kernel: Kernel,
  stored: Uint8Array,
  kind: number,
  identity: bigint,
): InstallOutcome {
  const key = Uint8Array.of(1)
  const handle = new TableHandle(kernel, { number: NUMBER, identity, smallest: key, largest: key })
  try {
    const at = kernel.staging(stored.length)
    kernel.memory.bytes.set(stored, at)
    return handle.install(HEADER_BYTES, kind, at, stored.length, 0)
  } finally {
    handle.free()
  }
}

function entriesOf(random: Random, count: number): Entry[] {
  const keys = randomKeys(random, Math.max(3, count >> 1))
  const value = (): Uint8Array => random.bytes(random.int(0, 200))
  const timestamp = (): number => 1_700_000_000_000 + random.int(1000)
  return randomEntries(random, { keys, count, value, timestamp }).sort(compareEntries)
}

function indexOf(random: Random): Entry[] {
  const keys = randomKeys(random, random.int(1, 12))
  const valueBytes = random.pick([0, 12])
  const entries = keys.map((key) => ({
    key,
    kind: INDEX,
    sequence: random.int(72, 2 ** 20),
    timestamp: random.int(1, 2 ** 16),
    value: random.bytes(valueBytes),
  }))
  return entries.sort(compareEntries)
}

interface Sample {
  readonly file: Uint8Array
  readonly blocks: readonly { readonly offset: number; readonly bytes: number }[]
  readonly keys: readonly Uint8Array[]
}

/** A whole table, whose checksums are made right again. */
export function tableTarget(): Target {
  const identity = tableIdentity(STORE_ID, NUMBER)
  const samples = Array.from({ length: SAMPLES }, (_, i) => tableSample(seededRandom(100 + i)))
  const kernel = createKernel()
  return {
    name: 'table',
    weight: 2,
    run(random) {
      const sample = random.pick(samples)
      const file = damagedTable(random, sample, identity)
      const here = withinMemory(file.length, () => checkedHere(file, identity))
      const there = withinMemory(file.length, () =>
        readByKernel(kernel, file, here?.checked, random.pick(sample.keys)),
      )
      if (here === undefined) return
      if ('code' in there) throw new Error(`the kernel says ${there.code} to a sound table`)
      expectEqual('scan', there.value.scan, newest(here.entries).join('\n'))
      expectEqual('found', there.value.found, foundIn(here.entries, there.value.key))
    },
  }
}

/** What a kernel gives of tables that are damaged under good checksums, one after the other: a text with all keys and values. */
export function damagedReader(kernel: Kernel): (random: Random) => string | undefined {
  const identity = tableIdentity(STORE_ID, NUMBER)
  const samples = Array.from({ length: SAMPLES }, (_, i) => tableSample(seededRandom(200 + i)))
  return (random) => {
    const sample = random.pick(samples)
    const file = damagedTable(random, sample, identity)
    const found = readByKernel(kernel, file, undefined, random.pick(sample.keys))
    return 'code' in found ? undefined : found.value.scan
  }
}

function tableSample(random: Random): Sample {
  const bitsPerKey = random.pick([0, 10])
  const options = { storeId: STORE_ID, number: NUMBER, hashSeed: HASH_SEED, bitsPerKey }
  const entries = entriesOf(random, random.int(5, 90))
  const file = encodeTable(entries, options)
  const { blocks } = decodeTable(file, options)
  return { file, blocks, keys: entries.map(({ key }) => key) }
}

/** Damage in one block, in the header or in the footer. */
function damagedTable(random: Random, { file, blocks }: Sample, identity: bigint): Uint8Array {
  const part = random.float()
  if (part < 0.2) return resealed(mutated(random, file, 8, 64).slice(0, file.length), identity)
  if (part < 0.4) {
    const start = file.length - FOOTER_BYTES
    const changed = mutated(random, file, start + 4, file.length)
    return resealed(changed, identity)
  }
  const { offset, bytes } = random.pick(blocks)
  const content = mutated(random, file.subarray(offset, offset + bytes - TRAILER_BYTES))
  const damaged = file.slice()
  // Within its place, because everything behind it is sealed where it is.
  const length = bytes - TRAILER_BYTES
  const whole = new Uint8Array(length)
  whole.set(content.subarray(0, length))
  damaged.set(sealBlock(whole, identity, offset), offset)
  return damaged
}

function resealed(file: Uint8Array, identity: bigint): Uint8Array {
  if (file.length < HEADER_BYTES + FOOTER_BYTES) return file
  const view = new DataView(file.buffer, file.byteOffset, file.length)
  view.setBigUint64(64, hash64(file.subarray(0, 64)), true)
  const footer = file.length - FOOTER_BYTES
  const sum = hash64(file.subarray(footer + 4), addSeed(identity, 0))
  view.setUint32(footer, Number(sum & 0xffffffffn), true)
  return file
}

interface ReadHere {
  readonly checked: CheckedTable
  readonly entries: readonly BlockEntry[]
}

/** Undefined when there is any problem. */
function checkedHere(bytes: Uint8Array, identity: bigint): ReadHere | undefined {
  const file = fileOf(bytes)
  const table = {
    file,
    name: NAME,
    size: bytes.length,
    number: NUMBER,
    identity,
    unzstd: undefined,
  }
  const problems: SedgeError[] = []
  const checked = outcomeOf(() =>
    runSteps(checkTable(table, HASH_SEED, (problem) => problems.push(problem))),
  )
  if ('code' in checked || checked.value === undefined || problems.length > 0) return undefined
  const reader = new TableReader(table)
  const { topOffset, topBytes } = reader.layout()
  const entries = reader
    .partitions({ offset: topOffset, bytes: topBytes })
    .flatMap((partition) => reader.blocks(partition))
    .flatMap((block) => reader.entries(block))
  return { checked: checked.value, entries }
}

interface ReadThere {
  readonly scan: string
  readonly key: Uint8Array
  readonly found: string
}

function readByKernel(
  kernel: Kernel,
  bytes: Uint8Array,
  checked: CheckedTable | undefined,
  key: Uint8Array,
): { value: ReadThere } | { code: string } {
  const fs = new MemoryFileSystem()
  const file = fs.open(NAME, 'create')
  file.write(bytes, 0)
  const options = {
    ...{ directory: '', storeId: STORE_ID, tableName: () => NAME },
    ...{ unzstd: undefined, filesMax: 8 },
  }
  const files = new TableFiles(kernel, fs, options)
  const smallest = checked?.smallest ?? Uint8Array.of(0)
  const largest = checked?.largest ?? new Uint8Array(60).fill(255)
  const handle = files.open({ number: NUMBER, size: bytes.length, smallest, largest })
  const view = new View(kernel, files)
  try {
    return outcomeOf(() => {
      view.set([], [[handle]])
      const { keys, values } = scanAll(kernel, files, WHOLE)
      const scan = keys.map((one, i) => `${showBytes(one)} ${showBytes(values[i]!)}`).join('\n')
      const found = look(kernel, view, key, 2 ** 53 - 1)
      return { scan, key, found: found === undefined ? 'none' : `${found.kind} ${found.sequence}` }
    })
  } finally {
    view.set([], [])
    files.release(NUMBER)
  }
}

/** What a scan gives: the newest entry of each key, unless it is a tombstone. Large values are left out. */
function newest(entries: readonly BlockEntry[]): string[] {
  return entries
    .filter(({ key }, i) => i === 0 || Buffer.compare(entries[i - 1]!.key, key) !== 0)
    .filter(({ kind }) => kind !== 2)
    .map(({ key, kind, value }) => `${showBytes(key)} ${kind === 3 ? '' : showBytes(value)}`)
}

function foundIn(entries: readonly BlockEntry[], key: Uint8Array): string {
  const entry = entries.find((one) => Buffer.compare(one.key, key) === 0)
  return entry === undefined || entry.kind === 2 ? 'none' : `${entry.kind} ${entry.sequence}`
}
