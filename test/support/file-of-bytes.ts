/** A file system in memory with one file in it, for what reads files. */
import type { File } from '../../src/env/file-system.ts'
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts'

/** An open file that holds a copy of `bytes`. */
export function fileOf(bytes: Uint8Array): File {
  const file = new MemoryFileSystem().open('/file', 'create')
  file.write(bytes, 0)
  return file
}

/** Runs steps to their end; returns what they return. */
export function runSteps<T>(steps: Generator<unknown, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}
