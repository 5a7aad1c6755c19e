/**
 * `destroy`: removes a store and nothing else (DES-1 to DES-3 in `docs/spec.md`).
 *
 *     lock ─► markers ─► tables, segments, … ─► manifests ─► unlock ─► the directory, if it is empty
 *
 * Markers go first: what an interrupted run leaves is no store any more, but still known for what it was. Manifests go last, so
 * that the next run knows it.
 */
import { laterTurn, nodeEnvironment } from '../env/environment.ts'
import { errorCode, ioError } from '../env/file-io.ts'
import type { FileSystem } from '../env/file-system.ts'
import { SedgeError } from '../errors.ts'
import { type FileName, parseFileName } from '../version/file-names.ts'
import { fileSystemOf, fixedPath, pathArgument } from './store-arguments.ts'

export interface DestroyOptions {
  /** For tests: another file system. */
  readonly fs?: FileSystem | undefined
}

/**
 * Removes the files of the store in the directory `path`, and the directory if it is empty then and no link or mount. Where there is no store nothing
 * happens. Rejects with `LOCKED` while the store is open, `IO`.
 */
export async function destroy(path: string, options?: DestroyOptions): Promise<void> {
  try {
    await destroyStore(path, options)
  } finally {
    await laterTurn()
  }
}

async function destroyStore(path: string, options: DestroyOptions | undefined): Promise<void> {
  pathArgument(path, 'path')
  const given = fileSystemOf(options)
  const { fs } = nodeEnvironment({ fs: given })
  const directory = fixedPath(path, given)
  try {
    const status = fs.status(directory)
    if (status === undefined) return
    if (status.kind !== 'directory') throw new SedgeError('IO', 'the path is not a directory')
    if (isStore(fs.list(directory))) await removeStore(fs, directory)
    if (fs.list(directory).length === 0) removeEmpty(fs, directory)
  } catch (error) {
    throw ioError(error, 'cannot destroy', path)
  }
}

async function removeStore(fs: FileSystem, path: string): Promise<void> {
  const lock = await fs.lock(path)
  try {
    for (const step of ORDER) {
      const names = fs.list(path).filter((name) => isOf(step, parseFileName(name)))
      for (const name of names) {
        // No store has made a directory of such a name.
        if (fs.status(`${path}/${name}`)?.kind !== 'directory') fs.remove(`${path}/${name}`)
      }
      fs.syncDirectory(path)
    }
  } finally {
    lock.release()
  }
}

/** What a system says of a directory that is reached through a link, mounted, or in one that we may not change. */
const NOT_OURS: readonly string[] = ['ENOTDIR', 'EBUSY', 'EACCES', 'EPERM']

/** The store is gone already: whoever gave it a place of this kind keeps the place. */
function removeEmpty(fs: FileSystem, directory: string): void {
  try {
    fs.removeDirectory(directory)
  } catch (error) {
    if (!NOT_OURS.includes(errorCode(error) ?? '')) throw error
  }
}

type FileType = FileName['type']

/** Locks are removed by whoever holds them. */
const ORDER: readonly (readonly FileType[])[] = [
  ['marker'],
  ['closed', 'table', 'log', 'values', 'temporary'],
  ['manifest'],
]

function isOf(types: readonly FileType[], parsed: FileName | undefined): boolean {
  return parsed !== undefined && types.includes(parsed.type)
}

/** Tables and segments alone are no proof: others name files with numbers, too. */
function isStore(names: readonly string[]): boolean {
  return names.some((name) => isOf(['marker', 'manifest', 'closed'], parseFileName(name)))
}
