/** Statements of the plan on tables (B), manifest and directory (C), and full or crowded systems (E). */
import { MemoryFileSystem, open } from '../../src/index.ts'
import { closedStore, expectFound } from '../support/closed-store.ts'
import {
  bytesOf,
  expectRefused,
  extended,
  type Files,
  fileSystemOf,
  filesOf,
  replaced,
} from '../support/crashed-store.ts'
import { failing, faultyStore, rejection } from '../support/faulty-store.ts'
import type { Random } from '../support/seed.ts'
import { assertSame, readStore } from '../support/store-model.ts'
import { STORE, storeOptions } from '../support/store-workload.ts'
import type { Statement } from './statements.ts'

const SECTORS = [512, 4096]

function tablesOf(files: Files): string[] {
  return [...files.keys()].filter((name) => name.endsWith('.sst')).sort()
}

function nameLike(files: Files, pattern: RegExp): string {
  return [...files.keys()].find((name) => pattern.test(name)) ?? ''
}

async function contentWith(files: Files): Promise<[Map<string, string>, string[]]> {
  const fs = fileSystemOf(files)
  const db = await open(STORE, storeOptions(fs, 2))
  const content = await readStore(db)
  await db.put('then', 'more')
  await db.flush()
  await db.close()
  return [content, fs.list(STORE)]
}

/** A store with a table whose level 0 is full, and damage in one of its tables. */
async function damagedInput(random: Random): Promise<void> {
  const fs = new MemoryFileSystem()
  const first = await open(STORE, storeOptions(fs))
  for (let table = 0; table < 3; table++) {
    for (let i = 0; i < 30; i++) await first.put(`k${i}`, `${table} of ${i}`)
    await first.flush()
  }
  await first.put('z', 'apart')
  await first.close()
  const files = filesOf(fs)
  const name = random.pick(tablesOf(files))
  const bytes = bytesOf(files, name).slice()
  bytes[100 + random.int(200)]! ^= 1 << random.int(8)
  const damaged = fileSystemOf(replaced(files, name, bytes))
  const db = await open(STORE, storeOptions(damaged, 2))
  const error = await rejection(db.compact({}))
  if ((error as { code?: string }).code !== 'CORRUPTION') throw error
  for (const table of tablesOf(files)) {
    if (damaged.status(`${STORE}/${table}`) === undefined) throw new Error(`${table} is gone`)
  }
  if ((await db.get('z')) !== 'apart') throw new Error('another range does not read')
  await db.put('y', 'written')
  const { problems } = await db.verify()
  if (!problems.some(({ file }) => file === name)) throw new Error('verify does not name the file')
  await db.close()
}

/** The disk fills up at some write, and is given space again without another opening. */
async function fullDisk(random: Random): Promise<void> {
  const store = await faultyStore()
  const { db } = store
  for (let i = 0; i < 20; i++) await db.put(`k${i}`, 'before')
  const code = random.pick(['ENOSPC', 'EDQUOT'])
  const isFlush = random.chance(0.5)
  store.failWith(failing(['write', 'open create'], code, isFlush ? /\.tmp$|\.sst$/ : /./))
  const error = await rejection(isFlush ? db.flush() : db.put('refused', 'x'))
  if ((error as { code?: string }).code !== 'FULL') throw error
  if ((await db.get('k7')) !== 'before') throw new Error('a read fails')
  store.heal()
  const end = performance.now() + 20_000
  for (;;) {
    const failure = await db.put('after', 'x').catch((reason: unknown) => reason)
    if (failure === undefined) break
    if (performance.now() > end) throw failure
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await db.flush()
  if (store.names('.tmp').length > 0) throw new Error('temporary files are left')
  await db.close()
  const again = await open(STORE, storeOptions(store.inner, 2))
  const found = await readStore(again)
  const right = new Map(Array.from({ length: 20 }, (_, i) => [`k${i}`, 'before']))
  assertSame(found, right.set('after', 'x'), 'after the disk was full')
  await again.close()
}

export const STORE_STATEMENTS: readonly Statement[] = [
  {
    id: 'B3',
    title: 'a table in the place of another, of its own store or not, is found',
    async test(random) {
      const store = await closedStore(random)
      const name = random.pick(tablesOf(store.files))
      const other = random.chance(0.5) ? store : await closedStore(random, 9)
      const names = tablesOf(other.files).filter((one) => other !== store || one !== name)
      await expectFound(
        store,
        replaced(store.files, name, bytesOf(other.files, random.pick(names))),
      )
    },
  },
  {
    id: 'B4',
    title: 'sectors of zeros, bytes that have moved and bytes that were added are found',
    async test(random) {
      const store = await closedStore(random)
      const name = random.pick([...store.files.keys()])
      const bytes = bytesOf(store.files, name)
      const size = random.pick(SECTORS)
      const at = random.int(Math.ceil(bytes.length / size)) * size
      const zeroed = bytes.slice().fill(0, at, at + size)
      if (zeroed.some((byte, i) => byte !== bytes[i])) {
        await expectFound(store, replaced(store.files, name, zeroed))
      }
      const moved = Uint8Array.from([0, ...bytes.subarray(0, bytes.length - 1)])
      await expectFound(store, replaced(store.files, name, moved))
      await expectFound(store, extended(store.files, name, random.bytes(random.int(1, 700))))
    },
  },
  {
    id: 'B5',
    title: 'a compaction of a damaged table installs nothing and leaves its inputs',
    test: damagedInput,
  },
  {
    id: 'C2',
    title: 'a store without its marker, or a marker without its manifest, is no new store',
    async test(random) {
      const { files } = await closedStore(random)
      const marker = nameLike(files, /^CURRENT/)
      const manifest = nameLike(files, /^MANIFEST/)
      await expectRefused(replaced(files, marker, undefined), 'CORRUPTION')
      await expectRefused(replaced(files, manifest, undefined), 'CORRUPTION')
      await expectRefused(replaced(files, marker, new Uint8Array(0)), 'CORRUPTION')
      const misnamed = replaced(files, marker, undefined)
      const other = replaced(misnamed, 'CURRENT-000009-000099', bytesOf(files, marker))
      await expectRefused(other, 'CORRUPTION')
    },
  },
  {
    id: 'C4',
    title: 'files of no use are removed, and their numbers are not taken for new files',
    async test(random) {
      const { files, content } = await closedStore(random)
      const highest = Math.max(...[...files.keys()].map((name) => Number.parseInt(name, 10) || 0))
      const number = `${highest + random.int(1, 4)}`.padStart(6, '0')
      const orphans = [`${number}.sst`, `${number}.tmp`]
      let dirty = files
      for (const name of orphans) dirty = replaced(dirty, name, random.bytes(100))
      const [found, names] = await contentWith(dirty)
      assertSame(found, content, 'beside orphans')
      const left = orphans.filter((name) => names.includes(name))
      if (left.length > 0) throw new Error(`${left} is left, or was used`)
    },
  },
  {
    id: 'C7',
    title: 'files that are not of the store are left alone',
    async test(random) {
      const { files, content } = await closedStore(random)
      const strange = ['.DS_Store', '._000004.sst', 'lost+found', '000004.sst~', '4.log', 'CURRENT']
      let more = files
      for (const name of strange) more = replaced(more, name, random.bytes(50))
      const [found, names] = await contentWith(more)
      assertSame(found, content, 'beside other files')
      const gone = strange.filter((name) => !names.includes(name))
      if (gone.length > 0) throw new Error(`${gone} is gone`)
    },
  },
  {
    id: 'E5',
    title: 'a full disk takes writes again when it has space, without another opening',
    test: fullDisk,
  },
]
