/**
 * Manifests for tests: a store's directory, its life, and the errors that come out.
 */
import { expect } from 'chai'
import type { FileSystem } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'
import { SedgeError } from '../../src/errors.ts'
import { readClosed } from '../../src/version/closed-statement.ts'
import { type CreateOptions, Manifest } from '../../src/version/manifest.ts'
import type { TableMeta } from '../../src/version/table-meta.ts'
import { tableMeta } from './table-metas.ts'

export const OPTIONS: CreateOptions = {
  storeId: new Uint8Array(16).fill(7),
  hashSeed: 99n,
  maxLevels: 7,
}

/** Adds tables with keys of 4 KB and removes older ones; returns the greatest length of the manifest. */
export function edits(manifest: Manifest, count: number, from = 0): number {
  let longest = 0
  for (let edit = from + 1; edit <= from + count; edit++) {
    const tables = manifest.version.tables()
    const oldest = tables.length > 3 ? [tables.at(-1)!] : []
    const removeTables = oldest.map(({ level, number }) => ({ level, number }))
    manifest.append({ lastSequence: edit, removeTables, addTables: [wideTable(1000 + edit)] })
    longest = Math.max(longest, manifest.length)
  }
  return longest
}

function wideTable(number: number): TableMeta {
  const [smallest, largest] = [new Uint8Array(2000), new Uint8Array(2001)]
  return { ...tableMeta(number), smallest, largest }
}

/** Every kind of change once. */
export function lifeOfStore(fs: FileSystem): void {
  const first = Manifest.create(fs, 'store', OPTIONS)
  edits(first, 1)
  first.writeClosed([])
  first.close()
  const recovered = Manifest.recover(fs, 'store')!
  const isClosed = readClosed(fs, 'store', recovered) !== undefined
  const second = Manifest.takeOver(fs, 'store', recovered, { isClosed })
  edits(second, 25, 1)
  for (let count = 0; count < 80; count++) second.allocateNumber()
  second.close()
}

export function directory(): MemoryFileSystem {
  const fs = new MemoryFileSystem()
  fs.makeDirectory('store')
  return fs
}

export function thrownBy(action: () => unknown, mayPass: true): SedgeError | undefined
export function thrownBy(action: () => unknown): SedgeError
export function thrownBy(action: () => unknown, mayPass = false): SedgeError | undefined {
  try {
    action()
  } catch (error) {
    if (!(error instanceof SedgeError)) throw error
    return error
  }
  return mayPass ? undefined : expect.fail('nothing was thrown')
}

export function codeOf(action: () => unknown): string | undefined {
  return thrownBy(action, true)?.code
}
