/**
 * What every user of a `File` needs: loops over short reads and writes, and one way to turn a failure of
 * the operating system into a `SedgeError` [ENV-5, ENV-6].
 */
import { SedgeError } from '../errors.ts'
import type { File, FileStatus, FileSystem } from './file-system.ts'

/** Codes that mean "no room": the state is left when space returns. */
const NO_SPACE: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** Fills `target` from `position`. Returns how many bytes were there: fewer only at the end of the file. */
export function readFully(file: File, target: Uint8Array, position: number): number {
  let done = 0
  while (done < target.length) {
    const rest = done === 0 ? target : target.subarray(done)
    const count = file.read(rest, position + done)
    if (count === 0) break
    done += count
  }
  return done
}

/** What `FileSystem.open` throws of a name that is not a regular file's. */
const NOT_REGULAR: readonly string[] = ['EISDIR', 'ELOOP', 'EINVAL']

/** Opens a file for reading. `'missing'` and `'irregular'`: there is none, and this is none. Throws what else the system says. */
export function openPresent(fs: FileSystem, path: string): File | 'missing' | 'irregular' {
  try {
    return fs.open(path, 'read')
  } catch (error) {
    const code = errorCode(error) ?? ''
    if (code === 'ENOENT') return 'missing'
    if (NOT_REGULAR.includes(code)) return 'irregular'
    throw error
  }
}

/** Writes all of `source` at `position`. Throws `EIO` when the system accepts no more bytes without saying why. */
export function writeFully(file: File, source: Uint8Array, position: number): void {
  let done = 0
  while (done < source.length) {
    const rest = done === 0 ? source : source.subarray(done)
    const count = file.write(rest, position + done)
    if (count === 0) throw systemError('EIO', 'a write was cut short')
    done += count
  }
}

/** Closes a file whose content is on disk already or of no use any more: nothing is lost when that fails. */
export function closeQuietly(file: File | undefined): void {
  try {
    file?.close()
  } catch {
    // The descriptor is gone all the same.
  }
}

/** What there is at a path, `undefined` for nothing. Throws `IO`. */
export function statusOf(fs: FileSystem, path: string): FileStatus | undefined {
  try {
    return fs.status(path)
  } catch (error) {
    throw ioError(error, 'cannot look at', path)
  }
}

/** The whole content of a regular file. */
export function readFile(fs: FileSystem, path: string): Uint8Array {
  const file = fs.open(path, 'read')
  try {
    const content = new Uint8Array(file.size())
    const count = readFully(file, content, 0)
    return count === content.length ? content : content.slice(0, count)
  } finally {
    file.close()
  }
}

/** An error as the operating system would give it: `code` is a name such as `ENOENT`. */
export function systemError(code: string, what: string): Error & { readonly code: string } {
  return Object.assign(new Error(`${code}: ${what}`), { code })
}

/** The `code` of a system error; for other errors their name; `undefined` for what is not an error at all. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string') return code
  return error instanceof Error ? error.name : undefined
}

/** Whether the disk, the quota or the largest file size is exhausted. */
export function isNoSpace(error: unknown): boolean {
  const code = errorCode(error)
  return code !== undefined && NO_SPACE.includes(code)
}

/**
 * Whether the process or the machine has as many files open as it may. Only opening a file or listing a directory fails so,
 * and leaves no trace.
 */
export function isOutOfHandles(error: unknown): boolean {
  const code = errorCode(error instanceof SedgeError ? error.cause : error)
  return code === 'EMFILE' || code === 'ENFILE'
}

/**
 * A failed system call as the store reports it: `FULL` when there is no room, else `IO`, with the original as
 * `cause`. `what` is what was tried ("cannot write"); of `file` only the base name is told. A `SedgeError` passes.
 */
export function ioError(error: unknown, what: string, file: string): SedgeError {
  if (error instanceof SedgeError) return error
  const name = baseName(file)
  const reason = errorCode(error) ?? 'unknown error'
  const code = isNoSpace(error) ? 'FULL' : 'IO'
  return new SedgeError(code, `${what} ${name}: ${reason}`, { cause: error, file: name })
}

/** What follows the last `/`, or the last `\` of a Windows path. */
export function baseName(path: string): string {
  const end = path.search(/[/\\]+$/)
  const trimmed = end > 0 ? path.slice(0, end) : path
  return trimmed.slice(Math.max(trimmed.lastIndexOf('/'), trimmed.lastIndexOf('\\')) + 1)
}

/** What precedes the last name of a path: `.` when there is nothing. */
export function parentPath(path: string): string {
  const trimmed = path.replace(/[/\\]+$/, '')
  const end = Math.max(trimmed.lastIndexOf('/'), trimmed.lastIndexOf('\\'))
  if (end < 0) return '.'
  return end === 0 ? '/' : trimmed.slice(0, end)
}
