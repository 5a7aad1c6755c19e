/** What the functions on whole stores (destroy, repair, import) are given, checked. */
import { absolutePath } from '../env/environment.ts'
import type { FileSystem } from '../env/file-system.ts'
import { optionalOptions } from '../util/own-option.ts'
import { fileSystemOption } from './options.ts'

/** Throws `TypeError` or `RangeError` naming the argument unless `path` can be a path. */
export function pathArgument(path: unknown, argument: string): asserts path is string {
  if (typeof path !== 'string') throw new TypeError(`${argument} must be a string`)
  if (path === '' || path.includes('\0')) {
    throw new RangeError(`${argument} must not be empty and must not contain a null character`)
  }
}

/** The option `fs`, the only one there is; `undefined` for the machine's. Throws `TypeError`, `RangeError`. */
export function fileSystemOf(given: unknown): FileSystem | undefined {
  const options = optionalOptions(given)
  for (const name of Object.keys(options)) {
    if (name !== 'fs') throw new RangeError(`there is no option named '${name}'`)
  }
  return fileSystemOption(options)
}

/** Where a store is for as long as the call or the store lasts, whatever becomes of the working directory. */
export function fixedPath(path: string, fs: FileSystem | undefined): string {
  // What a relative path means in another file system is that one's affair.
  return fs === undefined ? absolutePath(path) : path
}
